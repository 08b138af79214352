# SPDX-License-Identifier: GPL-2.0
"""Many guests, each with one peer and all workloads; what came out of them."""

import concurrent.futures
import hashlib
import os
import re
import sys
import time

from lab import apt, kernel

from . import job, machine, peer, record, workload

SERIES = "6.12"
PHASES = 3
GUESTS = min(2, os.cpu_count())
RATES = range(9000, 20001, 500)


class Study:
    """Runs guests; results by workload and peer."""

    def __init__(self, series=SERIES, phases=PHASES):
        self.phases = phases
        self.boot = kernel.image(series)
        self.module, _ = kernel.build(series, purpose="-bench")
        self.results = {}

    def _guest(self, who, loads, traced):
        name = f"bench-{who.name}"
        script = job.measured(who, loads, self.phases, traced)
        disk = machine.initrd(name, self.boot, self.module, script)
        begin = time.monotonic()
        parts = record.sections(machine.run(name, self.boot, disk))
        print(f"# {who.name}: {time.monotonic() - begin:.0f} s",
              file=sys.stderr, flush=True)
        return {load.name: record.result(parts, load) for load in loads}

    def run(self, peers, loads, traced=True):
        """Measure every peer under every load, two guests at a time."""
        with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
            rows = list(pool.map(lambda who: self._guest(who, loads, traced),
                                 peers))
        for who, row in zip(peers, rows):
            for name, result in row.items():
                self.results.setdefault(name, {})[who.name] = result

    def sustained_rate(self):
        """Highest rate that the stock driver delivers, all of it, in time."""
        loads = [workload.paced(rate) for rate in RATES]
        seen = self._guest(peer.STOCK, loads, traced=False)
        rate = RATES[0]
        for candidate, load in zip(RATES, loads):
            result = seen[load.name]
            if result["lost"] or result["per_second"] < 0.99 * candidate:
                break
            rate = candidate
        return rate

    def inputs(self):
        """What the figures depend on."""
        return {"kernel": self.boot.release, "emulator": _emulator(),
                "module": _sources(), "phases": self.phases}


def _emulator():
    said = apt.run(["qemu-system-x86_64", "--version"])
    return re.search(r"\(Debian (\S+)\)", said)[1]


def _sources():
    """One word for the module's sources."""
    digest = hashlib.sha256()
    for part in ("Kbuild", "include", "module"):
        path = kernel.REPO / part
        for file in sorted(path.rglob("*.[ch]")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
