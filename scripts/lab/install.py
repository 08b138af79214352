# SPDX-License-Identifier: GPL-2.0
"""The ways to install the module, each into a folder of the test's own."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import apt, kernel, ktap

NAME = "6.12"
# the oldest and the newest that are supported, and their neighbours
SUPPORTED = ("6.1.0-56-amd64", "6.12.117+deb12-rt-amd64", "6.19.3",
             "7.2.12+deb13-amd64")
UNSUPPORTED = ("5.10.0-30-amd64", "6.0.0-6-amd64", "6.20.1", "7.3.0-amd64")


@contextlib.contextmanager
def _folder():
    with tempfile.TemporaryDirectory(dir=apt.cache_dir("tmp")) as temp:
        yield Path(temp)


def _modules(tree):
    return sorted(str(path.relative_to(tree))
                  for path in tree.rglob("vcoal.ko*"))


def _run(*command):
    done = subprocess.run([str(arg) for arg in command], cwd=kernel.REPO,
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    ktap.expect(not done.returncode, done.stdout)
    return done.stdout


def make():
    """make install puts it where the kernel it is for looks for it."""
    apt.install(["kmod"])
    with _folder() as temp:
        _run("make", f"KVER={NAME}", f"DESTDIR={temp}", "install")
        want = f"lib/modules/{kernel.release(NAME)}/updates/vcoal.ko"
        ktap.expect(_modules(temp) == [want], _modules(temp))
        _run("make", f"DESTDIR={temp}", "uninstall")
        ktap.expect(not _modules(temp), _modules(temp))


def _conf(name):
    text = (kernel.REPO / "dkms.conf").read_text()
    return re.search(rf'^{name}="(.*)"$', text, re.M)[1]


def dkms():
    """DKMS builds it from a copy of the sources, installs and removes it."""
    # pahole comes with the headers where they are installed
    apt.install([*kernel.COMPILER, "dkms", "kmod", "pahole", "xz-utils"])
    _, headers = kernel.headers(NAME)
    release = kernel.release(NAME)
    module = f"{_conf('PACKAGE_NAME')}/{_conf('PACKAGE_VERSION')}"
    with _folder() as temp:
        source = temp / "src" / module.replace("/", "-")
        source.mkdir(parents=True)
        for part in ("dkms.conf", *kernel.SOURCES):
            copy = shutil.copy2 if (kernel.REPO / part).is_file() \
                else shutil.copytree
            copy(kernel.REPO / part, source / part)
        trees = ["--dkmstree", temp / "dkms", "--sourcetree", temp / "src",
                 "--installtree", temp / "lib/modules", "--no-depmod"]
        this = ["-k", release, "--kernelsourcedir", headers]
        for tree in ("dkms", f"lib/modules/{release}"):
            (temp / tree).mkdir(parents=True)
        _run("dkms", "add", module, *trees)
        try:
            _run("dkms", "build", module, *this, *trees)
        except AssertionError as error:
            log = (temp / "dkms" / module / "build/make.log")
            raise AssertionError(f"{error}\n{log.read_text()}") from error
        _run("dkms", "install", module, *this, *trees)
        found = _modules(temp / "lib")
        ktap.expect(len(found) == 1 and release in found[0], found)
        _run("dkms", "remove", module, "--all", *trees)
        ktap.expect(not _modules(temp / "lib"), _modules(temp / "lib"))


def dkms_range():
    """DKMS leaves kernels alone that are not supported."""
    pattern = _conf("BUILD_EXCLUSIVE_KERNEL")
    for release in (*SUPPORTED, *UNSUPPORTED):
        script = '[[ $1 =~ $2 ]]'
        status = subprocess.run(["bash", "-c", script, "-", release,
                                 pattern]).returncode
        ktap.expect((not status) == (release in SUPPORTED), release)


def run():
    """All of it; true when it passed."""
    cases = (make, dkms, dkms_range)
    report = ktap.Report(len(cases))
    for case in cases:
        report.case(f"install: {case.__name__}", case)
    return not report.failed
