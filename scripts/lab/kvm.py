# SPDX-License-Identifier: GPL-2.0
"""The KVM lab: a host with the module, a real VMM, guests with stock drivers.

counts     what the module does to the interrupts of one guest
many       two and four guests, guest to guest; one that is kept from the others
stress     the VMM is killed, the guest migrates, under traffic and holds
patch      the module comes and goes under traffic

Time is real in these hosts: under instruction counting the emulator's SVM is
not sound.  When a guest breaks in the way that is the emulator's, the rest of
the part is repeated in a new host, and that is said.
"""

import time
from functools import partial

from . import kernel, ktap, kvmhost, qemu, together
from .ktap import expect
from .kvmcounts import Counts
from .kvmhost import EmulatorFault
from .kvmstress import Many, Patch, Stress

ATTEMPTS = 3
# what the VMM says of a guest that the emulator broke, and of an idle one
SPINS = """RIP=ffffffff81123456 RFL=00000002 [-------] CPL=0 A20=1 HLT=0
ISR\t 36
IRR\t 37 236
"""
IDLE = """RIP=ffffffff81ce5fff RFL=00000206 [-----P-] CPL=0 A20=1 HLT=1
ISR\t (none)
IRR\t (none)
"""


def faults_are_told_apart():
    """An idle guest is never taken for one that the emulator broke."""
    expect(kvmhost.stuck(SPINS), "a guest that spins with interrupts off")
    for state in (IDLE, SPINS.replace("HLT=0", "HLT=1"),
                  SPINS.replace("RFL=00000002", "RFL=00000202"),
                  SPINS.replace(" 37 236", " (none)"), ""):
        expect(not kvmhost.stuck(state), state)


class Lab:
    """The cases of one kernel, reported as they run."""

    def __init__(self, report, name, share):
        module, _ = kernel.build(name)
        self._report = report
        self._boot = kernel.image(name)
        self._initrd = kvmhost.build(self._boot, module)
        self._share = share

    def _try(self, host, function):
        """Run a case; what it failed with, None when it did not."""
        try:
            function()
        except EmulatorFault:
            raise
        except Exception as error:  # whatever it is, it is a result
            if qemu.stale_int3(host.console()):
                raise EmulatorFault(qemu.INT3) from error
            return error
        return None

    def _case(self, part, host, function, done):
        """One case; those that are done only prepare for the others."""
        name = f"{self._boot.name}: kvm {part}: {function.__name__}"
        begin = time.monotonic()
        error = self._try(host, function)
        if name in done:
            return
        done.add(name)
        if error:
            self._report.fail(name, f"{type(error).__name__}: {error}")
        else:
            self._report.ok(name, f"{time.monotonic() - begin:.1f} s")

    def _attempt(self, part, done):
        make, guests = PARTS[part]
        name = f"kvm-{self._boot.name}-{part}"
        with kvmhost.Host(name, self._boot, self._initrd, guests) as host:
            cases = make(host, self._share)

            def clean_consoles():
                faults = [fault for machine in (host, *cases.guests())
                          for fault in machine.faults()]
                expect(not faults, "\n".join(faults[:40]))
            for case in (*cases.cases(), clean_consoles):
                self._case(part, host, case, done)

    def run(self, part):
        """Run a part; a host that does not come up is a failure."""
        done = set()
        try:
            for _ in range(ATTEMPTS):
                try:
                    return self._attempt(part, done)
                except EmulatorFault as fault:
                    print(f"# {self._boot.name}: kvm {part}: a fault of the "
                          f"emulator, again: {fault}".replace("\n", "\n# "),
                          flush=True)
            raise qemu.GuestError(f"the emulator failed {ATTEMPTS} times")
        except (qemu.GuestError, OSError) as error:
            return self._report.fail(f"{self._boot.name}: kvm {part}", error)


# what runs in a host of its own, and how many guests that has at once
PARTS = {"stress": (Stress, 2), "many": (Many, 4), "counts": (Counts, 1),
         "patch": (Patch, 1)}
# what compares round trips has the machine for itself
WIDE = ("many",)
# the first series in full, the others in short, with a share of the rounds
SERIES = ("6.12", "6.1", "7.2")
SHORT, SHARE = ("counts", "stress", "patch"), 0.2


def _run(shares):
    report = ktap.Report()
    report.case("kvm: faults_are_told_apart", faults_are_told_apart)
    labs = [(Lab(report, name, share), PARTS if share == 1 else SHORT)
            for name, share in shares.items()]
    together.run(*([partial(lab.run, part) for lab, parts in labs
                    for part in parts if (part in WIDE) == wide]
                   for wide in (False, True)))
    report.end()
    return not report.failed


def run(names):
    """The lab on each named series; True when all is well."""
    return _run({name: 1 if name == SERIES[0] else SHARE for name in names})


def run_quick():
    """A part of it that takes a few minutes."""
    return _run({SERIES[0]: SHARE})
