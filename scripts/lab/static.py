# SPDX-License-Identifier: GPL-2.0
"""What can be judged without running anything: style, documents, syntax.

Every check returns its findings as text; no text, no fault.
"""

import collections
import os
import py_compile
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import apt, check, qemu, source

REPO = Path(__file__).resolve().parents[2]
ABI = REPO / "Documentation/ABI/testing/sysfs-kernel-vcoal"
COMPATS = (REPO / "include/vcoal/compat.h",
           REPO / "scripts/lab/guest/vnotf/compat.h")
MAX_LINES = 500
ATTRIBUTE = r"^(?:VCOAL_ATTR_R[OW]\(\w+, |NIC_FIXED\()(\w+)[,)]"
# the root of all, and the link to a NIC
NO_ATTRIBUTES = {"", "vcoal"}

# What checkpatch must not judge, by what it mistakes or does not know there.
IGNORED = {
    # tables of the form TABLE(ENTRY) are no code
    ".": ("COMPLEX_MACRO", "MACRO_ARG_REUSE", "MACRO_ARG_UNUSED",
          "MACRO_ARG_PRECEDENCE", "TRAILING_SEMICOLON", "BRACKET_SPACE"),
    # two versions are compared, neither of them is a constant on the left
    **{str(path.relative_to(REPO)):
       ("LINUX_VERSION_CODE", "CONSTANT_COMPARISON") for path in COMPATS},
    # events are laid out like all others of the kernel
    "include/trace": ("OPEN_ENDED_LINE", "PARENTHESIS_ALIGNMENT"),
    # a copy of a driver's operations is there to be changed
    "module/adapter": ("CONST_STRUCT",),
    # programs, with the C library's types and without the kernel's helpers
    "scripts": ("PREFER_KERNEL_TYPES", "VOLATILE", "STRNCPY", "BIT_MACRO",
                "PREFER_DEFINED_ATTRIBUTE_MACRO", "ARRAY_SIZE"),
}


def _files(*patterns, under=("module", "include", "kunit", "scripts")):
    """Files of the repository by name, sorted."""
    return sorted(path for top in under for pattern in patterns
                  for path in (REPO / top).rglob(pattern))


def _name(path):
    return str(path.relative_to(REPO))


def _c_files():
    return _files("*.c", "*.h")


def _said(command, stderr=subprocess.STDOUT):
    """Everything a command prints; its exit code where it prints nothing."""
    done = subprocess.run([str(arg) for arg in command], text=True, cwd=REPO,
                          stdout=subprocess.PIPE, stderr=stderr)
    said = done.stdout.strip()
    if done.returncode and not said:
        return f"{command[0]}: exit {done.returncode}"
    return said


def _ignored(path):
    """Types of findings that do not count in this file."""
    return sorted({kind for name, kinds in IGNORED.items() for kind in kinds
                   if path.is_relative_to(REPO / name)})


def checkpatch():
    """Kernel coding style."""
    groups = collections.defaultdict(list)
    for number, path in enumerate(_c_files()):
        # one group more than needed, for the other processor
        groups[number % 2, ",".join(_ignored(path))].append(_name(path))
    script = source.source() / "scripts/checkpatch.pl"

    def judge(group):
        (_, ignored), names = group
        return _said(["perl", script, "--no-tree", "--strict", "--terse",
                      "--quiet", "--no-summary", "--show-types",
                      "--ignore", ignored, "-f", *names])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(judge, groups.items())
    return "\n".join(filter(None, found))


def kernel_doc():
    """Comments that describe something else than the code.

    What is offered to others is described in full, return values included.
    """
    script = source.source() / "scripts/kernel-doc"
    offered = _files("*.h", under=("include",))
    others = _files("*.c", "*.h", under=("module",))
    found = (_said(["perl", script, "-none", "-Wall", *offered]),
             _said(["perl", script, "-none", *others]))
    return "\n".join(filter(None, found))


def spdx():
    """A licence in the first two lines, in the form the file type wants."""
    form = {".c": "// ", ".h": "/* "}
    bad = []
    for path in _files("*.c", "*.h", "*.py", "*.sh", "vlab"):
        head = path.read_text().splitlines()[:2]
        want = form.get(path.suffix, "# ") + "SPDX-License-Identifier: GPL-2.0"
        if not any(line.startswith(want) for line in head):
            bad.append(f"{_name(path)}: no line '{want}'")
    return "\n".join(bad)


def abi_syntax():
    """The ABI documents are well formed.  The script never fails: listen."""
    script = source.source() / "scripts/get_abi.pl"
    return _said(["perl", script, "--dir", ABI.parent, "validate"])


def _attributes():
    """Names of all sysfs attributes that the code makes, with their file."""
    for path in _files("*.c", under=("module",)):
        for name in re.findall(ATTRIBUTE, path.read_text(), re.M):
            yield name, _name(path)
    counters = (REPO / "include/vcoal/vcoal.h").read_text()
    for name in re.findall(r"^\tC\((\w+)\)", counters, re.M):
        yield name, "include/vcoal/vcoal.h"


def abi_complete():
    """Every sysfs attribute has an entry, every entry has an attribute."""
    whats = re.findall(r"^What:\s+(\S+)", ABI.read_text(), re.M)
    entries = {what.rsplit("/", 1)[1] for what in whats}
    names = dict(_attributes())
    bad = [f"{where}: {name}: no entry in {_name(ABI)}"
           for name, where in names.items() if name not in entries]
    bad += [f"{_name(ABI)}: {name}: no such attribute"
            for name in sorted(entries - names.keys() - NO_ATTRIBUTES)]
    return "\n".join(bad)


def version_checks():
    """Kernel versions are known in one place of each module."""
    bad = [_name(path) for path in _c_files()
           if path not in COMPATS and "LINUX_VERSION_CODE" in path.read_text()]
    return "\n".join(f"{name}: LINUX_VERSION_CODE" for name in bad)


def file_length():
    """A file that grows past the limit holds two nouns."""
    sizes = {path: path.read_text().count("\n")
             for path in _files("*.c", under=("module",))}
    return "\n".join(f"{_name(path)}: {lines} lines, {MAX_LINES} allowed"
                     for path, lines in sizes.items() if lines > MAX_LINES)


def syntax():
    """Scripts that cannot even be read."""
    bad = []
    with tempfile.TemporaryDirectory() as temp:
        for path in _files("*.py", "vlab"):
            try:
                py_compile.compile(str(path), cfile=f"{temp}/c", doraise=True)
            except py_compile.PyCompileError as error:
                bad.append(str(error))
    for path in [*_files("*.sh"), REPO / ".ci/run"]:
        shell = path.read_text().splitlines()[0].rsplit("/", 1)[-1]
        if shell.split()[-1] in ("sh", "bash"):
            bad.append(_said([shell.split()[-1], "-n", path]))
    return "\n".join(filter(None, bad))


def _rules(scripts):
    """Report-mode rules that need no OCaml, with their options."""
    for path in sorted(scripts.rglob("*.cocci")):
        text = path.read_text(errors="replace")
        if "script:ocaml" in text or "initialize:ocaml" in text:
            continue
        if re.search(r"^virtual.*\breport\b", text, re.M):
            options = re.search(r"^// Options: *(.*)$", text, re.M)
            yield path, options.group(1).split() if options else []


def coccinelle():
    """Known bug patterns, by the kernel's own semantic rules."""
    # some rules are in Python, for which it looks by the name for developers
    apt.install(["coccinelle", "libpython3-dev"])
    kernel = source.source()

    def apply(rule):
        path, options = rule
        return _said(["spatch", "-D", "report", "--no-show-diff",
                      "--very-quiet", "--cocci-file", path, *options,
                      "--dir", REPO / "module", "-I", REPO / "include",
                      "-I", kernel / "include"],
                     # the rules' own warnings about themselves
                     stderr=subprocess.DEVNULL)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(apply, _rules(kernel / "scripts/coccinelle"))
    return "\n".join(sorted(set(filter(None, found))))


def failures_are_said_again():
    """Who counts the results must see a failure, and what led to it."""
    tally = check.Tally()
    for line in ("KTAP version 1", "ok 1 a", "# b: because", "not ok 2 b",
                 "    ok 1 c1", "    not ok 2 c2", "not ok 3 c", "ok 4 d"):
        tally.line(f"{line}\n")
    tally.fail("# part: FAILED: exit status 1\n")
    found = tally.passed, tally.failed, tally.failures
    expected = 3, 3, ["# b: because\nnot ok 2 b\n", "    not ok 2 c2\n",
                      "# part: FAILED: exit status 1\n"]
    return "" if found == expected else f"{found}, not {expected}"


# what a guest of CI said as it booted, and the same with an int3 in the code
STALE = """Oops: int3: 0000 [#1] PREEMPT SMP NOPTI
Code: f3 0f 1e fa 41 54 55 53 66 <90> e8 41 ac f0 ff 48 03 05 a2 02 d2 01 48
"""
REAL = STALE.replace("66 <90>", "cc <90>")
OLDER = STALE.replace("Oops: ", "")


def emulator_faults_are_told_apart():
    """From our own: an int3 that was not there, flags that no processor has."""
    told = [qemu.stale_int3(console) for console in
            (STALE, OLDER, REAL, REAL + "Code: Unable to access opcode bytes",
             STALE.replace("int3: 0000", "0000"), "")]
    told += [qemu.impossible_flags(f"RSP: 0018:ffa0 EFLAGS: {flags}\nRAX: 0")
             for flags in ("059bf642", "00000246", "00250ad7")]
    expected = [True, True, False, False, False, False, True, False, False]
    return "" if told == expected else f"{told}, not {expected}"


CASES = (checkpatch, kernel_doc, spdx, abi_syntax, abi_complete,
         version_checks, file_length, syntax, failures_are_said_again,
         emulator_faults_are_told_apart, coccinelle)
