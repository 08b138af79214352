# SPDX-License-Identifier: GPL-2.0
"""What the guests do while they are measured."""

import dataclasses

# what costs are divided by
PACKET, TRIP, KIB = "packet", "trip", "KiB"


@dataclasses.dataclass(frozen=True)
class Workload:
    """One load: a line of shell for the guest, which knows PHASES and SECONDS,
    and its unit of work.

    closed says that one message waits for the other: such round trips must stay
    what they are without any hold.
    """
    name: str
    load: str
    unit: str
    closed: bool = False

    @property
    def answers(self):
        """Does a longer hold make it send less?"""
        return self.unit != PACKET


def paced(rate, name=None):
    """Small datagrams, evenly spaced."""
    return Workload(name or f"paced-{rate}",
                    f"udp -r {rate} -t $SECONDS", PACKET)


def burst(size, rate=8000):
    """The same number per second, some at once."""
    return Workload(f"burst-{size}",
                    f"udp -r {rate} -b {size} -t $SECONDS", PACKET)


def stream(size, gso, seconds="$SECONDS"):
    """TCP, messages of a size."""
    word = "on" if gso else "off"
    return Workload(f"stream-{size}" + ("" if gso else "-nogso"),
                    f"gso {word}; stream -s {size} -t {seconds}; gso on", KIB)


def streams(size):
    """TCP in both directions at once."""
    return Workload(f"streams-{size}", f"streams -s {size} -t $SECONDS", KIB)


def pairs(count):
    """Request and response over UDP, several at once."""
    return Workload(f"pairs-{count}", f"ping -p {count} -t $SECONDS", TRIP,
                    closed=count == 1)


def pingpong(size):
    """Messages over TCP to and fro, as MPI does."""
    return Workload(f"pingpong-{size}", f"ping -T -s {size} -t $SECONDS",
                    TRIP, closed=True)


FLOOD = Workload("flood", "ping -I -s 20 -t $SECONDS", TRIP, closed=True)
MIX = Workload("mix", "mix 5000 $SECONDS", PACKET)
APART = Workload("mix-apart", "apart 5000 $SECONDS", PACKET)
ONOFF_S, ONOFF_MS = 0.4, 50
ONOFF = Workload("onoff", f"udp -r 8000 -t {ONOFF_S} -O {ONOFF_MS}", PACKET)
SATURATION = Workload("saturation", "udp -t $SECONDS", PACKET)

PACED = tuple(paced(rate) for rate in (1000, 2000, 5000, 8000, 10000))
BURSTS = tuple(burst(size) for size in (4, 16, 64))
# how many small messages share a segment is much a matter of chance
STREAMS = (stream(64, True, 0.6),
           *(stream(size, gso) for size in (16384, 1048576)
             for gso in (True, False)), streams(16384))
PAIRS = tuple(pairs(count) for count in (1, 8, 64))
PINGPONG = tuple(pingpong(size) for size in (1, 1024, 65536))


def sustained(rate):
    """The highest rate that the stock driver delivers without loss."""
    return paced(rate, "paced-max")


def everything(rate):
    """All of them; rate is that of sustained()."""
    return (*PACED, sustained(rate), *BURSTS, SATURATION, *STREAMS, *PAIRS,
            *PINGPONG, FLOOD, MIX, APART, ONOFF)
