# SPDX-License-Identifier: GPL-2.0
"""NICs that coalesce by themselves, in an exact guest.

No emulator at hand offers such a device. guest/vnotf is a module of the lab
that makes two, joined, for the kernel's own virtio_net; it counts the
interrupts that it makes and keeps what the driver asked for.
"""

import textwrap

from . import image, qemu
from .counts import HOLD_US, PACKETS, RATE, ROOT, VM, fold, lossless
from .ktap import Skip, expect
from .stress import PORT_NOISE
from .wire import SYSFS, Wire, difference, values

DEVICE = image.GUEST / "vnotf"
STATE = "/sys/kernel/debug/vnotf"
COUNTS_ONLY = {"count-rx", "count-tx"}
KNOBS = ("rx_usecs", "rx_frames", "tx_usecs", "tx_frames")
ROUNDS = 10


class Coalescing:
    """The cases; each variant of the device is a new pair of NICs."""

    def __init__(self, guest):
        self.guest = guest
        self.wire = None
        self._moved = None

    def _fresh(self, options):
        """The device again, of another kind."""
        if self.wire:
            self.guest.run("rmmod vnotf")
            for end in (self.wire.a, self.wire.b):
                self.guest.run(f"umount {SYSFS}/{end.netns}\n"
                               f"ip netns del {end.netns}")
        self.guest.run(f"insmod /vnotf.ko {options}")
        self.wire = Wire(self.guest)
        self.wire.connect()

    def _device(self):
        """What the device was asked for and did, by queue."""
        return values(self.guest.run(f"cd {STATE}\ngrep . */*/* */commands | "
                                     "sed s/:/=/"))

    def _flow(self, rate=RATE):
        """A flow of which the module counts what the device does; nothing is
        held. Returns what the device did."""
        before = self._device()
        delta = lossless(self.wire.flow(PACKETS, rate)).delta
        self._moved = difference(before, self._device())
        for number, end, queue in ((1, self.wire.b, "rx"),
                                   (0, self.wire.a, "tx")):
            made = self._moved[f"{number}/{queue}/irqs"]
            ours = delta[end.queue(f"{queue}-0/irqs")]
            expect(made == ours, f"{queue}: {made} interrupts, {ours} counted")
            holds = delta[end.queue(f"{queue}-0/holds")]
            expect(not holds, f"{queue}: {holds} holds")
        frames = delta[self.wire.b.queue("rx-0/packets")]
        expect(frames == PACKETS, f"{frames} packets counted of {PACKETS}")
        return self._moved

    def _counts_only(self, why):
        """What the module offers for such a NIC, and what it says."""
        for end in (self.wire.a, self.wire.b):
            words = set(self.wire.get(end, "capabilities").split())
            expect(words == COUNTS_ONLY, f"{end.dev}: {words}")
            remark = self.wire.get(end, "remark")
            expect(why in remark, f"{end.dev}: {remark}")

    def counted(self):
        """Interrupts are counted exactly, and adaptive holds none of them."""
        self._fresh("")
        self.guest.run("insmod /vcoal.ko class=throughput")
        expect(self.guest.run(f"cat {VM}/policy") == "adaptive", "policy")
        self._counts_only("coalesces by itself")
        moved = self._flow()
        expect(moved["1/rx/irqs"] > PACKETS // 2, f"{moved}")
        expect(not moved["0/commands"] + moved["1/commands"], f"{moved}")

    def holds_are_refused(self):
        """By every knob; what was written before is without effect."""
        end = self.wire.b
        for knob in KNOBS:
            path = f"{end.nic}/{knob}"
            said = self.guest.run(f"echo 64 2>&1 > {path}; cat {path}")
            expect("not supported" in said and said.endswith("\n0"), said)
        self.wire.set(end, mode="off", rx_usecs=HOLD_US)
        self.wire.set(end, mode="fixed")
        reason = self.wire.get(end, "queues/rx-0/reason")
        expect(reason == "unsupported", reason)
        expect(self.wire.get(end, "queues/rx-0/usecs") == "0", "it holds")
        self._flow()
        self.wire.set(end, rx_usecs=0, mode="auto")

    def ethtool_is_obeyed(self):
        """Who wants holds asks the device; they are counted as they are."""
        none = self._flow()
        for end, way in ((self.wire.b, "rx"), (self.wire.a, "tx")):
            # 6.1 takes no tx-frames for the wish to have no interrupts
            self.guest.inside(end.netns, f"ethtool -C {end.dev} "
                              f"{way}-usecs {HOLD_US} tx-frames 64")
        state = self._device()
        expect(state["1/rx/usecs"] == HOLD_US, f"{state}")
        expect(state["0/tx/usecs"] == HOLD_US, f"{state}")
        held = self._flow()
        for name in ("1/rx/irqs", "0/tx/irqs"):
            fold(none[name], held[name], 2, name)

    def insert_and_remove(self):
        """Insertion and removal, the device busy; then counts as before."""
        wire = self.wire
        for end, other in ((wire.a, wire.b), (wire.b, wire.a)):
            self.guest.inside(end.netns,
                              f"vtraffic sink {PORT_NOISE} -i 3600000")
            self.guest.inside(end.netns, textwrap.dedent(f"""\
                (while [ ! -e /run/enough ]; do
                    vtraffic send {other.address} {PORT_NOISE} -r 2000 -t 1
                done > /dev/null 2>&1) &
                """))
        self.guest.run(textwrap.dedent(f"""\
            set -e
            for i in $(seq {ROUNDS}); do
                rmmod vcoal
                usleep 5000
                insmod /vcoal.ko
                for nic in {VM}/nics/*; do
                    for mode in off fixed observe auto; do
                        echo $mode > $nic/mode
                        usleep 1000
                    done
                done
            done
            touch /run/enough
            sleep 2
            """), 120)
        self._flow()

    def device_comes_and_goes(self):
        """The device is taken away while it is counted, and comes back."""
        self._fresh("")
        self._counts_only("coalesces by itself")
        self._flow()

    def own_dim(self):
        """The driver's own algorithm drives the device: counted, left alone."""
        self._fresh("vq_notf=1")
        self._counts_only("coalesces by itself")
        end = self.wire.b
        answer = self.guest.ask(qemu.enter(
            end.netns, f"ethtool -C {end.dev} adaptive-rx on"))
        if answer.status:
            raise Skip("this driver has no algorithm of its own")
        for rate in (2000, 20000, 100000):
            self._flow(rate)
            if self._moved["1/commands"]:
                return
        raise AssertionError(f"it asked for nothing: {self._device()}")

    def one_queue_alone(self):
        """A device that coalesces by queue, and not as a whole."""
        self._fresh("notf=0 vq_notf=1")
        known = self.guest.run(
            f"cut -c 53 /sys/bus/virtio/devices/{self.wire.a.virtio}/features")
        self._counts_only("coalesces by itself" if known == "1" else
                          "share one interrupt")
        self._flow()

    def removal(self):
        """Everything works without the module, and without the device."""
        self.guest.run("rmmod vcoal")
        lossless(self.wire.flow(PACKETS, RATE))
        self.guest.run("rmmod vnotf")
        expect(self.guest.ask(f"ls {ROOT}").status, "sysfs is still there")

    def cases(self):
        """In the order in which they run."""
        return (self.counted, self.holds_are_refused, self.ethtool_is_obeyed,
                self.insert_and_remove, self.device_comes_and_goes,
                self.own_dim, self.one_queue_alone, self.removal)
