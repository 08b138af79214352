# SPDX-License-Identifier: GPL-2.0
"""What could have been had: the best fixed hold, known only afterwards."""

from . import peer


def holds(bound_us):
    """The peers an oracle may pick within a delay bound."""
    return [who for who in (peer.STOCK, *peer.FIXED)
            if who.hold_us <= bound_us]


def best(row, bound_us):
    """(name, instructions) of the cheapest hold within a bound."""
    there = [who.name for who in holds(bound_us) if who.name in row]
    name = min(there, key=lambda name: row[name]["instructions"])
    return name, row[name]["instructions"]


def regret(row, who):
    """How much more a policy took than the oracle of its bound."""
    return row[who.name]["instructions"] / best(row, who.bound_us)[1] - 1


def mean(values):
    """Mean of what may be empty."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0
