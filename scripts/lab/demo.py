# SPDX-License-Identifier: GPL-2.0
"""See it work: a guest with steady traffic, without the module and with it.

The guest counts time in instructions, so the figures do not depend on how
busy this machine is; a second below is a second of the guest.
"""

import dataclasses

from . import image, kernel, ktap, qemu
from .wire import PORT_SINK, Wire

RATE = 10000
# of each phase, for people and for the test
SECONDS, SECONDS_OF_TEST = 3, 2
# for a second of the guest, on a machine where much else runs
PATIENCE_S = 900
VM = "/sys/kernel/vcoal/vms/local"
PHASES = (
    ("stock driver", ""),
    ("class latency", f"insmod /vcoal.ko\necho latency > {VM}/class"),
    ("class balanced", f"echo balanced > {VM}/class"),
    ("class throughput", f"echo throughput > {VM}/class"),
    ("module removed", "rmmod vcoal"),
)
HEAD = (f"{'':18} {'packets/s':>9} {'interrupts/s':>12} "
        f"{'packets/poll':>12} {'hold us':>8} {'added delay us':>14}")


@dataclasses.dataclass
class Second:
    """What one second of traffic did at the receiver."""
    packets: float
    irqs: float
    polls: int
    frames: int
    hold_us: str
    delay_ns: int

    def line(self, name):
        """As it is shown."""
        batch = f"{self.frames / self.polls:.1f}" if self.polls else "-"
        delay = f"{self.delay_ns / self.frames / 1000:.0f}" \
            if self.frames else "-"
        return (f"{name:18} {self.packets:9.0f} {self.irqs:12.0f} "
                f"{batch:>12} {self.hold_us:>8} {delay:>14}")


def _mean(seconds):
    """The seconds of a phase as one; the first is not at rest yet."""
    rest = seconds[1:]
    return Second(sum(s.packets for s in rest) / len(rest),
                  sum(s.irqs for s in rest) / len(rest),
                  sum(s.polls for s in rest), sum(s.frames for s in rest),
                  rest[-1].hold_us, sum(s.delay_ns for s in rest))


def _second(wire):
    """Let one second pass and look at the receiver's counters."""
    end = wire.b
    _, delta = wire.during("sleep 1", PATIENCE_S)
    per_second = 1e6 / delta["us"]
    hold = wire.guest.ask(f"cat {end.nic}/queues/rx-0/usecs")
    return Second(delta[f"{end.dev}.rx_packets"] * per_second,
                  delta[end.irq("input")] * per_second,
                  delta.get(end.queue("rx-0/polls"), 0),
                  delta.get(end.queue("rx-0/packets"), 0),
                  "-" if hold.status else hold.text,
                  delta.get(end.queue("rx-0/added_delay_ns"), 0))


def _traffic(wire):
    """Steady small packets for longer than the demonstration takes."""
    wire.guest.inside(wire.b.netns, f"vtraffic sink {PORT_SINK} -i 60000")
    send = (f"vtraffic send {wire.b.address} {PORT_SINK} -r {RATE} "
            f"-t {3 * SECONDS * len(PHASES)}")
    wire.guest.inside(wire.a.netns, f"{send} > /dev/null 2>&1 &")


def _show(wire, number):
    """All phases, a line a second; returns their means."""
    means = []
    print(HEAD)
    for name, script in PHASES:
        wire.guest.run(script or ":")
        seconds = []
        for _ in range(number):
            seconds.append(_second(wire))
            print(seconds[-1].line(name), flush=True)
        means.append(_mean(seconds))
    return means


def _summary(means):
    print("\nMeans, the first second of each phase left out:\n\n" + HEAD
          + f" {'interrupts':>11}")
    for (name, _), mean in zip(PHASES, means):
        share = mean.irqs / means[0].irqs - 1
        print(f"{mean.line(name)} {share:+11.1%}")
    print(f"\nA packet comes every {1000000 // RATE} us: in a hold of up to 16 "
          "or 64 us (classes latency and\nbalanced) it would wait alone, so "
          "there is none. One of up to 256 us catches company.")


def show(name, seconds=SECONDS):
    """Build, boot, show; returns the means and what the kernel said."""
    print(f"vcoal in a guest with Debian's kernel {name}: one virtio NIC "
          f"receives {RATE} small packets per second.\n"
          "The first run installs and fetches what is missing: some minutes.",
          flush=True)
    module, _ = kernel.build(name)
    boot = kernel.image(name)
    nics = qemu.hub_nics(2, exact=True)
    initrd = image.build(boot, module)
    print(f"# boot {boot.release}", flush=True)
    with qemu.Guest("demo", boot, initrd, nics, exact=True) as guest:
        print(f"# {boot.release} is up; console: {guest.log}\n")
        wire = Wire(guest)
        wire.connect()
        guest.run("sleep 5")
        _traffic(wire)
        means = _show(wire, seconds)
        _summary(means)
        faults = guest.faults()
    print("\n".join(faults))
    return {phase: mean for (phase, _), mean in zip(PHASES, means)}, faults


def run(name):
    """For people; true when the kernel was content."""
    return not show(name)[1]


def test(name):
    """What people are told must be so."""
    report = ktap.Report(1)

    def shown():
        means, faults = show(name, SECONDS_OF_TEST)
        ktap.expect(not faults, "\n".join(faults))
        stock = means["stock driver"].irqs
        held = means["class throughput"].irqs
        after = means["module removed"].irqs
        ktap.expect(held < stock / 2, f"held {held:.0f}, stock {stock:.0f}")
        ktap.expect(after > stock * 0.95, f"after {after:.0f} {stock:.0f}")
    report.case("demo: throughput saves interrupts, removal ends it", shown)
    return not report.failed
