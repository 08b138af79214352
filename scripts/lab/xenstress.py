# SPDX-License-Identifier: GPL-2.0
"""What may happen to a domain while the module holds its interrupts.

Traffic runs in both directions all the time. After every case it must still
flow without loss, a round trip must come back, and neither kernel must have
had anything to say.
"""

import textwrap

from . import qemu, xenhost
from .ktap import expect
from .xenlink import PORT_DRAIN, PORT_NOISE

NICS = "/sys/kernel/vcoal/vms/dom*/nics"
HOLD_US = 8000
TRACING = "/sys/kernel/tracing"
TRACED = ("notify_remote_via_irq", "xen_irq_lateeoi", "xev_send", "xev_eoi",
          "xev_reopen", "xnb_rx_deliver", "xen_door_release")

# Hold on every NIC of every domain.
HOLD = textwrap.dedent(f"""\
    for nic in {NICS}/*; do
        echo fixed > $nic/mode
        echo {HOLD_US} > $nic/rx_usecs
        echo {HOLD_US} > $nic/tx_usecs
    done
    """)


class Stress:
    """The cases; they share one host, one domain, and their traffic."""

    def __init__(self, link):
        self.link = link
        self.host = link.host
        self.domain = link.domain
        self._known = 0

    def create(self):
        """A domain comes up, with traffic for as long as it lives."""
        self.domain.create()
        self._noise(self.host, self.domain.address)
        self._noise(self.domain, xenhost.DOM0_ADDRESS)

    def _noise(self, sender, address):
        send = f"vtraffic send {address} {PORT_NOISE} -r 200 -t 2"
        sender.run("touch /run/noise\n"
                   f"while [ -e /run/noise ]; do {send}; usleep 20000; done "
                   "> /dev/null 2>&1 &")

    def settle(self):
        """Traffic flows, and both kernels are content."""
        self.link.ping(3)
        self.link.flows(200, 500)
        seen = self.link.ping(10)
        expect(seen["lost"] == 0, f"afterwards: {seen}")
        faults = self.host.faults() + self.domain.faults()
        fresh, self._known = faults[self._known:], len(faults)
        expect(not fresh, "\n".join(fresh[:40]))

    def load(self):
        """The module is there, and holds."""
        self.host.run("[ -d /sys/module/vcoal ] || insmod /vcoal.ko\n" + HOLD)

    def _holding(self):
        """The module holds what the domain gets and sends."""
        def wait():
            self.host.run("sleep 1")

        self.load()
        _, host, _ = self.link.during(wait)
        for direction in ("rx", "tx"):
            held = sum(change for name, change in host.items()
                       if name.startswith(f"vcoal.{direction}-")
                       and name.endswith("/holds"))
            expect(held, f"{direction}: nothing was held in a second")

    def insert_and_remove(self):
        """Insertion and removal, holds running."""
        self.host.run(f"""
            set -e
            n=0
            while [ $n -lt 50 ]; do
                n=$((n + 1))
                insmod /vcoal.ko
                {HOLD}
                usleep 20000
                rmmod vcoal
            done
            """, 1800)

    def frontend_rebind(self):
        """The frontend leaves and comes again, under the same vif."""
        self._holding()
        for _ in range(2):
            self.domain.run("""
                cd /sys/bus/xen/drivers/vif
                echo vif-0 > unbind
                usleep 300000
                echo vif-0 > bind
                """)
            self.domain.configure()
            self._holding()

    def backend_down_and_up(self):
        """dom0 takes the vif down and up."""
        self._holding()
        vif = self.domain.vif
        for _ in range(5):
            self.host.run(f"ip link set {vif} down\nusleep 100000\n"
                          f"ip link set {vif} up")
        self._holding()

    def tracing_beside_us(self):
        """Somebody traces what is redirected, and who calls it."""
        self._holding()
        self.host.run(f"""
            set -e
            mount -t tracefs none {TRACING} 2> /dev/null || :
            cd {TRACING}
            # some may be part of others
            for function in {" ".join(TRACED)}; do
                echo $function >> set_ftrace_filter || :
            done 2> /dev/null
            grep -q xev_send set_ftrace_filter
            grep -qw function available_tracers
            for tracer in $(grep -ow "function\\|function_graph" \\
                            available_tracers); do
                echo $tracer > current_tracer
                sleep 2
                grep -q xev_send trace
            done
            echo nop > current_tracer
            echo > set_ftrace_filter
            """, 120)
        self._holding()

    def pause(self):
        """The domain stands still for a moment."""
        self._holding()
        for _ in range(3):
            self.host.run(f"xl pause {self.domain.name}\nsleep 1\n"
                          f"xl unpause {self.domain.name}\nusleep 300000")
        self._holding()

    def detach_and_attach(self):
        """The NIC leaves the domain and another one comes."""
        self._holding()
        name = self.domain.name
        for _ in range(2):
            self.host.run(f"xl network-detach {name} 0")
            # the frontend is not waited for; one that still leaves is deaf
            self.domain.run("while [ -e /sys/class/net/eth0 ]; do "
                            "usleep 50000; done")
            self.host.run(f"xl network-attach {name} mac={self.domain.mac} "
                          f"{xenhost.VIFS.replace(',', ' ')}")
            self.domain.configure()
            self._holding()

    def checkpoint(self):
        """The domain is saved, and goes on."""
        self._holding()
        self.host.run(f"xl save -c {self.domain.name} /run/saved\n"
                      "rm /run/saved", 300)
        self.domain.configure()
        self._holding()

    def save_and_restore(self):
        """The domain is saved and comes back as another one."""
        self._holding()
        before = self.domain.domid
        self.host.run(f"""
            set -e
            xl save {self.domain.name} /run/saved
            xl restore /run/saved
            rm /run/saved
            """, 300)
        expect(self.domain.domid != before, "the domain is the same")
        gone = self.host.ask(f"ls /sys/kernel/vcoal/vms/dom{before}")
        expect(gone.status, f"dom{before} is still there")
        self.domain.configure()
        self._holding()

    def destroy(self):
        """The domain ends at once, and a new one comes."""
        self._holding()
        self.domain.destroy()
        self._renew()

    def guest_panic(self):
        """The domain's kernel dies."""
        self._holding()
        self.domain.dying("sleep 1\necho c > /proc/sysrq-trigger")
        self._renew()

    def removal_while_destroyed(self):
        """The module and the domain leave at the same time."""
        self._holding()
        self.host.run(f"xl destroy {self.domain.name} &\nrmmod vcoal\nwait")
        self._renew()

    def removal_while_held(self):
        """The module goes while everything is held: as long as it can be, or as
        long as completions of large packets wait, which are under way then."""
        self.domain.run(f"""
            rm -f /run/over
            touch /run/tcp
            (while [ -e /run/tcp ]; do
                vtraffic stream {xenhost.DOM0_ADDRESS} {PORT_DRAIN} \
                    -n 50 -s 65536
                usleep 20000
            done
            touch /run/over) > /dev/null 2>&1 &
            """)
        for hold in (10000, 1000) * 5:
            self.host.run(f"""
                set -e
                insmod /vcoal.ko
                {HOLD.replace(str(HOLD_US), str(hold))}
                usleep 50000
                rmmod vcoal
                """, 300)
        self.domain.run("""
            rm /run/tcp
            n=0
            until [ -e /run/over ]; do
                n=$((n + 1))
                [ $n -lt 100 ] || exit 1
                usleep 100000
            done
            """)

    def _wait_until_gone(self):
        self.host.run("""
            n=0
            while ls -d /sys/class/net/vif* > /dev/null 2>&1; do
                n=$((n + 1))
                [ $n -lt 200 ] || exit 1
                usleep 100000
            done
            """)

    def _renew(self):
        self._wait_until_gone()
        self._known = 0
        self.domain.create()
        self._noise(self.domain, xenhost.DOM0_ADDRESS)

    def remove(self):
        """The module leaves for good."""
        self.host.run("if [ -d /sys/module/vcoal ]; then rmmod vcoal; fi\n"
                      "rm /run/noise")

    def end(self):
        """The domain ends."""
        self.domain.destroy()
        self._wait_until_gone()

    def cases(self):
        """In the order in which they run."""
        return (self.create, self.insert_and_remove, self.removal_while_held,
                self.frontend_rebind, self.backend_down_and_up,
                self.tracing_beside_us, self.pause,
                self.detach_and_attach, self.checkpoint,
                self.save_and_restore, self.destroy, self.guest_panic,
                self.removal_while_destroyed, self.remove)


class Many:
    """Several domains on one host."""

    def __init__(self, links):
        self.links = links
        self.host = links[0].host

    def alive(self):
        """Domains that were not ended."""
        return [link.domain for link in self.links]

    def create(self):
        """They come up one after the other, the module is there already."""
        self.host.run("insmod /vcoal.ko")
        for link in self.links:
            link.domain.create()
        self.host.run("sleep 2\n" + HOLD)

    def each_has_its_own(self):
        """What a domain gets and sends is counted there and nowhere else."""
        # the bridge sends to all what is for one that it never heard of
        for link in self.links:
            link.flows(2, 50)
        before = self._packets()
        for link in self.links:
            link.flows(100, 500)
        seen = [now - then for now, then in zip(self._packets(), before)]
        expect(all(200 <= packets < 210 for packets in seen),
               f"packets of each domain: {seen}, not 200")

    def _packets(self):
        return [int(self.host.run("cat /sys/kernel/vcoal/vms/"
                                  f"dom{link.domain.domid}/stats/packets"))
                for link in self.links]

    def classes(self):
        """Domains differ in what they were promised."""
        vms = "/sys/kernel/vcoal/vms"
        names = ("latency", "balanced", "throughput", "none")
        bounds = []
        for link, name in zip(self.links, names):
            vm = f"{vms}/dom{link.domain.domid}"
            bounds.append(int(self.host.run(
                f"echo {name} > {vm}/class\ncat {vm}/max_delay_us")))
        expect(bounds == sorted(set(bounds)), f"bounds {bounds}")

    def one_leaves(self):
        """A domain's end is none of the others' business."""
        link = self.links.pop()
        gone = f"/sys/kernel/vcoal/vms/dom{link.domain.domid}"
        link.domain.destroy()
        self.host.run("sleep 1")
        expect(self.host.ask(f"ls {gone}").status, f"{gone} is still there")
        for other in self.links:
            other.flows(100, 500)

    def remove(self):
        """The module leaves; the others do not notice."""
        self.host.run("rmmod vcoal")
        for link in self.links:
            link.flows(100, 500)

    def cases(self):
        """In the order in which they run."""
        return (self.create, self.each_has_its_own, self.classes,
                self.one_leaves, self.remove)
