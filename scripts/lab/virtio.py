# SPDX-License-Identifier: GPL-2.0
"""The virtio lab: one kernel, five guests, many cases.

counts      exact guest: what the module does to interrupts
variants    exact guest: four kinds of devices, and settings that are kept
coalescing  exact guest: devices that coalesce by themselves
stress      two processors: everything that may happen to a NIC
channels    two processors, two queues: needs tap devices of this machine
"""

import re
from functools import partial

from . import (coalescing, counts, image, keep, kernel, ktap, monitor, qemu,
               tap, together)
from .stress import NOISE_UNDER_CHECKERS, Channels, Stress
from .wire import Wire


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, boot, initrd, **pace):
        self._report = report
        self._boot = boot
        self._initrd = initrd
        self._pace = pace

    def _case(self, part, function, *args):
        name = getattr(function, "__name__", str(function))
        self._report.case(f"{self._boot.name}: {part}: {name}", function,
                          *args)

    def _guest(self, part, nics, **options):
        name = f"virtio-{self._boot.name}-{part}"
        return qemu.Guest(name, self._boot, self._initrd, nics, **options)

    def _quiet(self, part, guest):
        """The last case of every guest: nothing on its console."""
        def clean_console():
            faults = guest.faults()
            ktap.expect(not faults, "\n".join(faults[:40]))
        self._case(part, clean_console)

    def _in_full(self):
        return kernel.in_full(self._pace["rounds"])

    def counts(self):
        """Interrupts, exactly."""
        nics = qemu.hub_nics(2, exact=True)
        with self._guest("counts", nics, exact=True) as guest:
            wire = Wire(guest)
            wire.connect()
            for case in counts.Counts(wire).cases():
                if self._in_full() or case.__name__ not in counts.POLICIES:
                    self._case("counts", case)
            self._quiet("counts", guest)

    def variants(self):
        """Four kinds of devices, a pair of each in one guest."""
        nics = []
        for pair, (options, *_) in enumerate(counts.VARIANTS.values()):
            nics += qemu.hub_nics(2, options, first=2 * pair, exact=True)
        with self._guest("variants", nics, exact=True) as guest:
            wires = [Wire(guest, pair) for pair in range(len(counts.VARIANTS))]
            for wire in wires:
                wire.connect()
            guest.run("insmod /vcoal.ko policy=observe")
            for wire, name in zip(wires, counts.VARIANTS):
                self._report.case(f"{self._boot.name}: variants: {name}",
                                  counts.variant, wire, name)
            self._case("variants", removal, guest, wires)
            for case in keep.Guest(wires[0]).cases():
                self._case("keep", case)
            self._quiet("variants", guest)
            self._case("variants", silence_is_looked_into, guest)

    def coalescing(self):
        """Devices that coalesce by themselves."""
        with self._guest("coalescing", [], exact=True) as guest:
            for case in coalescing.Coalescing(guest).cases():
                self._case("coalescing", case)
            self._quiet("coalescing", guest)

    def stress(self):
        """Everything that may happen to a NIC."""
        with self._guest("stress", qemu.hub_nics(3), cpus=2) as guest:
            wire = Wire(guest)
            wire.connect()
            stress = Stress(wire, **self._pace)
            stress.begin()
            self._stress_cases("stress", stress, stress.cases())

    def _stress_cases(self, part, stress, cases):
        for case in cases:
            def settled():
                case()
                stress.settle()
            settled.__name__ = case.__name__
            self._case(part, settled)

    def channels(self):
        """Two queues; hubs have one, so this takes tap devices."""
        try:
            tap.require()
        except ktap.Skip as why:
            self._report.skip(f"{self._boot.name}: channels", why)
            return
        with self._guest("channels", tap.nics(queues=2), cpus=2,
                         prefix=tap.PREFIX) as guest:
            wire = Wire(guest)
            wire.connect()
            stress = Stress(wire, **self._pace)
            stress.begin()
            self._stress_cases("channels", stress, Channels(stress).cases())

    def run(self, part):
        """Run a part; a guest that does not come up is a failure."""
        try:
            getattr(self, part)()
        except (qemu.GuestError, OSError) as error:
            self._report.fail(f"{self._boot.name}: {part}", error)


def removal(guest, wires):
    """Every kind of device works without the module again."""
    guest.run("rmmod vcoal")
    for wire in wires:
        counts.lossless(wire.flow(500, 5000))


def silence_is_looked_into(guest):
    """Who waits in vain for an answer hears what the processors did."""
    try:
        guest.ask("while :; do :; done", 1)
    except qemu.GuestError as error:
        looks = re.findall(r"RIP=\w+", str(error))
        ktap.expect(len(looks) == monitor.LOOKS, f"{error}")
    else:
        raise AssertionError("a loop without an end came to one")


# the longest first
EXACT = ("counts", "coalescing", "variants")
WIDE = ("stress", "channels")
ALL = (*EXACT, *WIDE)


def _lab(report, name, names):
    module, _ = kernel.build(name)
    boot = kernel.image(name)
    helper = kernel.build_helper(name, coalescing.DEVICE)
    return Lab(report, boot, image.build(boot, module, helpers=[helper]),
               rounds=kernel.rounds(name, names))


def run(names, parts=ALL):
    """The lab on each named series; True when all is well.

    Exact guests run side by side, for they do not disturb each other, and then
    those that need the whole machine.
    """
    report = ktap.Report()
    labs = together.run([partial(_lab, report, name, names)
                         for name in names])
    together.run([partial(lab.run, part) for part in parts if part in EXACT
                  for lab in labs],
                 [partial(lab.run, part) for lab in labs for part in parts
                  if part in WIDE])
    report.end()
    return not report.failed


def under_checkers(report, boot, module):
    """What takes one processor, and what takes all: see debug.py."""
    lab = Lab(report, boot, image.build(boot, module), rounds=0.1,
              noise=NOISE_UNDER_CHECKERS)
    return [], [partial(lab.run, part) for part in WIDE]
