# SPDX-License-Identifier: GPL-2.0
"""The module inside a domain, on a host without it, in an exact host."""

from .ktap import expect
from .xencounts import HOLD_US, PACKETS, RATE, close
from .xenlink import lossless, total

APPEAR_S = 2
# times that a device or a domain comes back
AGAIN = 2


class Front:
    """The cases; they share one host and one domain, which runs."""

    def __init__(self, link, rounds=1.0):
        self.link = link
        self.domain = link.domain
        self._again_and_again = range(max(1, int(AGAIN * rounds)))

    def _seen(self, flow, direction):
        return total(flow.domain, "irq.vif0-q", f"-{direction}")

    def _ours(self, flow, direction, name):
        return total(flow.domain, f"vcoal.{direction}-", f"/{name}")

    def _flows(self):
        return ((lossless(self.link.down(PACKETS, RATE)), "rx"),
                (lossless(self.link.up(PACKETS, RATE)), "tx"))

    def insertion(self):
        """The frontend is managed."""
        self.domain.run("insmod /vcoal.ko policy=observe")
        words = set(self.link.get("capabilities").split())
        expect({"count-rx", "count-tx", "rx-usecs", "tx-usecs"} <= words,
               f"capabilities: {words}")
        expect(self.link.get("adapter") == "xen_netfront", "adapter")

    def counters_agree(self):
        """Ours and /proc/interrupts are the same."""
        self.link.set(mode="observe")
        for flow, direction in self._flows():
            seen = self._seen(flow, direction)
            ours = self._ours(flow, direction, "irqs")
            packets = self._ours(flow, direction, "packets")
            expect(seen == ours and seen > 0.9 * PACKETS,
                   f"{direction}: {seen} interrupts, {ours} counted")
            expect(close(packets, PACKETS), f"{direction}: {packets} packets")

    def holds(self):
        """A hold takes interrupts away, as many as it lasts packets."""
        self.link.set(mode="fixed", rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        for flow, direction in self._flows():
            seen = self._seen(flow, direction)
            ours = self._ours(flow, direction, "irqs")
            held = self._ours(flow, direction, "held_packets")
            spent = self._ours(flow, direction, "added_delay_ns")
            spurious = self._ours(flow, direction, "spurious")
            expect(seen == ours, f"{direction}: {seen} != {ours}")
            expect(seen <= 1.2 * PACKETS / (HOLD_US * RATE / 1e6),
                   f"{direction}: {seen} interrupts for {PACKETS} packets")
            expect(held > PACKETS // 2 and
                   spent <= 1.1 * HOLD_US * 1000 * held,
                   f"{direction}: {held} held, {spent} ns")
            expect(not spurious, f"{direction}: {spurious} spurious")

    def first_packet_is_not_held(self):
        """Packets after idle pass at once, both ways."""
        # what was sent last is accounted when the next packet is sent
        self.link.flows(2, 50)
        for flow, direction in ((self.link.down(30, 50), "rx"),
                                (self.link.up(30, 50), "tx")):
            held = self._ours(lossless(flow), direction, "held_packets")
            irqs = self._seen(flow, direction)
            expect(held == 0 and irqs == 30,
                   f"{direction}: 30 lone packets: {held} held, "
                   f"{irqs} interrupts")

    def round_trips(self):
        """Closed loops and streams complete under holds."""
        self.link.set(rx_usecs=256, tx_usecs=256)
        for options in ("", "-T", "-p 4"):
            seen = self.link.ping(100, options)
            expect(seen["lost"] == 0 and seen["trips"] == 100,
                   f"{options}: {seen}")
        self.link.streams(30, 65536)

    def rebind(self):
        """The device leaves and comes again."""
        for _ in self._again_and_again:
            self.domain.run("""
                cd /sys/bus/xen/drivers/vif
                echo vif-0 > unbind
                usleep 300000
                echo vif-0 > bind
                """)
            self._again()

    def save_and_restore(self):
        """The domain sleeps, and gets new queues when it wakes up."""
        for _ in self._again_and_again:
            self.domain.host.run("set -e\n"
                                 f"xl save {self.domain.name} /run/saved\n"
                                 "xl restore /run/saved\nrm /run/saved", 600)
            self._again()

    def _again(self):
        """The NIC is managed, with holds, once its carrier was noticed."""
        self.domain.configure()
        self.domain.run(f"sleep {APPEAR_S}")
        self.link.ping(3)
        self.link.set(mode="fixed", rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        for flow, direction in self._flows():
            seen = self._seen(flow, direction)
            expect(seen < PACKETS / 2, f"{direction}: {seen} interrupts")

    def removal(self):
        """Insertion and removal, holds running."""
        self.domain.run("""
            set -e
            n=0
            while [ $n -lt 10 ]; do
                n=$((n + 1))
                rmmod vcoal
                insmod /vcoal.ko
                cd /sys/class/net/eth0/vcoal
                echo fixed > mode
                echo 5000 > rx_usecs
                echo 5000 > tx_usecs
                cd /
            done
            rmmod vcoal
            """)
        for flow, direction in self._flows():
            seen = self._seen(flow, direction)
            expect(seen > 0.9 * PACKETS, f"{direction}: {seen} interrupts")

    def cases(self):
        """In the order in which they must run."""
        return (self.insertion, self.counters_agree, self.holds,
                self.first_packet_is_not_held, self.round_trips, self.rebind,
                self.save_and_restore, self.removal)
