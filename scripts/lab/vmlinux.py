# SPDX-License-Identifier: GPL-2.0
"""A kernel without its wrapping: what boots an ELF image need not unpack it."""

import lzma
import subprocess
import zlib

from . import apt

# of the boot protocol: sectors of set-up code, then the kernel's place
SETUP_SECTS, PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x1f1, 0x248, 0x24c


def _zstd(data):
    # the payload is followed by its length, which zstd complains about
    return subprocess.run(["zstd", "-dc"], input=data, check=False,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


UNPACK = {b"\xfd7zXZ": lambda data: lzma.LZMADecompressor().decompress(data),
          b"\x28\xb5\x2f\xfd": _zstd,
          b"\x1f\x8b": lambda data: zlib.decompressobj(31).decompress(data)}


def extract(boot):
    """Path of the ELF image of a kernel."""
    path = apt.cache_dir("vmlinux") / boot.release
    made = boot.vmlinuz.stat().st_mtime
    # several hosts may ask at once
    with apt.lock("vmlinux"):
        if not path.exists() or path.stat().st_mtime < made:
            temp = path.with_name(path.name + ".tmp")
            temp.write_bytes(_unwrapped(boot.vmlinuz.read_bytes()))
            temp.rename(path)
    return path


def _unwrapped(wrapped):
    def word(at):
        return int.from_bytes(wrapped[at:at + 4], "little")

    begin = (wrapped[SETUP_SECTS] + 1) * 512 + word(PAYLOAD_OFFSET)
    data = wrapped[begin:begin + word(PAYLOAD_LENGTH)]
    unpack = next(function for magic, function in UNPACK.items()
                  if data.startswith(magic))
    return unpack(data)
