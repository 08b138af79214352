# SPDX-License-Identifier: GPL-2.0
"""The Xen lab: dom0 with the module, domains with stock frontends.

boot       what the host itself can do, without the module
"""

import dataclasses

from . import kernel, ktap, qemu, xenhost
from .ktap import expect
from .wire import difference, values

DOM0 = "10.79.0.1"
PORT_SINK, PORT_ECHO = 7001, 7002
IDLE_MS = 3000


@dataclasses.dataclass(frozen=True)
class Flow:
    """Packets that were sent, and what both ends counted meanwhile."""
    sent: int
    received: int
    reordered: int
    host: dict
    domain: dict

    @property
    def lost(self):
        """Packets that never came."""
        return self.sent - self.received


class Link:
    """What goes between dom0 and one of its domains."""

    def __init__(self, domain):
        self.domain = domain
        self.host = domain.host

    def during(self, script):
        """Run a function; returns its result and what both ends counted."""
        host, domain = self._host_counters(), self._domain_counters()
        said = script()
        return (said, difference(host, self._host_counters()),
                difference(domain, self._domain_counters()))

    def _domain_counters(self):
        return values(self.domain.run("vtraffic counters"))

    def _host_counters(self):
        return values(self.host.run(f"""
            vtraffic counters
            cd /sys/class/net/{self.domain.vif}/vcoal/queues 2> /dev/null &&
                grep . */* | sed 's/^/vcoal./; s/:/=/'
            :"""))

    def _flow(self, sender, receiver, address, options):
        def send():
            receiver.run(f"rm -f /run/sink\n"
                         f"vtraffic sink {PORT_SINK} -n {options['-n']} "
                         f"-i {IDLE_MS} -o /run/sink")
            words = " ".join(f"{key} {value}"
                             for key, value in options.items())
            said = sender.run(f"vtraffic send {address} {PORT_SINK} {words}")
            return said + " " + receiver.run(
                "until [ -s /run/sink ]; do usleep 20000; done\n"
                "cat /run/sink")

        said, host, domain = self.during(send)
        seen = values(said.replace(" ", "\n"))
        return Flow(seen["sent"], seen["received"], seen["reordered"],
                    host, domain)

    def down(self, count, rate=0, size=64, burst=1):
        """Packets from dom0 to the domain."""
        return self._flow(self.host, self.domain, self.domain.address,
                          {"-n": count, "-r": rate, "-s": size, "-b": burst})

    def up(self, count, rate=0, size=64, burst=1):
        """Packets from the domain to dom0."""
        return self._flow(self.domain, self.host, DOM0,
                          {"-n": count, "-r": rate, "-s": size, "-b": burst})

    def ping(self, count, options=""):
        """Round trips from dom0, where the domain echoes."""
        said, host, domain = self.during(lambda: self.host.run(
            f"vtraffic ping {self.domain.address} {PORT_ECHO} "
            f"-n {count} {options}"))
        return values(said.replace(" ", "\n")), host, domain


def lossless(flow):
    """The flow, of which every packet came once and in order."""
    expect(flow.lost == 0 and flow.reordered == 0,
           f"sent {flow.sent}, received {flow.received}, "
           f"reordered {flow.reordered}")
    return flow


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, initrd):
        self._report = report
        self._boot = boot
        self._initrd = initrd

    def _case(self, part, function, *args):
        self._report.case(f"{self._boot.name}: xen {part}: "
                          f"{function.__name__}", function, *args)

    def _host(self, part, domains=1):
        return xenhost.Host(f"xen-{self._boot.name}-{part}", self._boot,
                            self._initrd, domains=domains)

    def _quiet(self, part, host, domains):
        """The last case of every host: nothing on any console."""
        def clean_consoles():
            faults = [fault for machine in (host, *domains)
                      for fault in machine.faults()]
            expect(not faults, "\n".join(faults[:40]))
        self._case(part, clean_consoles)

    def boot(self):
        """One domain with one queue, without the module."""
        with self._host("boot") as host:
            domain = xenhost.Domain(host, 1)
            link = Link(domain)
            cases = Boot(link)
            for case in cases.cases():
                self._case("boot", case)
            self._quiet("boot", host, [domain])

    def run(self, parts):
        """Run parts; a host that does not come up is a failure."""
        for part in parts:
            try:
                getattr(self, part)()
            except (qemu.GuestError, OSError) as error:
                self._report.fail(f"{self._boot.name}: xen {part}", error)


class Boot:
    """What the lab itself must be able to do."""

    def __init__(self, link):
        self.link = link
        self.domain = link.domain

    def create(self):
        """A domain comes up and answers on its console."""
        self.domain.create()
        expect("xen" in self.domain.run("cat /sys/hypervisor/type"), "no Xen")

    def traffic(self):
        """Packets arrive in both directions."""
        lossless(self.link.down(200, 1000))
        lossless(self.link.up(200, 1000))

    def cases(self):
        """In the order in which they must run."""
        return (self.create, self.traffic)


ALL = ("boot",)
SERIES = ("6.1", "6.12")


def run(names, parts=ALL):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    for name in names:
        module, _ = kernel.build(name)
        boot = kernel.image(name)
        Lab(report, boot, xenhost.build(boot, module)).run(parts)
    report.end()
    return not report.failed
