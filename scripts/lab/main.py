# SPDX-License-Identifier: GPL-2.0
"""The verbs of vlab."""

import argparse
import importlib
import signal
import subprocess
import sys
from functools import partial

from . import apt, check, kernel, ktap, qemu, together

LINK = kernel.REPO / "vcoal.ko"


def deps(_):
    """install what the labs need, fetch kernels, build two of them"""
    from . import deps as needed
    return needed.run()


def build(args):
    """build vcoal.ko for a kernel series"""
    for name in args.kernels or kernel.SERIES:
        product, said = kernel.build(name)
        if said:
            print(said, end="")
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(product)
        print(f"vcoal.ko -> {product}", flush=True)
    return True


def matrix(args):
    """build for every kernel and flavour; warnings are errors"""
    names = [(name, flavour) for name in args.kernels or kernel.SERIES
             for flavour in kernel.FLAVOURS]
    report = ktap.Report(len(names))

    def case(name, flavour):
        warnings = kernel.scrutinise(name, flavour)
        ktap.expect(not warnings, warnings)
    together.run([partial(report.case, f"build: {name}-{flavour}", case, name,
                          flavour) for name, flavour in names])
    return not report.failed


def static(_):
    """style, documents, known bug patterns"""
    from . import static as checks
    report = ktap.Report(len(checks.CASES))
    for function in checks.CASES:
        def case():
            said = function()
            ktap.expect(not said, said)
        report.case(f"static: {function.__name__}", case)
    return not report.failed


def kunit(_):
    """KUnit suites in user-mode Linux"""
    from . import kunit as suites
    return suites.run()


def install(_):
    """ways to install the module, into folders of their own"""
    from . import install as ways
    return ways.run()


def debug(_):
    """failing allocations, and the labs in short, under every checker"""
    from . import debug as checkers
    return checkers.run()


def kvm_quick(_):
    """the kvm lab in fewer rounds, on one kernel"""
    from . import kvm as lab
    return lab.run_quick()


def xen_held(args):
    """a million held interrupts on a Xen host, none lost"""
    from . import xen as lab
    return lab.run(args.kernels or ["6.12"], ("held",))


def xen_debug(_):
    """the xen lab's stress, under every checker that Xen's guests can have"""
    from . import xen as lab
    return lab.run_debug()


def xen_pvh(args):
    """the xen lab with domains of type PVH"""
    from . import xen as lab
    return lab.run_pvh(args.kernels or ["6.12"])


def demo(args):
    """show what the module does to live traffic"""
    from . import demo as show
    return show.run((args.kernels or ["6.12"])[0])


def demo_test(_):
    """the demonstration, judged"""
    from . import demo as show
    return show.test("6.12")


def everything(_):
    """all tests but the kvm lab; ends with 'N passed, N failed'"""
    with check.ahead():
        return check.run(check.ALL)


def fast(_):
    """the part of check that takes a few minutes"""
    return check.run(check.FAST)


def bench(args):
    """everybody's cost under every load, into Documentation/results"""
    from bench import main as comparison
    return comparison.run(args.peers)


def bench_foundation(_):
    """what the module itself costs, into Documentation/results"""
    from bench import foundation
    return foundation.run()


def bench_xen(args):
    """a whole Xen host under many loads, into Documentation/results"""
    from bench import xen
    return xen.run(args.peers)


def bench_kvm(args):
    """a whole KVM host under many loads, into Documentation/results"""
    from bench import kvm
    return kvm.run(args.peers)


def bench_quick(_):
    """a few minutes that say whether cost and delay are what they were"""
    from bench import quick
    return quick.run()


VERBS = {"deps": deps, "build": build, "matrix": matrix, "static": static,
         "kunit": kunit, "install": install, "demo-test": demo_test, "debug": debug, "demo": demo,
         "bench": bench,
         "bench-quick": bench_quick, "bench-foundation": bench_foundation,
         "bench-xen": bench_xen, "bench-kvm": bench_kvm,
         "xen-held": xen_held, "xen-debug": xen_debug, "xen-pvh": xen_pvh,
         "kvm-quick": kvm_quick,
         "check": everything, "check-fast": fast}
BESIDE_NEEDS = {"fuzz": ["clang", "libclang-rt-dev"]}
WITH_KERNELS = ("build", "matrix", "demo", "xen-held", "xen-pvh", *check.LABS)


def _lab(name):
    """A verb for a lab: its cases on one kernel after the other."""
    def run(args):
        lab = importlib.import_module(f"lab.{name}")
        series = getattr(lab, "SERIES", kernel.SERIES)
        return lab.run(args.kernels or list(series))
    run.__doc__ = f"the {name} lab, one kernel after the other"
    return run


def _beside(name):
    """A verb for the checks of a folder that has a Makefile of its own."""
    def run(_):
        apt.install([*kernel.COMPILER, *BESIDE_NEEDS.get(name, ())])
        make = ["make", "-s", "-C", kernel.REPO / "scripts" / name, "check"]
        return not subprocess.run(make).returncode
    run.__doc__ = f"make check in scripts/{name}"
    return run


VERBS.update({name: _lab(name) for name in check.LABS})
VERBS.update({name: _beside(name) for name in check.BESIDE})


def _parser():
    parser = argparse.ArgumentParser(prog="vlab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, function in VERBS.items():
        verb = verbs.add_parser(name, help=function.__doc__)
        if name in WITH_KERNELS:
            verb.add_argument("kernels", nargs="*", metavar="SERIES",
                              help=" | ".join(kernel.SERIES))
        if name in ("bench", "bench-xen", "bench-kvm"):
            verb.add_argument("peers", nargs="*", metavar="PEER",
                              help="only these, as peer.py calls them")
    return parser


def main(argv):
    """Run one verb; the exit status says whether all was well."""
    args = _parser().parse_args(argv)
    # what is open must be closed, by whatever end we come to
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return 0 if VERBS[args.verb](args) else 1
    except (apt.AptError, kernel.KernelError, qemu.GuestError) as error:
        print(f"vlab: {error}", file=sys.stderr)
        return 1
