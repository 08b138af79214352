# SPDX-License-Identifier: GPL-2.0
"""Debian's kernels: which there are, their images, and modules built for them.

A series ("6.12") always means its newest package.  Nothing is installed:
packages are unpacked in the cache.  Headers whose tools need a newer C library
than this machine has are used inside a root of their own suite.
"""

import dataclasses
import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from . import apt

REPO = Path(__file__).resolve().parents[2]
SOURCES = ("Kbuild", "module", "include", "kunit")
FLAVOURS = ("amd64", "cloud-amd64", "rt-amd64")
# Type information needs pahole and a vmlinux, which not all headers have.
NO_BTF = ["CONFIG_DEBUG_INFO_BTF_MODULES=",
          "CONFIG_PAHOLE_VERSION=$(PAHOLE_VERSION)"]
# objtool asks /proc; the mount is gone with the process that made it.
ENTER_ROOT = 'mount --rbind /proc "$0/proc" && exec chroot "$0" "$@"'
# libelf1: objtool in the header packages is linked to it
COMPILER = ["make", "gcc", "libc6-dev", "libelf1"]


class KernelError(Exception):
    """A kernel is not known, or a module could not be built for it."""


@dataclasses.dataclass(frozen=True)
class Series:
    """Where the packages of a series are, and what they are called."""
    suites: tuple
    image: str
    parts: tuple = ()
    root: tuple = ()


SERIES = {
    "6.1": Series(apt.BOOKWORM, r"linux-image-(6\.1\.0-\d+)-amd64"),
    "6.12": Series(apt.BOOKWORM, r"linux-image-(6\.12\.\d+\+deb12)-amd64"),
    # one package for the kernel, another for its modules
    "7.2": Series(apt.TRIXIE_BACKPORTS,
                  r"linux-binary-(7\.2\.\d+\+deb13)-amd64",
                  parts=("linux-binary", "linux-modules", "linux-base"),
                  root=("make", "gcc", "libelf1t64", "sparse")),
}


# where several are tested this one is in full, the others in fewer rounds
MAIN, ROUNDS_OF_OTHERS = "6.12", 0.25


def rounds(name, names):
    """The share of a lab's repetitions that is for one of several series."""
    return 1.0 if name == MAIN or len(names) == 1 else ROUNDS_OF_OTHERS


def in_full(share):
    """Is it the share of the series that everything runs on?"""
    return share == 1.0


@dataclasses.dataclass(frozen=True)
class Image:
    """A kernel that can be booted: vmlinuz, modules with modules.dep, and what
    more its command line takes."""
    name: str
    release: str
    vmlinuz: Path
    modules: Path
    options: str = ""


def known(name):
    """The series of this name."""
    if name not in SERIES:
        raise KernelError(f"no kernel series {name}: {' '.join(SERIES)}")
    return SERIES[name]


@functools.cache
def release(name, flavour="amd64"):
    """Newest release of a series, as uname -r would say it."""
    series = known(name)
    package = apt.newest(series.suites, series.image)
    return f"{re.fullmatch(series.image, package)[1]}-{flavour}"


def image(name):
    """Kernel and modules of a series, unpacked."""
    series = known(name)
    full = release(name)
    packages = [f"{part}-{full}" for part in series.parts or ("linux-image",)]
    tree = apt.cache_dir("images") / full
    with apt.lock(f"image-{full}"):
        if not tree.exists():
            _unpack_image(series, packages, full, tree)
    modules = tree / "lib/modules" / full
    inside = modules / "vmlinuz"
    vmlinuz = inside if inside.exists() else tree / f"boot/vmlinuz-{full}"
    return Image(name, full, vmlinuz, modules)


def _fresh(path):
    """An empty directory beside path, to be renamed to it when complete."""
    temp = path.with_name(path.name + ".tmp")
    shutil.rmtree(temp, ignore_errors=True)
    temp.mkdir(parents=True)
    return temp


def _unpack_image(series, packages, full, tree):
    apt.install(["kmod", "xz-utils"])
    temp = _fresh(tree)
    for deb in apt.fetch(series.suites, packages).values():
        apt.unpack(deb, temp)
    if not (temp / "lib").exists():
        # newer packages count on a merged /usr
        (temp / "lib").symlink_to("usr/lib")
    apt.run(["depmod", "-b", temp, full])
    temp.rename(tree)


def _header_packages(series, full):
    """The headers of a release and the header packages they depend on."""
    top = f"linux-headers-{full}"
    deb = apt.fetch(series.suites, [top])[top]
    depends = apt.run(["dpkg-deb", "-f", deb, "Depends"])
    return [top, *re.findall(r"linux-(?:headers|kbuild)-[^\s,]+", depends)]


def _unpack_headers(series, full, tree):
    """Headers of a release in tree, under usr/src and usr/lib.

    Flavours share packages, and one may be built for while another comes.
    """
    packages = _header_packages(series, full)
    for deb in apt.fetch(series.suites, packages).values():
        done = tree / "usr/src" / f"{deb.stem}.done"
        if not done.exists():
            apt.unpack(deb, tree)
            done.touch()
    return tree / "usr/src" / f"linux-headers-{full}"


def _relocate(headers, tree):
    """Debian's top Makefile names its real one by absolute path."""
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/",
                                                     f"{tree}/usr/src/"))


def headers(name, flavour="amd64"):
    """(root to build in or None, kernel build directory) of a release."""
    series = known(name)
    full = release(name, flavour)
    if series.root:
        return _headers_in_root(series, full)
    tree = apt.cache_dir("headers") / full
    with apt.lock(f"headers-{full}"):
        if not tree.exists():
            temp = _fresh(tree)
            _relocate(_unpack_headers(series, full, temp), tree)
            temp.rename(tree)
    return None, tree / "usr/src" / f"linux-headers-{full}"


def _headers_in_root(series, full):
    root = apt.root(series.suites[0].split("-")[0], list(series.root))
    done = root / "usr/src" / f"linux-headers-{full}.done"
    with apt.lock(f"headers-{root.name}"):
        if not done.exists():
            _unpack_headers(series, full, root)
            done.touch()
    return root, Path("/usr/src") / f"linux-headers-{full}"


def _sync(build):
    """Bring the sources in build up to date; what make made stays there."""
    for part in SOURCES:
        source = REPO / part
        if source.is_dir():
            shutil.copytree(source, build / part, dirs_exist_ok=True)
        elif source.exists():
            shutil.copy2(source, build / part)
    for old in (*build.rglob("*.c"), *build.rglob("*.h")):
        fresh = REPO / old.relative_to(build)
        if not fresh.exists() and not old.name.endswith(".mod.c"):
            old.unlink()


def _place(root, full, purpose):
    """Build directory as this machine sees it, and as the compiler does."""
    name = f"{full}{purpose}"
    if root is None:
        build = apt.cache_dir("build", name)
        return build, build
    inside = Path("/build") / name
    build = root / inside.relative_to("/")
    build.mkdir(parents=True, exist_ok=True)
    return build, inside


def _make(root, kdir, inside, args):
    command = []
    if root is not None:
        command = ["unshare", "--mount", "sh", "-c", ENTER_ROOT, root]
    if command and os.geteuid():
        command = ["sudo", "-n", *command]
    command += ["make", "-s", f"-j{os.cpu_count()}", "-C", kdir,
                f"M={inside}", *NO_BTF, *args, "modules"]
    done = subprocess.run([str(arg) for arg in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def _compile(name, flavour, purpose, fill, module, args):
    """Fill a build directory and make a module in it; returns (its path,
    what the compiler said)."""
    apt.install(COMPILER)
    full = release(name, flavour)
    root, kdir = headers(name, flavour)
    here, inside = _place(root, full, purpose)
    with apt.lock(f"build-{full}{purpose}"):
        fill(here)
        code, said = _make(root, kdir, inside, args)
        if code:
            raise KernelError(f"{module} for {full}: make failed\n{said}")
        product = apt.cache_dir("build", f"{full}{purpose}") / module
        if root is not None:
            shutil.copy2(here / module, product)
    return product, said


def build(name, flavour="amd64", args=(), purpose=""):
    """vcoal.ko for a series; returns (its path, what the compiler said).

    With the warnings that scrutinise() asks for: what that built is not built
    again.
    """
    return _compile(name, flavour, purpose, _sync, "vcoal.ko", ["W=1", *args])


def build_helper(name, folder):
    """A module that only the lab's guests insert, from a folder that is
    called like it; returns its path."""
    def fill(here):
        shutil.copytree(folder, here, dirs_exist_ok=True)

    product, said = _compile(name, "amd64", f"-{folder.name}", fill,
                             f"{folder.name}.ko", ["W=1"])
    if said:
        raise KernelError(f"{folder.name}.ko: {said}")
    return product


def scrutinise(name, flavour):
    """Build from nothing with every warning on; returns the warnings."""
    apt.install(["sparse"])
    root, _ = headers(name, flavour)
    here, _ = _place(root, release(name, flavour), "")
    shutil.rmtree(here)
    here.mkdir()
    _, said = build(name, flavour, ["C=2", "CF=-Wsparse-error"])
    return "\n".join(line for line in said.splitlines()
                     if re.search(r"warning|error", line, re.I))
