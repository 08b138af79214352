# SPDX-License-Identifier: GPL-2.0
"""What the module does to interrupts, in exact guests.

Time is counted in instructions there, so these cases compare counts without
regard to how busy this machine is.
"""

import re

from . import qemu
from .ktap import expect
from .wire import PORT_ECHO, PORT_SINK, values

PACKETS = 2000
RATE = 10000
HOLD_US = 256
ROOT = "/sys/kernel/vcoal"
VM = f"{ROOT}/vms/local"


def observe(wire):
    """Both ends: count, change nothing."""
    for end in (wire.a, wire.b):
        wire.set(end, mode="observe", rx_usecs=0, rx_frames=0, tx_usecs=0,
                 tx_frames=0)


def receive(wire, **settings):
    """A paced flow while the receiver uses these settings."""
    observe(wire)
    if settings:
        wire.set(wire.b, mode="fixed", **settings)
    return lossless(wire.flow(PACKETS, RATE))


def lossless(flow):
    """The flow, of which every packet came once and in order."""
    expect(flow.lost == 0 and flow.missing == 0 and flow.reordered == 0,
           f"sent {flow.sent}, received {flow.received}, "
           f"missing {flow.missing}, reordered {flow.reordered}")
    return flow


def close(one, other, share=0.02):
    """Do two counts differ by no more than a share of them?"""
    return abs(one - other) <= share * max(one, other) + 2


def fold(base, now, at_least, what):
    """A count must have fallen to a fraction of what it was."""
    expect(now * at_least <= base,
           f"{what}: {base} before, {now} now, expected {at_least}-fold less")


def stock_irqs(wire):
    """Interrupts of both ends, without the module or any hold."""
    flow = lossless(wire.flow(PACKETS, RATE))
    return (flow.delta[wire.b.irq("input")], flow.delta[wire.a.irq("output")])


class Counts:
    """The cases; they share one guest and the counts of its stock driver."""

    def __init__(self, wire):
        self.wire = wire
        self.guest = wire.guest
        self.stock = None

    def stock_driver(self):
        """Without the module every packet costs an interrupt."""
        # a kernel that has just booted is busy with itself
        self.guest.run("sleep 5")
        self.wire.flow(PACKETS, RATE)
        self.stock = stock_irqs(self.wire)
        expect(min(self.stock) > PACKETS // 2,
               f"{PACKETS} packets, interrupts {self.stock}")

    def insertion(self):
        """Both NICs are managed as soon as the module is there."""
        self.guest.run("insmod /vcoal.ko")
        for path in (f"{ROOT}/default_policy", f"{VM}/policy"):
            expect(self.guest.run(f"cat {path}") == "adaptive", path)
        # from here on the cases say who decides
        self.guest.run(f"echo observe > {VM}/policy")
        expect(self.guest.run(f"cat {ROOT}/version"), "no version")
        for end in (self.wire.a, self.wire.b):
            words = self.wire.get(end, "capabilities").split()
            for word in ("count-rx", "count-tx", "rx-usecs", "tx-usecs",
                         "rx-frames"):
                expect(word in words, f"{end.dev}: {word} not in {words}")
            expect(self.wire.get(end, "driver") == "virtio_net",
                   f"{end.dev}: driver")

    def interrupts_are_counted(self):
        """The module's counters are those of /proc/interrupts."""
        wire = self.wire
        delta = receive(wire).delta
        for end, direction, queue in ((wire.b, "input", "rx-0"),
                                      (wire.a, "output", "tx-0")):
            ours = delta[end.queue(f"{queue}/irqs")]
            theirs = delta[end.irq(direction)]
            expect(ours == theirs, f"{end.dev} {queue}: {ours} != {theirs}")
        frames = delta[wire.b.queue("rx-0/packets")]
        expect(frames == PACKETS, f"{frames} packets counted of {PACKETS}")

    def observing_changes_nothing(self):
        """Interrupts in mode observe are those of the stock driver."""
        delta = receive(self.wire).delta
        now = (delta[self.wire.b.irq("input")],
               delta[self.wire.a.irq("output")])
        expect(close(now[0], self.stock[0]) and close(now[1], self.stock[1]),
               f"stock {self.stock}, observed {now}")

    def rx_usecs(self):
        """A receive hold longer than the gap takes the interrupts away."""
        name = self.wire.b.irq("input")
        none = receive(self.wire, rx_usecs=0).delta[name]
        held = receive(self.wire, rx_usecs=HOLD_US).delta[name]
        fold(none, held, 100, "receive interrupts")

    def tx_usecs(self):
        """The same for the sender's interrupts."""
        name = self.wire.a.irq("output")
        observe(self.wire)
        none = lossless(self.wire.flow(PACKETS, RATE)).delta[name]
        self.wire.set(self.wire.a, mode="fixed", tx_usecs=HOLD_US)
        held = lossless(self.wire.flow(PACKETS, RATE)).delta[name]
        fold(none, held, 10, "transmit interrupts")

    def rx_frames(self):
        """A threshold ends holds before their time."""
        polls = self.wire.b.queue("rx-0/polls")
        long = receive(self.wire, rx_usecs=2000).delta[polls]
        early = receive(self.wire, rx_usecs=2000, rx_frames=5).delta[polls]
        expect(early > 2 * long,
               f"polls: {long} without, {early} with rx_frames=5")
        expect(early < PACKETS // 3,
               f"{early} polls for {PACKETS} packets: nothing was held")

    def added_delay_is_bounded(self):
        """On average no packet waited longer than the hold."""
        delta = receive(self.wire, rx_usecs=HOLD_US).delta
        held = delta[self.wire.b.queue("rx-0/held_packets")]
        spent = delta[self.wire.b.queue("rx-0/added_delay_ns")]
        expect(held > PACKETS // 2, f"only {held} packets were held")
        expect(spent <= 1.1 * HOLD_US * 1000 * held,
               f"{spent} ns for {held} packets, hold {HOLD_US} us")

    def first_packet_is_not_held(self):
        """A packet after idle gets its interrupt at once, whatever the hold:
        were it held, a timer and not an interrupt would bring it."""
        observe(self.wire)
        self.wire.set(self.wire.b, mode="fixed", rx_usecs=HOLD_US)
        delta = lossless(self.wire.flow(50, 100)).delta
        irqs = delta[self.wire.b.irq("input")]
        held = delta[self.wire.b.queue("rx-0/held_packets")]
        expect(irqs == 50 and held == 0,
               f"50 lone packets: {irqs} interrupts, {held} held")

    def idle_costs_nothing(self):
        """No interrupt, poll, hold or timer while nothing is sent."""
        receive(self.wire, rx_usecs=HOLD_US)
        self.guest.run("sleep 3")
        timers, delta = self.wire.during("""
            sleep 1
            grep -c vcoal /proc/timer_list || :
            """)
        expect(timers.strip() == "0", f"{timers} timers of ours are active")
        busy = {name: change for name, change in delta.items()
                if change and ("virtio" in name or "vcoal" in name)}
        expect(not busy, str(busy))

    def round_trips(self):
        """Closed loops complete under holds in both directions."""
        self.wire.echo(self.wire.b.netns)
        for end in (self.wire.a, self.wire.b):
            self.wire.set(end, mode="fixed", rx_usecs=64, tx_usecs=64)
        for options in ("", "-T", "-p 4", "-s 16384 -T"):
            seen, _ = self.wire.ping(200, options=options)
            expect(seen["lost"] == 0 and seen["trips"] == 200,
                   f"{options}: {seen}")

    def tcp_stream(self):
        """Segments arrive under holds in both directions."""
        self.guest.inside(self.wire.b.netns, "vtraffic drain 7003")
        for size in (64, 65536):
            said = self.guest.inside(
                self.wire.a.netns, f"vtraffic stream {self.wire.b.address} "
                f"7003 -n 100 -s {size}")
            expect(f"bytes={100 * size}" in said, said)

    def every_policy(self):
        """Whatever decides, no packet is lost."""
        wire = self.wire
        for end in (wire.a, wire.b):
            wire.set(end, mode="auto")
        for policy in self.guest.run(f"cat {ROOT}/policies").split():
            self.guest.run(f"echo {policy} > {VM}/policy")
            expect(self.guest.run(f"cat {VM}/policy") == policy, policy)
            lossless(wire.flow(PACKETS // 2, RATE))
            lossless(wire.flow(PACKETS // 2, 0, burst=16))

    def _turn(self, policy):
        """Round trips of a ping-pong right behind a stream."""
        wire = self.wire
        self.guest.run(f"echo observe > {VM}/policy\n"
                       f"echo {policy} > {VM}/policy")
        sink = f"vtraffic sink {PORT_SINK} -i 300 -o /run/sink"
        send = f"vtraffic send {wire.b.address} {PORT_SINK} -r {RATE} -t 1"
        ping = f"vtraffic ping {wire.b.address} {PORT_ECHO} -t 0.5"
        said, delta = wire.during(f"""
            {qemu.enter(wire.b.netns, sink)}
            {qemu.enter(wire.a.netns, send)}
            {qemu.enter(wire.a.netns, ping)}
            """, 3 * qemu.REQUEST_S)
        seen = values(said.replace(" ", "\n"))
        expect(seen["lost"] == 0, f"{policy}: {seen}")
        held = delta[wire.b.queue("rx-0/held_packets")]
        print(f"# {policy}: {seen['trips']} round trips, {held} packets held")
        return seen["trips"], held

    def adaptive_lets_go_when_a_loop_closes(self):
        """A stream is held; the ping-pong behind it is not for long, though
        both of its ends are held and neither is faster alone."""
        for end in (self.wire.a, self.wire.b):
            self.wire.set(end, mode="auto")
        self.guest.run(f"echo throughput > {VM}/class")
        base, _ = self._turn("observe")
        trips, held = self._turn("adaptive")
        self.guest.run(f"echo balanced > {VM}/class\n"
                       f"echo observe > {VM}/policy")
        expect(held > RATE * 0.9, f"{held} of {RATE} packets held")
        expect(trips > 0.7 * base, f"{trips} round trips, {base} observed")

    def bad_writes(self):
        """What makes no sense is refused and changes nothing."""
        nic = self.wire.b.nic
        number = ("-1", "10001", "junk", "1.5", "4294967296", "''", "'1 2'")
        files = {f"{nic}/{name}": number
                 for name in ("rx_usecs", "tx_usecs")}
        files[f"{nic}/rx_frames"] = ("-1", "65536", "junk")
        files[f"{nic}/mode"] = ("sometimes", "''", "autofixed")
        files[f"{VM}/max_delay_us"] = number
        files[f"{VM}/class"] = ("gold", "''")
        files[f"{VM}/policy"] = ("magic", "''")
        files[f"{VM}/irq_rate_max"] = ("-1", "junk")
        files[f"{ROOT}/enabled"] = ("2", "maybe")
        files[f"{ROOT}/default_policy"] = ("magic",)
        files[f"{ROOT}/default_class"] = ("gold",)
        for path, values in files.items():
            for value in values:
                self._refused(path, value, "Invalid argument")

    def _refused(self, path, value, error):
        said = self.guest.run(f"""
            cat {path}
            echo {value} 2>&1 > {path}
            cat {path}
            """).splitlines()
        expect(any(error in line for line in said),
               f"{path}: {value} was taken: {said}")
        expect(said[0] == said[-1], f"{path}: {value}: {said}")

    def read_only(self):
        """What is only to be read cannot be written, by root neither."""
        nic = self.wire.b.nic
        for path in (f"{ROOT}/version", f"{ROOT}/policies",
                     f"{nic}/capabilities", f"{nic}/driver",
                     f"{nic}/queues/rx-0/irqs"):
            self._refused(path, "1", "")
            mode = self.guest.run(f"stat -L -c %a {path}")
            expect(mode == "444", f"{path}: mode {mode}")

    def off_is_off(self):
        """Mode off and the master switch leave the driver alone."""
        wire = self.wire
        for off, on in ((lambda: wire.set(wire.b, mode="off"),
                         lambda: wire.set(wire.b, mode="fixed")),
                        (lambda: self.guest.run(f"echo 0 > {ROOT}/enabled"),
                         lambda: self.guest.run(f"echo 1 > {ROOT}/enabled"))):
            observe(wire)
            wire.set(wire.b, mode="fixed", rx_usecs=HOLD_US)
            off()
            irqs, _ = stock_irqs(wire)
            expect(close(irqs, self.stock[0]), f"{irqs} != {self.stock[0]}")
            expect(wire.get(wire.b, "rx_usecs") == str(HOLD_US), "forgotten")
            on()
            irqs, _ = stock_irqs(wire)
            fold(self.stock[0], irqs, 100, "receive interrupts")

    def settings_survive_ifdown(self):
        """What the operator wrote outlives the queues."""
        wire = self.wire
        wire.set(wire.b, mode="fixed", rx_usecs=HOLD_US)
        down = f"ip link set {wire.b.dev} down"
        self.guest.inside(wire.b.netns, down)
        listed = self.guest.run(f"ls {wire.b.nic}/queues")
        expect(not listed, f"queues of a NIC that is down: {listed}")
        wire.configure(wire.b)
        expect(wire.get(wire.b, "queues/rx-0/usecs") == str(HOLD_US),
               "the hold is gone")
        lossless(wire.flow(PACKETS, RATE))

    def removal_restores(self):
        """Without the module everything is as before it."""
        self.guest.run("rmmod vcoal")
        now = stock_irqs(self.wire)
        expect(close(now[0], self.stock[0]) and close(now[1], self.stock[1]),
               f"stock {self.stock}, after rmmod {now}")
        gone = self.guest.ask(f"ls {ROOT}")
        expect(gone.status != 0, "sysfs is still there")

    def cases(self):
        """In the order in which they must run."""
        return (self.stock_driver, self.insertion,
                self.interrupts_are_counted, self.observing_changes_nothing,
                self.rx_usecs, self.tx_usecs, self.rx_frames,
                self.added_delay_is_bounded, self.first_packet_is_not_held,
                self.idle_costs_nothing, self.round_trips, self.tcp_stream,
                self.every_policy,
                self.adaptive_lets_go_when_a_loop_closes, self.bad_writes, self.read_only,
                self.off_is_off, self.settings_survive_ifdown,
                self.removal_restores)


# hang on no kernel, so that one series is enough
POLICIES = ("every_policy", "adaptive_lets_go_when_a_loop_closes")

# What a device can do decides what the module offers.
VARIANTS = {
    "packed ring": ("packed=on", {"rx-usecs", "tx-usecs"}, {"rx-frames"}),
    "legacy": ("disable-modern=on", {"rx-usecs", "tx-usecs", "rx-frames"},
               set()),
    "shared interrupt": ("vectors=0", {"count-rx"},
                         {"rx-usecs", "tx-usecs", "rx-frames"}),
    "no event index": ("event_idx=off", {"rx-usecs", "tx-usecs"},
                       {"rx-frames"}),
}


def variant(wire, name):
    """One kind of device: honest capabilities, and holds that work."""
    _, has, lacks = VARIANTS[name]
    words = set(wire.get(wire.b, "capabilities").split())
    expect(has <= words and not lacks & words, f"capabilities: {words}")
    for word in lacks:
        path = f"{wire.b.nic}/{word.replace('-', '_')}"
        said = wire.guest.run(f"echo 8 2>&1 > {path} || :")
        expect(re.search("not supported", said), f"{word}: {said}")
    none = receive(wire).delta[wire.b.queue("rx-0/irqs")]
    expect(none > PACKETS // 2, f"{none} interrupts")
    if "rx-usecs" in has:
        held = receive(wire, rx_usecs=HOLD_US)
        fold(none, held.delta[wire.b.queue("rx-0/irqs")], 10, "interrupts")
