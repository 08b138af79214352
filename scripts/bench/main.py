# SPDX-License-Identifier: GPL-2.0
"""The whole comparison, and where its results go."""

import json

from lab import kernel

from . import drawing, peer, table, target, workload
from .study import Study

RESULTS = kernel.REPO / "Documentation" / "results"
POLICIES = (*peer.ADAPTIVE, *peer.OTHERS)
COMPARED = (peer.OFF, peer.OBSERVE, *peer.FIXED, *peer.DEFER)
# adaptive in every class, the others in one
SHOWN = (*peer.ADAPTIVE, *(peer.policy(name, "throughput")
                           for name in peer.POLICIES[:-1]))
COMMAND, VERB = "make bench", "scripts/vlab bench"
REGRET = """## Regret

What a policy takes more than the oracle: the best fixed hold within the class
bound, known only afterwards.  Instructions per unit of work; where traffic
waits for answers (round trips, TCP), the loss of throughput if that is more,
and the oracle picks only holds that keep 98 % of it.  To reach: at most 5 %
(bulk beside round trips: 10 %) beyond the noise, 3 % in the mean; what misses
is **bold**.  Noise is what mode off, which runs nothing of ours, differs from
stock: TCP with tiny messages has several ways to settle.
Loads follow each other: what a policy learned from one it brings to the next.
"""
TRIPS = """## Round trips of latency-bound loads

Mean, against mode off.  To reach: within 2 %.
"""
SIDES = """## Round trips beside bulk

Median beyond stock's, microseconds, where a bulk flow runs on the same NICs,
and where it runs on others of the same VM.
"""
RIVALS = """## Who is better than adaptive

By more than 2 % beyond the noise, counted as regret; rivals are policies of the
same class, and settings that delay no frame by more than its bound.  To reach:
nobody on more than one workload.
"""


def run(names=()):
    """Measure everybody, or those named and what they are compared with, under
    everything; write what came out."""
    study = Study(keep=True)
    loads = workload.everything(study.sustained_rate())
    peers = [who for who in peer.EVERYBODY
             if not names or who.name in names or who in peer.BASE]
    study.run(peers, loads)
    command = " ".join([VERB, *names]) if names else COMMAND
    document = {"inputs": study.inputs(), "command": command,
                "units": {load.name: load.unit for load in loads},
                "loads": {load.name: load.load for load in loads},
                "results": study.results}
    save(document, loads)
    return True


def save(document, loads):
    """JSON, Markdown and drawings."""
    write_json("bench.json", document)
    write("bench.md", markdown(document, loads))
    write("frontier.svg", drawing.frontiers(document["results"], loads))
    write("onoff.svg", drawing.series(document["results"], SHOWN))


def write_json(name, document):
    """Figures for who wants to calculate with them."""
    write(name, json.dumps(document, indent=1, sort_keys=True) + "\n")


def write(name, text):
    """A file among the results."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(text)
    print(f"{RESULTS.relative_to(kernel.REPO) / name}")


def head(inputs, command):
    """Where results come from."""
    return (f"Made by `{command}` with Debian {inputs['kernel']} in QEMU "
            f"{inputs['emulator']}, module sources {inputs['module']}, "
            f"{inputs['phases']} phases.  The formula is in "
            "scripts/bench/record.py, all figures are in the JSON beside this "
            "file.\n")


def markdown(document, loads):
    """The report."""
    results, units = document["results"], document["units"]
    bounds = sorted(peer.CLASSES.values())
    parts = [
        "# Benchmark\n", head(document["inputs"], document["command"]),
        REGRET, target.regrets(results, loads, POLICIES),
        TRIPS, target.trips(results, loads,
                            (*POLICIES, *peer.FIXED, *peer.DEFER)),
        SIDES, target.sides(results, loads, POLICIES),
        RIVALS, target.duels(results, loads, peer.ADAPTIVE),
        "![cost against delay](frontier.svg)\n",
        "![holds under on/off load](onoff.svg)\n",
        "## What the oracle picks, by delay bound\n",
        table.picks(results, loads, bounds),
        "## Added delay on received frames\n",
        "From the tracepoint vcoal_release, microseconds.\n",
        table.delays(results, POLICIES),
        "## Instructions against stock\n",
        table.costs(results, COMPARED, units),
        "## Everything about everybody\n"]
    for load in loads:
        parts += [f"### {load.name}: `{load.load}`\n",
                  table.figures(results, (*COMPARED, *POLICIES), load.name)]
    return "\n".join(parts)
