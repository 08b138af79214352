# SPDX-License-Identifier: GPL-2.0
"""Two tap devices with several queues, bridged in a namespace of their own.

Nothing of this machine's network is touched, and all is gone with the
namespace.
"""

import os
from pathlib import Path

from . import apt, ktap, qemu


class Bridge:
    """Use as a context manager; Skip where this machine cannot."""

    def __init__(self, queues):
        self._queues = queues
        self._netns = f"vcoal-{os.getpid()}"
        self.prefix = ("ip", "netns", "exec", self._netns)

    def __enter__(self):
        apt.install(["iproute2"])
        if os.geteuid() or not Path("/dev/net/tun").exists():
            raise ktap.Skip("no tap devices to be had here")
        try:
            apt.run(["ip", "netns", "add", self._netns])
            self._connect()
        except apt.AptError as error:
            self.__exit__()
            raise ktap.Skip(str(error).splitlines()[-1]) from error
        return self

    def _connect(self):
        self._ip("link", "add", "bridge", "type", "bridge",
                 "forward_delay", "0", "mcast_snooping", "0")
        self._ip("link", "set", "bridge", "up")
        for name in ("tap0", "tap1"):
            self._ip("tuntap", "add", "dev", name, "mode", "tap",
                     "multi_queue", "vnet_hdr")
            self._ip("link", "set", name, "master", "bridge", "up")

    def _ip(self, *args):
        apt.run([*self.prefix, "ip", *args])

    def __exit__(self, *_):
        os.system(f"ip netns del {self._netns} 2> /dev/null")

    def nics(self):
        """QEMU's arguments for a NIC on each tap."""
        args = []
        for i in (0, 1):
            args += ["-netdev", f"tap,id=n{i},ifname=tap{i},script=no,"
                     f"downscript=no,vhost=off,queues={self._queues}",
                     "-device", qemu.nic_device(
                         i, f"mq=on,vectors={2 * self._queues + 2}")]
        return args
