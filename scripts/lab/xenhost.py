# SPDX-License-Identifier: GPL-2.0
"""A Xen host under QEMU: hypervisor, toolstack and domains of Debian.

dom0 is talked to over the second serial port, as every guest of the lab; a
domain over its console, through dom0, so that it stays within reach whatever
becomes of its network.
"""

import functools
import gzip
import shlex
import shutil
import textwrap
from pathlib import Path

from . import apt, image, qemu, vmlinux

VERSION = "4.17"
PACKAGES = (f"xen-hypervisor-{VERSION}-amd64", f"xen-utils-{VERSION}",
            "xen-utils-common", "xenstore-utils", f"libxenmisc{VERSION}",
            "libxencall1", "libxendevicemodel1", "libxenevtchn1",
            "libxenforeignmemory1", "libxengnttab1", "libxenhypfs1",
            "libxenstore4", "libxentoolcore1", "libxentoollog1", "libyajl2",
            "libuuid1", "zlib1g", "liblzma5", "libzstd1", "libgcc-s1")
BIN = f"usr/lib/xen-{VERSION}/bin"
PROGRAMS = ("xl", "xenstored", "xenconsoled", "xen-init-dom0",
            "libxl-save-helper")
# the loader finds this one only when a thread is to be cancelled
LATE_LIBRARIES = ("libgcc_s.so.1",)
LIBRARIES = "lib/x86_64-linux-gnu"

DOM0_MODULES = ("xen_privcmd", "xenfs", "xen_evtchn", "xen_gntdev",
                "xen_gntalloc", "bridge", "xen_netback")
DOMU_MODULES = ("xen_netfront",)

# a kernel with checkers takes more
DEBUG = "debug-xen"
DOM0_MB = {DEBUG: 1024}
DOM0_USUAL_MB = 640
DOMAIN_MB = {DEBUG: 320}
DOMAIN_USUAL_MB = 128
XEN = ("console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning "
       "spec-ctrl=no xpti=no pv-l1tf=no")
# domains that know of the hypervisor, and those that the processor keeps apart (SVM)
PV, PVH = "pv", "pvh"
PROCESSOR = {PV: "qemu64", PVH: "qemu64,+npt"}
KERNEL = "panic=-1 net.ifnames=0 ipv6.disable=1 mitigations=off"
# until a case wants it: see xen.py
KERNEL_DEBUG = " lockdep.prove_locking=0"
# xennet_remove() may sleep in the condition that it waits for: a filter
FRONTENDS_OWN = """awk '
    /do not call blocking ops/ { report = ""; inside = 1 }
    inside {
        report = report $0 "\\n"
        if (/end trace/) {
            inside = 0
            if (report !~ /xennet_remove/)
                printf "%s", report
        }
        next
    }
    { print }
    END { if (inside) printf "%s", report }'"""
TAINT_WARN = 512
CREATE_S = 300
# two kernels and a hypervisor take their time on a busy machine
LIFE_S = 5400
# as guest/xen-start sets them
DOM0_ADDRESS, DOM0_MAC = "10.79.0.1", "00:16:3e:00:00:fe"
VIFS = "script=xen-vif,bridge=xenbr0"

# a NIC comes when both ends have agreed
APPEAR = """
n=0
until [ -e /sys/class/net/eth0 ]; do
    n=$((n + 1))
    [ $n -lt 200 ] || exit 1
    usleep 50000
done
"""


@functools.cache
def unpacked():
    """Where the packages are unpacked."""
    debs = apt.fetch(apt.BOOKWORM, PACKAGES)
    tree = apt.cache_dir("xen") / debs[PACKAGES[0]].stem
    with apt.lock("xen"):
        if not tree.exists():
            temp = tree.with_name(tree.name + ".tmp")
            shutil.rmtree(temp, ignore_errors=True)
            for deb in debs.values():
                apt.unpack(deb, temp)
            packed = temp / f"boot/xen-{VERSION}-amd64.gz"
            (temp / "xen").write_bytes(gzip.decompress(packed.read_bytes()))
            temp.rename(tree)
    return tree


def _libraries(tree, program):
    """Name and path of what a program is linked to, ours before others."""
    paths = f"{tree}/usr/{LIBRARIES}:{tree}/{LIBRARIES}"
    said = apt.run(["ldd", program], env={"LD_LIBRARY_PATH": paths,
                                          "PATH": "/usr/bin:/bin"})
    if "not found" in said:
        raise apt.AptError(f"{program} lacks libraries\n{said}")
    for word in said.split():
        if word.startswith("/"):
            name = Path(word).name
            folder = "lib64" if name.startswith("ld-") else LIBRARIES
            yield f"{folder}/{name}", word


def _add_toolstack(archive, tree):
    for name in PROGRAMS:
        archive.copy(f"{BIN}/{name}", tree / BIN / name)
        archive.link(f"bin/{name}", f"/{BIN}/{name}")
    programs = [tree / BIN / name for name in PROGRAMS]
    programs.append(tree / "usr/bin/xenstore")
    archive.copy("bin/xenstore", programs[-1])
    for name in ("ls", "list", "read", "rm", "write"):
        archive.link(f"bin/xenstore-{name}", "xenstore")
    for program in programs:
        for name, path in _libraries(tree, program):
            archive.copy(name, path)
    for name in LATE_LIBRARIES:
        archive.copy(f"{LIBRARIES}/{name}", tree / LIBRARIES / name)
    archive.file("etc/xen/xl.conf", b"")


def contents(boot, module, helpers=()):
    """What dom0 needs, its domains included, where modules that help to test
    are."""
    tree = unpacked()
    init = (image.GUEST / "init").read_bytes()
    inner = image.contents(boot, module, DOMU_MODULES)
    # its parameters differ from case to case: the lab inserts it
    inner.file("init", init.replace(b"/order\n", b"/none\n"), executable=True)
    inner.file("lib/modules/none", b"")
    for helper in helpers:
        inner.file(helper.name, image.without_debug_info(helper))
    archive = image.contents(boot, module, DOM0_MODULES)
    archive.file("init", init, executable=True)
    _add_toolstack(archive, tree)
    for name, place in (("xen-start", "bin"), ("xen-dom", "bin"),
                        ("xen-vif", "etc/xen/scripts")):
        archive.copy(f"{place}/{name}", image.GUEST / name)
    archive.file("domain/initrd",
                 image.save(inner, f"domain-{boot.release}").read_bytes())
    archive.file("domain/vmlinux", vmlinux.extract(boot).read_bytes())
    return archive


def build(boot, module, helpers=()):
    """Initial RAM file system of dom0."""
    archive = contents(boot, module, helpers)
    image.add_keep(archive)
    return image.save(archive, f"xen-{boot.release}")


def _dom0_mb(boot):
    return DOM0_MB.get(boot.name, DOM0_USUAL_MB)


def _domain_mb(boot):
    return DOMAIN_MB.get(boot.name, DOMAIN_USUAL_MB)


def memory(boot, domains):
    """What a machine with so many of them needs, in megabytes."""
    return _dom0_mb(boot) + 128 + (_domain_mb(boot) + 32) * domains


def multiboot(boot, initrd, cpus=1, options="", kind=PV):
    """Arguments of the emulator: the hypervisor is the kernel, all else its
    modules."""
    size = f"{_dom0_mb(boot)}M"
    xen = (f"{XEN} dom0_mem={size},max:{size} "
           f"dom0_max_vcpus={cpus}{options}")
    kernel = (f"{vmlinux.extract(boot)} console=hvc0 loglevel=7 {KERNEL}"
              f"{boot.options}")
    if boot.name == DEBUG:
        kernel += KERNEL_DEBUG
    return {"-M": "pc", "-cpu": PROCESSOR[kind], "-kernel": str(unpacked() / "xen"),
            "-append": xen, "-initrd": f"{kernel},{initrd}"}


def config(boot, name, mac, kind=PV):
    """What xl wants to know about a domain."""
    return textwrap.dedent(f"""\
        name = "{name}"
        type = "{kind}"
        kernel = "/domain/vmlinux"
        ramdisk = "/domain/initrd"
        memory = {_domain_mb(boot)}
        vcpus = 1
        vif = [ "{VIFS},mac={mac}" ]
        extra = "console=hvc0 quiet loglevel=1 lab_port=hvc0 {KERNEL}{boot.options}"
        on_crash = "destroy"
        """)


class Host(qemu.Guest):
    """dom0 of a machine that Xen runs; its domains are all of one kind."""

    def __init__(self, name, boot, initrd, cpus=1, domains=1, exact=False,
                 kind=PV):
        self.boot = boot
        self.kind = kind
        super().__init__(name, boot, initrd, [], cpus=cpus,
                         memory=memory(boot, domains), exact=exact)

    def _command(self):
        command = super()._command()
        command[command.index(str(qemu.LIFE_S))] = str(LIFE_S)
        arguments = multiboot(self.boot, self._initrd, self._cpus,
                              kind=self.kind)
        for option, value in arguments.items():
            command[command.index(option) + 1] = value
        return command

    def __enter__(self):
        super().__enter__()
        try:
            self.run("xen-start")
        except qemu.GuestError:
            self.__exit__(None, None, None)
            raise
        return self


class Domain:
    """One domain of a host, with a NIC on its bridge."""

    def __init__(self, host, number, queues=1):
        self.host = host
        self.number = number
        self.name = f"u{number}"
        self.address = f"10.79.0.{10 + number}"
        self.mac = f"00:16:3e:00:00:{number:02x}"
        self.queues = queues
        self._requests = 0

    def create(self):
        """Bring it up, its NIC included."""
        file = f"/run/{self.name}.cfg"
        what = config(self.host.boot, self.name, self.mac, self.host.kind)
        self.host.run(f"""
            set -e
            echo {self.queues} > /sys/module/xen_netback/parameters/max_queues
            echo {shlex.quote(what)} > {file}
            xl create {file}
            """, CREATE_S)
        self.run("insmod /lib/modules/xen-netfront.ko "
                 f"max_queues={self.queues}")
        self.run("vtraffic echo 7002\nvtraffic drain 7003\n"
                 "vtraffic sink 7010 -i 36000000")
        self.configure()

    def configure(self):
        """Address of its NIC, which may be a new one; no need to ask for
        neighbours."""
        self.run(f"""{APPEAR}
            ip addr replace {self.address}/24 dev eth0
            ip link set eth0 up
            ip neigh replace {DOM0_ADDRESS} lladdr {DOM0_MAC} dev eth0
            """)
        self.host.run(f"ip neigh replace {self.address} lladdr {self.mac} "
                      "dev xenbr0")

    def destroy(self):
        """End it, whatever it does."""
        self.host.run(f"xl destroy {self.name}")

    @property
    def domid(self):
        """Its number, another one after every restore. Asking xl takes longest,
        and what xen-dom knows is nearly always right."""
        return int(self.host.run(f"""
            number=$(cat /run/domid.{self.name} 2> /dev/null)
            case $(xenstore-read /local/domain/$number/name 2> /dev/null) in
            {self.name}) echo $number ;;
            *) xl domid {self.name} ;;
            esac
            """))

    @property
    def vif(self):
        """Name of the backend's interface."""
        return f"vif{self.domid}.0"

    def ask(self, script, seconds=qemu.REQUEST_S):
        """Run a shell script in the domain."""
        self._requests += 1
        whole = shlex.quote(qemu.PRELUDE + script)
        return self.host.ask(f"printf %s {whole} | xen-dom {self.name} "
                             f"{self._requests} {seconds}", seconds + 10)

    def run(self, script, seconds=qemu.REQUEST_S):
        """Run a script that must succeed; returns what it printed."""
        answer = self.ask(script, seconds)
        if answer.status:
            raise qemu.GuestError(f"{self.name}: exit {answer.status}: "
                                  f"{script}\n{answer.text}")
        return answer.text

    def dying(self, script):
        """Start a script that the domain does not survive."""
        self._requests += 1
        whole = shlex.quote(f"({script}) &")
        self.host.run(f"printf %s {whole} | xen-dom {self.name} "
                      f"{self._requests} {qemu.REQUEST_S}")

    def faults(self):
        """Everything that the domain's kernel complained about, but for what a
        kernel with checkers says of the stock frontend."""
        checked = self.host.boot.name == DEBUG
        said = self.run(f"dmesg | {FRONTENDS_OWN if checked else 'cat'} | "
                        f"grep -E '{qemu.FAULT.pattern}'\n"
                        "cat /proc/sys/kernel/tainted").splitlines()
        found = said[:-1]
        # whatever else warned is among those found
        allowed = qemu.TAINT_ALLOWED | (TAINT_WARN if checked else 0)
        if int(said[-1]) & ~allowed:
            found.append(f"{self.name}: kernel is tainted: {said[-1]}")
        return found
