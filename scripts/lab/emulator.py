# SPDX-License-Identifier: GPL-2.0
"""Debian's QEMU with faults of its SVM mended, for hosts with guests of their own.

The package's emulator delivers some of the interrupts that a hypervisor injects
twice, and loses some of the hypervisor's own: see the patches. Built from the
package's source without what no lab needs, and kept.
"""

import functools
import hashlib
import shutil
from pathlib import Path

from . import apt, source

PACKAGE = "qemu"
PATCHES = sorted((Path(__file__).parent / "patches").glob("qemu-*.patch"))
TOOLS = ["gcc", "libc6-dev", "dpkg-dev", "patch", "ninja-build", "meson",
         "pkg-config", "python3", "libglib2.0-dev", "libpixman-1-dev",
         "libfdt-dev", "zlib1g-dev", "qemu-system-data", "seabios"]
OPTIONS = ["--target-list=x86_64-softmmu", "--without-default-features",
           "--without-default-devices", "--enable-system", "--enable-tcg",
           "--enable-plugins", "--disable-debug-info", "--disable-docs"]
PROGRAM = "qemu-system-x86_64"
FIRMWARE = ["-L", "/usr/share/seabios", "-L", "/usr/share/qemu"]


def _prepare(dsc, tree):
    """Unpacked, mended and configured."""
    apt.run(["dpkg-source", "--no-check", "-x", dsc, tree / "source"])
    for patch in PATCHES:
        apt.run(["patch", "-p1", "-d", tree / "source", "-i", patch])
    (tree / "build").mkdir()
    apt.run(["../source/configure", *OPTIONS], cwd=tree / "build")


def changes():
    """All that is not the package's."""
    return "\n".join(patch.read_text() for patch in PATCHES)


@functools.cache
def mended():
    """Its command, in place of the package's; built when it is not there.
    Several hosts may ask at once."""
    with apt.lock("emulator"):
        apt.install(TOOLS)
        dsc = apt.fetch_source(apt.BOOKWORM, PACKAGE)
        what = "\n".join([dsc.name, changes(), *OPTIONS])
        key = hashlib.sha256(what.encode()).hexdigest()[:12]
        tree = apt.cache_dir("emulator") / key
        path = tree / "build" / PROGRAM
        if not path.exists():
            shutil.rmtree(tree, ignore_errors=True)
            tree.mkdir()
            _prepare(dsc, tree)
            source.watched("emulator", ["ninja", "-C", tree / "build", PROGRAM],
                           tree / "vcoal.log")
    return [str(path), *FIRMWARE]
