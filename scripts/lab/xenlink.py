# SPDX-License-Identifier: GPL-2.0
"""What goes between dom0 and one of its domains, counted at both ends."""

import dataclasses

from . import qemu, xenhost
from .ktap import expect
from .wire import difference, values

# those above the first are served at both ends: see xen-start
PORT_SINK, PORT_ECHO, PORT_DRAIN, PORT_NOISE = 7001, 7002, 7003, 7010
IDLE_MS = 5000
PAUSE_US = 200000


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


def lossless(flow):
    """The flow, of which every packet came once and in order."""
    expect(flow.lost == 0 and flow.reordered == 0,
           f"sent {flow.sent}, received {flow.received}, "
           f"reordered {flow.reordered}")
    return flow


def total(counters, begin, end):
    """Sum of the counters whose name begins and ends so."""
    return sum(value for name, value in counters.items()
               if name.startswith(begin) and name.endswith(end))


class Link:
    """dom0 and a domain; the module is in one of them."""

    def __init__(self, domain, inside=False):
        self.domain = domain
        self.host = domain.host
        self.keeper = domain if inside else domain.host

    @property
    def nic(self):
        """The module's directory of the NIC."""
        inside = self.keeper is self.domain
        return f"/sys/class/net/{'eth0' if inside else self.domain.vif}/vcoal"

    def set(self, **settings):
        """Write files of the NIC: mode, rx_usecs and so on."""
        self.keeper.run(f"set -e\ncd {self.nic}\n" + "\n".join(
            f"echo {value} > {name}" for name, value in settings.items()))

    def get(self, name):
        """Read one file of the NIC."""
        return self.keeper.run(f"cat {self.nic}/{name}")

    def during(self, function):
        """Call; returns its result, and the changes of all counters."""
        ends = self.host, self.domain
        before = [values(end.run(self._count(end))) for end in ends]
        said = function()
        return (said, *(difference(then, values(end.run(self._count(end))))
                        for end, then in zip(ends, before)))

    def _count(self, end):
        """Script: counters of its vifs, and the module's; consoles are slow."""
        ours = ""
        if end is self.keeper:
            ours = f"""
                (cd {self.nic}/queues 2> /dev/null &&
                    grep . */* | sed 's/^/vcoal./; s/:/=/')"""
        return f"vtraffic counters | grep vif{ours}\n:"

    def _flow(self, sender, receiver, address, count, options, counted=True):
        """Requests take longer than packets: counters are read in those that
        are made anyway. A kernel is busy for a while with programs that ended,
        and a pause costs nothing where time is counted in instructions."""
        def counters(end):
            return f"{self._count(end)}\nusleep {PAUSE_US}" if counted else ":"

        began = receiver.run(f"rm -f /run/sink\nvtraffic sink {PORT_SINK} "
                             f"-n {count} -i {IDLE_MS} -o /run/sink\n" +
                             counters(receiver))
        sent = sender.run(f"{counters(sender)}\nvtraffic send {address} "
                          f"{PORT_SINK} -n {count} {options}").splitlines()
        got = receiver.run("until [ -s /run/sink ]; do usleep 20000; done\n"
                           "cat /run/sink\n" +
                           counters(receiver)).splitlines()
        seen = values("\n".join([sent.pop(), got.pop(0)]).replace(" ", "\n"))
        change = {receiver: difference(values(began), values("\n".join(got)))}
        if counted:
            change[sender] = difference(values("\n".join(sent)), values(
                sender.run(self._count(sender))))
        return Flow(seen["sent"], seen["received"], seen["reordered"],
                    change.get(self.host, {}), change.get(self.domain, {}))

    def down(self, count, rate=0, size=64, burst=1):
        """Packets from dom0 to the domain."""
        return self._flow(self.host, self.domain, self.domain.address, count,
                          f"-r {rate} -s {size} -b {burst}")

    def up(self, count, rate=0, size=64, burst=1):
        """Packets from the domain to dom0."""
        return self._flow(self.domain, self.host, xenhost.DOM0_ADDRESS, count,
                          f"-r {rate} -s {size} -b {burst}")

    def flows(self, count, rate):
        """Packets each way, all of which must come; nothing is counted."""
        for way in ((self.host, self.domain, self.domain.address),
                    (self.domain, self.host, xenhost.DOM0_ADDRESS)):
            lossless(self._flow(*way, count, f"-r {rate}", counted=False))

    def ping(self, count, options="", seconds=qemu.REQUEST_S):
        """Round trips from dom0, where the domain echoes."""
        said = self.host.run(f"vtraffic ping {self.domain.address} "
                             f"{PORT_ECHO} -n {count} {options}", seconds)
        return values(said.replace(" ", "\n"))

    def _stream(self, sender, address, count, size):
        said = sender.run(f"vtraffic stream {address} {PORT_DRAIN} "
                          f"-n {count} -s {size}")
        expect(f"bytes={count * size}" in said, said)

    def stream_up(self, count, size):
        """TCP from the domain to dom0."""
        self._stream(self.domain, xenhost.DOM0_ADDRESS, count, size)

    def streams(self, count, size):
        """TCP one way, then the other."""
        self._stream(self.host, self.domain.address, count, size)
        self.stream_up(count, size)
