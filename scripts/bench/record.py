# SPDX-License-Identifier: GPL-2.0
"""What a guest printed, as figures.

The soaker's rate r0 (units per microsecond) when nothing happens is taken
from the same guest.  A load during which it gets r took

    instructions = time / NS_PER_INSTRUCTION * (1 - r / r0)

beyond what the guest spends at rest.
"""

import re
import statistics

from .machine import NS_PER_INSTRUCTION
from .workload import KIB, TRIP

# a measurement waits this long after its load, see vt_measure()
AFTER_US = 10000
HELD = re.compile(r"dir:\s*(\d+), held_ns: ~ \d+-(\d+) \} hitcount:\s*\d+\s+"
                  r"frames:\s*(\d+)")
DECIDED = re.compile(r" (\d+\.\d+): vcoal_decide: nic=(\S+) queue=(\S+) "
                     r"hold_ns=(\d+) .*reason=(\S+)")
BEGUN = re.compile(r" (\d+\.\d+): tracing_mark_write: begin")
QUANTILES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def sections(text):
    """Lines of each part of a guest's output, by ("during", workload)."""
    parts, lines = {}, []
    for line in text.splitlines():
        mark = re.fullmatch(r"@ (\w+) (\S+)", line)
        if mark:
            lines = parts[mark.groups()] = []
        else:
            lines.append(line)
    return parts


def _values(line):
    """The name=number words of a line."""
    return {name: float(value) for name, value in
            re.findall(r"(?:^| )([\w.\-/]+)=(-?[\d.]+)(?= |$)", line)}


def _rows(lines, key, prefix=""):
    """All lines that say something about key."""
    return [values for values in map(_values, lines_with(lines, prefix))
            if key in values]


def lines_with(lines, prefix):
    """Lines that begin with a prefix, without it."""
    if prefix:
        return [line[len(prefix):] for line in lines if line.startswith(prefix)]
    return [line for line in lines if not line.startswith(("back ", "side "))]


def _counters(lines):
    values = {}
    for line in lines:
        values.update(_values(line))
    return values


def change(parts, name):
    """What a workload did to all counters."""
    before, after = (_counters(parts[when, name])
                     for when in ("before", "after"))
    return {key: after[key] - before.get(key, 0) for key in after}


def _ratio(value, by, digits=1):
    return round(value / by, digits) if by else None


def _soaked(row):
    return row["soak_units"] / row["soak_us"]


def rest_rate(parts):
    """r0 of this guest."""
    rows = _rows(parts["during", "rest"], "soak_us")
    return statistics.mean(map(_soaked, rows))


def instructions(row, rate, each_ns=NS_PER_INSTRUCTION):
    """What one measured load took."""
    return row["soak_us"] * 1000 / each_ns * (1 - _soaked(row) / rate)


def _work(load, lines):
    """Units of work of each phase."""
    if load.unit == TRIP:
        return [row["trips"] for row in _rows(lines, "trips")]
    if load.unit == KIB:
        there = [row["bytes"] / 1024 for row in _rows(lines, "bytes")]
        back = [row["bytes"] / 1024 for row in _rows(lines, "bytes", "back ")]
        return [sum(pair) for pair in zip(there, back)] if back else there
    sent = [row["sent"] for row in _rows(lines, "sent")]
    side = [row["trips"] for row in _rows(lines, "trips", "side ")]
    return [sum(pair) for pair in zip(sent, side)] if side else sent


def error(values):
    """The standard error of their mean, relative to that."""
    if len(values) < 2:
        return None
    return round(statistics.stdev(values) / statistics.mean(values) /
                 len(values) ** 0.5, 4)


def _lost(lines):
    """Datagrams and answers that never came."""
    sent = sum(row["sent"] for row in _rows(lines, "sent"))
    received = sum(row["received"] for row in _rows(lines, "received"))
    trips = sum(row["lost"] for prefix in ("", "side ")
                for row in _rows(lines, "lost", prefix))
    return int(sent - received + trips)


def _times(rows):
    """Distribution of round trips, or of the way from one end to the other."""
    if not rows:
        return {}
    return {"p50_us": round(statistics.median(r["p50_us"] for r in rows), 1),
            "p99_us": round(statistics.median(r["p99_us"] for r in rows), 1),
            "max_us": max(row["max_us"] for row in rows)}


def _delay(lines):
    """Added delay of received frames in microseconds, from the tracepoint."""
    counts = {}
    for match in HELD.finditer("\n".join(lines)):
        direction, edge, frames = map(int, match.groups())
        if direction == 0 and frames:
            usecs = -(-edge // 1000)
            counts[usecs] = counts.get(usecs, 0) + frames
    total = sum(counts.values())
    if not total:
        return {}
    delay = {"max": max(counts), "frames": total}
    for name, share in QUANTILES.items():
        delay[name] = _quantile(counts, share * total)
    return delay


def _quantile(counts, rank):
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= rank:
            return value
    return max(counts)


def _decisions(lines, counters):
    """[milliseconds after the load began, queue, hold in microseconds,
    reason] of each change, those that the queues begin with first."""
    begun = [float(match[1]) for match in map(BEGUN.search, lines) if match]
    rows = [match.groups() for match in map(DECIDED.search, lines) if match]
    if not begun:
        return []
    before = [[0.0, name.replace(".", "/").removesuffix("/usecs"), value, ""]
              for name, value in sorted(counters.items())
              if name.endswith("/usecs")]
    return before + [[round((float(when) - begun[0]) * 1000, 3),
                      f"{nic}/{queue}", int(hold) / 1000, reason]
                     for when, nic, queue, hold, reason in rows]


def _interrupts(delta):
    irqs = sum(value for name, value in delta.items()
               if name.startswith("irq.virtio"))
    frames = sum(value for name, value in delta.items()
                 if re.fullmatch(r"eth\d\.rx_packets", name))
    polls = sum(value for name, value in delta.items()
                if re.fullmatch(r"eth\d\.rx-\d+/polls", name))
    return {"irqs_per_1000": _ratio(1000 * irqs, frames),
            "frames_per_poll": _ratio(frames, polls, 2)}


def result(parts, load, each_ns=NS_PER_INSTRUCTION):
    """Everything about one workload in one guest."""
    lines = parts["during", load.name]
    soaks, work = _rows(lines, "soak_us"), _work(load, lines)
    rate = rest_rate(parts)
    spent = [instructions(row, rate, each_ns) for row in soaks]
    each = [cost / units for cost, units in zip(spent, work)]
    lost = _lost(lines)
    done = sum(work) - (lost if load.unit not in (TRIP, KIB) else 0)
    lasted = [row["soak_us"] - AFTER_US for row in soaks]
    times = _rows(lines, "p50_us")
    return {"instructions": round(sum(spent) / done),
            "spread": round((max(each) - min(each)) / statistics.mean(each), 4),
            "per_second": round(done / sum(lasted) * 1e6, 1),
            "error": error([units / usecs
                            for units, usecs in zip(work, lasted)]),
            "lost": lost,
            **_times(times),
            **{f"side_{key}": value for key, value in
               _times(_rows(lines, "p50_us", "side ")).items()},
            **_interrupts(change(parts, load.name)),
            "delay": _delay(parts.get(("held", load.name), [])),
            "decisions": _decisions(parts.get(("decided", load.name), []),
                                    _counters(parts["after", load.name]))}
