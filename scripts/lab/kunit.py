# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites, in user-mode Linux and simulated time.

Inserting a module built with KUNIT=1 runs every suite in it.  insmod says
nothing about failed tests and a suite may silently not run, so the verdict
comes from the console: results, number of cases, kernel reports, taint,
leaks, and the line that says the end was reached.
"""

import collections
import dataclasses
import os
import re
import shutil
import signal
import subprocess
import tempfile
import textwrap
from pathlib import Path

from . import apt, source

REPO = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
DONE = "vcoal-kunit: done"

# Where the host has more floating-point state than this kernel keeps, a fault takes
# the upper half of vector registers: the C library must copy without (see the patch).
# What the kernel does not know is environment of init.
PLAIN = ("GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,"
         "-AVX_Fast_Unaligned_Load")

# An out-of-tree module that ran tests: bits O and N, and nothing else.
TAINT_EXPECTED = (1 << 12) | (1 << 18)

STAMP = re.compile(r"^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")
RESULT = re.compile(r"( *)(not ok|ok) (\d+)(?: -)? ?([^#]*?)\s*(# SKIP.*)?$")
PLAN = re.compile(r"( *)1\.\.(\d+)$")
REPORT = re.compile(r"BUG:|WARNING:|Oops|Call Trace|KASAN|UBSAN|ODEBUG|"
                    r"possible recursive|possible circular|inconsistent lock|"
                    r"suspicious RCU|unreferenced object|Kernel panic|"
                    r"scheduling while atomic|sleeping function called")

INIT = textwrap.dedent("""\
    #!/bin/sh
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t debugfs debugfs /sys/kernel/debug
    # simulated time stands still until somebody sleeps
    sleep 1
    insmod /vcoal.ko || echo "vcoal-kunit: insmod failed"
    rmmod vcoal || echo "vcoal-kunit: rmmod failed"
    # what is younger than five seconds does not count as a leak
    sleep 6
    echo scan > /sys/kernel/debug/kmemleak
    sleep 6
    echo scan > /sys/kernel/debug/kmemleak
    cat /sys/kernel/debug/kmemleak
    echo "vcoal-kunit: tainted $(cat /proc/sys/kernel/tainted)"
    echo "%s"
    poweroff -f
    """ % DONE)


@dataclasses.dataclass
class Results:
    """What the tests on one console said."""
    ktap: list
    cases: int
    skipped: int
    faults: list


def parse(console):
    """Results of a console log; faults is empty when every test passed.

    Suites stand at the margin, cases one step in, parameters two.  A plan
    is met when as many results follow it at its depth.
    """
    out = Results([], 0, 0, [])
    plans = {}
    failing = False
    for line in console.splitlines():
        text = STAMP.sub("", line)
        if plan := PLAN.match(text):
            _plan_met(plans, len(plan[1]), out.faults)
            plans[len(plan[1])] = int(plan[2])
        elif result := RESULT.match(text):
            _result(result, plans, out)
            failing = False
        elif not failing and not re.match(r" *(KTAP version|# )", text):
            continue
        failing |= text.endswith(" FAILED") or " FAILED at " in text
        out.ktap.append(text)
    for depth in sorted(plans):
        _plan_met(plans, depth, out.faults)
    return out


def _plan_met(plans, depth, faults):
    """A level begins again or is closed: was everything promised seen?"""
    missing = plans.pop(depth, 0)
    if missing:
        faults.append(f"{missing} results are missing at depth {depth // 4}")


def _result(result, plans, out):
    depth = len(result[1])
    _plan_met(plans, depth + 4, out.faults)
    if depth in plans:
        plans[depth] -= 1
    if depth == 4:
        out.cases += 1
        out.skipped += bool(result[5])
    if result[2] != "ok":
        out.faults.append(f"failed: {result[4]}")


def expected(folder):
    """Number of cases that the sources define."""
    return sum(len(re.findall(r"^\s*KUNIT_CASE\w*\(", path.read_text(), re.M))
               for path in folder.glob("*.c"))


def _initrd(temp, module):
    """An initial root for user-mode Linux: busybox, init, the module."""
    apt.install(["cpio"])
    folder = temp / "root"
    deb = apt.fetch(apt.BOOKWORM, ["busybox-static"])["busybox-static"]
    apt.unpack(deb, folder)
    for name in ("proc", "sys", "dev"):
        (folder / name).mkdir()
    for name in "sh mount sleep insmod rmmod cat poweroff".split():
        (folder / "bin" / name).symlink_to("busybox")
    shutil.copy2(module, folder / "vcoal.ko")
    init = folder / "init"
    init.write_text(INIT)
    init.chmod(0o755)
    apt.run(["sh", "-c", "find . | cpio -o -H newc --quiet -F ../initrd"],
            cwd=folder)
    return temp / "initrd"


def _boot(kernel, initrd):
    """Console of one run; a run that hangs is ended."""
    command = [kernel.image, "mem=512M", f"initrd={initrd}",
               "time-travel=inf-cpu", "con=null", "con0=null,fd:1",
               "loglevel=7", "panic=-1", PLAIN]
    with subprocess.Popen([str(arg) for arg in command], text=True,
                          errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as guest:
        try:
            console, _ = guest.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # its own session: the kernel and its helper processes
            os.killpg(guest.pid, signal.SIGKILL)
            console, _ = guest.communicate()
            console += f"\nvcoal-kunit: no end after {TIMEOUT_S} s\n"
    return console


def judge(console, need):
    """Results of a run, with everything the kernel complained about."""
    results = parse(console)
    faults = results.faults
    if results.cases < need:
        faults.append(f"{results.cases} cases ran, {need} are defined")
    lines = [STAMP.sub("", line) for line in console.splitlines()]
    faults += [line for line in lines if REPORT.search(line)]
    faults += [line for line in lines
               if re.match(r"vcoal-kunit: .*(failed|no end)", line)]
    tainted = re.search(r"vcoal-kunit: tainted (\d+)", console)
    if tainted and int(tainted[1]) & ~TAINT_EXPECTED:
        faults.append(f"kernel is tainted: {tainted[1]}")
    if DONE not in lines:
        faults.append("the run did not reach its end")
    return results


def run():
    """Build, boot, judge; True when all is well."""
    kernel = source.build("uml")
    with apt.lock("kunit"), \
            tempfile.TemporaryDirectory(dir=apt.cache_dir("tmp")) as temp:
        module = source.vcoal(kernel, "KUNIT=1")
        console = _boot(kernel, _initrd(Path(temp), module))
    apt.cache_dir("logs").joinpath("kunit.log").write_text(console)
    results = judge(console, expected(REPO / "kunit"))
    print("\n".join(results.ktap))
    for fault, times in collections.Counter(results.faults).items():
        print(f"# kunit: {fault}" + (f" ({times} times)" if times > 1 else ""))
    print(f"# kunit: {results.cases} cases, {results.skipped} skipped, "
          f"{len(results.faults)} faults", flush=True)
    return not results.faults
