# SPDX-License-Identifier: GPL-2.0
"""Everything that may happen to a VMM, its device, and the functions that are
redirected for it; nothing may be lost or complained of.
"""

import re
import textwrap

from .ktap import Skip, expect
from .vmm import FRAMES, INSERT, Vmm

UNLOAD = "for m in vhost_net vhost vhost_iotlb; do rmmod $m || exit 1; done"
LOAD = ("for m in $(grep vhost /lib/modules/order); do "
        "insmod /lib/modules/$m || exit 1; done")
LOAD_NET = ("insmod /lib/modules/$(grep vhost_net /lib/modules/order) || "
            "exit 1")
HOOKED = ("eventfd_signal", "eventfd_signal_mask", "eventfd_ctx_put",
          "vhost_dev_flush", "vhost_dev_cleanup",
          "vhost_add_used_and_signal_n", "vhost_enable_notify",
          "handle_tx_kick")
TRACING = "/sys/kernel/tracing"


class Stress:
    """Everything that may happen to a VMM; nothing may be lost or complained.

    Signals are lost for good: a soak that ended well has lost none.
    """

    def __init__(self, guest, rounds=1.0, load=1.0):
        self.guest = guest
        self.vmm = Vmm(guest)
        self._share = rounds
        # where all is checked, the same machine moves fewer frames
        self._window, self._gap_us = int(32 * load), int(200 / load)
        self._hold_us = 3 * self._gap_us

    def _rounds(self, number):
        return max(2, int(number * self._share))

    def _during(self, script, seconds=60, vms=2):
        """Run a script while VMs soak; none of them may lose anything."""
        options = f"-w {self._window} -g {self._gap_us}"
        if self._loaded():
            options += f" -u {self._hold_us}"
        self.guest.run(textwrap.dedent(f"""\
            rm -f /tmp/soak.*
            for i in $(seq {vms}); do
                (vhosttest {options} soak > /tmp/soak.$i 2>&1
                 echo "exit=$?" >> /tmp/soak.$i) &
            done
            sleep 1
            """))
        try:
            self.guest.run(script, seconds)
        finally:
            self.guest.run("sleep 1; killall vhosttest; "
                           "while pidof vhosttest > /dev/null; do "
                           "usleep 100000; done; sleep 1")
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

    def transmit_taken_away(self):
        """Frames that wait for a kick are sent when the backend is there
        again."""
        for hold in (300, 1000, 10000):
            for way in ("", "-l", "-f 4"):
                out = self.vmm.flow("txstop", "-u", hold, way,
                                    frames=self._rounds(1000), gap=0)
                # batches of four and more are not held with a threshold
                expect(out["tx_holds"] or "f" in way or hold < 10000,
                       f"{way}: {out}")
        self._gone()

    def device_ends(self):
        """A device that goes away takes nothing along, and leaves nothing."""
        rounds = self._rounds(24)
        text = self.guest.run(f"vhosttest -u 10000 -n {rounds} close", 300)
        for what in ("kept", "kicks"):
            kept = int(re.search(rf"{what}=(\d+)", text)[1])
            expect(kept == rounds,
                   f"{what}: {kept} of {rounds} ended with a hold")
        self._gone()

    def killed_with_a_hold(self):
        """kill -9 of the VMM under traffic, again and again."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(8)}); do
                [ $((i % 2)) = 0 ] && way=-l || way=
                vhosttest -w 64 -u 10000 $way soak > /dev/null 2>&1 &
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

    def packed_ring(self):
        """vcoal knows nothing of them here, and need not."""
        offered = self.vmm.flow("packed", frames=1)["packed"]
        expect(not offered, "vhost offers packed rings: vhosttest needs some")
        raise Skip("this kernel's vhost offers no packed rings")

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

    def kind_changes(self):
        """Kicks and signals take turns in being held, under traffic."""
        self._load()
        self._during(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(100)}); do
                for nic in /sys/kernel/vcoal/vms/pid*/nics/vhost; do
                    for frames in 7 0; do
                        echo $frames > $nic/tx_frames || exit 1
                        usleep 5000
                    done
                done
            done
            """), 120)

    def eventfds_of_others(self):
        """Others signal and give back theirs while signals are kept."""
        self._load()
        rounds = self._rounds(5000)
        self._during(textwrap.dedent(f"""\
            vhosttest -n {rounds} recall || exit 1
            # not every kernel has it
            [ ! -e /proc/sys/fs/aio-nr ] || vhosttest -n {rounds} aio || exit 1
            """), 120)
        self._gone()

    def cases(self):
        """In the order in which they run."""
        return (self.call_replaced, self.backend_taken_away,
                self.transmit_taken_away, self.device_ends,
                self.killed_with_a_hold, self.four_machines,
                self.eventfds_of_others, self.switched_off_and_on,
                self.kind_changes, self.packed_ring)


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
                    echo {self._hold_us} > $nic/rx_usecs
                    echo {self._hold_us} > $nic/tx_usecs
                    echo fixed > $nic/mode
                done
                usleep 300000
            done
            """), 300)

    def _hold_both(self):
        """Signals and kicks are held: for as long as can be, for a frame may
        take a busy machine under all checkers two milliseconds."""
        for case in ("rx", "tx"):
            out = self.vmm.flow(case, "-u", 10000)
            expect(out[f"{case}_holds"], f"{out}")
        expect(out["tx_kicks"] <= FRAMES / 2, f"{out}")

    def vhost_comes_and_goes(self):
        """vhost unloaded and loaded while the module is there."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(3)}); do
                {UNLOAD}
                {LOAD}
            done
            """), 120)
        self._hold_both()
        self.guest.run(f"rmmod vcoal; {UNLOAD}\ninsmod /vcoal.ko\n{LOAD}")
        self._hold_both()

    def vhost_net_comes_and_goes(self):
        """vhost_net alone: vhost is there before it and after it."""
        self._load()
        self.guest.run(textwrap.dedent(f"""\
            for i in $(seq {self._rounds(3)}); do
                rmmod vhost_net || exit 1
                {LOAD_NET}
            done
            """), 120)
        self._hold_both()
        self.guest.run("rmmod vcoal; rmmod vhost_net; insmod /vcoal.ko; "
                       f"{LOAD_NET}")
        self._hold_both()

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
                for tracer in $(grep -ow "function\\|function_graph" \\
                                available_tracers); do
                    echo $tracer > current_tracer || exit 1
                    usleep 300000
                done
                echo nop > current_tracer
                echo > set_ftrace_filter
            done
            """), 120)
        refused = self.guest.ask("echo 0 > /proc/sys/kernel/ftrace_enabled")
        expect(refused.status, "ftrace could be switched off under us")
