# SPDX-License-Identifier: GPL-2.0
"""The lab's own programs in C, built where they are needed first."""

import hashlib

from . import apt

STATIC = ("-static",)


def build(name, folder, pattern="*", options=STATIC):
    """Path of a program made of a folder's matching sources, built when one
    of them changed."""
    apt.install(["gcc", "libc6-dev"])
    files = sorted(folder.glob(pattern))
    text = b"".join(path.read_bytes() for path in files)
    digest = hashlib.sha256(text).hexdigest()[:12]
    path = apt.cache_dir("tools") / f"{name}-{digest}"
    # guests are prepared side by side
    with apt.lock(path.name):
        if not path.exists():
            temp = path.with_suffix(".tmp")
            apt.run(["gcc", *options, "-O2", "-Wall", "-Wextra", "-Werror",
                     "-o", temp, *(f for f in files if f.suffix == ".c")])
            temp.rename(path)
    return path
