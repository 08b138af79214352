# SPDX-License-Identifier: GPL-2.0
"""Who takes part: every way to set a guest's interrupts that is compared."""

import dataclasses

INSERT = "insmod /vcoal.ko"
# delay bounds of the latency classes, microseconds
CLASSES = {"latency": 16, "balanced": 64, "throughput": 256, "none": 1000}
HOLDS_US = (16, 32, 64, 128, 256, 512, 1000)
DEFERRALS = ((20, 1), (64, 1), (200, 10))
POLICIES = ("rate", "dim", "aic", "adaptive")


@dataclasses.dataclass(frozen=True)
class Peer:
    """One participant: its name, and the shell commands that set it up.

    hold_us is set for fixed holds, and 0 for the stock driver: these are what
    the oracle picks from.  bound_us is the class bound a policy has to obey,
    policy is the one that decides.  longest_us is what a frame may wait for.
    """
    name: str
    setup: str = ""
    hold_us: int = None
    bound_us: int = None
    policy: str = None
    longest_us: int = 0

    @property
    def inserts(self):
        """Does the module take part?"""
        return self.setup.startswith(INSERT)


def fixed(usecs):
    """Both directions of both NICs hold this long."""
    return Peer(f"fixed-{usecs}",
                f"{INSERT}\nnics mode fixed rx_usecs {usecs} tx_usecs {usecs}",
                hold_us=usecs, longest_us=usecs)


def policy(name, klass):
    """A policy within the bound of a latency class."""
    vm = "/sys/kernel/vcoal/vms/local"
    return Peer(f"{name}-{klass}",
                f"{INSERT}\necho {klass} > {vm}/class\n"
                f"echo {name} > {vm}/policy\nnics mode auto",
                bound_us=CLASSES[klass], policy=name,
                longest_us=CLASSES[klass])


def defer(usecs, count):
    """The network core's own deferral."""
    return Peer(f"defer-{usecs}-{count}", f"defer {usecs}000 {count}",
                longest_us=usecs)


STOCK = Peer("stock", hold_us=0)
OFF = Peer("off", f"{INSERT}\nnics mode off")
OBSERVE = Peer("observe", f"{INSERT}\nnics mode observe")
BASE = (STOCK, OFF, OBSERVE)
FIXED = tuple(fixed(usecs) for usecs in HOLDS_US)
DEFER = tuple(defer(*values) for values in DEFERRALS)
ADAPTIVE = tuple(policy("adaptive", klass) for klass in CLASSES)
# the bounds between which they differ from each other and from fixed holds
OTHERS = tuple(policy(name, klass) for klass in ("balanced", "throughput")
               for name in POLICIES[:-1])
EVERYBODY = (*BASE, *FIXED, *ADAPTIVE, *DEFER, *OTHERS)
