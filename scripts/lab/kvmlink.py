# SPDX-License-Identifier: GPL-2.0
"""What goes between a KVM host and a guest, or two guests, counted at all ends.

Guests are talked to over their consoles: nothing of that is on their NICs, so
what is counted is the traffic alone.
"""

import dataclasses

from .kvmhost import BRIDGE_ADDRESS, KVM_COUNTS
from .ktap import expect
from .wire import difference, values

# those above the first are served everywhere: see kvmhost.py
PORT_SINK, PORT_ECHO, PORT_DRAIN, PORT_NOISE = 7001, 7002, 7003, 7010
IDLE_MS = 10000
# longer than any hold, and than what a busy machine makes of it
REST_US = 150000
# more of them than that is not chance any more
MERGED = 0.1


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was counted while something ran."""
    text: str
    ours: dict
    theirs: dict

    @property
    def elapsed_us(self):
        """Time that passed in the host."""
        return self.ours["us"]

    @property
    def said(self):
        """The numbers that it printed."""
        return values(self.text.replace(" ", "\n"))

    def irqs(self, direction):
        """Interrupts of one direction: ours, and the guest's own count."""
        name = {"rx": "input", "tx": "output"}[direction]
        theirs = sum(value for key, value in self.theirs.items()
                     if key.startswith("irq.") and name in key)
        return self.ours.get(f"{direction}-0/irqs"), theirs

    def raised(self, raised, taken):
        """Did KVM raise so many of one vector, and the guest take so many?"""
        counts = self.ours
        told = [name for name in counts if name.startswith("msi_set_irq.")]
        if not told:
            return raised == taken
        return raised == taken == 0 or any(
            counts[name] == raised and
            counts.get(name.replace("msi_set_irq", "inj_virq"), 0) == taken
            for name in told)

    def our(self, direction, name):
        """One of the module's counters."""
        return self.ours[f"{direction}-0/{name}"]


def exact(seen):
    """The same, in which the counts of all interrupts agree.

    Each that we count was raised by KVM, and each that the guest had was taken
    from it, exactly. Two are one to a guest that has not taken the first when
    the second comes: it asked for that while the first was kept, or on its way.
    As KVM has both counts, nothing that is lost looks like this.
    """
    for direction in ("rx", "tx"):
        ours, theirs = seen.irqs(direction)
        expect(seen.raised(ours or 0, theirs),
               f"{direction}: {ours} interrupts counted, the guest had "
               f"{theirs}: {seen}")
        if ours != theirs:
            merged = ours - theirs
            print(f"# {direction}: {merged} of {ours} found the one before "
                  "untaken", flush=True)
            expect(0 < merged <= MERGED * ours,
                   f"{direction}: {merged} merged: {seen}")
    return seen


def lossless(seen, count):
    """The same, in which all packets came, in order."""
    said = seen.said
    expect(said["sent"] == said["received"] == count and
           not said["reordered"], f"{count} to send: {seen.text}")
    return seen


class Link:
    """A guest and what it talks to: its host, or another guest."""

    def __init__(self, vm, peer=None):
        self.vm = vm
        self.host = vm.host
        self.peer = peer or vm.host
        self.address = peer.address if peer else BRIDGE_ADDRESS

    def set(self, **settings):
        """Write files of the NIC: mode, rx_usecs and so on."""
        self.host.run(f"set -e\ncd {self.vm.nic}\n" + "\n".join(
            f"echo {value} > {name}" for name, value in settings.items()))

    def hold(self, usecs, rx_frames=0, tx_frames=0):
        """Hold in both directions."""
        self.set(rx_usecs=usecs, tx_usecs=usecs, rx_frames=rx_frames,
                 tx_frames=tx_frames, mode="fixed")

    def decide(self, policy, klass="balanced"):
        """Let a policy decide."""
        self.host.run(f"set -e\ncd {self.vm.root}\n"
                      f"echo {klass} > class\necho {policy} > policy")
        self.set(mode="auto")

    def appear(self):
        """Some traffic, which is what the module meets a device by."""
        self.ping(3)
        self.host.run("n=0\n"
                      f"until [ -d {self.vm.nic}/queues/tx-0 ]; do\n"
                      "n=$((n + 1)); [ $n -lt 1500 ] || exit 1\n"
                      "usleep 20000; done")

    def _ours(self):
        return values(self.host.run(
            f"vtraffic counters | grep us=\n{KVM_COUNTS}"
            f"cd {self.vm.nic}/queues 2> /dev/null || exit 0\n"
            "grep . */* | sed 's/:/=/'"))

    def _rest(self):
        """Until nothing is held any more: counts are not read at one time."""
        self.host.run(f"usleep {REST_US}")

    def during(self, function, *args):
        """Call; what it says, and what all counters did."""
        self._rest()
        ours, theirs = self._ours(), self.vm.counters()
        text = function(*args)
        self._rest()
        return Seen(text, difference(ours, self._ours()),
                    difference(theirs, self.vm.counters()))

    def _send(self, sender, receiver, address, count, options):
        receiver.run(f"rm -f /run/sink\nvtraffic sink {PORT_SINK} "
                     f"-n {count} -i {IDLE_MS} -o /run/sink")
        said = sender.run(f"vtraffic send {address} {PORT_SINK} "
                          f"-n {count} {options}")
        return said + " " + receiver.run(
            "until [ -s /run/sink ]; do usleep 20000; done\ncat /run/sink")

    def down(self, count, options=""):
        """Packets to the guest, all of which must come."""
        return lossless(self.during(self._send, self.peer, self.vm,
                                    self.vm.address, count, options), count)

    def up(self, count, options=""):
        """Packets from the guest, all of which must come."""
        return lossless(self.during(self._send, self.vm, self.peer,
                                    self.address, count, options), count)

    def _trips(self, count, options):
        """Round trips to the guest, all of which must be."""
        text = self.peer.run(f"vtraffic ping {self.vm.address} {PORT_ECHO} "
                             f"-n {count} {options}")
        expect(f"trips={count} lost=0" in text, text)
        return text

    def ping(self, count, options=""):
        """Round trips, and nothing counted."""
        return self._trips(count, options)

    def pings(self, count, options=""):
        """Round trips, and what they took."""
        return self.during(self._trips, count, options)

    def flood(self, count=500):
        """ping -f."""
        return self.pings(count, "-I -s 20")

    def streams(self, count, size):
        """TCP one way, then the other; all bytes must come."""
        for sender, address in ((self.peer, self.vm.address),
                                (self.vm, self.address)):
            said = sender.run(f"vtraffic stream {address} {PORT_DRAIN} "
                              f"-n {count} -s {size}")
            expect(f"bytes={count * size}" in said, said)
        return said
