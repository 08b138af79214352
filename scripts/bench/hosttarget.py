# SPDX-License-Identifier: GPL-2.0
"""What a host was to reach, and what a policy made of it."""

import dataclasses

from . import table, workload
from .hostload import ADAPTIVE, AGAIN, OBSERVE


def _itself(row, name, key):
    return row[name][key]


@dataclasses.dataclass(frozen=True)
class Target:
    """A figure of every load that it is for, the worst of which counts.

    at_most says that smaller is better.
    """
    title: str
    wanted: callable
    key: str
    limit: float
    at_most: bool = False
    value: callable = table.change
    text: callable = table.against_stock

    def cell(self, results, loads, name):
        """The worst figure and where it is; bold when it misses."""
        seen = {load.name: self.value(results[load.name], name, self.key)
                for load in loads if self.wanted(load) and
                name in results.get(load.name, {})}
        if not seen:
            return "-"
        worst = (max if self.at_most else min)(seen, key=seen.get)
        reached = (seen[worst] <= self.limit if self.at_most
                   else seen[worst] >= self.limit)
        text = f"{self.text(results[worst], name, self.key)} ({worst})"
        return text if reached else f"**{text}**"


def _small(load):
    return load.unit == workload.PACKET and not load.name.startswith("mix")


def _at_most(load):
    return load.name in ("down-max", "up-max")


def _bulk(load):
    return load.name.endswith("-flood")


def _settled(load):
    return load.name.endswith("-settled")


TARGETS = (
    Target("small UDP at stock's maximum", _at_most, "instructions", -0.20,
           at_most=True),
    Target("small UDP at any rate", _small, "instructions", 0.0,
           at_most=True),
    Target("round trips per second", _settled, "per_second", -0.02),
    Target("the first 0.3 s of them",
           lambda load: load.closed and not _settled(load), "per_second",
           -0.02),
    Target("TCP per second", lambda load: load.unit == workload.KIB,
           "per_second", -0.02),
    Target("interrupts per 1000 packets of bulk", _bulk,
           "guest_irqs_per_1000", 100, at_most=True, value=_itself,
           text=_itself),
)


def targets(results, loads):
    """A row for each who is judged, and for what chance and counting make."""
    rows = [[who.name, *(goal.cell(results, loads, who.name)
                         for goal in TARGETS)]
            for who in table.present(results, (AGAIN, OBSERVE, *ADAPTIVE))]
    return table.table(["worst of", *(goal.title for goal in TARGETS)], rows)
