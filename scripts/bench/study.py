# SPDX-License-Identifier: GPL-2.0
"""Many guests, each with one peer and all workloads; what came out of them."""

import concurrent.futures
import os
import sys
import time

from lab import apt, kernel

from . import job, kept, machine, peer, record, workload

SERIES = "6.12"
PHASES = 3
GUESTS = int(os.environ.get("VCOAL_GUESTS") or min(2, os.cpu_count()))
RATES = range(12000, 21001, 1000)


class Study:
    """Runs guests; results by workload and peer."""

    def __init__(self, series=SERIES, phases=PHASES, keep=False):
        self.phases = phases
        self.boot = kernel.image(series)
        self.module, _ = kernel.build(series, purpose="-bench")
        self.results = {}
        self._keep = keep
        # as they are now: they may change while guests run
        self._sources = {name: kept.digest(kept.sources(name))
                         for name in (None, kept.ALWAYS, *peer.POLICIES)}
        self._compiler = apt.run(["gcc", "--version"]).splitlines()[0]

    def _print(self, who, script):
        """Run a guest; what it printed."""
        name = f"bench-{who.name}"
        begin = time.monotonic()
        disk = machine.initrd(name, self.boot,
                              self.module if who.inserts else None, script)
        text = machine.run(name, self.boot, disk)
        print(f"# {who.name}: {time.monotonic() - begin:.0f} s",
              file=sys.stderr, flush=True)
        return text

    def _key(self, who, script):
        parts = [machine.key(self.boot, script)]
        if who.inserts:
            parts += [self._compiler,
                      self._sources[who.policy or kept.ALWAYS]]
        return " ".join(parts)

    def text(self, who, loads):
        """What a guest prints under these loads, new or kept."""
        script = job.measured(who, loads, self.phases)
        if not self._keep:
            return self._print(who, script)
        return kept.text(self._key(who, script),
                         lambda: self._print(who, script))

    def _guest(self, who, loads):
        parts = record.sections(self.text(who, loads))
        return {load.name: record.result(parts, load) for load in loads}

    def run(self, peers, loads):
        """Measure every peer under every load, several guests at a time."""
        with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
            rows = list(pool.map(lambda who: self._guest(who, loads), peers))
        for who, row in zip(peers, rows):
            for name, result in row.items():
                self.results.setdefault(name, {})[who.name] = result

    def sustained_rate(self):
        """Highest rate that the stock driver delivers, all of it, in time."""
        loads = [workload.paced(rate) for rate in RATES]
        seen = self._guest(peer.STOCK, loads)
        rate = RATES[0]
        for candidate, load in zip(RATES, loads):
            result = seen[load.name]
            if result["lost"] or result["per_second"] < 0.99 * candidate:
                break
            rate = candidate
        return rate

    def inputs(self):
        """What the figures depend on."""
        return {"kernel": self.boot.release, "emulator": machine.emulator(),
                "module": self._sources[None][:12],
                "phases": self.phases}
