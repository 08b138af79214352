# SPDX-License-Identifier: GPL-2.0
"""What the module does to interrupts of Xen's guests, in an exact host.

Time is counted in instructions there, hypervisor included, so these cases
compare counts without regard to how busy this machine is.
"""

from functools import partial

from . import kernel
from .ktap import Skip, expect
from .xenheld import none_is_lost
from .xenlink import lossless, total

PACKETS = 500
RATE = 2000
HOLD_US = 4000
# completions of three packets wait for others, those of ten or more do not
FEW_US, MANY_US = 1500, 5000
# of large packets under that hold, by TCP
LARGE_US, LARGE = 256, (100, 65536)
KEPT = 10000
ROOT = "/sys/kernel/vcoal"
# nothing is exact while a kernel that has just booted is busy with itself
SLACK = 0.04


def close(one, other):
    """Do two counts differ by next to nothing?"""
    return abs(one - other) <= SLACK * max(one, other) + 2


class Counts:
    """The cases; they share one host, one domain, and its stock counts."""

    def __init__(self, link, rounds=1.0):
        self.link = link
        self._rounds = rounds
        self.host = link.host
        self.domain = link.domain
        self.stock = None

    def _irqs(self, flow, direction):
        """Interrupts that the guest counted."""
        return total(flow.domain, "irq.vif0-q", f"-{direction}")

    def _ours(self, flow, direction, name):
        return total(flow.host, f"vcoal.{direction}-", f"/{name}")

    def _flows(self):
        """Packets each way: the guest's interrupts of receive, transmit."""
        down = lossless(self.link.down(PACKETS, RATE))
        up = lossless(self.link.up(PACKETS, RATE))
        return self._irqs(down, "rx"), self._irqs(up, "tx")

    def _hold(self, **settings):
        plain = {"rx_usecs": 0, "rx_frames": 0, "tx_usecs": 0}
        self.link.set(mode="fixed", **{**plain, **settings})

    def create(self):
        """A domain comes up."""
        self.domain.create()
        self.host.run("sleep 5")

    def stock_driver(self):
        """Without the module every packet costs the guest an interrupt."""
        self.link.flows(PACKETS, RATE)
        self.stock = self._flows()
        expect(min(self.stock) > PACKETS * 0.9,
               f"{PACKETS} packets each way, interrupts {self.stock}")

    def insertion(self):
        """The vif is managed, and belongs to its domain."""
        self.host.run("insmod /vcoal.ko policy=observe")
        vm = f"{ROOT}/vms/dom{self.domain.domid}"
        self.host.run(f"[ -d {vm}/nics/{self.domain.vif} ]")
        words = set(self.link.get("capabilities").split())
        expect({"count-rx", "count-tx", "rx-usecs", "rx-frames",
                "tx-usecs"} <= words, f"capabilities: {words}")
        expect(self.link.get("adapter") == "xen_netback", "adapter")

    def counters_agree(self):
        """Ours, the guest's /proc/interrupts and dom0's are the same."""
        self.link.set(mode="observe")
        down = lossless(self.link.down(PACKETS, RATE))
        up = lossless(self.link.up(PACKETS, RATE))
        for flow, direction in ((down, "rx"), (up, "tx")):
            ours = self._ours(flow, direction, "irqs")
            theirs = self._irqs(flow, direction)
            expect(ours == theirs, f"{direction}: {ours} != {theirs}")
            packets = self._ours(flow, direction, "packets")
            expect(packets == PACKETS, f"{direction}: {packets} packets")
        kicks = total(up.host, f"irq.{self.domain.vif}-q", "-tx")
        polls = self._ours(up, "tx", "polls")
        expect(close(kicks, polls), f"{kicks} events, {polls} polls")

    def observing_changes_nothing(self):
        """Interrupts in mode observe are those of the stock driver."""
        now = self._flows()
        expect(close(now[0], self.stock[0]) and close(now[1], self.stock[1]),
               f"stock {self.stock}, observed {now}")

    def holds(self):
        """A hold takes interrupts away, as many as it lasts packets."""
        self._hold(rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        ratio = HOLD_US * RATE / 1e6
        for flow, direction in ((self.link.down(PACKETS, RATE), "rx"),
                                (self.link.up(PACKETS, RATE), "tx")):
            lossless(flow)
            seen = self._irqs(flow, direction)
            ours = self._ours(flow, direction, "irqs")
            expect(seen == ours, f"{direction}: {seen} seen, {ours} counted")
            expect(seen <= 1.2 * PACKETS / ratio,
                   f"{direction}: {seen} interrupts for {PACKETS} packets")
        kicks = total(flow.host, f"irq.{self.domain.vif}-q", "-tx")
        expect(kicks <= 1.2 * PACKETS / ratio, f"{kicks} events of the guest")

    def completions_share_interrupts(self):
        """Few packets of one event wait for those of the next, many do not."""
        files = "/sys/bus/xen/devices/vif-0/xenbus"
        ask = f"cat {files}/spurious_events {files}/jiffies_eoi_delayed"
        before, seen = self.domain.run(ask), []
        for hold in (FEW_US, MANY_US):
            self._hold(tx_usecs=hold)
            flow = lossless(self.link.up(PACKETS, RATE))
            kicks = total(flow.host, f"irq.{self.domain.vif}-q", "-tx")
            irqs = self._irqs(flow, "tx")
            expect(irqs == self._ours(flow, "tx", "irqs"), f"{irqs} were seen")
            seen.append(f"{kicks} events, {irqs} interrupts")
            few = kicks / 2 - 2 <= irqs <= 0.65 * kicks
            expect(few if hold == FEW_US else close(irqs, kicks), str(seen))
        after = self.domain.run(ask)
        expect(before == after, f"in the guest: {before} -> {after}")

    def large_packets_share_interrupts(self):
        """dom0's thread completes a large packet part by part: they wait, even
        where the domain need not wait for its processor."""
        weigh = f"xl sched-credit2 -d {self.domain.name} -w"
        irqs = []
        self.host.run(f"{weigh} 65535\nxl sched-credit2 -s -r 0")
        try:
            for hold in (0, LARGE_US):
                self._hold(tx_usecs=hold)
                _, _, seen = self.link.during(partial(self.link.stream_up,
                                                      *LARGE))
                irqs.append(total(seen, "irq.vif0-q", "-tx"))
        finally:
            self.host.run(f"{weigh} 256\nxl sched-credit2 -s -r 1000")
        expect(irqs[1] < irqs[0] / 3, f"{irqs} interrupts")

    def last_completions_are_told(self):
        """What no event follows does not wait for one."""
        self._hold(tx_usecs=FEW_US)
        for _ in range(2):
            flow = lossless(self.link.up(3, RATE))
            kicks = total(flow.host, f"irq.{self.domain.vif}-q", "-tx")
            irqs = self._irqs(flow, "tx")
            expect(kicks == irqs == 2, f"{kicks} events, {irqs} interrupts")

    def delay_is_bounded(self):
        """On average no packet waited longer than the hold."""
        self._hold(rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        for flow, direction in ((self.link.down(PACKETS, RATE), "rx"),
                                (self.link.up(PACKETS, RATE), "tx")):
            held = self._ours(flow, direction, "held_packets")
            spent = self._ours(flow, direction, "added_delay_ns")
            expect(held > PACKETS // 2, f"{direction}: {held} were held")
            expect(spent <= 1.1 * HOLD_US * 1000 * held,
                   f"{direction}: {spent} ns for {held} packets")

    def rx_frames(self):
        """A threshold ends holds before their time."""
        self._hold(rx_usecs=10000)
        long = self._irqs(lossless(self.link.down(PACKETS, RATE)), "rx")
        self._hold(rx_usecs=10000, rx_frames=5)
        early = self._irqs(lossless(self.link.down(PACKETS, RATE)), "rx")
        expect(2 * long < early < PACKETS / 3,
               f"{long} interrupts without, {early} with rx_frames=5")

    def first_packet_is_not_held(self):
        """Packets after idle pass at once, both ways."""
        self._hold(rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        for flow, direction in ((self.link.down(30, 50), "rx"),
                                (self.link.up(30, 50), "tx")):
            held = self._ours(lossless(flow), direction, "held_packets")
            irqs = self._irqs(flow, direction)
            expect(held == 0 and irqs == 30,
                   f"{direction}: 30 lone packets: {held} held, "
                   f"{irqs} interrupts")

    def idle_costs_nothing(self):
        """No interrupt, poll, hold or timer while nothing is sent."""
        def sleep():
            return self.host.run("sleep 1\n"
                                 "grep -c vcoal /proc/timer_list || :")

        self.link.flows(PACKETS, RATE)
        self.host.run("sleep 3")
        timers, host, domain = self.link.during(sleep)
        expect(timers == "0", f"{timers} timers of ours are active")
        busy = {name: change for name, change in {**host, **domain}.items()
                if change and ("vif" in name or "vcoal" in name)}
        expect(not busy, str(busy))

    def no_penalty(self):
        """Xen took no event for spurious, at either end."""
        flags = "/sys/bus/xen-backend/devices/vif-*/xenbus"
        self._hold(rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        before = self.host.run(f"grep . {flags}/jiffies_eoi_delayed")
        up = lossless(self.link.up(PACKETS, 0, burst=16))
        down = lossless(self.link.down(PACKETS, 0, burst=16))
        spurious = (total(flow.host, "vcoal.", "/spurious")
                    for flow in (up, down))
        expect(not sum(spurious), "events were spurious")
        after = self.host.run(f"grep . {flags}/jiffies_eoi_delayed")
        expect(before == after, f"{before} -> {after}")

    def round_trips(self):
        """Closed loops complete under holds in both directions."""
        self._hold(rx_usecs=64, tx_usecs=64)
        for options in ("", "-T", "-p 4", "-s 16384 -T"):
            seen = self.link.ping(100, options)
            expect(seen["lost"] == 0 and seen["trips"] == 100,
                   f"{options}: {seen}")

    def none_is_lost(self):
        """Interrupts that were kept come, all of many thousands."""
        none_is_lost(self.link, self._rounds * KEPT)

    def streams(self):
        """TCP under holds, small and large messages."""
        self._hold(rx_usecs=256, tx_usecs=256)
        self.link.streams(100, 64)
        self.link.streams(30, 65536)

    def adaptive_does_not_delay(self):
        """The default policy leaves a ping alone."""
        vm = f"{ROOT}/vms/dom{self.domain.domid}"
        if "adaptive" not in self.host.run(f"cat {ROOT}/policies").split():
            raise Skip("no such policy")
        trips = {}
        for policy in ("observe", "adaptive"):
            self.link.set(mode="auto")
            self.host.run(f"echo {policy} > {vm}/policy")
            self.link.ping(100)
            trips[policy] = self.link.ping(200)
        observe, adaptive = (trips[name]["p50_us"]
                             for name in ("observe", "adaptive"))
        expect(adaptive <= 1.05 * observe, f"median {observe} us observed, "
               f"{adaptive} us with adaptive")

    def every_policy(self):
        """Whatever decides, no packet is lost."""
        vm = f"{ROOT}/vms/dom{self.domain.domid}"
        self.link.set(mode="auto")
        for policy in self.host.run(f"cat {ROOT}/policies").split():
            self.host.run(f"echo {policy} > {vm}/policy")
            self.link.flows(PACKETS, RATE)

    def off_is_off(self):
        """Mode off leaves the driver alone."""
        self._hold(rx_usecs=HOLD_US, tx_usecs=HOLD_US)
        self.link.set(mode="off")
        now = self._flows()
        expect(close(now[0], self.stock[0]) and close(now[1], self.stock[1]),
               f"stock {self.stock}, off {now}")
        self.link.set(mode="fixed")
        now = self._flows()
        expect(max(now) < min(self.stock) / 2, f"on again: {now}")

    def removal_restores(self):
        """Without the module everything is as before it."""
        self.host.run("rmmod vcoal")
        now = self._flows()
        expect(close(now[0], self.stock[0]) and close(now[1], self.stock[1]),
               f"stock {self.stock}, after rmmod {now}")

    def cases(self):
        """In the order in which they must run. Policies hang on no kernel: one
        series is enough for them."""
        policies = (self.every_policy,) if kernel.in_full(self._rounds) else ()
        return (self.create, self.stock_driver, self.insertion,
                self.counters_agree, self.observing_changes_nothing,
                self.holds, self.completions_share_interrupts,
                self.large_packets_share_interrupts,
                self.last_completions_are_told, self.delay_is_bounded,
                self.rx_frames,
                self.first_packet_is_not_held, self.idle_costs_nothing,
                self.no_penalty, self.none_is_lost, self.round_trips,
                self.streams,
                self.adaptive_does_not_delay, *policies,
                self.off_is_off, self.removal_restores)
