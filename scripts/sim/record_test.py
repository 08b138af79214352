# SPDX-License-Identifier: GPL-2.0
"""A recording of a guest, from the trace to what each policy makes of it.

The recording is of a stream that is known: ten thousand packets a second for
forty milliseconds, held for 256 us.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRACE = HERE / "data" / "paced.trace"
PACKETS = 400
GAP_NS = 100000


def vrecord(*arguments):
    """What the tool prints."""
    done = subprocess.run([sys.executable, HERE / "vrecord", *arguments,
                           TRACE], stdout=subprocess.PIPE, text=True,
                          check=True)
    return done.stdout


def every_packet_is_found():
    """As many as were sent, in the queue that received them."""
    queue, frames = vrecord("-l").split()
    return queue == "eth1:rx-0" and abs(int(frames) - PACKETS) <= 2, frames


def packets_come_when_they_came():
    """Evenly, though the trace only has them when a hold ends."""
    with tempfile.NamedTemporaryFile("r") as file:
        vrecord("-o", file.name)
        times = [int(line.split()[0]) for line in file]
    gaps = [late - early for early, late in zip(times, times[1:])]
    mean = sum(gaps) / len(gaps)
    good = abs(mean / GAP_NS - 1) < 0.01 and max(gaps) < 2 * GAP_NS
    return good, f"mean {mean:.0f} ns, at most {max(gaps)} ns"


def every_policy_answers():
    """What was measured in the guest: 256 us make batches of 2.6 packets."""
    [replay] = json.loads(vrecord("-J", "-c", "256"))
    them = replay["policies"]
    good = (them["observe"]["irqs_per_1000"] > 990
            and replay["best_us"] == 256
            and abs(them["fixed"]["batch"] - 2.6) < 0.2
            and them["adaptive"]["regret"] < 0.05
            and them["dim"]["regret"] > 0.3)
    return good, json.dumps(them)


def a_timer_may_cost_more():
    """As in a guest with virtio_net: so does what holds."""
    [cheap], [dear] = (json.loads(vrecord("-J", "-c", "256", *cost))
                       for cost in ((), ("-C", "timer=3200")))
    cheap, dear = ({name: seen["instructions_per_frame"] for name, seen
                    in replay["policies"].items()} for replay in (cheap, dear))
    good = (dear["observe"] == cheap["observe"]
            and 400 < dear["fixed"] - cheap["fixed"] < 1700)
    return good, f"{cheap}, {dear}"


def main():
    """Run the cases; prints KTAP."""
    cases = (every_packet_is_found, packets_come_when_they_came,
             every_policy_answers, a_timer_may_cost_more)
    failed = 0
    print(f"KTAP version 1\n1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        good, said = case()
        if not good:
            print(f"# {said}")
        failed += not good
        print(f"{'' if good else 'not '}ok {number} sim: {case.__name__}",
              flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
