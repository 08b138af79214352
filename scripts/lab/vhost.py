# SPDX-License-Identifier: GPL-2.0
"""The vhost lab: a tiny VMM on /dev/vhost-net, no guest inside the guest.

vhosttest is VMM and guest driver in one process; it counts every signal and
finds every one that is lost.

counts    exact guest: what the module does to signals and kicks
keep      settings that follow a VM
stress    two processors: everything that may happen to a VMM
patch     the same while functions are redirected and given back
"""

import functools
import os

from . import image, keep, kernel, ktap, qemu, together
from .ktap import expect
from .vhoststress import Patch, Stress
from .vmm import FRAMES, GAP_US, INSERT, Vmm, vhosttest

MODULES = ("tun", "vhost_net")
VMS = "/sys/kernel/vcoal/vms"
FOREIGN_ROUNDS, FOREIGN_RUNS = 20000, 5
HOLD_US = 1000
KICK_GAP_US = 200
# the processor has other things to do when a timer is due
SLACK_NS = 300_000
# what a signal may cost that is none of ours, in instructions
FOREIGN_MAX = 60
# other VMs meanwhile, of which nobody is to notice anything
CROWD = 100
CROWD_S = 600
# what a frame that is sent by a NIC that is off may cost more than without the module:
# each would cost 200 or 300 more if all kicks were redirected
OFF_MAX, OFF_MAX_6_1 = 450, 700
# instructions, so ns here, that deciding may cost what is not held, beside a
# queue that never holds and is therefore spared half of what is redirected
DECIDE_MAX = 2000
RETRIES = 3
# signals that are kept, and kicks, in each kernel
HELD = int(os.environ.get("VCOAL_HELD", "70000"))
SLICE = 50000


def initrd(boot, module):
    """Initial RAM file system with the VMM in it."""
    archive = image.contents(boot, module, MODULES)
    image.add_keep(archive)
    archive.copy("bin/vhosttest", vhosttest())
    archive.file("init", (image.GUEST / "init").read_bytes(), executable=True)
    return image.save(archive, f"vhost-{boot.release}")


class Counts:
    """Signals and kicks, exactly; the cases share one guest."""

    def __init__(self, guest, rounds=1.0):
        self.guest = guest
        self.vmm = Vmm(guest)
        self.stock = {}
        self._wanted = int(HELD * rounds)

    def stock_driver(self):
        """Without the module every frame costs a signal."""
        self.guest.run("sleep 3")
        for case in ("rx", "tx", "ping"):
            self.stock[case] = self.vmm.flow(case)
        kicks = self.stock["tx"]["tx_kicks"]
        expect(kicks > FRAMES * 0.9, f"{kicks} kicks")
        for case, ring in (("rx", "rx"), ("tx", "tx"), ("ping", "rx")):
            signals = self.stock[case][f"{ring}_signals"]
            expect(signals > FRAMES * 0.9, f"{case}: {signals} signals")

    def observing_changes_nothing(self):
        """Counted are all signals and all frames, and none is missing."""
        self.guest.run(INSERT)
        for case, ring in (("rx", "rx"), ("tx", "tx"), ("ping", "rx")):
            out = self.vmm.flow(case)
            expect(f"{ring}_irqs" in out, f"{case}: the VM is not there: {out}")
            now, stock = (o[f"{ring}_signals"]
                          for o in (out, self.stock[case]))
            expect(abs(now - stock) <= FRAMES * 0.02,
                   f"{case}: stock {stock}, observed {now}")

    def no_signal_is_missed(self):
        """Not when it goes elsewhere than before, nor after a long silence."""
        for case in ("rx", "ping", "swap", "quiet"):
            for policy in ("observe", "adaptive"):
                out = self.vmm.flow(case, "-p", policy, frames=20000, gap=0)
                signals, irqs = out["rx_signals"], out["rx_irqs"]
                expect(signals and irqs == signals,
                       f"{case}, {policy}: {irqs} of {signals} counted")

    def holds_take_signals_away(self):
        """Ten times fewer, in both directions, with and without event index."""
        for case in ("rx", "tx"):
            for way in ("", "-l"):
                out = self.vmm.flow(case, "-u", HOLD_US, way)
                signals = out[f"{case}_signals"]
                expect(signals * HOLD_US <= 1.5 * FRAMES * GAP_US,
                       f"{case} {way}: {signals} signals")
                expect(out[f"{case}_held_packets"] > FRAMES * 0.8,
                       f"{case} {way}: {out}")

    def kicks_are_held(self):
        """Five frames share one run of the worker and all that belongs to it;
        without event index the guest kicks as ever, in vain."""
        for way in ("", "-l"):
            out = self.vmm.flow("tx", "-u", HOLD_US, way, gap=KICK_GAP_US)
            for what in ("signals", "polls", *([] if way else ["kicks"])):
                expect(out[f"tx_{what}"] * HOLD_US <=
                       1.2 * FRAMES * KICK_GAP_US, f"{what} {way}: {out}")
            expect(out["tx_holds"] >= 0.8 * out["tx_polls"], f"{way}: {out}")
            expect(out["tx_held_packets"] > FRAMES * 0.8, f"{way}: {out}")

    def holds_are_bounded(self):
        """No frame waits longer than its hold."""
        for hold in (100, 300, 1000, 10000):
            out = self.vmm.flow("rx", "-u", hold)
            late = out["late_max"] - self.stock["rx"]["late_max"]
            expect(late <= hold * 1000 + SLACK_NS,
                   f"hold {hold} us: {late} ns later than stock")

    def kicks_are_bounded(self):
        """No frame comes to the tap later than its hold."""
        for hold in (100, 300, 1000):
            for way in ("", "-l"):
                out = self.vmm.flow("tx", "-u", hold, way)
                late = out["tx_late_max"] - self.stock["tx"]["tx_late_max"]
                expect(late <= hold * 1000 + SLACK_NS,
                       f"hold {hold} us {way}: {late} ns later than stock")

    def frames_end_holds(self):
        """Every fourth frame, however long the hold may be. Of what waits
        behind a kick nobody knows how much it is: there, signals wait."""
        for case in ("rx", "tx"):
            out = self.vmm.flow(case, "-u", 10000, "-f", 4)
            signals = out[f"{case}_signals"]
            expect(abs(signals - FRAMES / 4) <= FRAMES * 0.02,
                   f"{case}: {signals} signals")
        expect(out["tx_kicks"] > FRAMES * 0.9, f"{out}")
        late = out["tx_late_max"] - self.stock["tx"]["tx_late_max"]
        expect(late <= SLACK_NS, f"{late} ns later than stock")

    def the_ring_does_not_fill(self):
        """Half a ring ends the longest hold."""
        for case in ("rx", "tx"):
            out = self.vmm.flow(case, "-u", 10000, "-w", 250, frames=5000,
                                gap=10)
            expect(out[f"{case}_signals"] * 128 >= 5000 * 0.9, f"{out}")

    def cut_runs_go_on(self):
        """vhost serves 256 frames and lets others run: what it goes on with
        is no kick, and must not wait as one."""
        options = {"gap": 20000, "frames": 5000}
        stock = self.vmm.flow("burst", "-p", "observe", "-w", 1000, **options)
        out = self.vmm.flow("burst", "-u", 10000, "-w", 1000, **options)
        late = out["tx_late_max"] - stock["tx_late_max"]
        expect(out["tx_polls"] >= 4 * 5, f"{out}")
        expect(late <= SLACK_NS, f"{late} ns later than stock: {out}")

    def first_event_after_idle(self):
        """A ping that is rarer than the hold is never held."""
        out = self.vmm.flow("ping", "-u", 64, gap=200, frames=500)
        stock = self.vmm.flow("ping", "-p", "observe", gap=200, frames=500)
        expect(out["rx_holds"] == 0, f"{out}")
        expect(out["late_mean"] - stock["late_mean"] <= DECIDE_MAX,
               f"stock {stock['late_mean']} ns, now {out['late_mean']} ns")

    def first_kick_after_idle(self):
        """A frame that is rarer than the hold is never held."""
        options = {"gap": 200, "frames": 500}
        out = self.vmm.flow("tx", "-u", 64, "-w", 1, **options)
        stock = self.vmm.flow("tx", "-p", "observe", "-w", 1, **options)
        expect(out["tx_holds"] == 0, f"{out}")
        expect(out["tx_late_mean"] - stock["tx_late_mean"] <= DECIDE_MAX,
               f"stock {stock['tx_late_mean']} ns, "
               f"now {out['tx_late_mean']} ns")

    def _policies(self):
        return self.guest.run("cat /sys/kernel/vcoal/policies").split()

    def _many(self, what, hold, *options):
        """One frame at a time, each of them waits for what is kept: one that
        is lost would be the last."""
        held = 0
        for first in range(0, self._wanted, SLICE):
            out = self.vmm.flow("tx", "-u", hold, "-w", 1, *options, gap=0,
                                frames=min(SLICE, self._wanted - first))
            held += out["tx_holds"]
        print(f"# {held} {what} were held, none was lost", flush=True)
        expect(held > self._wanted * 0.99,
               f"{held} of {self._wanted} were held")

    def many_signals_are_held(self):
        """With a number of frames that is never reached: no kick is held."""
        self._many("signals", 50, "-f", 100)

    def many_kicks_are_held(self):
        """Each frame is kicked for, and each kick is kept: what comes between
        a run and the next kick is shorter, even with the clock's tick in it."""
        self._many("kicks", 100)

    def every_policy(self):
        """Nothing is lost under any, and the clever one saves signals."""
        root = "/sys/kernel/vcoal/default_class"
        self.guest.run(f"echo throughput > {root}")
        for policy in self._policies():
            for case in ("rx", "tx", "ping"):
                frames = 5000 if (policy, case) == ("adaptive", "rx") else 1000
                out = self.vmm.flow(case, "-p", policy, frames=frames)
                if frames == 5000:
                    expect(out["rx_signals"] < frames * 0.8, f"{out}")
        self.guest.run(f"echo balanced > {root}")

    def adaptive_leaves_ping_alone(self):
        """A closed loop is as fast as when it is only counted.

        Counting itself shows here, where a round trip is nothing but vhost,
        tap and two system calls: no guest runs.
        """
        took = {policy: self.vmm.flow("ping", "-p", policy, frames=100000,
                                      gap=0)["ns"]
                for policy in ("observe", "adaptive")}
        expect(took["adaptive"] <= 1.02 * took["observe"], f"ns: {took}")
        print(f"# ns: {took}", flush=True)

    def _foreign(self, case):
        """Instructions of many rounds of something that is none of ours; at
        best, for what comes between only adds to them."""
        return min(self.vmm.flow(case, frames=FOREIGN_ROUNDS, gap=0)["ns"]
                   for _ in range(FOREIGN_RUNS))

    def others_pass(self):
        """Signals of others all arrive, and cost next to nothing more, however
        many VMs there are."""
        self.guest.run(f"for i in $(seq {CROWD}); do\n"
                       "vhosttest -n 8 idle > /dev/null &\n"
                       f"until [ $(ls {VMS} | grep -c pid) = $i ]; do\n"
                       "usleep 1000; done; done", CROWD_S)
        loaded = {case: self._foreign(case) for case in ("aio", "recall")}
        self.guest.run("rmmod vcoal")
        cost = {case: (ns - self._foreign(case)) / FOREIGN_ROUNDS
                for case, ns in loaded.items()}
        self.guest.run(f"killall vhosttest\n{INSERT}")
        # both put an eventfd, one of them signals it
        signal = cost["aio"] - cost["recall"]
        print(f"# a signal that is not vhost's: {signal:.0f} instructions "
              f"more; giving back an eventfd: {cost['recall']:.0f}",
              flush=True)
        expect(signal <= FOREIGN_MAX, f"{cost}")

    def off_is_cheap(self):
        """A NIC that is left alone costs little, whatever its packets do."""
        def took():
            return min(self.vmm.flow("tx", "-w", 1, frames=FOREIGN_ROUNDS,
                                     gap=0)["ns"]
                       for _ in range(2))
        self.guest.run("echo 0 > /sys/kernel/vcoal/enabled")
        loaded = took()
        self.guest.run("rmmod vcoal")
        cost = (loaded - took()) / FOREIGN_ROUNDS
        self.guest.run(INSERT)
        print(f"# a frame sent by a NIC that is off: {cost:.0f} instructions more",
              flush=True)
        old = self.guest.run("uname -r").startswith("6.1.")
        expect(cost <= (OFF_MAX_6_1 if old else OFF_MAX), f"{cost:.0f}")

    def removal(self):
        """Afterwards signals are those of the stock driver."""
        self.guest.run("rmmod vcoal")
        out = self.vmm.flow("rx")
        expect(abs(out["rx_signals"] - self.stock["rx"]["rx_signals"]) <=
               FRAMES * 0.02, f"stock {self.stock['rx']}, now {out}")

    def cases(self):
        """In the order in which they run."""
        return (self.stock_driver, self.observing_changes_nothing, self.no_signal_is_missed,
                self.holds_take_signals_away, self.holds_are_bounded,
                self.kicks_are_held, self.kicks_are_bounded,
                self.frames_end_holds, self.the_ring_does_not_fill,
                self.cut_runs_go_on,
                self.first_event_after_idle, self.first_kick_after_idle,
                self.many_signals_are_held, self.many_kicks_are_held,
                self.every_policy,
                self.adaptive_leaves_ping_alone, self.others_pass,
                self.off_is_cheap, self.removal)


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, rd, **pace):
        self._report = report
        self._boot = boot
        self._initrd = rd
        self._pace = pace

    def in_full(self):
        """Is it the kernel that everything runs on?"""
        return kernel.in_full(self._pace["rounds"])

    def _guest(self, part, **options):
        name = f"vhost-{self._boot.name}-{part}"
        return qemu.Guest(name, self._boot, self._initrd, [], **options)

    def _part(self, part, make, **options):
        with self._guest(part, **options) as guest:
            for case in make(guest).cases():
                self._case(part, case.__name__, case)
            self._case(part, "clean_console", lambda: _quiet(guest))

    def _case(self, part, name, function):
        self._report.case(f"{self._boot.name}: vhost {part}: {name}", function)

    def counts(self):
        """Signals, exactly."""
        self._part("counts", lambda guest: Counts(guest, **self._pace),
                   exact=True)

    def keep(self):
        """Settings that follow a VM."""
        self._part("keep", lambda guest: keep.Vmms(guest, **self._pace))

    def stress(self):
        """Everything that may happen to a VMM."""
        self._part("stress", lambda guest: Stress(guest, **self._pace),
                   cpus=2)

    def _attempt(self, name):
        """One case in a guest of its own; False when the emulator failed."""
        with self._guest(f"patch-{name}", cpus=2, in_turn=True) as guest:
            try:
                getattr(Patch(guest, **self._pace), name)()
                _quiet(guest)
            except (AssertionError, qemu.GuestError):
                if not qemu.stale_int3(guest.console()):
                    raise
                return False
        return True

    def _patch_case(self, name):
        for _ in range(RETRIES):
            if self._attempt(name):
                return
            print(f"# {qemu.INT3}: again", flush=True)
        raise AssertionError(f"the emulator failed {RETRIES} times")

    def _make(self, part):
        if part in PATCH:
            # the processors take turns, which spares most of the faults
            self._case("patch", part, functools.partial(self._patch_case, part))
        else:
            getattr(self, part)()

    def run(self, part):
        """Run a part; a guest that does not come up is a failure."""
        try:
            self._make(part)
        except (qemu.GuestError, OSError) as error:
            self._report.fail(f"{self._boot.name}: vhost {part}", error)


def _quiet(guest):
    """The last case of every guest: nothing on its console."""
    faults = guest.faults()
    expect(not faults, "\n".join(faults[:40]))


# each in a guest of its own, while functions are redirected
PATCH = ("insert_and_remove", "vhost_comes_and_goes",
         "vhost_net_comes_and_goes", "tracing_beside_us")
# guests of one thread, which may run side by side
NARROW = ("counts", "keep", *PATCH)
# vhost_net goes with vhost, too, and nothing hangs on the kernel in what is kept
ONCE = ("keep", "vhost_net_comes_and_goes")
PATCH_UNDER_CHECKERS = tuple(part for part in PATCH if part not in ONCE)
WIDE = ("stress",)


def _lab(report, name, names):
    module, _ = kernel.build(name)
    boot = kernel.image(name)
    return Lab(report, boot, initrd(boot, module),
               rounds=kernel.rounds(name, names))


def run(names):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    labs = together.run([functools.partial(_lab, report, name, names)
                         for name in names])
    together.run([functools.partial(lab.run, part) for part in NARROW
                  for lab in labs if lab.in_full() or part not in ONCE],
                 [functools.partial(lab.run, part) for lab in labs
                  for part in WIDE])
    report.end()
    return not report.failed


def under_checkers(report, boot, module):
    """What takes one processor, and what takes all: see debug.py."""
    lab = Lab(report, boot, initrd(boot, module), rounds=0.2, load=0.2)
    return [[functools.partial(lab.run, part) for part in parts]
            for parts in (PATCH_UNDER_CHECKERS, WIDE)]
