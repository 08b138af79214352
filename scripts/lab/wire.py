# SPDX-License-Identifier: GPL-2.0
"""Two NICs of one guest, joined, each in a namespace of its own.

What one sends the other receives, and every packet and interrupt of both is
counted by the guest itself: no network of this machine takes part.
"""

import dataclasses
import re

from . import qemu

PORT_SINK, PORT_ECHO, PORT_DRAIN = 7001, 7002, 7003
IDLE_MS = 3000
SYSFS = "/run/sys"


@dataclasses.dataclass(frozen=True)
class End:
    """One end of the wire."""
    netns: str
    dev: str
    address: str
    mac: str
    virtio: str = ""

    @property
    def sysfs(self):
        """Its directory, in the sysfs of its namespace."""
        return f"{SYSFS}/{self.netns}/class/net/{self.dev}"

    @property
    def nic(self):
        """The module's directory for it."""
        return f"{self.sysfs}/vcoal"

    def irq(self, direction):
        """Name of the counter of its interrupts."""
        return f"irq.{self.virtio}-{direction}.0"

    def queue(self, name):
        """Name of one of the module's counters, e.g. rx-0/irqs."""
        return f"vcoal.{self.dev}.{name}"


@dataclasses.dataclass(frozen=True)
class Flow:
    """Packets that were sent, and what the counters did meanwhile."""
    sent: int
    received: int
    missing: int
    reordered: int
    delta: dict

    @property
    def lost(self):
        """Packets that never came, those after the last one included."""
        return self.sent - self.received


class Wire:
    """The pair of NICs number 0, 1 (or 2, 3 and so on) of a guest."""

    def __init__(self, guest, pair=0):
        self.guest = guest
        first = 2 * pair
        self.a, self.b = (
            End(f"{side}{pair}", f"eth{first + i}", f"10.78.{pair}.{i + 1}",
                f"52:54:00:00:00:{first + i:02x}", self._virtio(first + i))
            for i, side in enumerate("ab"))

    def _virtio(self, index):
        path = f"/sys/class/net/eth{index}/device"
        return self.guest.run(f"basename $(readlink -f {path})")

    def connect(self):
        """Namespaces, addresses, and no need to ask for neighbours."""
        for end in (self.a, self.b):
            self.guest.run(f"ip netns add {end.netns}\n"
                           f"ip link set {end.dev} netns {end.netns}\n"
                           f"mkdir -p {SYSFS}/{end.netns}")
            self.guest.inside(end.netns, "mount -t sysfs sysfs "
                              f"{SYSFS}/{end.netns}")
            self.configure(end)

    def configure(self, end):
        """Bring one end up: the interface is in its namespace already."""
        other = self.b if end is self.a else self.a
        self.guest.inside(end.netns, qemu.batch(
            f"addr replace {end.address}/24 dev {end.dev}", "link set lo up",
            f"link set {end.dev} up",
            f"neigh replace {other.address} lladdr {other.mac} dev {end.dev}"))

    def set(self, end, **settings):
        """Write files of a NIC: mode, rx_usecs and so on."""
        script = "\n".join(f"echo {value} > {name}"
                           for name, value in settings.items())
        self.guest.run(f"set -e\ncd {end.nic}\n{script}")

    def get(self, end, name):
        """Read one file of a NIC."""
        return self.guest.run(f"cat {end.nic}/{name}")

    def _snapshot(self):
        lines = []
        for end in (self.a, self.b):
            lines.append(f"""
                {qemu.enter(end.netns, "vtraffic counters")}
                cd {end.nic}/queues 2> /dev/null && for file in */*; do
                    read -r value < $file
                    echo vcoal.{end.dev}.$file=$value
                done
                cd /""")
        return "\n".join(lines)

    def during(self, script, seconds=qemu.REQUEST_S):
        """Run a script; returns (what it printed, changes of all counters)."""
        text = self.guest.run(f"{self._snapshot()}\necho @@\n{script}\n"
                              f"echo @@\n{self._snapshot()}", seconds)
        before, said, after = text.split("@@\n")
        return said, difference(values(before), values(after))

    def _sending(self, count, rate=0, size=64, burst=1, options="",
                 sink_options=""):
        """A script that sends packets from a to b until they are through."""
        sink = (f"vtraffic sink {PORT_SINK} -n {count} -i {IDLE_MS} "
                f"-o /run/sink {sink_options}")
        send = (f"vtraffic send {self.b.address} {PORT_SINK} -n {count} "
                f"-r {rate} -s {size} -b {burst} {options}")
        return f"""
            rm -f /run/sink
            {qemu.enter(self.b.netns, sink)}
            {qemu.enter(self.a.netns, send)}
            until [ -s /run/sink ]; do usleep 20000; done
            cat /run/sink
            """

    def warm(self):
        """A few packets, for neither end may be the one to wake up later."""
        self.guest.run(self._sending(20, 1000))

    def flow(self, *args, **options):
        """Send packets from a to b, and count what comes of it."""
        said, delta = self.during(self._sending(*args, **options))
        seen = values(said.replace(" ", "\n"))
        return Flow(seen["sent"], seen["received"], seen["missing"],
                    seen["reordered"], delta)

    def echo(self, netns):
        """A server that answers, until the guest ends."""
        self.guest.inside(netns, f"vtraffic echo {PORT_ECHO}")

    def ping(self, count, size=64, options=""):
        """Round trips from a to b, where an echo must be running."""
        said, delta = self.during(qemu.enter(
            self.a.netns, f"vtraffic ping {self.b.address} {PORT_ECHO} "
            f"-n {count} -s {size} {options}"))
        return values(said.replace(" ", "\n")), delta


def values(text):
    """name=number lines; numbers may have a fraction; other lines do not
    count, equal names add up."""
    values = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(\S+)=([\d.]+)", line)
        if match:
            number = float(match[2]) if "." in match[2] else int(match[2])
            values[match[1]] = number
    return values


def difference(before, after):
    return {name: value - before.get(name, 0)
            for name, value in after.items()}
