# SPDX-License-Identifier: GPL-2.0
"""Who takes part on a host, and what its guests do meanwhile."""

import dataclasses

from .peer import CLASSES, INSERT, POLICIES, STOCK, Peer
from .workload import KIB, PACKET, TRIP, Workload

# a connection settles in one of several ways, half as fast or not: the mean of a
# few says nothing
CONNECTIONS = 12
HOLDS_US = (16, 32, 64, 128, 256)
# the host to a guest, a guest to the host, a guest to another one
WAYS = ("down", "up", "across")


def fixed(usecs):
    """Both directions of all NICs hold this long."""
    return Peer(f"fixed-{usecs}", f"{INSERT} policy=observe\n"
                f"nics mode fixed rx_usecs {usecs} tx_usecs {usecs}",
                hold_us=usecs, longest_us=usecs)


def policy(name, klass):
    """A policy within the bound of a latency class."""
    return Peer(f"{name}-{klass}", f"{INSERT} policy={name} class={klass}",
                bound_us=CLASSES[klass], policy=name,
                longest_us=CLASSES[klass])


# what comes behind has another phase
SHIFT = "vtraffic rest -t 0.01 -m 1 > /run/shift"
# what it differs from stock by is chance
AGAIN = Peer(f"{STOCK.name}-again", SHIFT)
OBSERVE = Peer("observe", f"{INSERT} policy=observe")
FIXED = tuple(fixed(usecs) for usecs in HOLDS_US)
ADAPTIVE = tuple(policy("adaptive", klass) for klass in CLASSES)
OTHERS = tuple(policy(name, klass) for klass in ("balanced", "throughput")
               for name in POLICIES if name != "adaptive")
EVERYBODY = (STOCK, AGAIN, OBSERVE, *FIXED, *ADAPTIVE, *OTHERS)


def paced(way, rate, name=None):
    """Small datagrams, evenly spaced."""
    return Workload(name or f"{way}-{rate}",
                    f"{way} -r {rate} -t $SECONDS", PACKET)


def sustained(way, rate):
    """The highest rate that the stock driver delivers without loss."""
    return paced(way, rate, f"{way}-max")


def stream(way, size):
    """TCP, messages of a size."""
    return Workload(f"tcp-{way}-{size}",
                    f"often {CONNECTIONS} stream_{way} -s {size} "
                    "-t $SECONDS", KIB)


def settled(load):
    """The same, once a policy has forgotten what came before it."""
    learn = load.load.replace("$SECONDS", "0.6")
    return dataclasses.replace(
        load, name=f"{load.name}-settled",
        load=f"(PHASES=1; {learn} > /run/learnt); {load.load}")


# each as it begins behind others, and with what was learned of it
PINGS = tuple(ping for behind in (
    Workload("pingpong-udp", "ping -t $SECONDS", TRIP, closed=True),
    Workload("pingpong-tcp", "ping -T -s 64 -t $SECONDS", TRIP, closed=True),
    Workload("pingpong-across", "ping_across -t $SECONDS", TRIP, closed=True))
              for ping in (behind, settled(behind)))
# more than can be sent: interrupts under bulk
FLOOD = tuple(Workload(f"{way}-flood", f"{way} -t $SECONDS", PACKET)
              for way in ("down", "up"))
MIX = Workload("mix", "mix 5000 $SECONDS", PACKET)
APART = Workload("mix-apart", "apart 5000 $SECONDS", PACKET)


def everything(rates):
    """All of them; rates are those of sustained() by way."""
    return (*(paced(way, rate) for way in ("down", "up")
              for rate in (1000, 5000)),
            *(sustained(way, rate) for way, rate in rates.items()),
            *FLOOD,
            *(stream(way, size) for way in ("down", "up")
              for size in (64, 4096, 65536)),
            stream("across", 65536),
            *PINGS, MIX, APART)
