# SPDX-License-Identifier: GPL-2.0
"""The vhost lab: a tiny VMM on /dev/vhost-net, no guest inside the guest.

vhosttest is VMM and guest driver in one process; it counts every signal and
finds every one that is lost.

counts    exact guest: what the module does to signals
stress    two processors: everything that may happen to a VMM
patch     the same while functions are redirected and given back
"""

import functools
import hashlib
import os
import re
import textwrap
from concurrent.futures import ThreadPoolExecutor

from . import apt, image, kernel, ktap, qemu
from .ktap import expect

MODULES = ("tun", "vhost_net")
FRAMES = 2000
FOREIGN_ROUNDS = 20000
GAP_US = 100
HOLD_US = 1000
# the processor has other things to do when a timer is due
SLACK_NS = 300_000
# what a signal may cost that is none of ours, in instructions
FOREIGN_MAX = 60
# instructions, so ns here, that deciding may cost what is not held
DECIDE_MAX = 1500
RETRIES = 3

UNLOAD = "for m in vhost_net vhost vhost_iotlb; do rmmod $m || exit 1; done"
# the default policy is not what is tested here
INSERT = "insmod /vcoal.ko policy=observe"
LOAD = ("for m in $(grep vhost /lib/modules/order); do "
        "insmod /lib/modules/$m || exit 1; done")
HOOKED = ("eventfd_signal", "eventfd_signal_mask", "eventfd_ctx_put",
          "vhost_dev_flush", "vhost_dev_cleanup",
          "vhost_add_used_and_signal_n")
TRACING = "/sys/kernel/tracing"


@functools.cache
def vhosttest():
    """Path of the VMM, built static when its source changed."""
    apt.install(["gcc", "libc6-dev"])
    source = image.GUEST / "vhosttest.c"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    path = apt.cache_dir("tools") / f"vhosttest-{digest}"
    if not path.exists():
        temp = path.with_suffix(".tmp")
        apt.run(["gcc", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
                 "-o", temp, source])
        temp.rename(path)
    return path


def initrd(boot, module):
    """Initial RAM file system with the VMM in it."""
    archive = image.contents(boot, module, MODULES)
    archive.copy("bin/vhosttest", vhosttest())
    archive.file("init", (image.GUEST / "init").read_bytes(), executable=True)
    return image.save(archive, f"vhost-{boot.release}")


class Vmm:
    """Runs vhosttest in a guest."""

    def __init__(self, guest):
        self.guest = guest

    def flow(self, case, *options, frames=FRAMES, gap=GAP_US):
        """One run in which nothing may be lost; what it counted."""
        words = " ".join(map(str, options))
        text = self.guest.run(f"vhosttest -n {frames} -g {gap} {words} {case}",
                              300)
        pairs = (word.split("=") for word in text.split())
        out = {name: int(value) for name, value in pairs}
        for ring in ("rx", "tx"):
            if f"{ring}_irqs" in out:
                self._exact(out, ring, words, case)
        return out

    @staticmethod
    def _exact(out, ring, words, case):
        for ours, theirs in (("irqs", "signals"), ("packets", "frames")):
            counted, seen = out[f"{ring}_{ours}"], out[f"{ring}_{theirs}"]
            expect(counted == seen,
                   f"{words} {case}: {ring} {ours} {counted}, seen {seen}")


class Counts:
    """Signals, exactly; the cases share one guest."""

    def __init__(self, guest):
        self.guest = guest
        self.vmm = Vmm(guest)
        self.stock = {}

    def stock_driver(self):
        """Without the module every frame costs a signal."""
        self.guest.run("sleep 3")
        for case in ("rx", "tx", "ping"):
            self.stock[case] = self.vmm.flow(case)
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

    def holds_are_bounded(self):
        """No frame waits longer than its hold."""
        for hold in (100, 300, 1000, 10000):
            out = self.vmm.flow("rx", "-u", hold)
            late = out["late_max"] - self.stock["rx"]["late_max"]
            expect(late <= hold * 1000 + SLACK_NS,
                   f"hold {hold} us: {late} ns later than stock")

    def frames_end_holds(self):
        """Every fourth frame, however long the hold may be."""
        for case in ("rx", "tx"):
            out = self.vmm.flow(case, "-u", 10000, "-f", 4)
            signals = out[f"{case}_signals"]
            expect(abs(signals - FRAMES / 4) <= FRAMES * 0.02,
                   f"{case}: {signals} signals")

    def the_ring_does_not_fill(self):
        """Half a ring ends the longest hold."""
        out = self.vmm.flow("rx", "-u", 10000, "-w", 250, frames=5000, gap=10)
        expect(out["rx_signals"] * 128 >= 5000 * 0.9, f"{out}")

    def first_event_after_idle(self):
        """A ping that is rarer than the hold is never held."""
        out = self.vmm.flow("ping", "-u", 64, gap=200, frames=500)
        stock = self.vmm.flow("ping", "-p", "observe", gap=200, frames=500)
        expect(out["rx_holds"] == 0, f"{out}")
        expect(out["late_mean"] - stock["late_mean"] <= DECIDE_MAX,
               f"stock {stock['late_mean']} ns, now {out['late_mean']} ns")

    def _policies(self):
        return self.guest.run("cat /sys/kernel/vcoal/policies").split()

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
        """Instructions of one round of something that is none of ours."""
        return self.vmm.flow(case, frames=FOREIGN_ROUNDS, gap=0)["ns"]

    def others_pass(self):
        """Signals of others all arrive, and cost next to nothing more."""
        loaded = {case: self._foreign(case) for case in ("aio", "recall")}
        self.guest.run("rmmod vcoal")
        cost = {case: (ns - self._foreign(case)) / FOREIGN_ROUNDS
                for case, ns in loaded.items()}
        self.guest.run(INSERT)
        # both put an eventfd, one of them signals it
        signal = cost["aio"] - cost["recall"]
        print(f"# a signal that is not vhost's: {signal:.0f} instructions "
              f"more; giving back an eventfd: {cost['recall']:.0f}",
              flush=True)
        expect(signal <= FOREIGN_MAX, f"{cost}")

    def removal(self):
        """Afterwards signals are those of the stock driver."""
        self.guest.run("rmmod vcoal")
        out = self.vmm.flow("rx")
        expect(abs(out["rx_signals"] - self.stock["rx"]["rx_signals"]) <=
               FRAMES * 0.02, f"stock {self.stock['rx']}, now {out}")

    def cases(self):
        """In the order in which they run."""
        return (self.stock_driver, self.observing_changes_nothing,
                self.holds_take_signals_away, self.holds_are_bounded,
                self.frames_end_holds, self.the_ring_does_not_fill,
                self.first_event_after_idle, self.every_policy,
                self.adaptive_leaves_ping_alone, self.others_pass,
                self.removal)


class Stress:
    """Everything that may happen to a VMM; nothing may be lost or complained.

    Signals are lost for good: a soak that ended well has lost none.
    """

    def __init__(self, guest, rounds=1.0):
        self.guest = guest
        self.vmm = Vmm(guest)
        self._share = rounds

    def _rounds(self, number):
        return max(2, int(number * self._share))

    def _during(self, script, seconds=60, vms=2):
        """Run a script while VMs soak; none of them may lose anything."""
        hold = "-u 500" if self._loaded() else ""
        self.guest.run(textwrap.dedent(f"""\
            rm -f /tmp/soak.*
            for i in $(seq {vms}); do
                (vhosttest -w 32 -g 200 {hold} soak > /tmp/soak.$i 2>&1
                 echo "exit=$?" >> /tmp/soak.$i) &
            done
            sleep 1
            """))
        self.guest.run(script, seconds)
        self.guest.run("sleep 1; killall vhosttest; "
                       "while pidof vhosttest > /dev/null; do usleep 100000; "
                       "done; sleep 1")
        said = self.guest.run("grep . /tmp/soak.*").splitlines()
        ends = [line for line in said if line.endswith("exit=0")]
        expect(len(ends) == vms, "\n".join(said))

    def _loaded(self):
        return not self.guest.ask("[ -d /sys/module/vcoal ]").status

    def _load(self):
        self.guest.run(f"[ -d /sys/module/vcoal ] || {{ {INSERT}; }}")

    def _gone(self):
        """No VM is left behind."""
        left = self.guest.run("sleep 0.5; ls /sys/kernel/vcoal/vms")
        expect(left == "local", f"still there: {left}")

    def call_replaced(self):
        """A new call eventfd while a signal is held for the old one."""
        self._load()
        for hold in (300, 1000, 10000):
            self.vmm.flow("swap", "-u", hold, frames=self._rounds(2000), gap=0)

    def backend_taken_away(self):
        """What was held is signalled before the backend is gone."""
        for hold in (300, 1000, 10000):
            self.vmm.flow("stop", "-u", hold, frames=self._rounds(2000), gap=0)
        self._gone()

    def device_ends(self):
        """A device that goes away takes nothing along, and leaves nothing."""
        rounds = self._rounds(24)
        text = self.guest.run(f"vhosttest -u 10000 -n {rounds} close", 300)
        kept = int(re.search(r"kept=(\d+)", text)[1])
        expect(kept == rounds, f"{kept} of {rounds} ended with a hold")
        self._gone()

    def killed_with_a_hold(self):
        """kill -9 of the VMM under traffic, again and again."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(8)}); do
                vhosttest -w 64 -u 10000 soak > /dev/null 2>&1 &
                pid=$!
                sleep 0.5
                kill -9 $pid
                wait $pid || true
            done
            """), 300)
        self._gone()

    def four_machines(self):
        """Four VMs at once; each has its own counters."""
        self._load()
        self._during("[ $(ls /sys/kernel/vcoal/vms | grep -c pid) = 4 ]",
                     vms=4)
        self._gone()

    def switched_off_and_on(self):
        """Every mode, and the master switch, under traffic."""
        self._load()
        self._during(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(5)}); do
                for nic in /sys/kernel/vcoal/vms/pid*/nics/vhost; do
                    for mode in off fixed auto observe fixed; do
                        echo $mode > $nic/mode || exit 1
                    done
                done
                echo 0 > /sys/kernel/vcoal/enabled
                usleep 50000
                echo 1 > /sys/kernel/vcoal/enabled
                usleep 50000
            done
            """), 120)

    def cases(self):
        """In the order in which they run."""
        return (self.call_replaced, self.backend_taken_away, self.device_ends,
                self.killed_with_a_hold, self.four_machines,
                self.switched_off_and_on)


class Patch(Stress):
    """The same while functions are redirected and given back."""

    def insert_and_remove(self):
        """Insertion and removal under traffic, holds running."""
        self._load()
        self._during(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(4)}); do
                rmmod vcoal || exit 1
                insmod /vcoal.ko || exit 1
                for try in 1 2 3 4 5 6 7 8 9 10; do
                    usleep 100000
                    ls /sys/kernel/vcoal/vms | grep -q pid && break
                done
                for nic in /sys/kernel/vcoal/vms/pid*/nics/vhost; do
                    echo 700 > $nic/rx_usecs
                    echo 700 > $nic/tx_usecs
                    echo fixed > $nic/mode
                done
                usleep 300000
            done
            """), 300)

    def vhost_comes_and_goes(self):
        """vhost unloaded and loaded while the module is there."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(3)}); do
                {UNLOAD}
                {LOAD}
            done
            """), 120)
        self.vmm.flow("rx", "-u", 1000)
        self.guest.run(f"rmmod vcoal; {UNLOAD}\ninsmod /vcoal.ko\n{LOAD}")
        self.vmm.flow("rx", "-u", 1000)

    def tracing_beside_us(self):
        """The function tracer sees the functions that are redirected."""
        self._load()
        self.guest.run(f"mount -t tracefs none {TRACING} 2>/dev/null; true")
        self._during(textwrap.dedent(f"""\
            cd {TRACING}
            for i in $(seq {self._rounds(3)}); do
                for function in {" ".join(HOOKED)}; do
                    echo $function >> set_ftrace_filter
                done 2> /dev/null
                grep -q vhost_add_used set_ftrace_filter || exit 1
                for tracer in function function_graph; do
                    echo $tracer > current_tracer || exit 1
                    usleep 300000
                done
                echo nop > current_tracer
                echo > set_ftrace_filter
            done
            """), 120)
        refused = self.guest.ask("echo 0 > /proc/sys/kernel/ftrace_enabled")
        expect(refused.status, "ftrace could be switched off under us")


def stale_int3(console):
    """Did the emulator run an int3 that is not there (any more)?

    Functions are patched by way of an int3. QEMU may run one after it was
    replaced: the kernel then prints code without it.
    """
    return ("Oops: int3" in console and
            re.search(r"Code: (?!.* cc <)", console))


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, rd, rounds=1.0):
        self._report = report
        self._boot = boot
        self._initrd = rd
        self._rounds = rounds

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
        self._part("counts", Counts, exact=True)

    def stress(self):
        """Everything that may happen to a VMM."""
        self._part("stress", lambda guest: Stress(guest, self._rounds), cpus=2)

    def _attempt(self, name):
        """One case in a guest of its own; False when the emulator failed."""
        with self._guest(f"patch-{name}", cpus=2, in_turn=True) as guest:
            try:
                getattr(Patch(guest, self._rounds), name)()
                _quiet(guest)
            except (AssertionError, qemu.GuestError):
                if not stale_int3(guest.console()):
                    raise
                return False
        return True

    def _patch_case(self, name):
        for _ in range(RETRIES):
            if self._attempt(name):
                return
            print("# the emulator ran an int3 that was not there: again",
                  flush=True)
        raise AssertionError(f"the emulator failed {RETRIES} times")

    def patch(self):
        """While functions are redirected; the processors take turns, which
        spares most of the emulator's faults."""
        for name in PATCH:
            self._case("patch", name, functools.partial(self._patch_case, name))

    def run(self, part):
        """Run a part; a guest that does not come up is a failure."""
        try:
            getattr(self, part)()
        except (qemu.GuestError, OSError) as error:
            self._report.fail(f"{self._boot.name}: vhost {part}", error)


def _quiet(guest):
    """The last case of every guest: nothing on its console."""
    faults = guest.faults()
    expect(not faults, "\n".join(faults[:40]))


# guests of one thread, which may run side by side
NARROW = ("counts", "patch")
WIDE = ("stress",)
PATCH = ("insert_and_remove", "vhost_comes_and_goes", "tracing_beside_us")


def _run(report, labs, narrow=NARROW):
    """All parts of all labs; True when all is well."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for part in narrow:
            list(pool.map(lambda lab, what=part: lab.run(what), labs))
    for part in WIDE:
        for lab in labs:
            lab.run(part)
    report.end()
    return not report.failed


def run(names):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    labs = []
    for name in names:
        module, _ = kernel.build(name)
        boot = kernel.image(name)
        labs.append(Lab(report, boot, initrd(boot, module)))
    return _run(report, labs)


def run_debug():
    """The lab on the kernel with every checker on, in fewer rounds.

    The checkers take their time, which no count may depend on.
    """
    from . import debug, source
    report = ktap.Report()
    built, boot = debug.debug_image()
    rd = initrd(boot, source.vcoal(built))
    return _run(report, [Lab(report, boot, rd, rounds=0.5)], ("patch",))
