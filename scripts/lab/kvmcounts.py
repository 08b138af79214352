# SPDX-License-Identifier: GPL-2.0
"""What the module does to the interrupts of a KVM guest.

Time is real here and the machine may be busy, so these cases compare counts
with each other, and with time as the host under test measured it.
"""

import textwrap

from .ktap import expect
from .kvmhost import ROOT, Vm
from .kvmlink import Link, exact

PACKETS = 500
RATE = 500
HOLD_US = 10000
# what adaptive may hold of round trips, to find out that it must not
TRIED = 0.05
TRIPS = 1000


class Counts:
    """The cases; they share one host, one guest, and its stock counts."""

    def __init__(self, host, _):
        self.host = host
        self.vm = Vm(host, 1)
        self.link = Link(self.vm)

    def create(self):
        """A guest comes up."""
        self.vm.create()

    def stock_driver(self):
        """Without the module a round trip costs the guest an interrupt, and
        most drivers one more for what it sent."""
        self._stock()

    def _stock(self):
        seen = self.link.pings(100)
        expect(seen.irqs("rx")[1] >= 90, f"{seen}")
        expect(seen.irqs("tx")[1] >= 2, f"{seen}")

    def insertion(self):
        """The guest is managed, as a VM of its own."""
        self.host.run("insmod /vcoal.ko policy=observe")
        self.link.appear()
        words = set(self.host.run(f"cat {self.vm.nic}/capabilities").split())
        expect({"count-rx", "count-tx", "rx-usecs", "rx-frames", "tx-usecs",
                "tx-frames"} <= words, f"capabilities: {words}")
        label = self.host.run(f"cat {self.vm.root}/label")
        expect(label.startswith("qemu"), f"label: {label}")

    def counters_agree(self):
        """Ours and the guest's own are the same under every kind of load."""
        flood = exact(self.link.flood())
        expect(flood.irqs("rx")[0] >= 400, f"{flood}")
        for way, direction in ((self.link.down, "rx"), (self.link.up, "tx")):
            seen = exact(way(PACKETS, f"-r {RATE}"))
            packets = seen.our(direction, "packets")
            expect(packets == PACKETS, f"{direction}: {packets} packets")

    def _bounded(self, seen, direction):
        """Interrupts are no more than the hold lets pass, and far fewer than
        packets; each count of them is the same."""
        irqs, _ = exact(seen).irqs(direction)
        most = seen.elapsed_us / HOLD_US + PACKETS / 128 + 3
        expect(irqs <= most and irqs <= PACKETS / 2,
               f"{direction}: {irqs} interrupts, at most {most:.0f}: {seen}")
        expect(seen.our(direction, "holds") >= 3, f"{direction}: {seen}")

    def holds_take_interrupts_away(self):
        """Packets of a hold share an interrupt, both ways."""
        self.link.hold(HOLD_US)
        self._bounded(self.link.down(PACKETS, f"-r {RATE}"), "rx")
        self._bounded(self.link.up(PACKETS, f"-r {RATE}"), "tx")

    def bursts_and_streams(self):
        """All kinds of traffic under holds; nothing is lost."""
        self.link.hold(1000)
        for way in (self.link.down, self.link.up):
            exact(way(PACKETS, "-r 2000 -b 16"))
        self.link.flood()
        self.link.ping(100, "-T -s 1024")
        self.link.ping(200, "-p 8")
        self.link.streams(200, 64)
        self.link.streams(60, 65536)

    def every_policy(self):
        """Whoever decides, nothing is lost and both counts agree."""
        for policy in self.host.run(f"cat {ROOT}/policies").split():
            self.link.decide(policy, "throughput")
            exact(self.link.down(200, "-r 1000"))
            exact(self.link.up(200, "-r 1000"))

    def adaptive_leaves_ping_alone(self):
        """Round trips are not held, but for what it takes to know."""
        self.link.decide("adaptive")
        self.link.ping(100)
        seen = exact(self.link.pings(TRIPS))
        held = sum(seen.our(direction, "held_packets")
                   for direction in ("rx", "tx"))
        print(f"# {held} of {2 * TRIPS} held", flush=True)
        expect(held <= TRIED * 2 * TRIPS, f"{held} held: {seen}")

    def driver_unbind_and_bind(self):
        """The guest's driver goes and comes under traffic and holds."""
        self.link.hold(HOLD_US)
        for _ in range(3):
            self.host.run("vtraffic send "
                          f"{self.vm.address} 7010 -r 300 -t 3 "
                          "> /dev/null 2>&1 &")
            self.vm.run(textwrap.dedent("""\
                device=$(basename $(readlink -f /sys/class/net/eth0/device))
                cd /sys/bus/virtio/drivers/virtio_net
                echo $device > unbind
                usleep 200000
                echo $device > bind
                """))
            self.vm.configure()
            self.link.flood(20)
        # the last sender must not count when both ends are asked in turn
        self.host.run("sleep 3")
        exact(self.link.down(PACKETS, f"-r {RATE}"))

    def off_is_off(self):
        """Mode off counts nothing; on again it holds as before."""
        self.link.set(mode="off")
        seen = self.link.pings(100)
        expect(seen.irqs("rx")[1] >= 90 and seen.irqs("rx")[0] is None,
               f"{seen}")
        self.link.hold(HOLD_US)
        self._bounded(self.link.down(PACKETS, f"-r {RATE}"), "rx")

    def removal_restores(self):
        """Without the module interrupts are those of stock."""
        self.host.run("rmmod vcoal")
        self._stock()

    def cases(self):
        """In the order in which they must run."""
        return (self.create, self.stock_driver, self.insertion,
                self.counters_agree, self.holds_take_interrupts_away,
                self.bursts_and_streams, self.every_policy,
                self.adaptive_leaves_ping_alone,
                self.driver_unbind_and_bind, self.off_is_off,
                self.removal_restores)

    def guests(self):
        """Those that should be content in the end."""
        return [self.vm]
