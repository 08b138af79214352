# SPDX-License-Identifier: GPL-2.0
"""vhosttest, which is VMM and guest in one process, in a lab's guest."""

import functools

from . import image, program
from .ktap import expect

FRAMES = 2000
GAP_US = 100
# a quiet machine takes 20 s for the longest
FLOW_S = 600
# the default policy is not what is tested here
INSERT = "insmod /vcoal.ko policy=observe"


@functools.cache
def vhosttest():
    """Path of the VMM."""
    return program.build("vhosttest", image.GUEST, "vhosttest.c")


class Vmm:
    """Runs vhosttest in a guest."""

    def __init__(self, guest):
        self.guest = guest

    def flow(self, case, *options, frames=FRAMES, gap=GAP_US):
        """One run in which nothing may be lost; what it counted."""
        words = " ".join(map(str, options))
        text = self.guest.run(f"vhosttest -n {frames} -g {gap} {words} {case}",
                              FLOW_S)
        pairs = (word.split("=") for word in text.split())
        out = {name: int(value) for name, value in pairs}
        for ring in ("rx", "tx"):
            if f"{ring}_irqs" in out:
                self._exact(out, ring, words, case)
        return out

    @staticmethod
    def _exact(out, ring, words, case):
        for ours, theirs in (("irqs", "signals"), ("packets", "frames")):
            counted, seen = out[f"{ring}_{ours}"], out[f"{ring}_{theirs}"]
            expect(counted == seen,
                   f"{words} {case}: {ring} {ours} {counted}, seen {seen}")
