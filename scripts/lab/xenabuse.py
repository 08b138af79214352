# SPDX-License-Identifier: GPL-2.0
"""A domain that sends dom0 events without work, on purpose.

Xen punishes that at dom0's end, whoever is to blame. A door that went on
holding would be blamed as well: it stays open until events have work again.
"""

from . import image
from .ktap import expect
from .xenlink import lossless, total

KICKER = image.GUEST / "xenkick"
HOLD_US = 4000
# Xen delays them, so not all of them are seen
KICKS, KICK_US, SEEN = 300, 3000, 8
# packets: fewer than it takes the door to forget what it saw, and more
FEW, MANY = 20, 300
RATE = 500


class Abuse:
    """The cases; they share one host and one domain, which runs."""

    def __init__(self, link):
        self.link = link
        self.host = link.host
        self.domain = link.domain

    def prepare(self):
        """The module holds."""
        self.host.run("insmod /vcoal.ko policy=observe")
        self.link.set(mode="fixed", rx_usecs=0, tx_usecs=HOLD_US)
        held = self._held(self.link.up(MANY, RATE))
        expect(held, "nothing is held before")

    def _held(self, flow):
        """Holds that kept an event."""
        holds, empty = (total(lossless(flow).host, "vcoal.tx-", f"/{name}")
                        for name in ("holds", "empty_holds"))
        return holds - empty

    def _delayed(self):
        return int(self.host.run("cat /sys/bus/xen-backend/devices/vif-"
                                 f"{self.domain.domid}-0/xenbus/"
                                 "jiffies_eoi_delayed"))

    def _kick(self):
        port = self.host.run("xenstore-read /local/domain/"
                             f"{self.domain.domid}/device/vif/0/"
                             "event-channel-tx")
        self.domain.run(f"insmod /xenkick.ko port={port} count={KICKS} "
                        f"usecs={KICK_US}\nrmmod xenkick")

    def empty_events_are_counted(self):
        """What Xen calls spurious is in our counters, too."""
        before = self._delayed()
        _, host, _ = self.link.during(self._kick)
        seen = total(host, "vcoal.tx-", "/spurious")
        expect(seen >= SEEN, f"{KICKS} events, {seen} of them spurious")
        expect(self._delayed() > before, "Xen did not mind")

    def they_end_holding(self):
        """For some time the door stays open, and then holds again."""
        held = self._held(self.link.up(FEW, RATE))
        expect(not held, f"{held} holds right behind spurious events")
        held = self._held(self.link.up(MANY, RATE))
        expect(held, "nothing is held any more")

    def remove(self):
        """The module leaves, and all is well."""
        self.host.run("rmmod vcoal")
        self.link.flows(MANY, RATE)

    def cases(self):
        """In the order in which they must run."""
        return (self.prepare, self.empty_events_are_counted,
                self.they_end_holding, self.remove)
