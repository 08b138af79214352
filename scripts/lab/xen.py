# SPDX-License-Identifier: GPL-2.0
"""The Xen lab: dom0 with the module, domains with stock frontends.

counts     exact host: what the module does to interrupts
front      exact host: the module inside the domain
many       four domains at once
stress     everything that may happen to a domain
queues     the same with four queues, in short
"""

from . import kernel, ktap, qemu, xenhost
from .ktap import expect
from .xencounts import Counts
from .xenfront import Front
from .xenlink import Link
from .xenstress import Many, Stress

SERIES = ("6.1", "6.12")


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, initrd):
        self._report = report
        self._boot = boot
        self._initrd = initrd

    def _case(self, part, function, *args):
        self._report.case(f"{self._boot.name}: xen {part}: "
                          f"{function.__name__}", function, *args)

    def _host(self, part, **options):
        return xenhost.Host(f"xen-{self._boot.name}-{part}", self._boot,
                            self._initrd, **options)

    def _quiet(self, part, host, domains):
        """The last case of every host: nothing on any console."""
        def clean_consoles():
            faults = [fault for machine in (host, *domains)
                      for fault in machine.faults()]
            expect(not faults, "\n".join(faults[:40]))
        self._case(part, clean_consoles)

    def counts(self):
        """Interrupts, exactly."""
        with self._host("counts", exact=True) as host:
            domain = xenhost.Domain(host, 1)
            for case in Counts(Link(domain)).cases():
                self._case("counts", case)
            self._quiet("counts", host, [domain])

    def front(self):
        """The module inside the domain."""
        with self._host("front", exact=True) as host:
            domain = xenhost.Domain(host, 1)
            for case in Front(Link(domain, inside=True)).cases():
                self._case("front", case)
            self._quiet("front", host, [domain])

    def many(self):
        """Four domains at once."""
        with self._host("many", exact=True, domains=4) as host:
            domains = [xenhost.Domain(host, number) for number in range(1, 5)]
            many = Many([Link(domain) for domain in domains])
            for case in many.cases():
                self._case("many", case)
            self._quiet("many", host, many.alive())

    def _stress(self, part, queues, names=None):
        with self._host(part, exact=True) as host:
            domain = xenhost.Domain(host, 1, queues=queues)
            stress = Stress(Link(domain))
            for case in stress.cases():
                if names and case.__name__ not in names:
                    continue
                def settled(case=case):
                    case()
                    stress.settle()
                settled.__name__ = case.__name__
                self._case(part, settled)
            self._quiet(part, host, [domain])

    def stress(self):
        """Everything that may happen to a domain."""
        self._stress("stress", 1)

    def queues(self):
        """The same with four queues, in short."""
        self._stress("queues", 4, ("create", "insert_and_remove",
                                   "frontend_rebind", "save_and_restore",
                                   "destroy", "remove"))

    def run(self, parts):
        """Run parts; a host that does not come up is a failure."""
        for part in parts:
            try:
                getattr(self, part)()
            except (qemu.GuestError, OSError) as error:
                self._report.fail(f"{self._boot.name}: xen {part}", error)


ALL = ("counts", "front", "many", "stress", "queues")


def run(names, parts=ALL):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    for name in names:
        module, _ = kernel.build(name)
        boot = kernel.image(name)
        Lab(report, boot, xenhost.build(boot, module)).run(parts)
    report.end()
    return not report.failed
