# SPDX-License-Identifier: GPL-2.0
"""Do those who judge results see a miss?  Without any guest."""

from lab.ktap import expect

from . import (hosts, hosttarget, kept, machine, oracle, peer, record,
               table, target, workload)

OPEN, CLOSED = workload.paced(1000), workload.pingpong(1)
WHO = peer.policy("adaptive", "throughput")


def _row(**cost_and_rate):
    """Results of one load, by peer."""
    return {name.replace("_", "-"): {"instructions": cost, "per_second": rate}
            for name, (cost, rate) in cost_and_rate.items()}


def _near(value, expected):
    return abs(value - expected) < 1e-9


def regret_is_what_exceeds_the_best_hold():
    """Ten percent more than the best within the bound is ten percent."""
    row = _row(stock=(200, 10), off=(200, 10), fixed_64=(100, 10),
               fixed_512=(10, 10), adaptive_throughput=(110, 10))
    value = oracle.regret(row, WHO, OPEN)
    expect(_near(value, 0.1), f"{value}")
    expect(value > target.allowed(OPEN), "would pass")


def slow_answers_are_regret():
    """Fewer instructions do not excuse half the round trips."""
    row = _row(stock=(100, 10), off=(100, 10), adaptive_throughput=(90, 5))
    value = oracle.regret(row, WHO, CLOSED)
    expect(_near(value, 1.0), f"{value}")
    expect(oracle.slowdown(row, WHO.name) > target.TRIP, "would pass")


def oracle_slows_nobody_down():
    """A hold that costs its own traffic the rate is no choice, where traffic
    does not wait it is."""
    row = _row(stock=(100, 10), fixed_64=(50, 9))
    expect(oracle.best(row, 256, CLOSED) == ("stock", 100), "closed")
    expect(oracle.best(row, 256, OPEN) == ("fixed-64", 50), "open")


def rivals_are_within_the_bound():
    """Nobody loses against a hold that its class forbids."""
    names = [who.name for who in target.rivals(WHO)]
    expect({"stock", "fixed-256", "defer-200-10", "dim-throughput"} <=
           set(names), f"{names}")
    expect(not {"fixed-512", "dim-balanced", WHO.name} & set(names),
           f"{names}")


def a_better_rival_is_named():
    """By more than the margin, on each load where it is."""
    results = {load.name: _row(stock=(100, 10), off=(100, 10),
                               fixed_64=(cost, 10),
                               adaptive_throughput=(100, 10))
               for load, cost in ((OPEN, 90), (CLOSED, 99))}
    lost = target.losses(results, (OPEN, CLOSED), WHO)
    expect(lost == {"stock": [], "fixed-64": [OPEN.name]}, f"{lost}")


def lost_frames_are_told_by_load():
    """A sum does not say that a flood, and nothing else, lost them."""
    results = {"flood": {"stock": {"lost": 5}, "observe": {"lost": 7}},
               "paced": {"stock": {"lost": 0}, "observe": {"lost": 0}}}
    text = hosts.lost_frames(results)
    expect(text == "- flood: 5 under stock, 5 to 7 under everybody\n", text)
    del results["flood"]
    expect(hosts.lost_frames(results) == "None.\n", "of none")


def chance_is_told():
    """A mean has its standard error, a difference that of both."""
    error = record.error([9, 10, 11])
    expect(abs(error - 0.0577) < 1e-4, f"{error}")
    expect(record.error([9]) is None, "of one")
    row = {"stock": {"instructions": 9, "per_second": 10, "error": 0.03},
           "observe": {"instructions": 9, "per_second": 9, "error": 0.04}}
    for key, expected in (("per_second", "-10.0 % ± 5.0"),
                          ("instructions", "+0.0 %")):
        text = table.against_stock(row, "observe", key)
        expect(text == expected, text)


def chance_and_counting_have_a_row():
    """Beside those who are judged: what a host itself varies by, and what it
    costs to hold nothing. Others have none."""
    results = {"down-max": _row(stock=(100, 1), stock_again=(101, 1),
                                observe=(102, 1), fixed_256=(50, 1),
                                adaptive_throughput=(70, 1))}
    load = workload.Workload("down-max", "", workload.PACKET)
    rows = [line.split(" | ")[:2] for line in
            hosttarget.targets(results, [load]).splitlines()[2:]]
    expect(rows == [["| stock-again", "**+1.0 % (down-max)**"],
                    ["| observe", "**+2.0 % (down-max)**"],
                    ["| adaptive-throughput", "-30.0 % (down-max)"]],
           f"{rows}")


def kept_results_know_their_sources():
    """A policy depends on itself and what it includes, not on others."""
    names = {file.name for file in kept.sources("adaptive")}
    expect({"adaptive.c", "meter.h", "fixed.c", "queue.c", "virtio_poll.c"} <=
           names, f"{sorted(names)}")
    expect(not {"dim.c", "aic.c", "rate.c", "xen_netback.c"} & names,
           f"{sorted(names)}")


def _tried(*guests):
    """How often a job is begun whose guests end like this, and how it ends."""
    left = list(guests)
    try:
        said = machine.ended("a test", lambda _: (*left.pop(0), ""))
    except machine.MachineError:
        said = None
    return len(guests) - len(left), said


def faults_of_the_emulator_are_repeated():
    """Some times, and no others are."""
    good = (machine.DONE, "all is well")
    ours = (machine.DONE, "BUG: ours EFLAGS: 00000246")
    silent = ("", "")
    theirs = ("", "Oops: theirs EFLAGS: 0487eb42")
    for guests, expected in (((good, good), (1, machine.DONE)),
                             ((theirs, good), (2, machine.DONE)),
                             ((ours, good), (1, None)),
                             ((silent, good), (1, None)),
                             ([theirs] * 9, (machine.ATTEMPTS, None))):
        seen = _tried(*guests)
        expect(seen == expected, f"{guests}: {seen}")


CASES = (regret_is_what_exceeds_the_best_hold, slow_answers_are_regret,
         oracle_slows_nobody_down, rivals_are_within_the_bound,
         a_better_rival_is_named, lost_frames_are_told_by_load,
         chance_is_told, chance_and_counting_have_a_row,
         kept_results_know_their_sources, faults_of_the_emulator_are_repeated)
