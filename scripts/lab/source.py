# SPDX-License-Identifier: GPL-2.0
"""Kernels built from Debian's kernel source, kept between runs.

A build is named by everything that shapes it (source version, our patches,
configuration, compiler), so a kept one is right or is not found.  An
interrupted build is taken up where it stopped.
"""

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import apt

PACKAGE = "linux-source-6.12"
REPO = Path(__file__).resolve().parents[2]
PARTS = ("Kbuild", "module", "include", "kunit")
CONFIGS = Path(__file__).parent / "configs"
PATCHES = Path(__file__).parent / "patches"
TOOLS = ["make", "gcc", "flex", "bison", "bc", "libelf-dev", "xz-utils",
         "libc6-dev", "kmod"]
PROGRESS_S = 30

# Register tables of one graphics driver: a third of the source, never built.
UNUSED = "/drivers/gpu/drm/amd/include/"


class BuildError(apt.AptError):
    """A kernel could not be configured or built."""


@dataclasses.dataclass(frozen=True)
class Flavour:
    """What to build: architecture, configuration fragments without the lines
    that begin so, make targets."""
    arch: str
    fragments: tuple
    targets: tuple
    image: str
    without: tuple = ()


FLAVOURS = {
    "uml": Flavour("um", ("uml",), ("all",), "linux"),
    "debug": Flavour("x86_64", ("debug",), ("bzImage", "modules"),
                     "arch/x86/boot/bzImage"),
    "debug-xen": Flavour("x86_64", ("debug", "xen"), ("bzImage", "modules"),
                         "arch/x86/boot/bzImage",
                         ("CONFIG_KASAN", 'CONFIG_LOCALVERSION="-vcoal-debug')),
}


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A built kernel: build modules against tree, boot image, insert modules.

    The directory of modules is there when the flavour has any.
    """
    tree: Path
    image: Path
    arch: str
    release: str

    def modules(self):
        """Directory with the modules and their modules.dep."""
        return self.tree / "install/lib/modules" / self.release


def _patches():
    """What this kernel needs to run on any host."""
    return sorted(PATCHES.glob("linux-*.patch"))


def source():
    """The unpacked and patched kernel source."""
    deb = apt.fetch(apt.BOOKWORM, [PACKAGE])[PACKAGE]
    version = deb.name.split("_")[1]
    what = b"".join(patch.read_bytes() for patch in _patches())
    tree = (apt.cache_dir("source") /
            f"{version}-{hashlib.sha256(what).hexdigest()[:8]}")
    with apt.lock("source"):
        if not tree.exists():
            _unpack_source(deb, tree)
    return tree


def _unpack_source(deb, tree):
    print(f"# source: unpack {tree.name}", flush=True)
    apt.install(["xz-utils", "patch"])
    with tempfile.TemporaryDirectory(dir=tree.parent) as temp:
        apt.unpack(deb, temp)
        [archive] = Path(temp).glob("usr/src/linux-source-*.tar.xz")
        apt.run(["tar", "-x", "-f", archive, "-C", temp, "-I", "xz -T0",
                 f"--exclude=*{UNUSED}asic_reg"])
        unpacked = Path(temp) / archive.name.removesuffix(".tar.xz")
        for patch in _patches():
            apt.run(["patch", "-p1", "-d", unpacked, "-i", patch])
        unpacked.rename(tree)


def _environment():
    """Nothing of the time, the user or the machine goes into a build."""
    env = dict(os.environ)
    env.update(KBUILD_BUILD_TIMESTAMP="Thu Jan  1 00:00:00 UTC 1970",
               KBUILD_BUILD_USER="vcoal", KBUILD_BUILD_HOST="vcoal",
               LC_ALL="C")
    env.setdefault("CCACHE_DIR", str(apt.cache_dir("ccache")))
    env.setdefault("CCACHE_MAXSIZE", "2G")
    env.setdefault("CCACHE_BASEDIR", str(apt.cache_dir()))
    return env


def _compiler():
    return "ccache gcc" if shutil.which("ccache") else "gcc"


def _make(flavour, tree, *args):
    """The make command line for one build tree."""
    return ["make", "-C", str(source()), f"O={tree}", f"ARCH={flavour.arch}",
            f"CC={_compiler()}", f"-j{os.cpu_count()}", *args]


def _fragment(flavour):
    lines = (line for name in flavour.fragments
             for line in (CONFIGS / f"{name}.config").read_text().splitlines())
    return "".join(f"{line}\n" for line in lines
                   if not line.startswith(flavour.without))


def _key(fragment):
    compiler = apt.run(["gcc", "--version"]).splitlines()[0]
    what = "\n".join([source().name, compiler, fragment])
    return hashlib.sha256(what.encode()).hexdigest()[:12]


def _requests(text):
    """Configuration lines of a fragment or of a .config."""
    return {line for line in text.splitlines()
            if re.match(r"CONFIG_\w+=|# CONFIG_\w+ is not set", line)}


def _configure(flavour, fragment, tree):
    """allnoconfig plus the fragment, of which every line must have taken."""
    asked = tree / "vcoal.config"
    asked.write_text(fragment)
    apt.run(_make(flavour, tree, f"KCONFIG_ALLCONFIG={asked}",
                  "allnoconfig"), env=_environment())
    lost = _requests(fragment) - _requests((tree / ".config").read_text())
    if lost:
        raise BuildError("configuration lines that did not take:\n" +
                         "\n".join(sorted(lost)))


def watched(name, command, log):
    """Build something, with a sign of life every PROGRESS_S."""
    begin = time.monotonic()
    with open(log, "w") as out:
        make = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT,
                                env=_environment())
        while True:
            try:
                make.wait(PROGRESS_S)
                break
            except subprocess.TimeoutExpired:
                steps = log.read_text(errors="replace").count("\n")
                print(f"# source: {name}: {steps} steps, "
                      f"{time.monotonic() - begin:.0f} s", flush=True)
    if make.returncode:
        raise BuildError(f"{name}: build failed, {log}:\n" + _errors(log))
    print(f"# source: {name}: built in {time.monotonic() - begin:.0f} s",
          flush=True)


def _build(name, flavour, tree):
    watched(name, _make(flavour, tree, *flavour.targets), tree / "vcoal.log")
    if "modules" in flavour.targets:
        apt.run(_make(flavour, tree, f"INSTALL_MOD_PATH={tree}/install",
                      "modules_install"))


def _errors(log):
    lines = log.read_text(errors="replace").splitlines()
    marked = [line for line in lines if re.search(r"error|\*\*\*", line)]
    return "\n".join((marked or lines)[-20:])


def build(name):
    """The kernel of this flavour, built when it is not there."""
    flavour = FLAVOURS[name]
    fragment = _fragment(flavour)
    apt.install(TOOLS)
    tree = apt.cache_dir("kernels", f"{name}-{_key(fragment)}")
    done = tree / "vcoal.done"
    with apt.lock(tree.name):
        if not done.exists():
            print(f"# source: {name}: build {source().name}", flush=True)
            _configure(flavour, fragment, tree)
            _build(name, flavour, tree)
            done.touch()
    release = (tree / "include/config/kernel.release").read_text().strip()
    return Kernel(tree, tree / flavour.image, flavour.arch, release)


def vcoal(kernel, *args):
    """vcoal.ko for this kernel, built from a fresh copy of the sources."""
    flavour = next(f for f in FLAVOURS.values() if f.arch == kernel.arch)
    copy = apt.cache_dir("build", kernel.release)
    with apt.lock(f"build-{kernel.release}"):
        shutil.rmtree(copy)
        copy.mkdir()
        for part in PARTS:
            whole = REPO / part
            copier = shutil.copytree if whole.is_dir() else shutil.copy2
            if whole.exists():
                copier(whole, copy / part)
        apt.run(_make(flavour, kernel.tree, f"M={copy}", *args, "modules"),
                env=_environment())
    return copy / "vcoal.ko"
