# SPDX-License-Identifier: GPL-2.0
"""Very many held interrupts, of which none may be lost.

Round trips one after the other: each needs two interrupts, the domain's and
dom0's, and holds make both wait. One that does not come stalls the loop until
its answer is given up, or until the module's watchdog ends the hold: both are
counted.
"""

from .ktap import expect
from .xenlink import total

WANTED = 1000000
HOLD_US = 200
CHUNK = 5000
CHUNK_S = 900


def _chunk(link):
    """Round trips; returns the interrupts that were kept meanwhile."""
    def ping():
        return link.ping(CHUNK, "-I", CHUNK_S)
    seen, host, _ = link.during(ping)
    expect(seen["trips"] == CHUNK and not seen["lost"], f"{seen}")
    for name in ("rescues", "spurious"):
        expect(not total(host, "vcoal.", f"/{name}"), f"{name}: {host}")
    return (total(host, "vcoal.", "/holds") -
            total(host, "vcoal.", "/empty_holds"))


def none_is_lost(link, wanted):
    """Keep interrupts, as many as wanted; all of them come."""
    link.host.run("echo 0 0 > /proc/sys/net/ipv4/ping_group_range")
    link.set(mode="fixed", rx_usecs=HOLD_US, tx_usecs=HOLD_US)
    held = trips = 0
    while held < wanted:
        fresh = _chunk(link)
        expect(fresh > CHUNK, f"{fresh} were held in {CHUNK} round trips")
        held += fresh
        trips += CHUNK
        if trips % (10 * CHUNK) == 0:
            print(f"# kept {held} interrupts in {trips} round trips",
                  flush=True)
    print(f"# kept {held} interrupts in {trips} round trips, lost none",
          flush=True)


class Held:
    """The cases; they share one host and one domain."""

    def __init__(self, link):
        self.link = link

    def create(self):
        """A domain comes up, and the module."""
        self.link.domain.create()
        self.link.host.run("sleep 2\ninsmod /vcoal.ko policy=observe")

    def none_of_a_million_is_lost(self):
        """Every interrupt that was kept came."""
        none_is_lost(self.link, WANTED)

    def cases(self):
        """In the order in which they must run."""
        return (self.create, self.none_of_a_million_is_lost)
