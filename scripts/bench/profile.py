# SPDX-License-Identifier: GPL-2.0
"""What the module's own code costs, instruction by instruction.

Differences between two guests are too coarse for a hundred instructions, so a
plugin of the emulator counts them.  It needs to know where the module lies:
the same guest runs twice, without and with the plugin, and must print the same
both times.
"""

import dataclasses
from pathlib import Path

from lab import apt, program

from . import job, machine

PLUGIN = Path(__file__).parent / "plugin"
POLL_RX, POLL_TX = "vnet_poll_rx", "vnet_poll_tx"
INTERRUPT, SEND = "vnet_callback", "vnet_start_xmit"
POLLS = (POLL_RX, POLL_TX)
HOT = (*POLLS, INTERRUPT, SEND)
OURS, DRIVER = "vcoal", "virtio_net"
SYMBOLS = (f"grep -E '\\[({OURS}|{DRIVER})\\]' /proc/kallsyms")
PAGE = 4096


class ProfileError(Exception):
    """The plugin or the guest did not behave."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """How often the kernel entered a function, and the mean cost."""
    count: int
    instructions: float


def _plugin():
    """Path of the emulator's plugin."""
    return program.build("scope", PLUGIN,
                         options=("-shared", "-fPIC", "-fvisibility=hidden"))


def _symbols(text, module):
    """Functions of a module by address."""
    rows = (line.split() for line in text.splitlines())
    return {int(row[0], 16): row[2] for row in rows
            if len(row) == 4 and row[1] in "tT" and row[3] == f"[{module}]"}


def _range(symbols):
    """From the first function to the end of the last one's page."""
    end = (max(symbols) // PAGE + 1) * PAGE
    return f"{min(symbols):x}-{end:x}"


def first_difference(one, other):
    """Where two texts part."""
    pairs = zip(one.splitlines(), other.splitlines())
    return next((f"{line!r}, then {now!r}" for line, now in pairs
                 if line != now), "one goes on where the other ends")


def entries(name, boot, module, peer, load):
    """Entry by function: what the module does while a workload runs."""
    script = job.prepared(peer, 1, SYMBOLS, load.load)
    disk = machine.initrd(name, boot, module, script)
    text = machine.run(name, boot, disk)
    symbols = _symbols(text, OURS)
    counts = apt.cache_dir("logs") / f"{name}.scope"
    # the core enters both kinds of poll by the same function
    polls = "".join(f",as={addr:x}" for addr, function in symbols.items()
                    if function in POLLS)
    options = ["-plugin", f"{_plugin()},ours={_range(symbols)},"
               f"driver={_range(_symbols(text, DRIVER))},out={counts}{polls}"]
    again = machine.run(name, boot, disk, options)
    if again != text:
        raise ProfileError(f"{name}: not the same with and without plugin: "
                           f"{first_difference(text, again)}")
    rows = (line.split() for line in counts.read_text().splitlines())
    return {symbols[int(addr, 16)]: Entry(int(count), int(insns) / int(count))
            for addr, count, insns, _ in rows
            if int(addr, 16) in symbols and int(count)}
