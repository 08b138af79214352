# SPDX-License-Identifier: GPL-2.0
"""The script that a measured guest runs by itself."""

import shlex
from pathlib import Path

FUNCTIONS = Path(__file__).parent / "guest" / "functions.sh"
REST = "vtraffic rest -t $SECONDS -m $PHASES"
SECONDS = 0.2
# what the first packets allocate is not theirs to pay
WARM_UP = "udp -r 5000 -t 0.1 > /run/warm"


def prepared(peer, phases, *lines):
    """A job that sets a peer up before the lines."""
    return "\n".join([FUNCTIONS.read_text(), f"PHASES={phases}",
                      f"SECONDS={SECONDS}", "set -e",
                      "prepare", peer.setup, "set +e", *lines, ""])


def measured(peer, loads, phases):
    """Run workloads; those of a policy also for what tracepoints show."""
    lines = ["vtraffic soak", WARM_UP, _line("sample", "rest", REST)]
    for load in loads:
        lines.append(_line("sample", load.name, load.load))
        if peer.policy:
            lines.append(_line("traced", load.name, load.load))
    return prepared(peer, phases, *lines)


def _line(function, name, load):
    return f"{function} {name} {shlex.quote(load)}"
