# SPDX-License-Identifier: GPL-2.0
"""What may happen to a KVM host's guests while their interrupts are held."""

import math
import statistics
import textwrap

from .keep import Keep
from .ktap import expect
from .kvmhost import ROOT, Vm
from .kvmlink import PORT_DRAIN, PORT_NOISE, Link, exact
from .wire import values

HOLD_US = 10000
# packets per second: often enough to be held, and no burden
NOISE = 150
KILLS, MIGRATIONS, INSERTIONS = 3, 2, 50
INSERT = "insmod /vcoal.ko policy=observe"
# a budget for one that makes noise, interrupts per second
BUDGET = 200
# packets per second of that noise
LOUD = 500
# turns with and without, and round trips in each
ROUNDS, TRIPS = 7, 300
GONE_S = 30

# Hold on every NIC of every guest; whoever is not there (yet) does not count.
HOLD = textwrap.dedent(f"""\
    for nic in {ROOT}/vms/pid*/nics/*; do
        [ -d $nic/queues/tx-0 ] || continue
        echo {HOLD_US} > $nic/rx_usecs
        echo {HOLD_US} > $nic/tx_usecs
        echo fixed > $nic/mode
    done
    """)


def noise(sender, address, rate=NOISE):
    """Packets without an end, but for that of /run/noise."""
    send = f"vtraffic send {address} {PORT_NOISE} -r {rate} -t 2"
    sender.run("touch /run/noise\n"
               f"(while [ -e /run/noise ]; do {send}; usleep 20000; done) "
               "> /dev/null 2>&1 &")


def silence(*senders):
    """The end of it."""
    for sender in senders:
        sender.run("rm -f /run/noise\nwhile pidof vtraffic > /dev/null && "
                   "ps | grep -q '[v]traffic send'; do usleep 50000; done")


class Many:
    """Several guests at once, and what one of them does to another."""

    def __init__(self, host, _):
        self.host = host
        self._vms = [Vm(host, number) for number in range(1, 5)]

    def guests(self):
        """Those that should be content in the end."""
        return [vm for vm in self._vms if vm.name]

    def _create(self, vms):
        for vm in vms:
            vm.create()
            Link(vm).appear()
        there = int(self.host.run(f"ls {ROOT}/vms | grep -c pid"))
        expect(there == vms[-1].number, f"{there} VMs")

    def create_two(self):
        """Two guests come up; each is a VM of its own."""
        self.host.run(INSERT)
        self._create(self._vms[:2])

    def create_four(self):
        """And two more."""
        self._create(self._vms[2:])

    def _pair(self, left, right):
        """What goes from guest to guest, both ways."""
        there, back = Link(left, right), Link(right, left)
        for link in (there, back):
            exact(link.down(300, "-r 500"))
            link.ping(100)
        there.streams(30, 65536)

    def two_guests(self):
        """Guest to guest, observed and held: nothing is lost."""
        pair = self._vms[:2]
        self._pair(*pair)
        self.host.run(HOLD)
        for vm, other in (pair, pair[::-1]):
            seen = exact(Link(vm, other).down(300, "-r 500"))
            irqs, _ = seen.irqs("rx")
            expect(irqs <= 150, f"{irqs} interrupts: {seen}")
        self._pair(*pair)

    def four_guests(self):
        """Two pairs at once, all of them held."""
        self.host.run(HOLD)
        first, second, third, fourth = self._vms
        noise(third, fourth.address)
        noise(fourth, third.address)
        for left, right in ((first, second), (second, third)):
            there = Link(left, right)
            there.down(300, "-r 500")
            there.ping(50)
        silence(third, fourth)

    def noisy_guest_has_a_budget(self):
        """Its interrupts stay within irq_rate_max, and nobody else's change."""
        noisy, quiet = Link(self._vms[0]), Link(self._vms[1])
        quiet.decide("observe")
        # its holds are as short as the budget allows
        noisy.decide("rate")
        noise(self.host, noisy.vm.address, LOUD)
        self._budget(BUDGET)
        trips = {}

        def both():
            trips["quiet"] = quiet.pings(300)
            return ""
        seen = noisy.during(both)
        rate = seen.our("rx", "irqs") * 1e6 / seen.elapsed_us
        expect(rate <= 1.1 * BUDGET, f"{rate:.0f} interrupts per second")
        ours, theirs = trips["quiet"].irqs("rx")
        expect(ours == theirs >= 290, f"{trips}")
        expect(trips["quiet"].our("rx", "holds") == 0, f"{trips}")

    def _budget(self, rate):
        """Of the first guest; it makes no hold longer than the VM allows."""
        self.host.run(f"cd {self._vms[0].root}\necho 10000 > max_delay_us\n"
                      f"echo {rate} > irq_rate_max\nsleep 0.5")

    def budget_spares_the_neighbour(self):
        """It makes round trips of the quiet one no slower than without."""
        quiet = Link(self._vms[1])
        times = {BUDGET: [], 0: []}
        for rate in (*times,) * ROUNDS:
            self._budget(rate)
            said = values(quiet.ping(TRIPS).replace(" ", "\n"))
            times[rate].append((said["p50_us"], said["p99_us"]))
        silence(self.host)
        for index, name in enumerate(("p50", "p99")):
            kept, free = (statistics.median(pair[index] for pair in pairs)
                          for pairs in times.values())
            print(f"# {name} of the quiet guest: {kept:.0f} us, "
                  f"{free:.0f} us without the budget", flush=True)
            expect(kept <= 1.1 * free, f"{name}: {times}")

    def ends(self):
        """One guest after the other goes; the others do not notice."""
        for vm in self._vms[:2]:
            vm.end()
        del self._vms[:2]
        Link(*self._vms).down(200, "-r 500")
        gone(self.host, 2)

    def cases(self):
        """In the order in which they must run."""
        return (self.create_two, self.two_guests,
                self.noisy_guest_has_a_budget,
                self.budget_spares_the_neighbour, self.create_four,
                self.four_guests, self.ends)


def gone(host, left=0):
    """The module knows so many guests and no more, soon."""
    host.run(f"n=0\nuntil [ $(ls {ROOT}/vms | grep -c pid) = {left} ]; do\n"
             f"n=$((n + 1)); [ $n -lt {GONE_S * 10} ] || exit 1\n"
             "usleep 100000; done")


class Settings(Keep):
    """They are those of a guest, not of its VMM."""

    def __init__(self, vm):
        super().__init__(vm.host)
        self._vm = vm

    def vm(self):
        return self._vm.root

    def nic(self):
        return self._vm.nic


class Stress:
    """The VMM is killed, and the guest migrates."""

    def __init__(self, host, share):
        self.host = host
        self._kills = math.ceil(KILLS * share)
        self._migrations = math.ceil(MIGRATIONS * share)
        self.vm = Vm(host, 1)
        self.link = Link(self.vm)

    def guests(self):
        """Those that should be content in the end."""
        return [self.vm] if self.vm.name else []

    def _held(self, direction):
        """Until interrupts of a direction are being held."""
        file = f"{self.vm.nic}/queues/{direction}-0/holds"
        return (f"until [ $(cat {file}) -gt 5 ]; do usleep 50000; done\n")

    def killed_with_a_hold(self):
        """kill -9 of the VMM under traffic, an interrupt kept for its guest."""
        self.host.run(INSERT)
        for _ in range(self._kills):
            self.vm.create()
            noise(self.host, self.vm.address)
            noise(self.vm, self.link.address)
            self.link.appear()
            self.host.run(HOLD + self._held("rx") + self._held("tx"))
            self.vm.end("KILL")
            gone(self.host)
            silence(self.host)

    def create(self):
        """A guest again, as if nothing had been."""
        self.vm.create()
        self.link.appear()
        self.link.hold(HOLD_US)
        exact(self.link.down(200, "-r 500"))

    def _incoming(self):
        """A VMM that waits for the guest."""
        name, pid = self.vm.launch("-incoming unix:/run/migration")
        self.host.run("n=0\nuntil [ -S /run/migration ]; do\n"
                      "n=$((n + 1)); [ $n -lt 600 ] || exit 1\n"
                      "usleep 100000; done")
        return name, pid

    def _migrate(self):
        """Move the guest to another VMM, whoever talks to it."""
        name, pid = self._incoming()
        self.vm.monitor("migrate_set_parameter max-bandwidth 1000M", 0.2)
        # a busy machine must not make it go on for ever
        self.vm.monitor("migrate_set_parameter downtime-limit 10000", 0.2)
        self.vm.monitor("migrate -d unix:/run/migration", 0.2)
        for _ in range(200):
            state = self.vm.monitor("info migrate", 0.5)
            if "Migration status: completed" in state:
                break
        expect("Migration status: completed" in state, state)
        old = self.vm.pid
        self.vm.adopt(name, pid)
        self.host.run(f"kill {old}; rm -f /run/migration; "
                      f"while kill -0 {old} 2> /dev/null; do usleep 20000; "
                      "done")

    def _stream_around(self, function):
        """TCP both ways while something happens; all bytes must come."""
        size = 16384
        stream = f"-t 8 -s {size}"
        self.host.run(f"(vtraffic stream {self.vm.address} {PORT_DRAIN} "
                      f"{stream}; echo status=$?) > /run/down 2>&1 &")
        self.vm.run(f"(vtraffic stream {self.link.address} {PORT_DRAIN} "
                    f"{stream}; echo status=$?) > /run/up 2>&1 &")
        function()
        for machine, file in ((self.host, "/run/down"), (self.vm, "/run/up")):
            text = machine.run(f"until grep status {file}; do usleep 100000; "
                               f"done; cat {file}")
            said = values(text.replace(" ", "\n"))
            expect(said["status"] == 0 and
                   said["bytes"] == said["messages"] * size, text)

    def migration(self):
        """To another VMM and on to a third, streams and holds under way."""
        for _ in range(self._migrations):
            self._stream_around(self._migrate)
            self.link.appear()
            gone(self.host, 1)
            self.link.hold(HOLD_US)
            exact(self.link.down(200, "-r 500"))
            exact(self.link.up(200, "-r 500"))
            self.link.flood(50)

    def settings_follow(self):
        """What is kept for a guest comes with it, and to its next VMM."""
        self.host.run("rmmod vcoal")
        settings = Settings(self.vm)
        settings.listen()
        self.link.appear()
        settings.named(self.vm.name)
        settings.set_and_keep(self.vm.name)
        self._migrate()
        self.link.appear()
        settings.expect_all()
        self.vm.end("KILL")
        gone(self.host)
        self.vm.create()
        self.link.appear()
        settings.expect_all()
        settings.refusals()

    def cases(self):
        """In the order in which they must run."""
        return (self.killed_with_a_hold, self.create, self.migration,
                self.settings_follow)


class Patch:
    """The module comes and goes under traffic."""

    def __init__(self, host, share):
        self.host = host
        self._insertions = math.ceil(INSERTIONS * share)
        self.vm = Vm(host, 1)
        self.link = Link(self.vm)

    def guests(self):
        """Those that should be content in the end."""
        return [self.vm]

    def create(self):
        """A guest comes up."""
        self.vm.create()
        self.link.ping(10)

    def insert_and_remove(self):
        """Inserted and removed, holds under way; nothing is lost."""
        self.vm.run("vtraffic sink 7001 -i 60000 -o /run/sink")
        self.host.run(f"(vtraffic send {self.vm.address} 7001 -r 200 -t 1000 "
                      "> /run/sent; sleep 1) > /dev/null 2>&1 &")
        noise(self.vm, self.link.address)
        said = self.host.run(textwrap.dedent(f"""\
            holds=0
            for i in $(seq {self._insertions}); do
                {INSERT} || exit 1
                n=0
                until [ -d {self.vm.nic}/queues/tx-0 ]; do
                    n=$((n + 1))
                    [ $n -lt 500 ] || exit 2
                    usleep 10000
                done
            """) + textwrap.indent(HOLD, "    ") + textwrap.dedent(f"""\
                usleep $((i * 7919 % 60000))
                holds=$((holds + $(cat {self.vm.nic}/queues/rx-0/holds)))
                rmmod vcoal || exit 3
            done
            echo $holds
            """), 600)
        print(f"# {said} holds in {self._insertions} insertions", flush=True)
        expect(int(said) >= self._insertions, f"{said} holds")
        silence(self.vm)
        self.link.flood(100)

    def cases(self):
        """In the order in which they must run."""
        return (self.create, self.insert_and_remove)
