# SPDX-License-Identifier: GPL-2.0
"""The vhost lab: a tiny VMM on /dev/vhost-net, no guest inside the guest.

vhosttest is VMM and guest driver in one process; it counts every signal and
finds every one that is lost.

counts    exact guest: what the module does to signals
stress    two processors: everything that may happen to a VMM
"""

import functools
import hashlib
import textwrap

from . import apt, image, kernel, ktap, qemu
from .ktap import expect

MODULES = ("tun", "vhost_net")
FRAMES = 2000
GAP_US = 100
HOLD_US = 1000
# the processor has other things to do when a timer is due
SLACK_NS = 300_000

UNLOAD = "for m in vhost_net vhost vhost_iotlb; do rmmod $m || exit 1; done"
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
        self.guest.run("insmod /vcoal.ko policy=observe")
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
        stock = self.vmm.flow("ping", gap=200, frames=500)
        expect(out["rx_holds"] == 0, f"{out}")
        expect(out["late_mean"] <= 1.02 * stock["late_mean"],
               f"stock {stock['late_mean']} ns, now {out['late_mean']} ns")

    def _policies(self):
        return self.guest.run("cat /sys/kernel/vcoal/policies").split()

    def every_policy(self):
        """Nothing is lost under any, and the clever one saves signals."""
        root = "/sys/kernel/vcoal/default_class"
        self.guest.run(f"echo throughput > {root}")
        for policy in self._policies():
            for case in ("rx", "tx", "ping"):
                out = self.vmm.flow(case, "-p", policy, frames=5000)
                if policy == "adaptive" and case == "rx":
                    expect(out["rx_signals"] < 5000 * 0.8, f"{out}")
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
                self.adaptive_leaves_ping_alone, self.removal)


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
        self.guest.run("[ -d /sys/module/vcoal ] || insmod /vcoal.ko")

    def _gone(self):
        """No VM is left behind."""
        left = self.guest.run("sleep 0.5; ls /sys/kernel/vcoal/vms")
        expect(left == "local", f"still there: {left}")

    def call_replaced(self):
        """A new call eventfd while a signal is held for the old one."""
        self._load()
        for hold in (300, 1000, 10000):
            self.vmm.flow("swap", "-u", hold, frames=self._rounds(3000), gap=0)

    def backend_taken_away(self):
        """What was held is signalled before the backend is gone."""
        for hold in (300, 1000, 10000):
            self.vmm.flow("stop", "-u", hold, frames=self._rounds(3000), gap=0)
        self._gone()

    def killed_with_a_hold(self):
        """kill -9 of the VMM under traffic, again and again."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(20)}); do
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

    def insert_and_remove(self):
        """Insertion and removal under traffic, holds running."""
        self._load()
        self._during(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(6)}); do
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

    def switched_off_and_on(self):
        """Every mode, and the master switch, under traffic."""
        self._load()
        self._during(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(10)}); do
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

    def vhost_comes_and_goes(self):
        """vhost unloaded and loaded while the module is there."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(5)}); do
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
            for i in $(seq {self._rounds(5)}); do
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

    def taken_function(self):
        """Everybody else who calls eventfd_signal() is left alone."""
        self._load()
        self.guest.run("rmmod vcoal")
        self.vmm.flow("rx")

    def cases(self):
        """In the order in which they run."""
        return (self.call_replaced, self.backend_taken_away,
                self.killed_with_a_hold, self.four_machines,
                self.insert_and_remove, self.switched_off_and_on,
                self.vhost_comes_and_goes, self.tracing_beside_us,
                self.taken_function)


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, rd, rounds=1.0):
        self._report = report
        self._boot = boot
        self._initrd = rd
        self._rounds = rounds

    def _part(self, part, make, **options):
        name = f"vhost-{self._boot.name}-{part}"
        with qemu.Guest(name, self._boot, self._initrd, [],
                        **options) as guest:
            for case in make(guest).cases():
                self._case(part, case)
            self._quiet(part, guest)

    def _case(self, part, function):
        self._report.case(f"{self._boot.name}: vhost {part}: "
                          f"{function.__name__}", function)

    def _quiet(self, part, guest):
        """The last case of every guest: nothing on its console."""
        def clean_console():
            faults = guest.faults()
            expect(not faults, "\n".join(faults[:40]))
        self._case(part, clean_console)

    def counts(self):
        """Signals, exactly."""
        self._part("counts", Counts, exact=True)

    def stress(self):
        """Everything that may happen to a VMM."""
        self._part("stress", lambda guest: Stress(guest, self._rounds), cpus=2)

    def run(self, parts):
        """Run parts; a guest that does not come up is a failure."""
        for part in parts:
            try:
                getattr(self, part)()
            except (qemu.GuestError, OSError) as error:
                self._report.fail(f"{self._boot.name}: vhost {part}", error)


ALL = ("counts", "stress")


def run(names, parts=ALL):
    """The lab on each named series; True when all is well."""
    report = ktap.Report()
    for name in names:
        module, _ = kernel.build(name)
        boot = kernel.image(name)
        Lab(report, boot, initrd(boot, module)).run(parts)
    report.end()
    return not report.failed
