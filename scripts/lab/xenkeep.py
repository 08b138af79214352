# SPDX-License-Identifier: GPL-2.0
"""Settings that follow a domain when its number changes: scripts/xen."""

import textwrap

from .ktap import expect

VMS = "/sys/kernel/vcoal/vms"
SET = {"class": "throughput", "policy": "rate", "label": "shop 1",
       "irq_rate_max": "5000"}
NIC = {"rx_usecs": "300", "mode": "fixed"}
# those who set again run when the kernel says so, as udev's do
LISTEN = "uevent xen-uevent > /run/uevents 2>&1 &"
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
    """The cases; they share one host and one domain, which runs."""

    def __init__(self, link):
        self.link = link
        self.host = link.host
        self.domain = link.domain

    @property
    def _vm(self):
        return f"{VMS}/dom{self.domain.domid}"

    def _files(self):
        """Path and value of everything that is kept."""
        vm = self._vm
        yield from ((f"{vm}/{name}", value) for name, value in SET.items())
        yield from ((f"{vm}/nics/{self.domain.vif}/{name}", value)
                    for name, value in NIC.items())

    def _expect_all(self):
        for file, value in self._files():
            self.host.run(WAIT.format(file=file, value=value))

    def keep(self):
        """An operator sets a domain up, and keeps that."""
        self.host.run(f"{LISTEN}\ninsmod /vcoal.ko")
        self.host.run("set -e\n" + "\n".join(
            f"echo {value} > {file}" for file, value in self._files()))
        self.host.run(f"vcoal-xen keep {self.domain.name}")

    def restore(self):
        """A domain that is saved and restored gets them back by its UUID."""
        before = self.domain.domid
        self.host.run(f"set -e\nxl save {self.domain.name} /run/saved\n"
                      f"rm /var/lib/vcoal/xen/{self.domain.name}\n"
                      "xl restore /run/saved\nrm /run/saved", 300)
        expect(self.domain.domid != before, "the domain is the same")
        self._expect_all()
        self.domain.configure()
        self.link.flows(200, 500)

    def insertion(self):
        """The module leaves and comes again."""
        self.host.run("rmmod vcoal\ninsmod /vcoal.ko")
        self._expect_all()

    def same_name(self):
        """Another domain of the same name gets them, too."""
        self.host.run(f"vcoal-xen keep {self.domain.name}")
        self.domain.destroy()
        self.domain.create()
        self._expect_all()

    def forget(self):
        """What is forgotten does not come back; a name is a label."""
        self.host.run(f"vcoal-xen forget {self.domain.name}")
        self.host.run("rmmod vcoal\ninsmod /vcoal.ko")
        vm = self._vm
        self.host.run(WAIT.format(file=f"{vm}/label", value=self.domain.name))
        said = self.host.run(f"cat {vm}/class {vm}/policy").split()
        usual = self.host.run(f"cat {VMS}/../default_class "
                              f"{VMS}/../default_policy").split()
        expect(said == usual, f"{said}, not {usual}")

    def refusals(self):
        """Who asks for nothing is told so."""
        for words in ("keep nobody", "keep 4711", "forget nobody",
                      "apply nobody", "", "keep", "restore u1"):
            answer = self.host.ask(f"vcoal-xen {words}")
            expect(answer.status and answer.text, f"{words}: {answer}")

    def remove(self):
        """The module leaves."""
        said = self.host.run("rmmod vcoal\ncat /run/uevents")
        expect(not said, said)

    def cases(self):
        """In the order in which they run."""
        return (self.keep, self.restore, self.insertion, self.same_name,
                self.forget, self.refusals, self.remove)
