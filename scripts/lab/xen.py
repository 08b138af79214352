# SPDX-License-Identifier: GPL-2.0
"""The Xen lab: dom0 with the module, domains with stock frontends.

counts     what the module does to interrupts: in dom0, with a domain that
           misbehaves, then in the domain
stress     everything that may happen to a domain; the same with four queues,
           in short; and settings that follow a domain
many       four domains at once
pvh        in short, with a domain that the processor keeps apart: most are so today
held       a million held interrupts; takes long and is not part of the check

All hosts are exact, so they may run side by side.
"""

from functools import partial

from . import debug, keep, kernel, ktap, qemu, together, xenabuse, xenhost
from .ktap import expect
from .xenabuse import Abuse
from .xencounts import Counts
from .xenfront import Front
from .xenheld import Held
from .xenlink import Link
from .xenstress import Many, Stress

# the first in full, the others in short
SERIES = ("6.12", "6.1")
# what depends on the number of queues
QUEUES = ("create", "removal_while_held", "frontend_rebind",
          "save_and_restore", "remove")


# no domain begins or ends in these: its store maps its ring then, and the order in
# which gntdev takes its locks is the first report of lockdep, which is the last
PROVEN = ("insert_and_remove", "removal_while_held", "frontend_rebind",
          "backend_down_and_up", "pause")
PROVE = "/sys/module/lockdep/parameters/prove_locking"


# in short
BRIEF = ("create", "stock_driver", "insertion", "counters_agree", "holds",
         "large_packets_share_interrupts", "adaptive_does_not_delay",
         "removal_restores", "removal")


class Lab:
    """The cases of one kernel and one kind of domain, reported as they run;
    those with these names, if any."""

    def __init__(self, report, boot, initrd, rounds=1.0, kind=xenhost.PV,
                 names=()):
        self._kind = kind
        self._names = names
        self._label = "" if kind == xenhost.PV else f"{kind} "
        self._report = report
        self._rounds = rounds
        self._boot = boot
        self._initrd = initrd

    def _case(self, part, function, *args):
        self._report.case(f"{self._boot.name}: xen {self._label}{part}: "
                          f"{function.__name__}", function, *args)

    def _host(self, part, **options):
        return xenhost.Host(f"xen-{self._boot.name}-{self._kind}-{part}",
                            self._boot, self._initrd, exact=True,
                            kind=self._kind, **options)

    def _quiet(self, part, host, domains):
        """The last case of every host: nothing on any console."""
        def clean_consoles():
            faults = [fault for machine in (host, *domains)
                      for fault in machine.faults()]
            expect(not faults, "\n".join(faults[:40]))
        self._case(part, clean_consoles)

    def _cases(self, part, cases):
        for case in cases:
            if not self._names or case.__name__ in self._names:
                self._case(part, case)

    def counts(self):
        """Interrupts, exactly."""
        with self._host("counts") as host:
            domain = xenhost.Domain(host, 1)
            front = Front(Link(domain, inside=True), self._rounds)
            self._cases("counts", Counts(Link(domain), self._rounds).cases())
            self._cases("abuse", Abuse(Link(domain)).cases())
            self._cases("front", front.cases())
            self._quiet("counts", host, [domain])

    def pvh(self):
        """Domains of the other kind, in short."""
        Lab(self._report, self._boot, self._initrd, self._rounds, xenhost.PVH,
            BRIEF).counts()

    def many(self):
        """Four domains at once."""
        with self._host("many", domains=4) as host:
            domains = [xenhost.Domain(host, number) for number in range(1, 5)]
            many = Many([Link(domain) for domain in domains])
            self._cases("many", many.cases())
            self._quiet("many", host, many.alive())

    def held(self):
        """Very many held interrupts."""
        with self._host("held") as host:
            domain = xenhost.Domain(host, 1)
            self._cases("held", Held(Link(domain)).cases())
            self._quiet("held", host, [domain])

    def _prove(self, host, on):
        """Have a kernel that can look at the order of locks."""
        if self._boot.name == xenhost.DEBUG:
            host.run(f"echo {int(on)} > {PROVE}")

    def _stress(self, part, domain, names=None):
        stress = Stress(Link(domain))
        for case in stress.cases():
            if names and case.__name__ not in names:
                continue

            def settled(case=case):
                self._prove(domain.host, case.__name__ in PROVEN)
                case()
                stress.settle()
            settled.__name__ = case.__name__
            self._case(part, settled)
        return stress

    def stress(self):
        """Everything that may happen to a domain."""
        with self._host("stress") as host:
            domain = xenhost.Domain(host, 1)
            stress = self._stress("stress", domain)
            self._case("stress", stress.end)
            domain = xenhost.Domain(host, 1, queues=4)
            self._stress("queues", domain, QUEUES)
            self._cases("keep", keep.Domain(Link(domain)).cases())
            self._quiet("stress", host, [domain])

    def run(self, part):
        """Run a part; a host that does not come up is a failure."""
        try:
            getattr(self, part)()
        except (qemu.GuestError, OSError) as error:
            self._report.fail(f"{self._boot.name}: xen {part}", error)


# the longest first, whatever the kernel: they run side by side
WHOLE = ("stress", "counts", "many")
ALL = (*WHOLE, "pvh")
SHORT = ("counts",)


def _lab(report, name, names, kind=xenhost.PV):
    module, _ = kernel.build(name)
    boot = kernel.image(name)
    kick = kernel.build_helper(name, xenabuse.KICKER)
    return Lab(report, boot, xenhost.build(boot, module, helpers=[kick]),
               kernel.rounds(name, names), kind)


def run_pvh(names):
    """All of it, with domains that the processor keeps apart."""
    report = ktap.Report()
    labs = [_lab(report, name, names, xenhost.PVH) for name in names]
    together.run([partial(lab.run, part) for part in WHOLE for lab in labs])
    report.end()
    return not report.failed


def run_debug():
    """What may happen to domains, both ends on a kernel with every checker on but
    KASAN; what counts exactly is not among it."""
    report = ktap.Report()
    boot, module = debug.checked(xenhost.DEBUG)
    lab = Lab(report, boot, xenhost.build(boot, module))
    together.run([partial(lab.run, part) for part in ("stress", "many")])
    report.end()
    return not report.failed


def run(names, parts=ALL):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    labs = together.run([partial(_lab, report, name, names)
                         for name in names])
    together.run([partial(lab.run, part) for part in parts
                  for number, lab in enumerate(labs)
                  if not number or part in SHORT])
    report.end()
    return not report.failed
