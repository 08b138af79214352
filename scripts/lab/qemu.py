# SPDX-License-Identifier: GPL-2.0
"""Guests under QEMU, and how to talk to them.

The console goes to a file; requests and answers use the second serial port.
Time inside an exact guest is counted in instructions: how busy this machine
is makes no difference there.
"""

import base64
import contextlib
import dataclasses
import os
import re
import select
import shlex
import signal
import subprocess
import time
from pathlib import Path

from . import apt
from .monitor import Monitor
from .processor import Processor

PACKAGES = ["qemu-system-x86"]
BOOT_S = 180
BOOTS = 3
LIFE_S = 3600
REQUEST_S = 120

# busybox prefers what it has built in, even to what is in the path
PRELUDE = "alias ip=/bin/ip\n"

# no thread of the emulator takes part in moving packets, only guest time
EXACT_NIC = "ioeventfd=off,tx=timer,x-txtimer=5000"

# a guest must not outlive the lab, however that ends
DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM")

FAULT = re.compile(r"BUG:|WARNING:|Oops|Call Trace|KASAN|UBSAN|ODEBUG|"
                   r"possible recursive|possible circular|suspicious RCU|"
                   r"inconsistent lock|unable to handle|soft lockup|"
                   r"rcu.*stall|Kernel panic|general protection|"
                   r"scheduling while atomic|sleeping function|hung_task|"
                   r"blocked for more than|NETDEV WATCHDOG")
# why a boot is no boot: without one-shot timers there are no holds
NO_TIMER = "Could not switch to high resolution mode"
BUSY = "this machine is so busy that the guest found its timers broken"
INT3 = "the emulator ran an int3 that was not there"
CMPXCHG16B = "the emulator gave a program flags that no processor has"
# of EFLAGS, all that there are
FLAGS = 0x3fffff & ~(1 << 3 | 1 << 5 | 1 << 15)
# an out-of-tree module, and one without a signature
TAINT_ALLOWED = (1 << 12) | (1 << 13)


class GuestError(Exception):
    """The guest did not do what it was asked."""


def stale_int3(console):
    """Did the emulator run an int3 that is not there (any more)?

    Functions are patched by way of an int3. QEMU may run one after it was
    replaced: the kernel then prints code without it. Before 6.10 there is no
    "Oops: " in front. What follows the first code may be that of a process.
    """
    oops = re.search(r"\bint3: [0-9a-f]{4} \[#.*?Code: ([^\n]*)", console, re.S)
    return bool(oops) and " cc <" not in oops[1]


def impossible_flags(console):
    """Did the emulator give a program flags that no processor has?

    QEMU's cmpxchg16b computes them from what is out of date: who is interrupted
    right behind it, which is rare and for instruction counting always in the same
    place, comes back with those.
    """
    return any(int(flags, 16) & ~FLAGS for flags in
               re.findall(r"\bEFLAGS: ([0-9a-f]{8})\b", console))


def complaints(console):
    """All that a kernel complained about, and what explains it."""
    found = [line for line in console.splitlines() if FAULT.search(line)]
    if found and impossible_flags(console):
        found.append("The emulator did that: EFLAGS has bits of no processor "
                     "(cmpxchg16b). With anything changed it may not again.")
    return found


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a script printed in the guest, and its exit status."""
    status: int
    text: str


def hub_nics(count, options="", first=0, exact=False):
    """Arguments for NICs of which each pair shares a hub of its own."""
    options = ",".join(filter(None, [options, EXACT_NIC if exact else ""]))
    args = []
    for i in range(first, first + count):
        args += ["-netdev", f"hubport,id=n{i},hubid={i // 2}",
                 "-device", nic_device(i, options)]
    return args


def nic_device(index, options=""):
    """One virtio NIC; its address ends with the index."""
    tail = f",{options}" if options else ""
    return (f"virtio-net-pci,netdev=n{index},romfile=,"
            f"mac=52:54:00:00:00:{index:02x}{tail}")


class Guest:
    """One virtual machine; use as a context manager."""

    def __init__(self, name, image, initrd, nics, cpus=1, exact=False,
                 memory=512, prefix=(), in_turn=False):
        self.log = apt.cache_dir("logs") / f"{name}.log"
        self._cpus = cpus
        self._exact = exact
        self._in_turn = in_turn
        self._memory = memory
        self._prefix = prefix
        self._image = image
        self._initrd = initrd
        self._nics = nics
        self._requests = 0
        self._buffer = b""
        self._process = None
        self._monitor = None
        self._processor = None
        self._dead = ""

    def _time_arguments(self):
        """How the processors run."""
        if self._exact:
            return ["-accel", "tcg", "-icount", "shift=0,sleep=off",
                    "-rtc", "base=2026-01-01,clock=vm", "-seed", "1",
                    "-cpu", "max,-rdrand,-rdseed"]
        alone = self._in_turn or self._cpus == 1
        thread = "single" if alone else "multi"
        return ["-accel", f"tcg,thread={thread}", "-cpu", "max"]

    def _command(self):
        append = ("console=ttyS0 loglevel=7 panic=-1 net.ifnames=0 "
                  "ipv6.disable=1 mitigations=off nokaslr "
                  "rcupdate.rcu_expedited=1")
        # the kernel's test of its timer is of no use where time stands still;
        # nor is its doubt of the clocks of several emulated processors, which are
        # one: what it takes instead makes them wait for each other
        append += (" norandmaps" if self._exact else
                   " no_timer_check tsc=reliable")
        append += self._image.options
        return [*DIE_WITH_US, *self._prefix,
                "timeout", "--kill-after=5", str(LIFE_S),
                "qemu-system-x86_64", *self._time_arguments(),
                "-M", "q35", "-smp", str(self._cpus),
                "-m", str(self._memory), "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot",
                "-kernel", str(self._image.vmlinuz),
                "-initrd", str(self._initrd), "-append", append,
                "-serial", f"file:{self.log}", "-serial", "stdio",
                *self._monitor.arguments(), *self._nics]

    def _start(self):
        apt.install(PACKAGES)
        self.log.unlink(missing_ok=True)
        self._buffer = b""
        self._dead = ""
        self._monitor = Monitor()
        self._processor = Processor() if self._exact else None
        bound = self._processor.prefix if self._processor else []
        self._process = subprocess.Popen(
            [*bound, *self._command()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=open(self.log.with_suffix(".qemu"), "w"),
            start_new_session=True, pass_fds=[self._monitor.theirs.fileno()])
        self._monitor.started()
        try:
            self._wait(rb"guest-ready\r?\n", BOOT_S)
        except GuestError:
            self.__exit__(None, None, None)
            raise

    def _boot(self):
        """Start it; returns why it must boot again, if so. No fault of ours:
        nothing of ours is in the guest yet."""
        try:
            self._start()
        except GuestError:
            if not stale_int3(self.console()):
                raise
            return INT3
        if NO_TIMER not in self.console():
            return ""
        self.__exit__(None, None, None)
        return BUSY

    def __enter__(self):
        for _ in range(BOOTS):
            why = self._boot()
            if not why:
                return self
            print(f"# {self.log.stem}: {why}: boot again", flush=True)
        raise GuestError(f"{why}, {BOOTS} times")

    def __exit__(self, *_):
        if self._process.poll() is None:
            # its own session: timeout and the emulator below it
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._monitor.close()
        if self._processor:
            self._processor.release()

    def _wait(self, pattern, seconds):
        """Match of pattern in what the guest says; consumes up to its end."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self._buffer, re.S)):
            left = max(0, end - time.monotonic())
            if not select.select([self._process.stdout], [], [], left)[0]:
                self._die(f"no answer in {seconds} s\n"
                          + self._monitor.processors())
            data = os.read(self._process.stdout.fileno(), 65536)
            if not data:
                self._die("the guest is gone")
            self._buffer += data
        self._buffer = self._buffer[match.end():]
        return match

    def _die(self, why):
        """Whatever is asked from now on fails at once."""
        self._dead = why
        raise GuestError(f"{why}\n{self._tail()}")

    def console(self):
        """What the kernel printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _tail(self):
        said = self.log.with_suffix(".qemu").read_text(errors="replace")
        return "\n".join([said, *self.console().splitlines()[-15:]]).strip()

    def ask(self, script, seconds=REQUEST_S):
        """Run a shell script in the guest."""
        if self._dead:
            raise GuestError(self._dead)
        self._requests += 1
        line = base64.b64encode((PRELUDE + script).encode()).decode()
        try:
            self._process.stdin.write(f"{self._requests} {line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            self._die("the guest is gone")
        number = self._requests
        match = self._wait(rb"<%d\n(.*)\n>%d (\d+)\n" % (number, number),
                           seconds)
        return Answer(int(match[2]), match[1].decode(errors="replace").strip())

    def run(self, script, seconds=REQUEST_S):
        """Run a script that must succeed; returns what it printed."""
        answer = self.ask(script, seconds)
        if answer.status:
            raise GuestError(f"{answer.text}\nexit {answer.status}: {script}")
        return answer.text

    def inside(self, netns, script, seconds=REQUEST_S):
        """The same in a network namespace."""
        return self.run(enter(netns, script), seconds)

    def faults(self):
        """Everything that the kernel complained about."""
        found = complaints(self.console())
        tainted = int(self.run("cat /proc/sys/kernel/tainted"))
        if tainted & ~TAINT_ALLOWED:
            found.append(f"kernel is tainted: {tainted}")
        return found


def batch(*commands):
    """A command line for several of ip, which may name variables of the shell;
    under all checkers it takes half a second to start it."""
    return 'echo "{}" | ip -batch -'.format("\n".join(commands))


def enter(netns, script):
    """A command line that runs script in a network namespace.

    Unlike ip netns exec it mounts nothing, which would take most of the time.
    """
    whole = shlex.quote(PRELUDE + script)
    return f"nsenter --net=/run/netns/{netns} /bin/sh -c {whole}"
