# SPDX-License-Identifier: GPL-2.0
"""One measured Xen host: hypervisor, dom0 and two domains in one guest.

Time is the number of instructions that all of them executed, so what dom0's
soaker lacks is what the whole host spent.
"""

import hashlib
import subprocess
from pathlib import Path

from lab import apt, image, qemu, xenhost

from . import machine

# a real core is still several times faster; see contributing.rst
SHIFT = 0
NS_PER_INSTRUCTION = 1 << SHIFT
LIFE_S = 3600
DOMAINS = 2
# whoever wakes up runs, and not only after what ran had a millisecond
XEN_OPTIONS = " sched_ratelimit_us=0"
# the soaker is idle beside all others, not only beside those of its session
KERNEL_OPTIONS = "norandmaps noautogroup"


def base(boot, module):
    """What all measured hosts have in common."""
    return image.save(xenhost.contents(boot, module),
                      f"bench-xen-{boot.release}")


def _extra(boot, job):
    """What one has for itself; an archive may follow another one."""
    archive = image.Archive()
    archive.file("init", machine.INIT.read_bytes(), executable=True)
    archive.file("job", job.encode())
    for number in range(1, DOMAINS + 1):
        config = xenhost.config(boot, f"u{number}",
                                f"00:16:3e:00:00:{number:02x}")
        archive.file(f"domain/u{number}.cfg", config.encode())
    return archive


def _command(boot, disk, console, result):
    command = ["nice", "-n", "5",
               "timeout", "--kill-after=5", str(LIFE_S),
               "qemu-system-x86_64", "-accel", "tcg",
               "-icount", f"shift={SHIFT},sleep=off",
               "-rtc", "base=2026-01-01,clock=vm", "-seed", "1",
               "-smp", "1", "-m", str(xenhost.memory(boot, DOMAINS)),
               "-nodefaults", "-no-user-config", "-display", "none",
               "-no-reboot", "-serial", f"file:{console}",
               "-serial", f"file:{result}"]
    for option, value in xenhost.multiboot(boot, disk,
                                           options=XEN_OPTIONS).items():
        command += [option, value]
    command[command.index("-initrd") + 1] = command[-1].replace(
        ",", f" {KERNEL_OPTIONS},", 1)
    return command


def key(boot, job, plain):
    """One word for all that decides what a job prints, but the module; plain
    is the base without it."""
    nothing = Path("-")
    digests = [hashlib.sha256(data).hexdigest() for data in (
        plain, boot.vmlinuz.read_bytes())]
    # wherever the hypervisor and the kernel are unpacked
    command = [part.replace(str(apt.cache_dir()), "") for part in
               _command(boot, nothing, nothing, nothing)]
    parts = [*digests, _extra(boot, job).digest(), machine.emulator(),
             *command]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run(name, boot, disk, job):
    """Boot the host and wait for its end; returns what its job printed."""
    apt.install(qemu.PACKAGES)
    logs = apt.cache_dir("logs")
    console, result = (logs / f"{name}.{kind}" for kind in ("log", "result"))
    result.unlink(missing_ok=True)
    extra = apt.cache_dir("initrd") / f"{name}.extra"
    whole = extra.with_suffix(".cpio")
    _extra(boot, job).write(extra)
    whole.write_bytes(disk.read_bytes() + extra.read_bytes())
    done = subprocess.run(_command(boot, whole, console, result), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    said = result.read_text(errors="replace") if result.exists() else ""
    faults = qemu.complaints(console.read_text(errors="replace"))
    if faults or not said.endswith(machine.DONE):
        raise machine.MachineError("\n".join([
            f"{name}: job not done, see {console}", done.stdout, *faults,
            said[-500:]]))
    return said
