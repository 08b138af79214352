# SPDX-License-Identifier: GPL-2.0
"""What could have been had: the best fixed hold, known only afterwards."""

from . import peer, workload

# a hold that slows its own traffic down by more is no choice
RATE_KEPT = 0.98


def holds(bound_us):
    """The peers an oracle may pick within a delay bound."""
    return [who for who in (peer.STOCK, *peer.FIXED)
            if who.hold_us <= bound_us]


def _keeps_rate(row, name, load):
    stock = row[peer.STOCK.name]["per_second"]
    return not load.answers or row[name]["per_second"] >= RATE_KEPT * stock


def best(row, bound_us, load):
    """(name, instructions) of the cheapest hold within a bound."""
    there = [who.name for who in holds(bound_us) if who.name in row
             and _keeps_rate(row, who.name, load)]
    name = min(there, key=lambda name: row[name]["instructions"])
    return name, row[name]["instructions"]


def slowdown(row, name):
    """How much longer than without us a round trip takes, on average."""
    base = row.get(peer.OFF.name, row[peer.STOCK.name])
    return base["per_second"] / row[name]["per_second"] - 1


def regret(row, who, load, bound_us=None):
    """What a peer took more than the oracle of its bound: instructions, or,
    where that is more and traffic waits for answers, time."""
    bound_us = who.bound_us if bound_us is None else bound_us
    more = row[who.name]["instructions"] / best(row, bound_us, load)[1] - 1
    if load.unit == workload.PACKET:
        return more
    return max(more, slowdown(row, who.name))


def mean(values):
    """Mean of what may be empty."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0
