# SPDX-License-Identifier: GPL-2.0
"""Two tap devices with several queues and a bridge between them.

They are in a network namespace without a name, which the emulator starts in:
nothing of this machine's network is touched, and all is gone when it ends.
"""

import textwrap

from . import apt, ktap, qemu

SETUP = textwrap.dedent("""\
    set -e
    ip link add bridge type bridge forward_delay 0 mcast_snooping 0
    ip link set bridge up
    for tap in tap0 tap1; do
        ip tuntap add dev $tap mode tap multi_queue vnet_hdr
        ip link set $tap master bridge up
    done
    exec "$@"
    """)
PREFIX = ("unshare", "--net", "sh", "-c", SETUP, "sh")


def require():
    """Skip where this machine cannot have them."""
    apt.install(["iproute2"])
    try:
        apt.run([*PREFIX, "true"])
    except apt.AptError as error:
        why = str(error).splitlines()[-1]
        raise ktap.Skip(f"no tap devices: {why}") from error


def nics(queues):
    """QEMU's arguments for a NIC on each tap."""
    args = []
    for i in (0, 1):
        args += ["-netdev", f"tap,id=n{i},ifname=tap{i},script=no,"
                 f"downscript=no,vhost=off,queues={queues}",
                 "-device", qemu.nic_device(
                     i, f"mq=on,vectors={2 * queues + 2}")]
    return args
