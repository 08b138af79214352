# SPDX-License-Identifier: GPL-2.0
"""One measured guest: boots, does its job, says what came out, and is gone.

Time in the guest is the number of instructions it executed.  No input reaches
it and no thread of the emulator moves its packets, so the same job always
gives the same result, however busy this machine is.
"""

import hashlib
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from lab import apt, image, qemu
from lab.processor import Processor

SHIFT = 1
NS_PER_INSTRUCTION = 1 << SHIFT
LIFE_S = 3600
ATTEMPTS = 3
DONE = "@ done 0\n"
INIT = Path(__file__).parent / "guest" / "init"
# the soaker is idle beside all others, not only beside those of its session
APPEND = ("console=ttyS0 loglevel=7 panic=-1 net.ifnames=0 ipv6.disable=1 "
          "nokaslr norandmaps noautogroup")


class MachineError(Exception):
    """A guest did not finish its job."""


def contents(boot, module, job, names):
    """What a guest needs to do this job."""
    archive = image.contents(boot, module, names)
    archive.file("init", INIT.read_bytes(), executable=True)
    archive.file("job", job.encode())
    return archive


def initrd(name, boot, module, job, names=image.MODULES):
    """Initial RAM file system of a guest that does this job."""
    return image.save(contents(boot, module, job, names), name)


def _command(boot, disk, console, result, attempt=0):
    # a word that means nothing makes all that follows happen elsewhere
    append = " ".join([APPEND, *["again"] * attempt])
    return ["nice", "-n", "10",
            "timeout", "--kill-after=5", str(LIFE_S),
            "qemu-system-x86_64", "-accel", "tcg",
            "-icount", f"shift={SHIFT},sleep=off",
            "-rtc", "base=2026-01-01,clock=vm", "-seed", "1",
            "-cpu", "max,-rdrand,-rdseed", "-M", "q35", "-smp", "1",
            "-m", "512", "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot",
            "-kernel", str(boot.vmlinuz), "-initrd", str(disk),
            "-append", append,
            "-serial", f"file:{console}", "-serial", f"file:{result}",
            *qemu.hub_nics(4, qemu.EXACT_NIC)]


def emulator():
    """Version of the emulator's package."""
    apt.install(qemu.PACKAGES)
    said = apt.run(["qemu-system-x86_64", "--version"])
    return re.search(r"\(Debian (\S+)\)", said)[1]


def key(boot, job):
    """One word for all that decides what a job prints, but the module."""
    archive = contents(boot, None, job, image.MODULES)
    nothing = Path("-")
    parts = [archive.digest(), emulator(),
             hashlib.sha256(boot.vmlinuz.read_bytes()).hexdigest(),
             *_command(boot, nothing, nothing, nothing)]
    parts.remove(str(boot.vmlinuz))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _boot(name, boot, disk, options, attempt):
    """What the job printed, what the guest's console says, and the emulator."""
    logs = apt.cache_dir("logs")
    console, result = (logs / f"{name}.{kind}" for kind in ("log", "result"))
    result.unlink(missing_ok=True)
    with Processor() as own:
        done = subprocess.run([*own.prefix,
                               *_command(boot, disk, console, result, attempt),
                               *options], text=True,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    said = result.read_text(errors="replace") if result.exists() else ""

    return said, console.read_text(errors="replace"), done.stdout


def ended(name, attempt):
    """What a job printed; attempt(0), then (1) and so on, is _boot().

    A fault of the emulator comes again where it came: what is repeated is
    another run, and it is said.
    """
    for number in range(ATTEMPTS):
        said, console, emulated = attempt(number)
        faults = qemu.complaints(console)
        if said.endswith(DONE) and not faults:
            return said
        if not qemu.impossible_flags(console):
            break
        print(f"# {name}: {qemu.CMPXCHG16B}", file=sys.stderr, flush=True)
    raise MachineError("\n".join([f"{name}: job not done, see logs/{name}.log",
                                  emulated, *faults, said[-500:]]))


def run(name, boot, disk, options=()):
    """Boot the guest and wait for its end; returns what its job printed."""
    apt.install(qemu.PACKAGES)

    return ended(name, partial(_boot, name, boot, disk, options))
