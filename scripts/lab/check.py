# SPDX-License-Identifier: GPL-2.0
"""Every part of the lab in one go, and one line that says how it went.

Each part is a process of its own: one that crashes, hangs or says nothing is
a failure, and the others still run.
"""

import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from . import apt

SCRIPTS = Path(__file__).resolve().parents[1]
VLAB = SCRIPTS / "vlab"
QUIET_S = 60
END_S = 30
# how much of what was said before a failure is said again at the end
WHY_LINES = 20
RESULT = re.compile(r"^( *)(not ok|ok) \d+")
# those that are there
BESIDE = tuple(name for name in ("sim", "fuzz")
               if (SCRIPTS / name / "Makefile").exists())
LABS = tuple(name for name in ("virtio", "xen", "vhost", "kvm")
             if (SCRIPTS / "lab" / f"{name}.py").exists())
# those that judge in make check
CHECKED_LABS = ("virtio", "vhost", "xen")

# name of the part, its command line, and how long it may take in seconds
FAST = (("static", ["static"], 600),
        ("matrix", ["matrix"], 1800),
        ("install", ["install"], 600),
        *((name, [name], 900) for name in BESIDE),
        ("kunit", ["kunit"], 1800))
ALL = (*FAST,
       ("demo", ["demo-test"], 900),
       ("bench", ["bench-quick"], 1800),
       *((name, [name], 3600) for name in CHECKED_LABS),
       ("debug", ["debug"], 3600))


class Tally:
    """Counts the results in a KTAP stream; sums of results do not count.

    Keeps what led to each failure, for a reader who sees the end first.
    """

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []
        self._below = set()
        self._last = collections.deque(maxlen=WHY_LINES)

    def line(self, text):
        """Take one line of output."""
        self._last.append(text)
        match = RESULT.match(text)
        if not match:
            return
        self._result(match)
        self._last.clear()

    def fail(self, text):
        """The part as a whole failed."""
        self._last.append(text)
        self._failure()

    def _failure(self):
        self.failed += 1
        self.failures.append("".join(self._last))

    def _result(self, match):
        depth = len(match[1])
        is_sum = depth + 4 in self._below
        self._below = {d for d in self._below if d <= depth} | {depth}
        if is_sum:
            return
        if match[2] == "ok":
            self.passed += 1
        else:
            self._failure()


class Part:
    """One running part, its output passed on as it comes."""

    def __init__(self, name, arguments, limit):
        self.tally = Tally()
        self._name = name
        self._limit = limit
        self._begin = time.monotonic()
        self._last = self._begin
        self._late = False
        self._process = subprocess.Popen(
            [sys.executable, "-u", str(VLAB), *arguments], text=True,
            errors="replace", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)

    def _seconds(self):
        return time.monotonic() - self._begin

    def _watch(self, over):
        """Say that it still runs; end it when it takes too long."""
        while not over.wait(5):
            if self._seconds() > self._limit:
                self._late = True
                os.killpg(self._process.pid, signal.SIGTERM)
                if not over.wait(END_S):
                    os.killpg(self._process.pid, signal.SIGKILL)
                return
            if time.monotonic() - self._last > QUIET_S:
                self._last = time.monotonic()
                print(f"# {self._name}: still running, "
                      f"{self._seconds():.0f} s", flush=True)

    def run(self):
        """Wait for its end; a failure beside the results is one more."""
        over = threading.Event()
        watch = threading.Thread(target=self._watch, args=[over], daemon=True)
        watch.start()
        for line in self._process.stdout:
            self._last = time.monotonic()
            self.tally.line(line)
            print(line, end="", flush=True)
        status = self._process.wait()
        over.set()
        watch.join()
        self._judge(status)

    def _judge(self, status):
        tally = self.tally
        what = None
        if self._late:
            what = f"ended after {self._limit} s"
        elif status and not tally.failed:
            what = f"exit status {status}"
        elif not tally.passed and not tally.failed:
            what = "no results"
        if what:
            text = f"# {self._name}: FAILED: {what}\n"
            tally.fail(text)
            print(text, end="")
        print(f"# {self._name}: {tally.passed} passed, {tally.failed} failed, "
              f"{self._seconds():.0f} s", flush=True)


@contextlib.contextmanager
def ahead():
    """What later parts need is fetched and built while earlier ones run; a
    part that finds it missing does it itself, and says what went wrong."""
    log = apt.cache_dir("logs") / "deps.log"
    with open(log, "w") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", str(VLAB), "deps"], stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def run(parts):
    """Run the parts in order; True when nothing failed."""
    passed = failed = 0
    failures = []
    for name, arguments, limit in parts:
        print(f"# {name}: begin", flush=True)
        part = Part(name, arguments, limit)
        part.run()
        passed += part.tally.passed
        failed += part.tally.failed
        failures += part.tally.failures
    if failures:
        print("\n# What failed:", *failures, sep="\n")
    print(f"{passed} passed, {failed} failed")
    return passed > 0 and not failed
