# SPDX-License-Identifier: GPL-2.0
"""A processor of its own for a guest of one thread.

The emulator counts a guest's instructions in one thread and serves its timers in
another, and they take turns, some hundred thousand times a second of the guest.
On one processor each is at once where the other was; on two it must be woken up
first: a quarter of the time of a guest with traffic.
"""

import fcntl
import os

from . import apt


class Processor:
    """One that nobody else has, or none when all are taken."""

    def __init__(self):
        self.prefix = []
        self._lock = None
        for number in sorted(os.sched_getaffinity(0)):
            lock = open(apt.cache_dir("locks") / f"processor-{number}", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                self.prefix = ["taskset", "-c", str(number)]
                self._lock = lock
                break

    def release(self):
        """Others may have it."""
        if self._lock:
            self._lock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()
