# SPDX-License-Identifier: GPL-2.0
"""Failing allocations and all labs, on a kernel with every checker on.

The checkers take their time, which no count may depend on: what counts exactly
does not run here, and the rest in fewer rounds.
"""

from . import failslab, kernel, ktap, source, together, vhost, virtio

PARTS = (failslab, vhost, virtio)
# it takes as long as all other checkers together: failslab asks for it
NO_LEAKS = " kmemleak=off"


def checked(name):
    """A kernel with checkers, and the module for it."""
    built = source.build(name)
    boot = kernel.Image(name, built.release, built.image, built.modules(),
                        NO_LEAKS)
    return boot, source.vcoal(built)


def run():
    """All of it; True when all is well."""
    report = ktap.Report()
    boot, module = checked("debug")
    jobs = [part.under_checkers(report, boot, module) for part in PARTS]
    together.run([job for narrow, _ in jobs for job in narrow],
                 [job for _, wide in jobs for job in wide])
    report.end()
    return not report.failed
