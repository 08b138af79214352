# SPDX-License-Identifier: GPL-2.0
"""Initial RAM file systems for the lab's guests.

Busybox, a few real tools with their libraries, vtraffic, and the kernel
modules the guest needs, in the order in which they can be inserted.
"""

import functools
import hashlib
import lzma
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import apt, program

GUEST = Path(__file__).parent / "guest"
KEEP = Path(__file__).resolve().parents[1] / "keep"
TOOLS = {"/bin/ip": "iproute2", "/sbin/ethtool": "ethtool"}
MODULES = ("virtio_pci", "virtio_net")
FOLDERS = ("bin", "dev", "etc", "lib/modules", "proc", "root", "run", "sbin",
           "sys", "tmp")
# busybox has an ip of its own, which knows less than the real one
NOT_BUSYBOX = ("ip", "ethtool")

REGULAR, FOLDER, LINK = 0o100000, 0o040000, 0o120000


class Archive:
    """A cpio archive in the form the kernel unpacks."""

    def __init__(self):
        self._data = bytearray()
        self._names = set()

    def _entry(self, name, mode, data):
        raw = name.encode() + b"\0"
        fields = [len(self._names), mode, 0, 0, 1, 0, len(data),
                  0, 0, 0, 0, len(raw), 0]
        self._data += b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        self._data += b"\0" * (-len(self._data) % 4)
        self._data += data + b"\0" * (-len(data) % 4)
        self._names.add(name)

    def folder(self, name):
        """A directory, and those above it."""
        parent = str(Path(name).parent)
        if parent != ".":
            self.folder(parent)
        if name not in self._names:
            self._entry(name, FOLDER | 0o755, b"")

    def file(self, name, data, executable=False):
        """A regular file with this content."""
        self.folder(str(Path(name).parent))
        self._entry(name, REGULAR | (0o755 if executable else 0o644), data)

    def copy(self, name, path):
        """An executable as it is on this machine; twice is once."""
        if name not in self._names:
            self.file(name, Path(path).read_bytes(), executable=True)

    def link(self, name, target):
        """A symbolic link."""
        self._entry(name, LINK | 0o777, target.encode())

    def write(self, path):
        """The finished archive."""
        self._entry("TRAILER!!!", 0, b"")
        path.write_bytes(self._data)

    def digest(self):
        """One word for what is in it so far."""
        return hashlib.sha256(self._data).hexdigest()


def libraries(binary):
    """Shared libraries of a program, as the loader finds them."""
    for word in apt.run(["ldd", binary]).split():
        if word.startswith("/"):
            yield word


@functools.cache
def busybox():
    """Path of a static busybox."""
    deb = apt.fetch(apt.BOOKWORM, ["busybox-static"])["busybox-static"]
    tree = apt.cache_dir("tools") / deb.stem
    with apt.lock("tools"):
        if not tree.exists():
            temp = tree.with_name(tree.name + ".tmp")
            shutil.rmtree(temp, ignore_errors=True)
            apt.unpack(deb, temp)
            temp.rename(tree)
    return tree / "bin/busybox"


@functools.cache
def vtraffic():
    """Path of the traffic tool."""
    return program.build("vtraffic", GUEST / "vtraffic", "*.[ch]")


def _plain_module(path):
    """Content of a module that may be compressed."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], check=True,
                              stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def _dependencies(modules):
    """Name of each module, and its path followed by those it needs."""
    table = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, needs = line.split(":")
        name = Path(path).name.split(".ko")[0].replace("-", "_")
        table[name] = [path, *needs.split()]
    return table


def insertion_order(modules, names):
    """Paths of the named modules and what they need, needed ones first.

    Modules that are built into this kernel are not in the table.
    """
    table = _dependencies(modules)
    order = []
    for name in names:
        for path in reversed(table.get(name, [])):
            if path not in order:
                order.append(path)
    return [modules / path for path in order]


def _add_modules(archive, image, names):
    order = []
    for path in insertion_order(image.modules, names):
        name = path.name.split(".ko")[0] + ".ko"
        archive.file(f"lib/modules/{name}", _plain_module(path))
        order.append(name)
    archive.file("lib/modules/order", "\n".join(order + [""]).encode())


def _add_tools(archive):
    apt.install([*TOOLS.values(), "xz-utils", "zstd"])
    archive.copy("bin/busybox", busybox())
    for applet in apt.run([busybox(), "--list"]).split():
        if applet not in ("busybox", *NOT_BUSYBOX):
            archive.link(f"bin/{applet}", "busybox")
    for tool in TOOLS:
        archive.copy(f"bin/{Path(tool).name}", tool)
        for library in libraries(tool):
            archive.copy(library.lstrip("/"), library)
    archive.copy("bin/vtraffic", vtraffic())


def add_keep(archive):
    """What an operator installs, and who does as udev would."""
    archive.copy("usr/local/sbin/vcoal-keep", KEEP / "vcoal-keep")
    archive.link("bin/vcoal-keep", "/usr/local/sbin/vcoal-keep")
    rules = "90-vcoal-keep.rules"
    archive.file(f"etc/udev/rules.d/{rules}", (KEEP / rules).read_bytes())
    archive.copy("bin/keep-uevent", GUEST / "keep-uevent")


def contents(image, module, names=MODULES):
    """What every guest needs, with a module as /vcoal.ko; not yet written."""
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    _add_tools(archive)
    _add_modules(archive, image, names)
    if module:
        archive.file("vcoal.ko", without_debug_info(module))
    return archive


def save(archive, name):
    """Write an archive to the cache, at once; returns its path."""
    path = apt.cache_dir("initrd") / f"{name}.cpio"
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as temp:
        archive.write(Path(temp.name))
        Path(temp.name).rename(path)
    return path


def without_debug_info(module):
    """Content of a module we built: most of it is of no use to the guest."""
    with tempfile.NamedTemporaryFile() as temp:
        apt.run(["strip", "--strip-debug", "-o", temp.name, module])
        return Path(temp.name).read_bytes()


def build(image, module, names=MODULES, helpers=()):
    """Initial RAM file system with module as /vcoal.ko, and modules that
    help to test it beside it; returns its path."""
    archive = contents(image, module, names)
    add_keep(archive)
    for helper in helpers:
        archive.file(helper.name, without_debug_info(helper))
    archive.file("init", (GUEST / "init").read_bytes(), executable=True)
    return save(archive, image.release)
