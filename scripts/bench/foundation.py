# SPDX-License-Identifier: GPL-2.0
"""What the module itself costs: looking, holding, attaching, memory."""

import dataclasses

from . import main, peer, profile, scale, table, workload
from .study import Study

PROFILED = (peer.OBSERVE, peer.OFF)
LOADS = (workload.paced(5000), workload.paced(10000))
PEERS = (*peer.BASE, peer.fixed(0), *peer.FIXED[:5], *peer.DEFER)
COMMAND = "make bench-foundation"
TEXT = """# What the foundation costs

{head}
## Instructions of our own

Counted one by one by a plugin of the emulator (scripts/bench/plugin/scope.c)
under {load}: everything that runs between entering the module and leaving it,
what it calls included, the driver's own work excluded.  Default mitigations:
every indirect call pays a retpoline.  In mode off none of these runs.

{profile}
## Instructions per packet

64-byte UDP, sender, receiver, both NICs' interrupts and polls together;
settings apply to both NICs, receive and transmit.  p50 is from send() to
recv().

{costs}
## Attaching

insmod and rmmod in a guest of 500 million instructions per second, in
microseconds, beside {nics} NICs that vcoal looks at and leaves alone.

{attach}
## Memory

sizeof from the module's debug information (pahole), and what kmalloc() takes.
`vnet_queue` contains `vcoal_queue`; `vnet_nic` has 8 bytes more per queue.

{sizes}"""


def _costs(results):
    """Rows of both loads beside each other."""
    rows = []
    for who in PEERS:
        cells = [who.name]
        for load in LOADS:
            row = results[load.name]
            cost = row[who.name]["instructions"]
            change = cost / row[peer.STOCK.name]["instructions"] - 1
            cells += [cost, table.percent(change),
                      row[who.name]["irqs_per_1000"], row[who.name]["p50_us"]]
        rows.append(cells)
    head = ["peer", *(text for load in LOADS for text in
                      (load.name, "of stock", "irq/1000", "p50 us"))]
    return table.table(head, rows)


def _text(document):
    entries = document["profile"]
    return TEXT.format(
        head=main.head(document["inputs"], COMMAND), load=LOADS[0].name,
        nics=scale.NICS, costs=_costs(document["results"]),
        profile=table.table(
            ["entry", "mode", "entered", "instructions each"],
            [[name, mode, entry["count"], round(entry["instructions"], 1)]
             for mode, row in entries.items() for name, entry in row.items()]),
        attach=table.table(
            ["other NICs", "insmod us", "rmmod us"],
            [[name, row["insert"], row["remove"]]
             for name, row in document["attach_us"].items()]),
        sizes=table.table(["struct", "bytes", "kmalloc"],
                          [[name, *both] for name, both
                           in document["bytes"].items()]))


def _profile(study, who):
    entries = profile.entries(f"bench-profile-{who.name}", study.boot,
                              study.module, who, LOADS[0])
    return {name: dataclasses.asdict(entry)
            for name, entry in entries.items() if name in profile.HOT}


def run():
    """Measure, and write foundation.json and foundation.md."""
    study = Study(phases=5, keep=True)
    study.run(PEERS, LOADS)
    document = {"inputs": study.inputs(), "results": study.results,
                "profile": {who.name: _profile(study, who)
                            for who in PROFILED},
                "attach_us": scale.attach(study.boot, study.module),
                "bytes": scale.sizes(study.module)}
    main.write_json("foundation.json", document)
    main.write("foundation.md", _text(document))
    return True
