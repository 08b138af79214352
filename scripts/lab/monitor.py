# SPDX-License-Identifier: GPL-2.0
"""A look into a guest from outside, of use when it does not answer.

The connection is a pair of sockets, one of which the emulator inherits: no
name that two labs could share, nothing to remove.
"""

import contextlib
import json
import re
import socket
import time

LOOKS, APART_S, ANSWER_S = 3, 1, 10
SHOWN = re.compile(r"^(CPU#|[ER]IP=|CS =)")


class Monitor:
    """Asks the emulator about its guest."""

    def __init__(self):
        self._ours, self.theirs = socket.socketpair()
        self._lines = self._ours.makefile("rw", encoding="utf-8",
                                          errors="replace")
        self._ours.settimeout(ANSWER_S)

    def arguments(self):
        """For the emulator's command line."""
        return ["-chardev", f"socket,id=monitor,fd={self.theirs.fileno()}",
                "-mon", "chardev=monitor,mode=control"]

    def started(self):
        """The emulator has its end; when it ends, so does the connection."""
        self.theirs.close()

    def close(self):
        """No more questions."""
        self.theirs.close()
        # what was not sent to one that is gone is not missed
        with contextlib.suppress(OSError):
            self._lines.close()
        self._ours.close()

    def ask(self, command, **arguments):
        """Have it do something; what it answers."""
        request = {"execute": command, "arguments": arguments}
        self._lines.write(json.dumps(request) + "\n")
        self._lines.flush()
        for line in self._lines:
            answer = json.loads(line)
            if "error" in answer:
                raise OSError(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]
        raise OSError("the emulator is gone")

    def processors(self):
        """What each of them does, looked at a few times."""
        try:
            self.ask("qmp_capabilities")
            looks = []
            for _ in range(LOOKS):
                looks.append(self.ask("human-monitor-command",
                                       **{"command-line":
                                          "info registers -a"}))
                time.sleep(APART_S)
        except (OSError, ValueError) as error:
            return f"the emulator does not answer: {error}"
        return "\n".join(line for look in looks for line in look.splitlines()
                         if SHOWN.search(line))
