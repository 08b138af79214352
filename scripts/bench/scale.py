# SPDX-License-Identifier: GPL-2.0
"""What the module takes on a machine with many NICs that are not its own."""

import re

from lab import apt, image

from . import machine

NICS = 1000
STRUCTS = ("vnet_queue", "vcoal_queue", "vnet_nic", "vcoal_nic", "vcoal_vm")
KMALLOC = (96, 128, 192, 256, 512, 1024, 2048, 4096)
JOB = f"""
now() {{ sed -n 's/^now at \\([0-9]*\\).*/\\1/p' /proc/timer_list; }}
# timed NAME COMMAND
timed() {{
	local name=$1 begin
	shift
	begin=$(now)
	"$@"
	echo "$name=$(($(now) - begin))"
}}
rounds() {{
	for round in 1 2 3; do
		timed $1.nothing true
		timed $1.insert insmod /vcoal.ko
		sleep 1
		timed $1.remove rmmod vcoal
		sleep 1
	done
}}
rmmod dummy
rmmod veth
sleep 10
rounds none
insmod /lib/modules/dummy.ko numdummies={NICS}
sleep 10
rounds dummy
rmmod dummy
insmod /lib/modules/veth.ko
i=0
while [ $i -lt {NICS // 2} ]; do
	/bin/ip link add v$i type veth peer name w$i
	i=$((i + 1))
done
sleep 10
rounds veth
"""


def attach(boot, module):
    """Microseconds to insert and to remove, by what other NICs there are."""
    disk = machine.initrd("bench-scale", boot, module, JOB,
                          (*image.MODULES, "dummy", "veth"))
    said = machine.run("bench-scale", boot, disk)
    rows = {}
    for name, what, value in re.findall(r"(\w+)\.(\w+)=(\d+)", said):
        rows.setdefault(name, {}).setdefault(what, []).append(int(value))
    return {name: {what: (min(row[what]) - min(row["nothing"])) // 1000
                   for what in ("insert", "remove")}
            for name, row in rows.items()}


def sizes(module):
    """Bytes of each structure, and what kmalloc() takes for it."""
    apt.install(["dwarves"])
    found = {}
    for name in STRUCTS:
        said = apt.run(["pahole", "-C", name, module])
        size = int(re.search(r"/\* size: (\d+),", said)[1])
        found[name] = [size, next(k for k in KMALLOC if k >= size)]
    return found
