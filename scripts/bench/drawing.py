# SPDX-License-Identifier: GPL-2.0
"""What the results look like: cost against delay, and holds over time."""

from . import oracle, peer, plot, workload

MARGIN = 0.06


def _bounds(values):
    low, high = min(values), max(values)
    room = (high - low) * MARGIN or 1
    return low - room, high + room


def _dots(row):
    """(median delay beyond stock, cost) of each peer."""
    stock = row[peer.STOCK.name]["p50_us"]
    return {name: (result["p50_us"] - stock, result["instructions"])
            for name, result in row.items()}


def _best_so_far(dots):
    """The oracle's frontier: fixed holds that no smaller delay undercuts."""
    line = []
    for x, y in sorted(dots[who.name] for who in
                       oracle.holds(max(peer.HOLDS_US)) if who.name in dots):
        if not line or y < line[-1][1]:
            line.append((x, y))
    return line


def _label(name):
    family, _, rest = name.partition("-")
    return rest if family in ("fixed", "adaptive") else ""


def frontier(load, row):
    """Cost against the delay that the traffic itself saw, beyond stock's."""
    dots = _dots(row)
    chart = plot.Chart(f"{load.name}", "median delay beyond stock, us",
                       f"instructions per {load.unit}",
                       _bounds([x for x, _ in dots.values()]),
                       _bounds([y for _, y in dots.values()]))
    chart.axes()
    chart.line(_best_so_far(dots), plot.COLOURS["fixed"], "4 3")
    # what comes first gets its label, what comes last is on top
    for name in sorted(dots, key=lambda name: (
            not name.startswith("fixed"), name.startswith("adaptive"))):
        chart.point(*dots[name], name, _label(name))
    return chart


def frontiers(results, loads):
    """One chart for each load that is timed."""
    there = [load for load in loads if "p50_us" in
             results[load.name][peer.STOCK.name]]
    names = {name for row in results.values() for name in row}
    return plot.page([frontier(load, results[load.name]) for load in there],
                     plot.families(names))


def _series(who, decisions, queue="eth1/rx-0"):
    """The hold that a policy chose, over time; the load is there in grey."""
    points = [(when, hold) for when, which, hold, _ in decisions
              if which == queue]
    period, end = workload.ONOFF_MS, workload.ONOFF_S * 1000
    chart = plot.Chart(who.name, "ms (grey: the load is on)",
                       f"hold of {queue}, us", (0, end),
                       (0, 1.1 * who.bound_us))
    for begin in range(0, round(end), 2 * period):
        chart.band(begin, begin + period, "#e4e4e4")
    chart.axes()
    chart.line([(0, who.bound_us), (end, who.bound_us)], plot.GREY, "4 3")
    chart.steps([point for point in points if point[0] <= end], end,
                plot.COLOURS[who.policy])
    return chart


def series(results, policies):
    """What policies make of a load that comes and goes."""
    row = results[workload.ONOFF.name]
    return plot.page([_series(who, row[who.name]["decisions"])
                      for who in policies if who.name in row])
