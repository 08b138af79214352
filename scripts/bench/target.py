# SPDX-License-Identifier: GPL-2.0
"""Where adaptive is, and where it was to be."""

from . import oracle, peer, table

REGRET = 0.05
# bulk beside round trips may cost more
MIXED = 0.10
TRIP = 0.02
MEAN = 0.03
# a peer is better on a workload when it is by more than phases differ
BETTER = 0.02


def allowed(load):
    """Regret that a workload may show."""
    return MIXED if load.name.startswith("mix") else REGRET


def noise(row):
    """What chance makes of a workload: in mode off the driver is alone, yet
    not with the same addresses and the same past as without the module."""
    return abs(row[peer.OFF.name]["instructions"] /
               row[peer.STOCK.name]["instructions"] - 1)


def _judged(value, limit):
    text = table.percent(value)
    return text if value <= limit else f"**{text}**"


def _present(results, peers):
    return [who for who in peers
            if all(who.name in row for row in results.values())]


def regrets(results, loads, policies):
    """What each policy took more than the oracle of its class."""
    there = _present(results, policies)
    rows, sums = [], {who.name: [] for who in there}
    for load in loads:
        row = results[load.name]
        most = allowed(load) + noise(row)
        cells = []
        for who in there:
            value = oracle.regret(row, who, load)
            sums[who.name].append((value, most))
            cells.append(_judged(value, most))
        rows.append([load.name, f"{100 * noise(row):.1f} %", *cells])
    rows.append(["mean", "",
                 *(_judged(oracle.mean(v for v, _ in sums[who.name]), MEAN)
                   for who in there)])
    rows.append(["within", "", *(
        f"{sum(value <= most for value, most in sums[who.name])} of "
        f"{len(loads)}" for who in there)])
    return table.table(["workload", "noise", *(who.name for who in there)],
                       rows)


def trips(results, loads, peers):
    """Mean round trips of latency-bound loads, against mode off."""
    there = _present(results, peers)
    rows = [[load.name, round(1e6 / results[load.name]["off"]["per_second"], 1),
             *(_judged(oracle.slowdown(results[load.name], who.name), TRIP)
               for who in there)] for load in loads if load.closed]
    return table.table(["workload", "off, us", *(who.name for who in there)],
                       rows)


def rivals(who):
    """Whom a policy must not lose against: same class, or within its bound."""
    return [rival for rival in peer.EVERYBODY
            if rival not in (peer.OFF, peer.OBSERVE) and rival != who and
            rival.policy != who.policy and
            (rival.bound_us == who.bound_us if rival.policy
             else rival.longest_us <= who.bound_us)]


def _lead(row, load, who, rival):
    """By how much a rival is better on a workload."""
    return (oracle.regret(row, who, load) -
            oracle.regret(row, rival, load, who.bound_us))


def losses(results, loads, who):
    """Workloads by rival that is clearly better on them."""
    found = {}
    for rival in _present(results, rivals(who)):
        found[rival.name] = [
            load.name for load in loads
            if _lead(results[load.name], load, who, rival) >
            BETTER + noise(results[load.name])]
    return found


def duels(results, loads, policies):
    """Who is better than a policy, and where."""
    rows = []
    for who in _present(results, policies):
        for name, lost in losses(results, loads, who).items():
            number = len(lost)
            rows.append([who.name, name,
                         f"**{number}**" if number > 1 else number,
                         ", ".join(lost)])
    return table.table(["policy", "rival", "better on", "which"], rows)


def sides(results, loads, policies):
    """Round trips beside bulk: median beyond stock's, microseconds."""
    there = _present(results, policies)
    rows = []
    for load in loads:
        row = results[load.name]
        stock = row[peer.STOCK.name].get("side_p50_us")
        if stock:
            rows.append([load.name, stock, *(
                round(row[who.name]["side_p50_us"] - stock, 1)
                for who in there)])
    return table.table(["workload", "stock, us", *(w.name for w in there)],
                       rows)
