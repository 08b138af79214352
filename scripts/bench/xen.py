# SPDX-License-Identifier: GPL-2.0
"""A whole Xen host, measured: make bench-xen."""

import dataclasses
import sys
import time

from . import hostload, hosts, hosttarget, record, xenmachine

ADAPTER, RATES = "xen", range(5000, 14001, 1000)
COMMAND, VERB = "make bench-xen", "scripts/vlab bench-xen"
PER_1000 = {"guest_irqs": r"u\d\.irq\.vif0-q\d+-[rt]x",
            "dom0_irqs": r"irq\.vif\d+\.\d+-q\d+-[rt]x"}
SMALL = hostload.stream("down", 64)
THREADS_FIRST = dataclasses.replace(SMALL, name=f"{SMALL.name}-first",
                                    load=f"threads_first {SMALL.load}")
NEVER = {"spurious": r".*/spurious_events", "delayed": r".*/jiffies_eoi_delayed"}
TEXT = """# A Xen host

{head}
Hypervisor, dom0 and two PV domains in one emulated machine with one processor
of {mips} million instructions per second; the module is in dom0 and the domains
have the stock frontend.  Instructions are those of all of them together, from
what a SCHED_IDLE process in dom0 lacks.  A domain that wakes up runs at once.
What hardware takes for a switch between domains is not in it: interrupts are
counted beside.  `down` is from dom0 to a domain, `up` the other way, `across`
from one domain to another; max is the highest rate at which the stock driver
lost nothing and the processor was not full ({rates}).

`tcp-down-64` is as fast as dom0's scheduler makes netback's thread wait: it and the
sender share a processor, and messages gather while the thread waits for it.  With a
hold the thread takes less of the processor, so it waits less, and frames are smaller.
In `tcp-down-64-first` the thread goes before the sender (renice): a message at a time
then, unless something waits, the worst that can happen to a host that holds nothing.
A dom0 with more processors was not measured.

""" + hosts.TARGETS + """## Interrupts of the domains per 1000 packets

{guest_irqs}
## Events in dom0 per 1000 packets

{dom0_irqs}
""" + hosts.ANSWERS + """More than the hold where dom0 was not running when it ended: there is one
processor, and domains have it first.

{delay}
## Lost frames

{lost_frames}
## Never

All peers and loads together, stock included: {spurious} events in dom0 were spurious,
and dom0 delayed events for {delayed} jiffies as a punishment.

![cost against delay](xen.svg)
"""


class Study(hosts.Study):
    """A host does everything of a peer in one go."""
    also = (THREADS_FIRST,)

    def __init__(self):
        super().__init__(ADAPTER, RATES, xenmachine.NS_PER_INSTRUCTION)
        self._plain = xenmachine.base(self.boot, None).read_bytes()
        self._base = xenmachine.base(self.boot, self.module)

    def job(self, who, loads, phases, attempt):
        return hosts.script("xen-functions.sh", ["prepare", who.setup], loads,
                            phases)

    def key(self, job):
        return xenmachine.key(self.boot, job, self._plain)

    def output(self, who, loads, job):
        begin = time.monotonic()
        text = xenmachine.run(f"bench-xen-{who.name}", self.boot, self._base,
                              job)
        print(f"# xen {who.name}: {time.monotonic() - begin:.0f} s",
              file=sys.stderr, flush=True)
        return text

    def host(self, who, loads, phases=None):
        parts = record.sections(self.text(who, loads, phases))
        return {load.name: _result(parts, load) for load in loads}


def _result(parts, load):
    seen, delta = hosts.result(parts, load, xenmachine.NS_PER_INSTRUCTION,
                               PER_1000)
    return {**seen, **{name: hosts.total(delta, pattern)
                       for name, pattern in NEVER.items()}}


def markdown(document, loads):
    """The report."""
    results = document["results"]
    everybody = [seen for row in results.values() for seen in row.values()]
    return TEXT.format(
        **hosts.sections(document, loads, hostload.EVERYBODY, PER_1000),
        mips=1000 // xenmachine.NS_PER_INSTRUCTION,
        targets=hosttarget.targets(results, loads),
        **{name: sum(seen[name] for seen in everybody) for name in NEVER})


def run(names=()):
    """Measure everybody, or those named beside stock; write what came out."""
    document, loads = Study().measure(names, hostload.EVERYBODY, COMMAND, VERB)
    return hosts.write("xen", document, markdown(document, loads))
