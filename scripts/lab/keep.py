# SPDX-License-Identifier: GPL-2.0
"""Settings that follow a VM from one directory to the next: scripts/keep.

They are brought back by uevents, as with udev: keep-uevent stands for it.
"""

import textwrap

from .ktap import expect
from .kvmhost import ROOT
from .vmm import INSERT

VMS = f"{ROOT}/vms"
SET = {"class": "throughput", "policy": "rate", "label": "shop 1",
       "irq_rate_max": "5000", "max_delay_us": "40"}
NIC = {"rx_usecs": "300", "mode": "fixed"}
LISTEN = "uevent keep-uevent > /run/uevents 2>&1 &"
# until nobody acts on one
QUIET = "while pidof keep-uevent vcoal-keep > /dev/null; do usleep 20000; done"
# as long as it may take them
WAIT = textwrap.dedent("""\
    n=0
    until [ "$(cat {file} 2> /dev/null)" = "{value}" ]; do
        n=$((n + 1))
        [ $n -lt 200 ] || {{ echo "{file}: $(cat {file})"; exit 1; }}
        usleep 50000
    done
    """)


class Keep:
    """What all kinds of VMs share; the cases share one machine."""

    def __init__(self, machine):
        self.machine = machine

    def vm(self):
        """Where the VM is now."""
        raise NotImplementedError

    def nic(self):
        """Where its NIC is."""
        raise NotImplementedError

    def _files(self):
        """Path and value of everything that is kept."""
        yield from ((f"{self.vm()}/{name}", value)
                    for name, value in SET.items())
        yield from ((f"{self.nic()}/{name}", value)
                    for name, value in NIC.items())

    def listen(self):
        """The module comes; who sets again hears of it."""
        self.machine.run(f"{LISTEN}\n{INSERT}")

    def _insert_again(self):
        """The module leaves and comes again."""
        self.machine.run(f"{QUIET}\nrmmod vcoal\n{INSERT}")

    def set_and_keep(self, word):
        """What an operator does."""
        self.machine.run("set -e\n" + "\n".join(
            f"echo {value} > {file}" for file, value in self._files()))
        self.machine.run(f"vcoal-keep keep {word}")

    def expect_all(self):
        """All is there again, soon."""
        for file, value in self._files():
            self.machine.run(WAIT.format(file=file, value=value))

    def named(self, label):
        """Nothing was kept: all that is written is what the VM is called."""
        self.machine.run(WAIT.format(file=f"{self.vm()}/label", value=label))

    def expect_usual(self, label):
        """Nothing is set again, now that it would be."""
        self.named(label)
        self.machine.run("vcoal-keep apply")
        vm = self.vm()
        said = self.machine.run(f"cat {vm}/class {vm}/policy").split()
        usual = self.machine.run(f"cat {VMS}/../default_class "
                                 f"{VMS}/../default_policy").split()
        expect(said == usual, f"{said}, not {usual}")

    def listed(self, vm):
        """What is kept of a VM, which is there or not."""
        lines = self.machine.run("vcoal-keep list").splitlines()[1:]
        said = [line.split() for line in lines]
        kept = [words[-1] for words in said
                if words[0] == vm and " ".join(words[1:-1]) == SET["label"]]
        expect(len(kept) == 1 and kept[0] != "-", f"{vm}: {lines}")
        return kept[0]

    def upgrade(self):
        """All VMs are kept at once; with another module all is set again."""
        self.machine.run("rm -r /var/lib/vcoal\nvcoal-keep keep")
        self.listed(self.vm().rsplit("/", 1)[-1])
        self._insert_again()
        self.expect_all()

    def refusals(self):
        """Who asks for nothing is told so, and nothing happens."""
        files = "/var/lib/x /var/lib/vcoal/name/x"
        self.machine.run(f"mkdir -p /var/lib/vcoal/name\ntouch {files}")
        for words in ("keep nobody", "keep 4711", "forget nobody",
                      "forget ../x", "forget ../../x", "forget name/x",
                      "apply nobody", "apply ''", "", "forget", "restore u1"):
            answer = self.machine.ask(f"vcoal-keep {words}")
            expect(answer.status and answer.text, f"{words}: {answer}")
        self.machine.run(f"rm {files}")
        answer = self.machine.ask("vcoal-keep --help")
        expect(not answer.status and "forget VM" in answer.text, f"{answer}")

    def remove(self):
        """The module leaves, and nobody complained."""
        said = self.machine.run(f"{QUIET}\nrmmod vcoal\ncat /run/uevents")
        expect(not said, said)


class Domain(Keep):
    """A domain, whose number changes."""

    def __init__(self, link):
        super().__init__(link.host)
        self.link = link
        self.domain = link.domain

    def vm(self):
        return f"{VMS}/dom{self.domain.domid}"

    def nic(self):
        return f"{self.vm()}/nics/{self.domain.vif}"

    def keep(self):
        """An operator sets a domain up, and keeps that."""
        self.listen()
        self.set_and_keep(self.domain.name)

    def restore(self):
        """A domain that is saved and restored gets them back by its UUID."""
        before = self.domain.domid
        self.machine.run(f"set -e\nxl save {self.domain.name} /run/saved\n"
                         f"rm /var/lib/vcoal/name/{self.domain.name}\n"
                         "xl restore /run/saved\nrm /run/saved", 300)
        expect(self.domain.domid != before, "the domain is the same")
        self.expect_all()
        self.domain.configure()
        self.link.flows(200, 500)

    def same_name(self):
        """Another domain of the same name gets them, too."""
        self.machine.run(f"vcoal-keep keep {self.domain.name}")
        self.domain.destroy()
        self.domain.create()
        self.expect_all()

    def forget(self):
        """What is forgotten does not come back; a name is a label."""
        self.machine.run(f"vcoal-keep forget {self.domain.name}")
        self._insert_again()
        self.expect_usual(self.domain.name)

    def cases(self):
        """In the order in which they run."""
        return (self.keep, self.restore, self.upgrade, self.same_name,
                self.forget, self.refusals, self.remove)


class Vmms(Keep):
    """VMMs on /dev/vhost-net; a VM is another one with each of them."""

    # a comma is written twice
    NAME, WRITTEN, OTHER = "web, shop", "web,, shop", "db"
    UUIDS = tuple(f"6e3b7cd2-0000-4000-8000-{number:012}" for number in (1, 2))

    def __init__(self, guest, rounds=1.0):
        super().__init__(guest)
        self._pid = None
        self._short = rounds < 1

    def vm(self):
        return f"{VMS}/pid{self._pid}"

    def nic(self):
        return f"{self.vm()}/nics/vhost"

    def _start(self, name, uuid):
        """A VMM of a VM; its traffic never ends."""
        words = f"-name '{name}'" if name else ""
        if uuid:
            words += f" -uuid {uuid}"
        self._pid = self.machine.run(
            f"vhosttest -w 8 -g 2000 soak -- -machine x {words} -m 1 "
            "> /run/soak 2>&1 &\necho $!")
        self.machine.run(f"until [ -d {self.nic()} ]; do usleep 20000; done")

    def _end(self):
        """Of a VMM; it has lost nothing."""
        self.machine.run(f"kill {self._pid}\nwhile [ -d {self.vm()} ]; do "
                         "usleep 20000; done\n! grep -E 'lost|stall' /run/soak")

    def keep(self):
        """An operator sets a VM up by its name, and keeps that."""
        self.listen()
        self._start(f"guest={self.WRITTEN},debug-threads=on", self.UUIDS[0])
        self.named(self.NAME)
        self.set_and_keep(f"'{self.NAME}'")

    def same_uuid(self):
        """It is started again, under another name."""
        self._end()
        expect(self.listed("-") == f"uuid/{self.UUIDS[0]}", "not by its UUID")
        self._start(self.OTHER, self.UUIDS[0])
        self.expect_all()

    def same_name(self):
        """It is made anew, under the same name."""
        self._end()
        self._start(f"debug-threads=on,guest={self.WRITTEN}", self.UUIDS[1])
        self.expect_all()

    def others(self):
        """Nobody else gets them, whatever he is called."""
        names = (self.UUIDS[0], "", self.OTHER, f"../name/{self.NAME}", "web",
                 "local")
        for name in names[:2] if self._short else names:
            self._end()
            self._start(name.replace(",", ",,"),
                        "" if name else self.UUIDS[1])
            self.expect_usual(name or "vhosttest")
        self._end()
        self._start(self.WRITTEN, "")

    def forget(self):
        """What is forgotten does not come back."""
        self.expect_all()
        self.machine.run(f"vcoal-keep forget '{self.NAME}'\n"
                         "vcoal-keep forget local")
        self._end()
        self._start(self.WRITTEN, self.UUIDS[0])
        self.expect_usual(self.NAME)
        left = self.machine.run("find /var/lib/vcoal ! -type d")
        expect(not left, f"left: {left}")
        self._end()

    def cases(self):
        """In the order in which they run."""
        return (self.keep, self.upgrade, self.same_uuid, self.same_name,
                self.others, self.forget, self.refusals, self.remove)


class Guest(Keep):
    """NICs of this machine, which have names."""

    def __init__(self, wire):
        super().__init__(wire.guest)
        self._end = wire.a

    def vm(self):
        return f"{VMS}/local"

    def nic(self):
        return f"{self.vm()}/nics/{self._end.dev}"

    def keep(self):
        """An operator sets a NIC up, and keeps that."""
        self.listen()
        self.set_and_keep("local")

    def renamed(self):
        """A NIC gets what was kept for the name that it takes."""
        there, dev = self.nic(), self._end.dev
        self.machine.run(f"echo auto > {there}/mode\n"
                         f"echo 0 > {there}/rx_usecs")
        rename = ("ip link set {0} down\nip link set {0} name {1}\n"
                  "ip link set {1} up")
        for names in ((dev, "other"), ("other", dev)):
            self.machine.inside(self._end.netns, rename.format(*names))
        self.expect_all()

    def forget(self):
        """What is forgotten does not come back."""
        self.machine.run("vcoal-keep forget local")
        self._insert_again()
        self.expect_usual("")

    def complaint(self):
        """A value that is refused is said; all others are set."""
        file = "/var/lib/vcoal/local"
        # who still acts on an event would say it as well
        self.machine.run(f"killall uevent\n{QUIET}")
        answer = self.machine.ask(
            "mkdir -p /var/lib/vcoal\n"
            f"printf 'policy=nobody\nno=file\nclass=none' > {file}\n"
            "vcoal-keep apply local\nstatus=$?\n"
            f"cat {self.vm()}/class\nrm {file}\nexit $status")
        expect(answer.status and answer.text.endswith("none") and
               "policy=nobody was refused" in answer.text and
               "no=file was refused" in answer.text, f"{answer}")

    def cases(self):
        """In the order in which they run."""
        return (self.keep, self.upgrade, self.renamed, self.forget,
                self.refusals, self.complaint, self.remove)
