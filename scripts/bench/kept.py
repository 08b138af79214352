# SPDX-License-Identifier: GPL-2.0
"""What guests printed, kept for as long as nothing changes that they depend on.

A guest that does the same job under the same emulator prints the same, so it
need not run twice.  Of the module's sources a peer depends on all but the
policies that it does not use, and the adapters of NICs that no such guest has:
these run nothing there, and as verbs begin on a grid of time, they shift
nothing.  What remains is that they move addresses: 0.2 % was seen.
"""

import hashlib
import re

from lab import apt, kernel

POLICIES = kernel.REPO / "module" / "policy"
ADAPTERS = kernel.REPO / "module" / "adapter"
OUR_ADAPTER = "virtio"
# decides for every NIC in mode fixed, off or observe
ALWAYS = "fixed"
LOCAL = re.compile(r'^#include "(.+)"', re.MULTILINE)


def _with_headers(file):
    """A source, and the headers beside it that it needs."""
    found = {file}
    for name in LOCAL.findall(file.read_text()):
        header = file.parent / name
        if header.exists():
            found |= _with_headers(header)
    return found


def sources(policy=None, adapter=OUR_ADAPTER):
    """The sources that a peer's figures depend on; of all without a policy."""
    files = [kernel.REPO / "Kbuild"]
    for part in ("include", "module"):
        files += (kernel.REPO / part).rglob("*.[ch]")
    if policy:
        files = [file for file in files if file.parent != POLICIES and
                 (file.parent != ADAPTERS or
                  file.name.startswith(adapter))]
        files += {header for name in (policy, ALWAYS)
                  for header in _with_headers(POLICIES / f"{name}.c")}
    return sorted(files)


def digest(files):
    """One word for the content of files."""
    total = hashlib.sha256()
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def text(key, make):
    """What is kept under a key, made when nothing is."""
    name = hashlib.sha256(key.encode()).hexdigest()[:24]
    path = apt.cache_dir("bench") / f"{name}.txt"
    if path.exists():
        return path.read_text()
    made = make()
    temp = path.with_suffix(".tmp")
    temp.write_text(made)
    temp.rename(path)
    return made
