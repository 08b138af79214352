# SPDX-License-Identifier: GPL-2.0
"""What may happen to a NIC while the module holds its interrupts.

Traffic runs in both directions all the time. After every case it must still
flow without loss and the kernel must have had nothing to say.
"""

import dataclasses
import re
import textwrap

from . import qemu
from .ktap import Skip, expect

NICS = "/sys/kernel/vcoal/vms/local/nics"
PORT_NOISE = 7010
# packets per second and direction; with checkers 200 take both processors, and
# whatever is done beside 100 takes twice as long
NOISE, NOISE_UNDER_CHECKERS = 1000, 50
# a NIC that takes no part
SPARE = "eth2"

# Hold on every NIC, whatever it is called by now.
HOLD = textwrap.dedent(f"""\
    for nic in {NICS}/*; do
        echo fixed > $nic/mode
        echo 200 > $nic/rx_usecs
        echo 200 > $nic/tx_usecs
    done
    """)


class Stress:
    """The cases; they share one guest and its traffic."""

    def __init__(self, wire, rounds=1.0, noise=NOISE):
        self.wire = wire
        self._noise = noise
        self.guest = wire.guest
        self._share = rounds
        self._known = 0

    def _rounds(self, number):
        return max(2, int(number * self._share))

    def begin(self):
        """Traffic for as long as the guest lives."""
        for end, other in ((self.wire.a, self.wire.b),
                           (self.wire.b, self.wire.a)):
            self.guest.inside(end.netns,
                              f"vtraffic sink {PORT_NOISE} -i 3600000")
            send = (f"vtraffic send {other.address} {PORT_NOISE} "
                    f"-r {self._noise} -b 4 -t 2")
            self.guest.inside(end.netns, f"""
                while :; do {send}; usleep 20000; done > /dev/null 2>&1 &
                """)

    def settle(self):
        """Traffic flows, and the kernel is content."""
        self._quiet()
        self.wire.warm()
        flow = self.wire.flow(self._rounds(400), 2000)
        # two processors reorder datagrams, with and without the module
        seen = {name: change for name, change in flow.delta.items()
                if change and re.search(r"packets$|dropped|^udp", name)}
        expect(flow.lost == 0, f"afterwards: {flow.lost} of {flow.sent} lost, "
               f"meanwhile {seen}")
        for end in (self.wire.a, self.wire.b):
            expect(flow.delta[f"{end.dev}.rx_packets"] > flow.sent / 4,
                   f"{end.dev}: the traffic has stopped")
        self._quiet()

    def _quiet(self):
        faults = self.guest.faults()
        fresh, self._known = faults[self._known:], len(faults)
        expect(not fresh, "\n".join(fresh[:40]))

    def load(self):
        self.guest.run("[ -d /sys/module/vcoal ] || insmod /vcoal.ko\n" + HOLD)

    def repeat(self, rounds, script, netns=None):
        """Run a script again and again in the guest, holds in force."""
        loop = (f"set -e\nn=0\nwhile [ $n -lt {self._rounds(rounds)} ]; do\n"
                f"n=$((n + 1))\n{script}\ndone")
        if netns:
            return self.guest.inside(netns, loop, 300)
        return self.guest.run(loop, 300)

    def insert_and_remove(self):
        """Insertion and removal, holds running."""
        self.repeat(200, f"insmod /vcoal.ko\n{HOLD}\nusleep 5000\n"
                     "rmmod vcoal")

    def link_down_and_up(self):
        """Queues come and go."""
        self.load()
        dev = self.wire.b.dev
        self.repeat(20, qemu.batch(f"link set {dev} down",
                                   f"link set {dev} up") + "\nusleep 20000",
                    self.wire.b.netns)
        self.wire.configure(self.wire.b)

    def ring_size(self):
        """Rings are replaced under a running NAPI."""
        self.load()
        dev, netns = self.wire.b.dev, self.wire.b.netns
        probe = self.guest.ask(
            qemu.enter(netns, f"ethtool -G {dev} rx 128 tx 128"))
        if probe.status:
            raise Skip(probe.text.splitlines()[-1])
        self.repeat(20, f"ethtool -G {dev} rx 64 tx 64\nusleep 20000\n"
                     f"ethtool -G {dev} rx 256 tx 256\nusleep 20000", netns)

    def xdp(self):
        """A program comes and goes."""
        self.load()
        end = self.wire.b
        self.guest.run(f"ip link set {SPARE} netns {end.netns}")
        self.guest.inside(end.netns, f"vtraffic xdp -n {self._rounds(20)} "
                          f"{end.dev} {SPARE}", 300)

    def namespace_move(self):
        """The NIC moves to another namespace and back."""
        self.load()
        dev, netns = self.wire.b.dev, self.wire.b.netns
        self.guest.run("ip netns add elsewhere")
        self.repeat(10, f"""
            ip -n {netns} link set {dev} netns elsewhere
            ip -n elsewhere link set {dev} up
            ip -n elsewhere link set {dev} netns {netns}
            ip -n {netns} link set {dev} up
            usleep 20000
            """)
        self.guest.run("ip netns del elsewhere")
        self.wire.configure(self.wire.b)

    def rename(self):
        """The NIC gets another name and its own again."""
        self.load()
        dev = self.wire.b.dev
        other = dataclasses.replace(self.wire.b, dev="other")
        there, back = (qemu.batch(f"link set {one} down",
                                  f"link set {one} name {two}",
                                  f"link set {two} up")
                       for one, two in ((dev, "other"), ("other", dev)))
        self.repeat(10, f"{there}\nls {other.nic}/queues/rx-0/irqs\n{back}",
                    self.wire.b.netns)
        self.wire.configure(self.wire.b)

    def threaded(self):
        """Polls move to threads and back."""
        self.load()
        path = f"{self.wire.b.sysfs}/threaded"
        self.repeat(20, f"echo 1 > {path}\nusleep 50000\necho 0 > {path}\n"
                     "usleep 50000", self.wire.b.netns)

    def busy_poll(self):
        """A receiver that polls by itself."""
        self.load()
        flow = self.wire.flow(self._rounds(2000), 2000,
                              sink_options="-B 200")
        expect(flow.lost == 0, f"{flow.lost} lost")

    def two_writers(self):
        """Knobs change all the time, from two sides."""
        self.load()
        writer = textwrap.dedent(f"""\
            n=0
            while [ $n -lt {self._rounds(150)} ]; do
                n=$((n + 1))
                for nic in {NICS}/*; do
                    echo MODE > $nic/mode
                    echo $((n * 7 % 500)) > $nic/rx_usecs
                    echo $((n * 11 % 500)) > $nic/tx_usecs
                    echo $((n % 9)) > $nic/rx_frames
                done
                echo $((n % 1000)) > {NICS}/../max_delay_us
            done
            """)
        self.guest.run(f"({writer.replace('MODE', 'fixed')}) &\n"
                       f"({writer.replace('MODE', 'off')}) &\nwait", 300)

    def unbind(self):
        """The driver lets the device go and takes it again."""
        self.load()
        device = self.wire.b.virtio
        for _ in range(self._rounds(4)):
            self.guest.run(f"""
                cd /sys/bus/virtio/drivers/virtio_net
                echo {device} > unbind
                echo {device} > bind
                """)
            self._adopt(self.wire.b)
            self.wire.configure(self.wire.b)

    def driver_reload(self):
        """The driver's module is replaced under us."""
        self.load()
        for _ in range(self._rounds(3)):
            self.guest.run("rmmod virtio_net\n"
                           "insmod /lib/modules/virtio_net.ko")
            for end in (self.wire.a, self.wire.b):
                self._adopt(end)
            # what one end sends waits until the other is up: not for long
            for end in (self.wire.a, self.wire.b):
                self.wire.configure(end)

    def _adopt(self, end):
        """A new netdev appears in the first namespace: bring it home."""
        folder = f"/sys/bus/virtio/devices/{end.virtio}/net"
        home = qemu.batch(
            "link set $dev name moving",
            f"link set moving netns {end.netns} name {end.dev}")
        self.guest.run(f"""
            n=0
            until [ -d {folder} ] || [ $n -gt 100 ]; do
                usleep 50000
                n=$((n + 1))
            done
            dev=$(ls {folder})
            {home}
            """)

    def suspend(self):
        """Devices freeze and thaw; virtio makes new queues then."""
        self.load()
        answer = self.guest.ask("""
            set -e
            echo devices > /sys/power/pm_test
            echo 0 > /sys/module/suspend/parameters/pm_test_delay
            for state in mem freeze; do
                grep -q $state /sys/power/state || continue
                echo $state > /sys/power/state
            done
            """, 60)
        expect(answer.status == 0, answer.text)

    def sleeps_overlap(self):
        """Who opened /dev/snapshot announced a sleep that another one's end does
        not end."""
        self.load()
        if self.guest.ask("[ -e /dev/snapshot ]").status:
            raise Skip("no /dev/snapshot")
        hooked = f"ls {NICS}/*/queues | grep -q rx-"
        self.guest.run(f"""
            set -e
            echo devices > /sys/power/pm_test
            echo 0 > /sys/module/suspend/parameters/pm_test_delay
            {hooked}
            exec 3< /dev/snapshot
            echo freeze > /sys/power/state
            if {hooked}; then exit 1; fi
            exec 3<&-
            {hooked}
            """, 60)

    def insert_again(self):
        """A few insertions more, for guests with other devices."""
        self.remove()
        self.repeat(30, f"insmod /vcoal.ko\n{HOLD}\nusleep 5000\n"
                     "rmmod vcoal")

    def removal_while_held(self):
        """The module goes while every queue is held as long as it can be."""
        self.repeat(20, f"""
            insmod /vcoal.ko
            for nic in {NICS}/*; do
                echo fixed > $nic/mode
                echo 10000 > $nic/rx_usecs
                echo 10000 > $nic/tx_usecs
            done
            usleep 30000
            rmmod vcoal
            """)

    def remove(self):
        """The module leaves for good."""
        self.guest.run("if [ -d /sys/module/vcoal ]; then rmmod vcoal; fi")

    def cases(self):
        """In the order in which they run."""
        return (self.insert_and_remove, self.removal_while_held,
                self.link_down_and_up, self.ring_size, self.xdp,
                self.namespace_move, self.rename, self.threaded,
                self.busy_poll, self.two_writers, self.unbind,
                self.driver_reload, self.suspend, self.sleeps_overlap,
                self.remove)


class Channels:
    """Two queues on two processors."""

    def __init__(self, stress):
        self._stress = stress
        self.wire = stress.wire
        self.guest = stress.guest

    def both_queues(self):
        """Every queue is hooked and counted."""
        self.guest.run("insmod /vcoal.ko")
        for end in (self.wire.a, self.wire.b):
            listed = self.guest.run(f"ls {end.nic}/queues")
            expect(listed.split() == ["rx-0", "rx-1", "tx-0", "tx-1"], listed)

    def change(self):
        """The number of channels changes, traffic running."""
        stress, dev = self._stress, self.wire.b.dev
        stress.load()
        stress.repeat(20, f"ethtool -L {dev} combined 1\nusleep 20000\n"
                       f"ethtool -L {dev} combined 2\nusleep 20000",
                       self.wire.b.netns)

    def cases(self):
        """In the order in which they run."""
        return (self.both_queues, self.change, self._stress.insert_again,
                self._stress.suspend, self._stress.remove)
