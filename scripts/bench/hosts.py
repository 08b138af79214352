# SPDX-License-Identifier: GPL-2.0
"""A whole host with two guests, measured: what hypervisors have in common."""

import concurrent.futures
import dataclasses
import re
import shlex
from pathlib import Path

from lab import apt, kernel

from . import (hostload, job, kept, machine, main, peer, plot, record,
               table)
from .study import GUESTS, PHASES, SERIES

HERE = Path(__file__).parent / "guest"
FUNCTIONS = HERE / "host-functions.sh"
FRAMES = re.compile(r"u\d\.eth0\.[rt]x_packets")
SECONDS = 0.1
# a rate is sustained when some time is left over: else packets pile up
BUSY_MAX = 0.99
AGAIN = {True: "the same to the last byte",
         False: "**not** the same, so a difference of some percent is chance"}
# parts of every report
TARGETS = """## Targets

Against stock, and the worst load of each kind; what misses is **bold**.  To reach:
small UDP at stock's highest rate at most -20 % instructions in class
throughput, at any rate never above stock; round trips (once they are known: -settled
runs have had 0.6 s to learn) and TCP at least -2 %; one interrupt for ten packets of
bulk, or fewer.  TCP has {connections} connections in place of {phases} phases: each settles
in one of several ways.  stock-again is the stock driver after another boot, what it
differs by is chance; observe holds nothing, it counts.

{targets}
## Instructions against stock

{costs}
"""
ANSWERS = """## What is done per second, against stock

Where traffic waits for answers: round trips, or KiB.  Behind ± is the standard error
of the difference: each phase of TCP is another connection, of which some are half as
fast as others, whatever holds.

{rate}
## Round trips, p50 / p99 in microseconds

{trips}
## Time that a held frame waited, mean in microseconds

"""


def script(functions, setup, loads, phases):
    """What the host does, once its guests are there."""
    lines = [FUNCTIONS.read_text(), (HERE / functions).read_text(),
             f"PHASES={phases}", f"SECONDS={SECONDS}", "set -e", *setup,
             "set +e", "vtraffic soak",
             "down -r 5000 -t 0.1 > /run/warm", "up -r 5000 -t 0.1 > /run/warm",
             f"sample rest {shlex.quote(job.REST)}"]
    lines += [f"sample {load.name} {shlex.quote(load.load)}" for load in loads]
    return "\n".join([*lines, ""])


def total(delta, pattern):
    """Sum of the counters whose whole name matches."""
    return sum(value for name, value in delta.items()
               if re.fullmatch(pattern, name))


def result(parts, load, each_ns, per_1000):
    """Everything about one load on one host; per_1000 has counters to be
    related to frames, by the name of the figure."""
    seen = record.result(parts, load, each_ns)
    delta = record.change(parts, load.name)
    frames = total(delta, FRAMES)
    held = total(delta, r"\w+\..*/held_packets")
    for name, pattern in per_1000.items():
        seen[f"{name}_per_1000"] = round(
            1000 * total(delta, pattern) / frames, 1)
    waited = total(delta, r"\w+\..*/added_delay_ns")
    seen["waited_us"] = round(waited / held / 1000, 1) if held else None
    return seen, delta


class Study:
    """Runs hosts; results by load and peer.

    The class of a hypervisor says what a host does, and has figures of it.
    """
    also = ()   # loads behind those that all hosts have

    def __init__(self, adapter, rates, each_ns, phases=PHASES):
        self.phases = phases
        self.boot = kernel.image(SERIES)
        self.module, _ = kernel.build(SERIES, purpose="-bench")
        self.results = {}
        self.sources = {name: kept.digest(kept.sources(name, adapter))
                        for name in (None, kept.ALWAYS, *peer.POLICIES)}
        self._compiler = apt.run(["gcc", "--version"]).splitlines()[0]
        # among these is the highest that the stock driver sustains
        self._rates = rates
        self._each_ns = each_ns

    def job(self, who, loads, phases, attempt):
        """What a host is to do."""
        raise NotImplementedError

    def key(self, job):
        """One word for what its output depends on beside the module."""
        raise NotImplementedError

    def output(self, who, loads, job):
        """What a host says when it does its job."""
        raise NotImplementedError

    def text(self, who, loads, phases=None, attempt=0, fresh=False):
        """What a host prints under these loads, new or kept."""
        job = self.job(who, loads, phases or self.phases, attempt)
        if fresh:
            return self.output(who, loads, job)
        parts = [self.key(job)]
        if who.inserts:
            parts += [self._compiler, self.sources[who.policy or kept.ALWAYS]]
        return kept.text(" ".join(parts),
                         lambda: self.output(who, loads, job))

    def _repeat(self, who, loads):
        """Does a host print the same again, to the last byte? Both times with
        this module: what is kept may be of one with another policy in it."""
        both = [dataclasses.replace(who, name=f"{who.name}-{run}")
                for run in ("once", "again")]
        with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
            said = set(pool.map(lambda one: self.text(one, loads, fresh=True),
                                both))
        return len(said) == 1

    def host(self, who, loads, phases=None):
        """Figures by load."""
        raise NotImplementedError

    def run(self, peers, loads):
        """Measure every peer under every load, several hosts at a time."""
        with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
            rows = list(pool.map(lambda who: self.host(who, loads), peers))
        for load in loads:
            seen = {who.name: row[load.name] for who, row in zip(peers, rows)
                    if load.name in row}
            if peer.STOCK.name in seen:
                self.results[load.name] = seen

    def sustained_rates(self):
        """By way, the highest rate at which the stock driver loses nothing and
        the processor is not all taken."""
        seen = self.host(peer.STOCK, [hostload.paced(way, rate)
                                      for way in hostload.WAYS
                                      for rate in self._rates], 1)
        rates = {}
        for way in hostload.WAYS:
            rates[way] = self._rates[0]
            for rate in self._rates:
                row = seen.get(f"{way}-{rate}")
                if not row:
                    break
                busy = (row["instructions"] * row["per_second"] *
                        self._each_ns / 1e9)
                if row["lost"] or busy > BUSY_MAX:
                    break
                rates[way] = rate
        return rates

    def inputs(self):
        """What the figures depend on."""
        return {"kernel": self.boot.release, "emulator": machine.emulator(),
                "module": self.sources[None][:12], "phases": self.phases}

    def measure(self, names, everybody, command, verb):
        """All loads on everybody, or on those named beside stock; what came
        out, and the loads."""
        rates = self.sustained_rates()
        loads = (*hostload.everything(rates), *self.also)
        peers = [who for who in everybody
                 if not names or who.name in names or who == peer.STOCK]
        self.run(peers, loads)
        same = self._repeat(peers[-1], loads)
        return {"inputs": self.inputs(), "rates": rates,
                "command": " ".join([verb, *names]) if names else command,
                "repeated": peers[-1].name, "same": same,
                "loads": {load.name: load.load for load in loads},
                "units": {load.name: load.unit for load in loads},
                "results": self.results}, loads


def grid(results, peers, cell, loads=None):
    """A row for each load, a column for each peer."""
    seen = table.present(results, (peer.STOCK, *peers))
    rows = [[name, *(cell(row, who.name) if who.name in row else "-"
                     for who in seen)]
            for name, row in results.items() if loads is None or name in loads]
    return table.table(["load", *(who.name for who in seen)], rows)


def against_stock(key):
    """A cell: a figure of stock, and what others differ by."""
    def cell(row, name):
        if name == peer.STOCK.name:
            return row[name][key]
        return table.against_stock(row, name, key)
    return cell


def plain(key):
    """A cell: the figure itself."""
    return lambda row, name: ("" if row[name][key] is None else row[name][key])


def trip(row, name):
    """A cell: the distribution of round trips."""
    prefix = "side_" if "side_p50_us" in row[name] else ""
    return (f"{row[name][prefix + 'p50_us']} / "
            f"{row[name][prefix + 'p99_us']}")


def lost_frames(results):
    """Where frames were lost: under stock, and all peers' least and most."""
    lines = []
    for name, row in results.items():
        lost = [seen["lost"] for seen in row.values()]
        if any(lost):
            lines.append(f"- {name}: {row[peer.STOCK.name]['lost']} under "
                         f"stock, {min(lost)} to {max(lost)} under everybody")
    return "\n".join(lines or ["None."]) + "\n"


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


def sections(document, loads, everybody, per_1000):
    """The tables that all reports have, by name; per_1000 as for result()."""
    results = document["results"]
    peers = [who for who in everybody if who != peer.STOCK]
    answers = [load.name for load in loads if load.answers]
    timed = [name for name, row in results.items()
             if {"p50_us", "side_p50_us"} & set(row[peer.STOCK.name])]
    return {"head": main.head(document["inputs"], document["command"]) +
            f"{document['repeated']} ran twice: {AGAIN[document['same']]}.\n",
            "connections": hostload.CONNECTIONS,
            "phases": document["inputs"]["phases"],
            "rates": ", ".join(f"{way} {rate}" for way, rate in
                               document["rates"].items()),
            "costs": grid(results, peers, against_stock("instructions")),
            **{name: grid(results, peers, plain(f"{name}_per_1000"))
               for name in per_1000},
            "rate": grid(results, peers, against_stock("per_second"), answers),
            "trips": grid(results, peers, trip, timed),
            "delay": grid(results, peers, plain("waited_us")),
            "lost_frames": lost_frames(results)}


def write(name, document, text):
    """The figures, the report and the drawing of a kind of host; were they
    the same when it ran again?"""
    main.write_json(f"{name}.json", document)
    main.write(f"{name}.md", text)
    main.write(f"{name}.svg", drawing(document["results"]))
    return document["same"]
