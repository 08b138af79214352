# SPDX-License-Identifier: GPL-2.0
"""A whole KVM host, measured: make bench-kvm."""

import collections
import sys
import time

from . import hostload, hosts, hosttarget, kvmmachine, peer, record

ADAPTER, RATES = "vhost", range(6000, 18001, 1500)
COMMAND, VERB = "make bench-kvm", "scripts/vlab bench-kvm"
PER_1000 = {"guest_irqs": r"u\d\.irq\.virtio\d+-(in|out)put\.\d+",
            "exits": "exits"}
# the host spins this long for the next packet
POLL_US = 50
POLLING = peer.Peer(f"poll-{POLL_US}")
EVERYBODY = (*hostload.EVERYBODY, POLLING)
# a load that broke so many hosts is not tried again
BREAKS = 2
TEXT = """# A KVM host

{head}
Hypervisor, two VMMs with vhost-net and their guests in one emulated machine with
one processor of {mips} million instructions per second; the module is in the host
(L1) and the guests (L2) have the stock driver.  Instructions are those of all of
them together, from what a SCHED_IDLE process in the host lacks.  What hardware
takes for an exit is not in it: exits are counted beside.  `down` is from the host
to a guest, `up` the other way, `across` from one guest to another; max is the
highest rate at which the stock driver lost nothing and the processor was not full
({rates}).  poll-{poll} is vhost's own busy polling (the tap's poll-us).

Debian's emulator delivers some injected interrupts twice, which breaks guests under
instruction counting, and loses some of the host's own, with the module or without it; here
it is mended (scripts/lab/emulator.py).  What a host that broke all the same had not measured was
measured in another; so many broke: {broken}.  A load that broke two hosts of a peer
has no figure.  A load lasts {phases} times {seconds} s: what a policy learns within that
is in its figures, and once it lets go it may not try again before the load is over.

""" + hosts.TARGETS + """## Interrupts of the guests per 1000 packets

{guest_irqs}
## Exits per 1000 packets

{exits}
""" + hosts.ANSWERS + """{delay}
## Lost frames

A flood is more than can be delivered.

{lost_frames}
![cost against delay](kvm.svg)
"""


class Study(hosts.Study):
    """A host does what it can of a peer's loads in one go."""

    def __init__(self):
        super().__init__(ADAPTER, RATES, kvmmachine.NS_PER_INSTRUCTION)
        self.broken = {}

    def job(self, who, loads, phases, attempt):
        options = f",poll-us={POLL_US}" if who == POLLING else ""
        return hosts.script("kvm-functions.sh",
                            [kvmmachine.prepare(options),
                             *[hostload.SHIFT] * attempt, who.setup],
                            loads, phases)

    def key(self, job):
        return kvmmachine.key(self.boot, job)

    def output(self, who, loads, job):
        begin = time.monotonic()
        said = kvmmachine.run(f"bench-kvm-{who.name}", self.boot,
                              self.module if who.inserts else None, job)
        names = kvmmachine.measured(said)
        print(f"# kvm {who.name}: {sum(load.name in names for load in loads)} "
              f"of {len(loads)} loads, {time.monotonic() - begin:.0f} s",
              file=sys.stderr, flush=True)
        return said

    def host(self, who, loads, phases=None):
        row, left, breaks = {}, list(loads), collections.Counter()
        while left:
            said = self.text(who, left, phases, breaks.total())
            parts, names = record.sections(said), kvmmachine.measured(said)
            for load in left:
                if load.name in names:
                    row[load.name] = _result(parts, load)
            left = [load for load in left if load.name not in row]
            if left:
                breaks[left[0]] += 1
                left = [load for load in left if breaks[load] < BREAKS]
        self.broken[who.name] = breaks.total()
        return {load.name: row[load.name] for load in loads
                if load.name in row}


def _result(parts, load):
    seen, _ = hosts.result(parts, load, kvmmachine.NS_PER_INSTRUCTION,
                           PER_1000)
    return seen


def markdown(document, loads):
    """The report."""
    results = document["results"]
    return TEXT.format(
        **hosts.sections(document, loads, EVERYBODY, PER_1000),
        mips=1000 // kvmmachine.NS_PER_INSTRUCTION, poll=POLL_US,
        seconds=hosts.SECONDS,
        broken=", ".join(f"{name} {number}" for name, number in
                         document["broken"].items()),
        targets=hosttarget.targets(results, loads))


def run(names=()):
    """Measure everybody, or those named beside stock; write what came out."""
    study = Study()
    document, loads = study.measure(names, EVERYBODY, COMMAND, VERB)
    document["broken"] = study.broken
    return hosts.write("kvm", document, markdown(document, loads))
