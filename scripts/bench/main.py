# SPDX-License-Identifier: GPL-2.0
"""The whole comparison, and where its results go."""

import json

from lab import kernel

from . import peer, plot, table, workload
from .study import Study

RESULTS = kernel.REPO / "Documentation" / "results"
POLICIES = (*peer.ADAPTIVE, *peer.OTHERS)
COMPARED = (peer.OFF, peer.OBSERVE, *peer.FIXED, *peer.DEFER)
COMMAND = "make bench"


def run():
    """Measure everybody under everything; write what came out."""
    study = Study()
    loads = workload.everything(study.sustained_rate())
    study.run(peer.EVERYBODY, loads)
    document = {"inputs": study.inputs(),
                "units": {load.name: load.unit for load in loads},
                "loads": {load.name: load.load for load in loads},
                "results": study.results}
    save(document, loads)
    return True


def save(document, loads):
    """JSON, Markdown and drawings."""
    write_json("bench.json", document)
    write("bench.md", markdown(document, loads))
    write("frontier.svg", plot.page(_frontiers(document)))
    write("onoff.svg", plot.page(_series(document)))


def write_json(name, document):
    """Figures for who wants to calculate with them."""
    write(name, json.dumps(document, indent=1, sort_keys=True) + "\n")


def write(name, text):
    """A file among the results."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(text)
    print(f"{RESULTS.relative_to(kernel.REPO) / name}")


def _frontiers(document):
    return [plot.frontier(name, document["results"][name], unit)
            for name, unit in document["units"].items()
            if "p50_us" in document["results"][name]["stock"]]


def _series(document):
    row = document["results"][workload.ONOFF.name]
    return [plot.series(who.name, row[who.name]["decisions"], "eth1/rx-0",
                        400, who.bound_us)
            for who in POLICIES if who.name in row]


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
        "# Benchmark\n", head(document["inputs"], COMMAND),
        "## Regret: instructions beyond the oracle's\n",
        "The oracle is the best fixed hold within the class bound, known "
        "only afterwards.\n",
        table.regrets(results, POLICIES),
        "## What the oracle picks, by delay bound\n",
        table.picks(results, bounds),
        "## Round trips of latency-bound loads (median, against mode off)\n",
        table.trips(results, (*POLICIES, *peer.FIXED, *peer.DEFER), loads),
        "## Added delay on received frames\n",
        "From the tracepoint vcoal_release, microseconds.\n",
        table.delays(results, POLICIES),
        "## Instructions against stock\n",
        table.costs(results, COMPARED, units),
        "## Everything about everybody\n"]
    for load in loads:
        parts += [f"### {load.name}: `{load.load}`\n",
                  table.figures(results, (*COMPARED, *POLICIES), load.name)]
    parts += ["![cost against delay](frontier.svg)\n",
              "![holds under on/off load](onoff.svg)\n"]
    return "\n".join(parts)
