# SPDX-License-Identifier: GPL-2.0
"""One measured KVM host: hypervisor, two VMMs and their guests in one guest.

Time is the number of instructions that all of them executed, see machine.py.
The package's emulator does not bear that for long: it delivers an injected
interrupt twice now and then (lab/emulator.py), and then a guest of the guest spins
with interrupts off, or the host sleeps for ever.  So it is mended.  Should a host
still break, the former is seen from outside, the latter by the host.  What was
measured until then is good: it is said after each load.
"""

import collections
import contextlib
import hashlib
import re
import subprocess
from pathlib import Path

from lab import apt, emulator, image, kvmhost, qemu
from lab.monitor import Monitor

from . import machine

SHIFT = 0
NS_PER_INSTRUCTION = 1 << SHIFT
LIFE_S = 3600
GUESTS = 2
MEMORY_MB = kvmhost.HOST_MB + GUESTS * kvmhost.GUEST_MB
APPEND = (f"{machine.APPEND} mitigations=off tsc=reliable no_timer_check "
          "rcupdate.rcu_expedited=1")
# a virtual second, and how many a guest may take to come up
BOOT_S = 120
FIRST, STUCK = "@ before rest\n", "@ stuck "
# so often at one place with interrupts off: it spins
LOOKS, APART_S = 6, 5


def prepare(options):
    """Shell commands that bring two guests up; options are of their NICs."""
    lines = [qemu.PRELUDE, kvmhost.START]
    for number in range(1, GUESTS + 1):
        name = f"u{number}"
        others = "".join(
            f"ip neigh replace {kvmhost.address(other)} "
            f"lladdr {kvmhost.mac(other)} dev eth0\n"
            for other in range(1, GUESTS + 1) if other != number)
        lines += [kvmhost.launching(name, number, f"tap{number}", options),
                  f"kvm-ask /run/{name} 1 {BOOT_S} <<- 'END'",
                  qemu.PRELUDE + kvmhost.SERVE +
                  kvmhost.guest_network(number) + others +
                  "vtraffic serve 7020\n"
                  "dd if=/dev/random of=/dev/null bs=32 count=1\nEND",
                  kvmhost.host_network(number)]
    # what kernels put off at boot must not be measured
    lines += ["dd if=/dev/random of=/dev/null bs=32 count=1", "sleep 10"]
    return "\n".join(lines)


def _contents(boot, module, job):
    archive = kvmhost.contents(boot, module)
    archive.file("init", machine.INIT.read_bytes(), executable=True)
    archive.file("job", job.encode())
    return archive


def _command(boot, disk, console, result):
    return ["nice", "-n", "5", "timeout", "--kill-after=5", str(LIFE_S),
            "qemu-system-x86_64", "-accel", "tcg",
            "-icount", f"shift={SHIFT},sleep=off",
            "-rtc", "base=2026-01-01,clock=vm", "-seed", "1",
            "-cpu", "max,-rdrand,-rdseed", "-M", "q35", "-smp", "1",
            "-m", str(MEMORY_MB), "-nodefaults", "-no-user-config",
            "-display", "none", "-no-reboot",
            "-kernel", str(boot.vmlinuz), "-initrd", str(disk),
            "-append", APPEND,
            "-serial", f"file:{console}", "-serial", f"file:{result}"]


def key(boot, job):
    """One word for all that decides what a job prints, but the module."""
    nothing = Path("-")
    parts = [_contents(boot, None, job).digest(), machine.emulator(),
             emulator.changes(),
             hashlib.sha256(boot.vmlinuz.read_bytes()).hexdigest(),
             *_command(boot, nothing, nothing, nothing)]
    parts.remove(str(boot.vmlinuz))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def run(name, boot, module, job):
    """Boot the host and wait for its end; returns what its job printed, to the
    end or until a guest broke."""
    apt.install(qemu.PACKAGES)
    logs = apt.cache_dir("logs")
    console, result = (logs / f"{name}.{kind}" for kind in ("log", "result"))
    result.unlink(missing_ok=True)
    disk = image.save(_contents(boot, module, job), name)
    command = _command(boot, disk, console, result)
    at = command.index(emulator.PROGRAM)
    command[at:at + 1] = emulator.mended()
    with _emulator(command) as running:
        ended = _ends(*running)
    disk.unlink()
    said = result.read_text(errors="replace") if result.exists() else ""
    if not ended:
        said += f"\n{STUCK}host\n"
    faults = qemu.complaints(console.read_text(errors="replace"))
    if faults or not (STUCK in said or said.endswith(machine.DONE)):
        raise machine.MachineError("\n".join([
            f"{name}: job not done, see {console}", *faults, said[-2000:]]))
    # who came to the end says all of it again
    return FIRST + said.rpartition(FIRST)[2]


@contextlib.contextmanager
def _emulator(command):
    """It runs, and can be asked; nothing is left of it."""
    monitor = Monitor()
    process = subprocess.Popen(
        [*qemu.DIE_WITH_US, *command, *monitor.arguments()],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        pass_fds=[monitor.theirs.fileno()])
    monitor.started()
    try:
        yield process, monitor
    finally:
        process.terminate()
        process.wait()
        monitor.close()


def _spins_at(state):
    """Where the processor is, if it does not wait and interrupts are off."""
    match = re.search(r"IP=(\w+) [ER]FL=(\w+) .*HLT=(\d)", state)
    off = not int(match[2], 16) & 0x200
    return match[1] if off and match[3] == "0" else None


def _ends(process, monitor):
    """Wait; false when it would not come to an end."""
    looks = collections.deque(maxlen=LOOKS)
    monitor.ask("qmp_capabilities")
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(APART_S)
            return True
        with contextlib.suppress(OSError):
            looks.append(_spins_at(monitor.ask(
                "human-monitor-command",
                **{"command-line": "info registers"})))
        if len(looks) == LOOKS and looks[0] and len(set(looks)) == 1:
            return False


def measured(said):
    """Names of the loads that were measured to their end."""
    marks = re.findall(r"^@ (\w+) (\S+)", said.split(STUCK)[0], re.M)
    if STUCK in said:
        # the last that was begun was not ended
        marks.pop()
    return [name for what, name in marks if what == "after"]
