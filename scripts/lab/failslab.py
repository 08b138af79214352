# SPDX-License-Identifier: GPL-2.0
"""Every allocation of attach fails once, on a kernel with every checker on.

A sweep runs one system call again and again, failing its first allocation,
then its second, and so on, until the call makes no more of them.  Each time it
must end in a clean error or in success; at the end nothing may have leaked and
the kernel may not have complained.
"""

import dataclasses
import re
import textwrap
from functools import partial

from . import apt, image, ktap, program, qemu

SWEEP_S = 900

# The failures that are asked for are not news, and sleeping allocations,
# which are nearly all of ours, shall fail, too.
SETUP = textwrap.dedent("""\
    cd /sys/kernel/debug/failslab
    echo 0 > verbose
    echo N > ignore-gfp-wait
    cd /sys/kernel/debug/fail_page_alloc
    echo 0 > verbose
    echo N > ignore-gfp-wait
    echo 0 > min-order
    cat /sys/kernel/debug/kmemleak > /dev/null
    echo clear > /sys/kernel/debug/kmemleak
    """)

# Only allocations made below a module count: the loader's own, and what it
# does for tracing, are not ours to test. Where a module will be is not known
# before, but all of them are between these.
ANY_MODULE = "first=0xffffffffa0000000 last=0xffffffffff000000"

# The driver's own allocations are not ours either.
ONLY_VCOAL = textwrap.dedent("""\
    first=$(cat /sys/module/vcoal/sections/.text)
    last=$(grep -i ' t .*\\[vcoal\\]' /proc/kallsyms | sort | tail -n 1)
    last=$(printf '0x%x' $((0x${last%% *} + 4096)))
    """)

FILTER = textwrap.dedent("""\
    for fault in failslab fail_page_alloc; do
        echo $first > /sys/kernel/debug/$fault/require-start
        echo $last > /sys/kernel/debug/$fault/require-end
    done
    """)

LEAKS = textwrap.dedent("""\
    sleep 6
    echo scan > /sys/kernel/debug/kmemleak
    sleep 1
    echo scan > /sys/kernel/debug/kmemleak
    cat /sys/kernel/debug/kmemleak
    """)


def failnth():
    """Path of the helper that fails allocations of one system call."""
    return program.build("failnth", image.GUEST, "failnth.c")


def _initrd(boot, module):
    """The guests' usual one with failnth behind it: archives may follow."""
    path = image.build(boot, module)
    extra = apt.cache_dir("initrd") / "failnth.cpio"
    archive = image.Archive()
    archive.copy("bin/failnth", failnth())
    archive.write(extra)
    both = path.with_suffix(".failnth")
    both.write_bytes(path.read_bytes() + extra.read_bytes())
    return both


def _sweep(guest, call):
    """Fail each allocation of a call, once."""
    count, error = guest.run(f"/bin/failnth {call}", SWEEP_S).split()
    ktap.expect(error == "0", f"without a failure the call failed: {error}")
    ktap.expect(int(count), "no allocation was seen")
    print(f"# failslab: {call}: {count} allocations", flush=True)


def insert(guest):
    """Insertion, with a running NIC to attach to."""
    guest.run("ip link set eth0 up")
    guest.run(f"{ANY_MODULE}\n{FILTER}")
    _sweep(guest, "insmod /vcoal.ko vcoal")
    guest.run("rmmod vcoal")


def link_up(guest):
    """The NIC comes up under the inserted module."""
    guest.run("insmod /vcoal.ko")
    guest.run(f"{ONLY_VCOAL}\n{FILTER}")
    _sweep(guest, "up eth0")


def mode_write(guest):
    """The operator hooks the NIC again."""
    _sweep(guest, "write /sys/kernel/vcoal/vms/local/nics/eth0/mode auto off")


def remove(guest):
    """The module leaves, and the NIC still works."""
    guest.run("rmmod vcoal")
    guest.run("ip link set eth0 down; ip link set eth0 up")


def leaks(guest):
    """Nothing that was allocated is lost."""
    found = guest.run(LEAKS)
    ktap.expect(not found, "\n".join(found.splitlines()[:40]))


def quiet(guest):
    """The kernel had nothing to say."""
    # the same complaint comes with every N: without time and process, once
    found = {re.sub(r"\[ *[\d.]+\] |PID: \d+ ", "", line)
             for line in guest.faults()}
    ktap.expect(not found, "\n".join(sorted(found)))


# each in a guest of its own
PARTS = {"module": (insert, leaks, quiet),
         "attach": (link_up, mode_write, remove, leaks, quiet)}


def _run(report, boot, initrd, part):
    name = f"failslab-{part}"
    try:
        with qemu.Guest(name, boot, initrd, qemu.hub_nics(1)) as guest:
            guest.run(SETUP)
            for case in PARTS[part]:
                report.case(f"{name}: {case.__name__}", case, guest)
    except (qemu.GuestError, OSError) as error:
        report.fail(name, error)


def under_checkers(report, boot, module):
    """What takes one processor, and what takes all: see debug.py."""
    initrd = _initrd(boot, module)
    boot = dataclasses.replace(boot, options="")
    return [partial(_run, report, boot, initrd, part) for part in PARTS], []
