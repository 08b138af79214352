# SPDX-License-Identifier: GPL-2.0
"""What the lab needs: packages, kernels, and two that are built.

make check runs this beside its first parts. Those need not wait for it: what is
not there yet they fetch and build themselves, and what is being fetched or built
has a lock.
"""

import contextlib
import os
from pathlib import Path

from . import apt, image, kernel, qemu, source, xenhost

PACKAGES = [*kernel.COMPILER, *source.TOOLS, *qemu.PACKAGES, "zstd", "sparse",
            "ethtool", "iproute2", "cpio", "dkms", "pahole", "coccinelle",
            "libpython3-dev", "clang", "libclang-rt-dev"]
# what make check boots; xen-debug builds its own
BUILT = ("uml", "debug")
# the lowest weight of a group of processes, see sched(7)
AUTOGROUP, LOWEST = Path("/proc/self/autogroup"), "19"


def _yield_to_others():
    """Run when nobody else wants the processor."""
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(LOWEST)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def run():
    """Install and fetch, for which others may wait; then build."""
    source.source()
    apt.install(sorted(set(PACKAGES)))
    for name in kernel.SERIES:
        for flavour in kernel.FLAVOURS:
            kernel.headers(name, flavour)
    for name in kernel.SERIES:
        kernel.image(name)
    image.busybox()
    xenhost.unpacked()
    _yield_to_others()
    for flavour in BUILT:
        source.build(flavour)
    return True
