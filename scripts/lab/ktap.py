# SPDX-License-Identifier: GPL-2.0
"""Test results as KTAP, printed as they come, and counted."""

import threading
import time


class Skip(Exception):
    """A case cannot run here; the text says why."""


class Report:
    """One KTAP document: results are printed and added up, by any thread."""

    def __init__(self, plan=None):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self._plan = plan
        self._lock = threading.Lock()
        print("KTAP version 1", flush=True)
        if plan is not None:
            print(f"1..{plan}", flush=True)

    def end(self):
        """The plan, where it was not known before."""
        if self._plan is None:
            print(f"1..{self.count}", flush=True)

    @property
    def count(self):
        """Results so far."""
        return self.passed + self.failed + self.skipped

    def ok(self, name, note=""):
        """A case passed."""
        with self._lock:
            self.passed += 1
            self._line("ok", name, note)

    def skip(self, name, why):
        """A case could not run."""
        with self._lock:
            self.skipped += 1
            self._line("ok", name, f"SKIP {why}")

    def fail(self, name, why):
        """A case failed; why may have many lines."""
        with self._lock:
            self.failed += 1
            for line in str(why).splitlines():
                print(f"# {name}: {line}")
            self._line("not ok", name, "")

    def _line(self, verdict, name, note):
        tail = f" # {note}" if note else ""
        print(f"{verdict} {self.count} {name}{tail}", flush=True)

    def case(self, name, function, *args):
        """Run a case: it passes, and this is true, unless it raises."""
        begin = time.monotonic()
        try:
            function(*args)
        except Skip as why:
            self.skip(name, why)
        except Exception as error:
            self.fail(name, f"{type(error).__name__}: {error}")
        else:
            self.ok(name, f"{time.monotonic() - begin:.1f} s")
            return True
        return False


def expect(condition, text):
    """A relation that must hold; text shows the figures when it does not."""
    if not condition:
        raise AssertionError(text)
