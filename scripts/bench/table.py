# SPDX-License-Identifier: GPL-2.0
"""Results as Markdown."""

import math

from . import oracle, peer


def _row(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(head, rows):
    """A Markdown table."""
    align = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join([_row(head), "|" + "|".join(align) + "|",
                      *map(_row, rows), ""])


def percent(value):
    """A share, with its sign."""
    return f"{100 * value:+.1f} %"


def change(row, name, key):
    """What somebody differs from stock by, in a figure of one load."""
    return row[name][key] / row[peer.STOCK.name][key] - 1


def against_stock(row, name, key):
    """The same as text; of work per second with the standard error of the
    difference, for that varies by itself."""
    text = percent(change(row, name, key))
    errors = [row[who].get("error") for who in (name, peer.STOCK.name)]
    if key != "per_second" or not all(errors):
        return text
    return f"{text} ± {100 * math.hypot(*errors):.1f}"


def present(results, peers):
    """Those who were measured."""
    return [who for who in peers
            if any(who.name in row for row in results.values())]


def costs(results, peers, units):
    """Instructions per unit of work of each peer, relative to stock."""
    there = present(results, peers)
    rows = []
    for name, row in results.items():
        stock = row[peer.STOCK.name]["instructions"]
        rows.append([name, units[name], stock,
                     *(against_stock(row, who.name, "instructions")
                       for who in there)])
    return table(["workload", "per", "stock", *(w.name for w in there)], rows)


def figures(results, peers, name):
    """Everything about one workload: a row for each peer."""
    row = results[name]
    there = [who for who in (peer.STOCK, *peers) if who.name in row]
    keys = ("instructions", "irqs_per_1000", "frames_per_poll", "per_second",
            "p50_us", "p99_us", "max_us", "lost")
    rows = [[who.name, *(row[who.name].get(key) for key in keys),
             *(row[who.name]["delay"].get(key)
               for key in ("p50", "p99", "p999", "max"))] for who in there]
    head = ["peer", "instructions", "irq/1000", "frames/poll", "per s",
            "p50 us", "p99 us", "max us", "lost", "added p50", "p99", "p99.9",
            "max"]
    return table(head, [["" if cell is None else cell for cell in row]
                         for row in rows])


def picks(results, loads, bounds):
    """Which hold the oracle picks, by delay bound."""
    rows = [[load.name, *(oracle.best(results[load.name], bound, load)[0]
                          for bound in bounds)] for load in loads]
    return table(["workload", *(f"{bound} us" for bound in bounds)], rows)


def delays(results, policies):
    """The longest delays that each policy added, against its bound."""
    rows = []
    for who in present(results, policies):
        seen = [row[who.name]["delay"] for row in results.values()
                if row[who.name]["delay"]]
        rows.append([who.name, who.bound_us,
                     max((delay["p999"] for delay in seen), default=0),
                     max((delay["max"] for delay in seen), default=0)])
    return table(["policy", "bound us", "p99.9 us", "max us"], rows)
