# SPDX-License-Identifier: GPL-2.0
"""A KVM host under QEMU: a real VMM with vhost-net, and guests in it.

The emulated processor has SVM, so the host (L1) is a Debian kernel with KVM,
and Debian's QEMU runs there once more, from the initial RAM file system.  A
guest (L2) is talked to over a virtio console, through the host, so that it
stays within reach whatever becomes of its network, and counts as no packet.
"""

import re
import shlex
import textwrap
from pathlib import Path

from . import apt, emulator, image, qemu, vmlinux
from .wire import values

PROGRAM = "/usr/bin/qemu-system-x86_64"
FIRMWARE = {"kvmvapic.bin": "/usr/share/qemu", "linuxboot_dma.bin":
            "/usr/share/qemu", "pvh.bin": "/usr/share/qemu",
            "bios-256k.bin": "/usr/share/seabios"}
HOST_MODULES = ("kvm_amd", "vhost_net", "tun", "bridge")
GUEST_MODULES = ("virtio_pci", "virtio_net", "virtio_console")
HOST_MB, GUEST_MB = 1024, 160
BRIDGE_ADDRESS, BRIDGE_MAC = "10.80.0.1", "52:54:00:80:00:fe"
KERNEL = ("panic=-1 nokaslr net.ifnames=0 ipv6.disable=1 mitigations=off "
          "tsc=reliable no_timer_check rcupdate.rcu_expedited=1")
ROOT = "/sys/kernel/vcoal"
TRACING = "/sys/kernel/tracing"
# a guest takes 10 s of a processor, of which a busy machine has little
BOOT_S = 600
REQUEST_S = 400
# who has not answered for so long is looked at, and may go on
LOOK_S, NO_ANSWER = 60, 124
LOOK = re.compile(r"RIP=|^(ISR|IRR)")

# at both ends
SERVE = """\
vtraffic echo 7002
vtraffic drain 7003
vtraffic sink 7010 -i 36000000
echo 0 0 > /proc/sys/net/ipv4/ping_group_range
"""
START = f"""
set -e
/bin/ip link add br0 address {BRIDGE_MAC} type bridge forward_delay 0 \
    mcast_snooping 0
/bin/ip addr add {BRIDGE_ADDRESS}/24 dev br0
/bin/ip link set br0 up
{SERVE}"""
WATCH = f"""
set -e
mount -t tracefs none {TRACING} 2> /dev/null || :
echo 'hist:keys=data' > {TRACING}/events/kvm/kvm_msi_set_irq/trigger
echo 'hist:keys=vector if reinjected == 0' \
    > {TRACING}/events/kvm/kvm_inj_virq/trigger
"""
# what KVM was told to raise, and what its guests took, by vector
KVM_COUNTS = f"""
for event in msi_set_irq inj_virq; do
    sed -n "s/^{{ [a-z]*: *\\([0-9]*\\) }} hitcount: */$event.\\1=/p" \
        {TRACING}/events/kvm/kvm_$event/hist
done
"""


class EmulatorFault(Exception):
    """The emulator broke a guest: nothing of ours, see Vm.stuck()."""


def _add_vmm(archive):
    apt.install([*qemu.PACKAGES, "seabios"])
    for path in (PROGRAM, *image.libraries(PROGRAM)):
        archive.copy(path.lstrip("/"), path)
    for name, folder in FIRMWARE.items():
        data = (Path(folder) / name).read_bytes()
        archive.file(f"usr/share/qemu/{name}", data)


def contents(boot, module):
    """What a host needs, guests included; its init comes from elsewhere."""
    inner = image.contents(boot, None, GUEST_MODULES)
    inner.file("init", (image.GUEST / "init").read_bytes(), executable=True)
    archive = image.contents(boot, module, HOST_MODULES)
    _add_vmm(archive)
    archive.copy("bin/kvm-ask", image.GUEST / "kvm-ask")
    guest = image.save(inner, f"kvm-guest-{boot.release}")
    archive.file("guest/initrd", guest.read_bytes())
    archive.file("guest/vmlinux", vmlinux.extract(boot).read_bytes())
    return archive


def build(boot, module):
    """Initial RAM file system of the host."""
    archive = contents(boot, module)
    image.add_keep(archive)
    archive.file("init", (image.GUEST / "init").read_bytes(), executable=True)
    return image.save(archive, f"kvm-{boot.release}")


class Host(qemu.Guest):
    """The machine that runs guests."""

    def __init__(self, name, boot, initrd, guests=1):
        super().__init__(name, boot, initrd, [], in_turn=True,
                         memory=HOST_MB + GUEST_MB * guests)
        # two of two hosts for four guests hung when KVM was traced, and none of
        # all others; why is not known
        self._watch = WATCH if guests < 4 else ""

    def _command(self):
        command = super()._command()
        command[command.index("-append") + 1] += " tsc=reliable"
        at = command.index(emulator.PROGRAM)
        command[at:at + 1] = emulator.mended()
        return command

    def ask(self, script, seconds=REQUEST_S):
        """Run a shell script in the host: what runs there is slow."""
        return super().ask(script, seconds)

    def run(self, script, seconds=REQUEST_S):
        """Run a script that must succeed; returns what it printed."""
        return super().run(script, seconds)

    def __enter__(self):
        super().__enter__()
        try:
            self.run(START + self._watch)
        except qemu.GuestError:
            self.__exit__(None, None, None)
            raise
        return self


def command(name, number, tap, options=""):
    """Command line of the VMM for guest number, its NIC on a tap."""
    append = f"console=ttyS0 quiet loglevel=4 lab_port=hvc0 {KERNEL}"
    # with XSAVE the guest's kernel warns: its sizes are not those it expects.
    # What needs it must go, too: 7.2 does not ask for XSAVE but for AVX.
    return (f"{PROGRAM} -name {name} -machine pc -accel kvm -smp 1 "
            f"-cpu host,-xsave,-avx,-avx2 -m {GUEST_MB} -nodefaults "
            "-no-user-config -display none -no-reboot "
            "-kernel /guest/vmlinux -initrd /guest/initrd "
            f"-append {shlex.quote(append)} -serial file:/run/{name}.log "
            f"-netdev tap,id=n0,ifname={tap},script=no,downscript=no,"
            f"vhost=on{options} "
            f"-device virtio-net-pci,netdev=n0,romfile=,"
            f"mac={mac(number)} -uuid {uuid(number)} "
            f"-chardev pipe,id=ask,path=/run/{name} "
            "-device virtio-serial-pci -device virtconsole,chardev=ask "
            f"-chardev pipe,id=mon,path=/run/{name}.mon "
            "-mon chardev=mon,mode=readline")


def launching(name, number, tap, options="", more=""):
    """What the host runs to start a VMM; it says the pid."""
    return textwrap.dedent(f"""\
        set -e
        ip tuntap add {tap} mode tap
        ip link set {tap} master br0 up
        mkfifo /run/{name}.in /run/{name}.out
        mkfifo /run/{name}.mon.in /run/{name}.mon.out
        {command(name, number, tap, options)} {more} \\
            > /run/{name}.said 2>&1 < /dev/null &
        echo $!
        cat /run/{name}.mon.out > /run/{name}.monitor &
        """)


def address(number):
    """Of guest number."""
    return f"10.80.0.{10 + number}"


def mac(number):
    """Of its NIC."""
    return f"52:54:00:80:00:{number:02x}"


def uuid(number):
    """Of guest number, whoever runs it."""
    return f"0b5e0b6c-0000-4000-8000-{number:012}"


def guest_network(number):
    """What it runs: address of its NIC; no need to ask for neighbours."""
    return (f"ip addr replace {address(number)}/24 dev eth0\n"
            "ip link set eth0 up\n"
            f"ip neigh replace {BRIDGE_ADDRESS} lladdr {BRIDGE_MAC} "
            "dev eth0\n")


def host_network(number):
    """The same on the host's side."""
    return f"ip neigh replace {address(number)} lladdr {mac(number)} dev br0\n"


class Vm:
    """One guest of a host, with a NIC on its bridge."""

    def __init__(self, host, number):
        self.host = host
        self.number = number
        self.address = address(number)
        self.pid = None
        self.name = None
        self._generation = 0
        self._requests = 0

    def launch(self, more=""):
        """Start a VMM; one that waits for a guest to come is not yet it."""
        self._generation += 1
        name = f"u{self.number}g{self._generation}"
        tap = f"tap{self.number}.{self._generation}"
        pid = self.host.run(launching(name, self.number, tap, more=more))
        return name, int(pid)

    def adopt(self, name, pid):
        """From now on the guest is with this VMM."""
        self.name, self.pid = name, pid

    def create(self):
        """Bring it up, its NIC included."""
        self.adopt(*self.launch())
        self.run(SERVE, BOOT_S)
        self.configure()

    def configure(self):
        """Address of its NIC; no need to ask for neighbours."""
        self.run(guest_network(self.number))
        self.host.run(host_network(self.number))

    def end(self, signal="TERM"):
        """End its VMM, and wait until it is gone."""
        self.host.run(f"kill -{signal} {self.pid}\n"
                      f"while kill -0 {self.pid} 2> /dev/null; do "
                      "usleep 20000; done\n"
                      f"ip link del tap{self.number}.{self._generation}")

    @property
    def root(self):
        """The module's directory of it."""
        return f"{ROOT}/vms/pid{self.pid}"

    @property
    def nic(self):
        """The module's directory of its NIC."""
        return f"{self.root}/nics/vhost"

    def monitor(self, words, seconds=1):
        """What the VMM answers."""
        file = f"/run/{self.name}.monitor"
        return self.host.run(f"size=$(stat -c %s {file})\n"
                             f"echo '{words}' > /run/{self.name}.mon.in\n"
                             f"sleep {seconds}\n"
                             f"tail -c +$((size + 1)) {file}")

    def ask(self, script, seconds=REQUEST_S):
        """Run a shell script in the guest."""
        self._requests += 1
        whole = shlex.quote(qemu.PRELUDE + script)
        waits = f"kvm-ask /run/{self.name} {self._requests} {LOOK_S}"
        answer = self.host.ask(f"printf %s {whole} | {waits}")
        text = answer.text
        for _ in range(seconds // LOOK_S):
            if answer.status != NO_ANSWER:
                break
            self._look()
            answer = self.host.ask(f"{waits} again")
            text += "\n" + answer.text
        return qemu.Answer(answer.status, text.strip())

    def run(self, script, seconds=REQUEST_S):
        """Run a script that must succeed; returns what it printed."""
        answer = self.ask(script, seconds)
        if answer.status:
            raise qemu.GuestError(f"{self.name}: exit {answer.status}: "
                                  f"{script}\n{answer.text}\n{self.said()}")
        return answer.text

    def said(self):
        """What the guest and its VMM printed last."""
        return self.host.run(f"tail -n 20 /run/{self.name}.log "
                             f"/run/{self.name}.said 2>&1 || :")

    def _look(self):
        """It does not answer: whose fault is it?"""
        if self.host.ask(f"kill -0 {self.pid}").status:
            raise qemu.GuestError(f"{self.name} is gone\n{self.said()}")
        state = self.monitor("info registers") + self.monitor("info lapic")
        if stuck(state):
            raise EmulatorFault(f"{self.name} spins with interrupts off:\n"
                                f"{state}")
        print(f"# {self.name}: no answer in {LOOK_S} s", flush=True)
        print("\n".join(f"# {self.name}: {line}" for line in
                        state.splitlines() if LOOK.search(line)), flush=True)

    def faults(self):
        """Everything that the guest's kernel complained about."""
        said = self.run(f"dmesg | grep -E '{qemu.FAULT.pattern}'\n"
                        "cat /proc/sys/kernel/tainted").splitlines()
        found = said[:-1]
        if int(said[-1]):
            found.append(f"{self.name}: kernel is tainted: {said[-1]}")
        return found

    def counters(self):
        """Those of the guest's NIC."""
        return values(self.run("vtraffic counters | grep -E 'virtio|eth0'"))


def stuck(state):
    """Is this the fault of the emulator's SVM?

    A guest took an interrupt while these were off in it: its processor runs
    (HLT=0) with IF=0, the interrupt is in service and more are requested.  A
    guest that an interrupt was lost for is idle (HLT=1) and none is requested.
    """
    flags = re.search(r"[ER]FL=([0-9a-f]+).* HLT=(\d)", state)
    if not flags:
        return False
    off = not int(flags[1], 16) & 0x200
    return (off and flags[2] == "0" and
            re.search(r"ISR\s+\(?\d", state) is not None and
            re.search(r"IRR\s+\(?\d", state) is not None)
