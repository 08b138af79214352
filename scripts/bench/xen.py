# SPDX-License-Identifier: GPL-2.0
"""A whole Xen host, measured: make bench-xen."""

import concurrent.futures
import re
import shlex
import sys
import time
from pathlib import Path

from lab import apt, kernel

from . import (job, kept, machine, main, peer, plot, record, table, xenload,
               xenmachine, xentarget)
from .study import GUESTS, PHASES, SERIES

FUNCTIONS = Path(__file__).parent / "guest" / "xen-functions.sh"
ADAPTER = "xen"
COMMAND, VERB = "make bench-xen", "scripts/vlab bench-xen"
GUEST = re.compile(r"u\d\.irq\.vif0-q\d+-[rt]x")
DOM0 = re.compile(r"irq\.vif\d+\.\d+-q\d+-[rt]x")
FRAMES = re.compile(r"u\d\.eth0\.[rt]x_packets")
SECONDS = 0.1
# a rate is sustained when some time is left over: else packets pile up
BUSY_MAX = 0.99
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

## Targets

Against stock, and the worst load of each kind; what misses is **bold**.  To reach:
small UDP at stock's highest rate at most -20 % instructions in class
throughput, at any rate never above stock; round trips and TCP at least -2 %; one
interrupt for ten packets of bulk, or fewer.

{targets}
## Instructions against stock

{costs}
## Interrupts of the domains per 1000 packets

{guest}
## Events in dom0 per 1000 packets

{dom0}
## What is done per second, against stock

Where traffic waits for answers: round trips, or KiB.

{rate}
## Round trips, p50 / p99 in microseconds

{trips}
## Time that a held frame waited, mean in microseconds

More than the hold where dom0 was not running when it ended: there is one
processor, and domains have it first.

{delay}
## Never

All peers and loads together, stock included: {lost} frames were lost, {spurious}
events in dom0 were spurious, and dom0 delayed events for {delayed} jiffies as a
punishment.

![cost against delay](xen.svg)
"""


def script(who, loads, phases):
    """What dom0 does in a measured host."""
    lines = [FUNCTIONS.read_text(), f"PHASES={phases}",
             f"SECONDS={SECONDS}", "set -e", "prepare", who.setup,
             "set +e", "vtraffic soak",
             "down -r 5000 -t 0.1 > /run/warm", "up -r 5000 -t 0.1 > /run/warm",
             f"sample rest {shlex.quote(job.REST)}"]
    lines += [f"sample {load.name} {shlex.quote(load.load)}" for load in loads]
    return "\n".join([*lines, ""])


def _sum(delta, pattern):
    return sum(value for name, value in delta.items()
               if pattern.fullmatch(name))


def _ours(delta, name):
    return sum(value for key, value in delta.items()
               if key.startswith("dom") and key.endswith(f"/{name}"))


def result(parts, load):
    """Everything about one load on one host."""
    seen = record.result(parts, load, xenmachine.NS_PER_INSTRUCTION)
    delta = record.change(parts, load.name)
    frames = _sum(delta, FRAMES)
    held = _ours(delta, "held_packets")
    for name, pattern in (("guest_irqs", GUEST), ("dom0_irqs", DOM0)):
        seen[f"{name}_per_1000"] = round(1000 * _sum(delta, pattern) / frames,
                                         1)
    seen["waited_us"] = (round(_ours(delta, "added_delay_ns") / held / 1000, 1)
                         if held else None)
    seen["spurious"] = sum(value for name, value in delta.items()
                           if name.endswith("/spurious_events"))
    seen["delayed"] = sum(value for name, value in delta.items()
                          if name.endswith("/jiffies_eoi_delayed"))
    return seen


class Study:
    """Runs hosts; results by load and peer."""

    def __init__(self, phases=PHASES, keep=True):
        self.phases = phases
        self.boot = kernel.image(SERIES)
        module, _ = kernel.build(SERIES, purpose="-bench")
        self._plain = xenmachine.base(self.boot, None).read_bytes()
        self._base = xenmachine.base(self.boot, module)
        self._keep = keep
        self.results = {}
        self.sources = {name: kept.digest(kept.sources(name, ADAPTER))
                        for name in (None, kept.ALWAYS, *peer.POLICIES)}
        self._compiler = apt.run(["gcc", "--version"]).splitlines()[0]

    def _print(self, who, what):
        begin = time.monotonic()
        text = xenmachine.run(f"bench-xen-{who.name}", self.boot, self._base,
                              what)
        print(f"# xen {who.name}: {time.monotonic() - begin:.0f} s",
              file=sys.stderr, flush=True)
        return text

    def text(self, who, loads, phases=None):
        """What a host prints under these loads, new or kept."""
        what = script(who, loads, phases or self.phases)
        if not self._keep:
            return self._print(who, what)
        parts = [xenmachine.key(self.boot, what, self._plain)]
        if who.inserts:
            parts += [self._compiler, self.sources[who.policy or kept.ALWAYS]]
        return kept.text(" ".join(parts), lambda: self._print(who, what))

    def _host(self, who, loads, phases=None):
        parts = record.sections(self.text(who, loads, phases))
        return {load.name: result(parts, load) for load in loads}

    def run(self, peers, loads):
        """Measure every peer under every load, several hosts at a time."""
        with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
            rows = list(pool.map(lambda who: self._host(who, loads), peers))
        for who, row in zip(peers, rows):
            for name, seen in row.items():
                self.results.setdefault(name, {})[who.name] = seen

    def sustained_rates(self):
        """By way, the highest rate at which the stock driver loses nothing and
        the processor is not all taken."""
        loads = [xenload.paced(way, rate) for way in xenload.WAYS
                 for rate in xenload.RATES]
        seen = self._host(peer.STOCK, loads, 1)
        rates = {}
        for way in xenload.WAYS:
            rates[way] = xenload.RATES[0]
            for rate in xenload.RATES:
                row = seen[f"{way}-{rate}"]
                busy = (row["instructions"] * row["per_second"] *
                        xenmachine.NS_PER_INSTRUCTION / 1e9)
                if row["lost"] or busy > BUSY_MAX:
                    break
                rates[way] = rate
        return rates

    def inputs(self):
        """What the figures depend on."""
        return {"kernel": self.boot.release, "emulator": machine.emulator(),
                "module": self.sources[None][:12], "phases": self.phases}


def _there(results, peers):
    return [who for who in peers
            if all(who.name in row for row in results.values())]


def _grid(results, peers, cell, loads=None):
    """A row for each load, a column for each peer."""
    there = _there(results, (peer.STOCK, *peers))
    rows = [[name, *(cell(row, who.name) for who in there)]
            for name, row in results.items() if loads is None or name in loads]
    return table.table(["load", *(who.name for who in there)], rows)


def _against_stock(key):
    def cell(row, name):
        if name == peer.STOCK.name:
            return row[name][key]
        return table.percent(row[name][key] / row[peer.STOCK.name][key] - 1)
    return cell


def _plain(key):
    return lambda row, name: ("" if row[name][key] is None else row[name][key])


def _trip(row, name):
    prefix = "side_" if "side_p50_us" in row[name] else ""
    return (f"{row[name][prefix + 'p50_us']} / "
            f"{row[name][prefix + 'p99_us']}")


def drawing(results):
    """Cost against the time that frames wait, at stock's highest rates."""
    charts = []
    for name in ("down-max", "up-max", "across-max"):
        if name not in results:
            continue
        dots = {who: (row["waited_us"] or 0, row["instructions"])
                for who, row in results[name].items()}
        charts.append(_chart(name, dots))
    names = {who for row in results.values() for who in row}
    return plot.page(charts, plot.families(names))


def _chart(name, dots):
    """One load: a dot for each peer."""
    def bounds(values):
        room = (max(values) - min(values)) * 0.06 or 1
        return min(values) - room, max(values) + room
    chart = plot.Chart(name, "mean wait of a held frame, us",
                       "instructions per packet, whole host",
                       bounds([x for x, _ in dots.values()]),
                       bounds([y for _, y in dots.values()]))
    chart.axes()
    for who in sorted(dots):
        family, _, rest = who.partition("-")
        chart.point(*dots[who], who,
                    rest if family in ("fixed", "adaptive") else "")
    return chart


def markdown(document, loads):
    """The report."""
    results = document["results"]
    peers = [who for who in xenload.EVERYBODY if who != peer.STOCK]
    answers = [load.name for load in loads if load.answers]
    timed = [name for name, row in results.items()
             if {"p50_us", "side_p50_us"} & set(row[peer.STOCK.name])]
    everybody = [seen for row in results.values() for seen in row.values()]
    return TEXT.format(
        head=main.head(document["inputs"], document["command"]),
        mips=1000 // xenmachine.NS_PER_INSTRUCTION,
        rates=", ".join(f"{way} {rate}" for way, rate in
                        document["rates"].items()),
        targets=xentarget.targets(results, loads,
                                  _there(results, xenload.ADAPTIVE)),
        costs=_grid(results, peers, _against_stock("instructions")),
        guest=_grid(results, peers, _plain("guest_irqs_per_1000")),
        dom0=_grid(results, peers, _plain("dom0_irqs_per_1000")),
        rate=_grid(results, peers, _against_stock("per_second"), answers),
        trips=_grid(results, peers, _trip, timed),
        delay=_grid(results, peers, _plain("waited_us")),
        lost=sum(seen["lost"] for seen in everybody),
        spurious=sum(seen["spurious"] for seen in everybody),
        delayed=sum(seen["delayed"] for seen in everybody))


def run(names=()):
    """Measure everybody, or those named beside stock; write what came out."""
    study = Study()
    rates = study.sustained_rates()
    loads = xenload.everything(rates)
    peers = [who for who in xenload.EVERYBODY
             if not names or who.name in names or who == peer.STOCK]
    study.run(peers, loads)
    document = {"inputs": study.inputs(), "rates": rates,
                "command": " ".join([VERB, *names]) if names else COMMAND,
                "loads": {load.name: load.load for load in loads},
                "units": {load.name: load.unit for load in loads},
                "results": study.results}
    main.write_json("xen.json", document)
    main.write("xen.md", markdown(document, loads))
    main.write("xen.svg", drawing(study.results))
    return True
