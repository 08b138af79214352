# SPDX-License-Identifier: GPL-2.0
"""Debian packages of any suite, without touching the machine's own apt.

The mirror is the one this machine already uses.  Lists, sources and packages
live in the cache directory; every file appears there by rename, so an
interrupted run leaves nothing half done.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

BOOKWORM = ("bookworm", "bookworm-updates", "bookworm-security")
BOOKWORM_BACKPORTS = ("bookworm-backports",)
TRIXIE = ("trixie", "trixie-security")
TRIXIE_BACKPORTS = ("trixie-backports",)

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_MAX_AGE_S = 24 * 3600


class AptError(Exception):
    """apt could not deliver; the text says what and why."""


def cache_dir(*parts):
    """Directory under the lab's cache, created when missing."""
    base = os.environ.get("VCOAL_CACHE")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        base = Path(home) / "vcoal"
    path = Path(base).absolute().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def lock(name):
    """One process at a time does the named thing; the others wait for it."""
    with open(cache_dir("locks") / name, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command, **kwargs):
    """Run and return stdout; on failure raise with what it printed."""
    done = subprocess.run([str(arg) for arg in command], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          **kwargs)
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise AptError(f"{shlex.join(map(str, command))}: exit "
                       f"{done.returncode}\n{said}")
    return done.stdout


@functools.cache
def mirrors():
    """(main, security) repository addresses of this machine."""
    out = run(["apt-get", "indextargets", "--format",
               "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
    main = security = None
    for uri, release in (line.split() for line in out.splitlines() if line):
        if release.endswith("-security"):
            security = security or uri
        elif not release.endswith("-backports"):
            main = main or uri
    if not main:
        raise AptError("no Debian mirror in this machine's apt configuration")
    return main, security or re.sub(r"/debian/?$", "/debian-security/", main)


def _sources(suites, kind):
    """A sources.list for exactly these suites."""
    main, security = mirrors()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    text = "".join(f"{kind} {signed}"
                   f"{security if suite.endswith('-security') else main} "
                   f"{suite} main\n" for suite in suites)
    path = cache_dir("apt") / f"{'+'.join(suites)}-{kind}.list"
    temp = path.with_suffix(f".{os.getpid()}")
    temp.write_text(text)
    temp.rename(path)
    return path


def _options(suites, kind="deb"):
    """What turns the machine's apt into ours, for these suites only."""
    lists = cache_dir("apt", "lists")
    # binary caches hold for one set of suites only
    cache = cache_dir("apt", "cache", "+".join(suites))
    settings = {
        "Dir::Etc::sourcelist": _sources(suites, kind),
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State::Lists": lists,
        "Dir::State::status": "/dev/null",
        "Dir::Cache": cache,
        "APT::Get::List-Cleanup": "0",
        # the cache may lie where user _apt cannot go
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    return [arg for key, value in settings.items()
            for arg in ("-o", f"{key}={value}")]


def _update(suites, force=False):
    """Bring the lists of these suites up to date, once a day."""
    stamps = [cache_dir("apt", "updated") / suite for suite in suites]
    limit = time.time() - LISTS_MAX_AGE_S
    if not force and all(s.exists() and s.stat().st_mtime > limit
                         for s in stamps):
        return
    print(f"# apt: update the lists of {' '.join(suites)}", flush=True)
    try:
        run(["apt-get", *_options(suites), "update", "-q",
             "-o", "APT::Update::Error-Mode=any"])
    except AptError as error:
        if force or not all(s.exists() for s in stamps):
            raise
        print(f"# apt: keeping old package lists: {error}")
        return
    for stamp in stamps:
        stamp.touch()


def newest(suites, regex):
    """Newest package, by version, whose whole name matches regex."""
    with lock("apt"):
        _update(suites)
        out = run(["apt-cache", *_options(suites), "pkgnames"])
    names = [name for name in out.split() if re.fullmatch(regex, name)]
    if not names:
        raise AptError(f"no package matches {regex} in {' '.join(suites)}")
    return max(names, key=_version_key)


def _version_key(name):
    return [int(number) for number in re.findall(r"\d+", name)]


def available(suites, names):
    """Those of names that the suites have, in the order given."""
    with lock("apt"):
        _update(suites)
        have = set(run(["apt-cache", *_options(suites), "pkgnames"]).split())
    return [name for name in names if name in have]


def _uris(suites, names):
    """Rows of (name, deb file name, size) to be downloaded."""
    out = run(["apt-get", *_options(suites), "download", "--print-uris",
               *names])
    rows = []
    for line in out.splitlines():
        match = re.match(r"'[^']+' (\S+) (\d+)", line)
        if match:
            deb, size = match.groups()
            rows.append((deb.split("_")[0], deb, int(size)))
    return rows


def _download(suites, name, target):
    """One .deb to target; it appears there only when it is whole."""
    print(f"# apt: fetch {target.name}", flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temp:
        run(["apt-get", *_options(suites), "download", "-q", name], cwd=temp)
        [deb] = Path(temp).glob("*.deb")
        deb.rename(target)


def _fetch(suites, names):
    debs = cache_dir("debs")
    found = {}
    for name, deb, size in _uris(suites, names):
        path = debs / deb
        if not path.exists() or path.stat().st_size != size:
            _download(suites, name, path)
        found[name] = path
    missing = set(names) - set(found)
    if missing:
        raise AptError(f"not to be had: {' '.join(sorted(missing))}")
    return found


def fetch(suites, names):
    """Packages in their newest version: dict of name to Path of the .deb."""
    with lock("apt"):
        _update(suites)
        try:
            return _fetch(suites, names)
        except AptError:
            # a superseded version leaves the pool before our lists know
            _update(suites, force=True)
            return _fetch(suites, names)


def fetch_source(suites, name):
    """Newest source package: Path of its .dsc, the other files beside it."""
    place = cache_dir("sources", name)
    options = _options(suites, "deb-src")
    with lock("apt"):
        if not any(place.glob("*.dsc")):
            print(f"# apt: fetch the source of {name}", flush=True)
            run(["apt-get", *options, "update", "-q",
                 "-o", "APT::Update::Error-Mode=any"])
            run(["apt-get", *options, "source", "-q", "--download-only",
                 name], cwd=place)
    [dsc] = place.glob("*.dsc")
    return dsc


def unpack(deb, dest):
    """The files of a .deb under dest."""
    Path(dest).mkdir(parents=True, exist_ok=True)
    run(["dpkg-deb", "-x", deb, dest])


def _installed(name):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}",
                           name], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return done.returncode == 0 and "installed" in done.stdout.split()


def _as_root(command):
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    return run([*prefix, *environment, *command])


def install(packages):
    """Install on this machine what is missing, and say what."""
    missing = [name for name in packages if not _installed(name)]
    if not missing:
        return
    print(f"# apt: install {' '.join(missing)}", flush=True)
    install_them = ["apt-get", "install", "-y", "-q",
                    "--no-install-recommends", *missing]
    with lock("install"):
        try:
            _as_root(install_them)
        except AptError:
            # lists are absent in fresh images and old in stale ones
            _as_root(["apt-get", "update", "-q"])
            _as_root(install_them)


def root(suite, include):
    """Cached minimal root of a suite with packages, to build in by chroot."""
    key = hashlib.sha256(" ".join(sorted(include)).encode()).hexdigest()[:12]
    path = cache_dir("roots") / f"{suite}-{key}"
    with lock(path.name):
        if not path.exists():
            _bootstrap(suite, include, path)
    return path


def _bootstrap(suite, include, path):
    install(["debootstrap", "debian-archive-keyring"])
    print(f"# apt: build a {suite} root: {' '.join(include)}", flush=True)
    temp = path.with_suffix(".tmp")
    shutil.rmtree(temp, ignore_errors=True)
    run(["debootstrap", "--variant=minbase", f"--keyring={KEYRING}",
         f"--include={','.join(include)}",
         f"--cache-dir={cache_dir('apt', 'bootstrap')}",
         suite, temp, mirrors()[0]])
    temp.rename(path)
