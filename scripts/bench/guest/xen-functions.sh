# SPDX-License-Identifier: GPL-2.0
# Beside host-functions.sh: a Xen host, with domains u1 and u2 on its bridge.

VMS=/sys/kernel/vcoal/vms
NICS="$VMS/dom*/nics/*"
HOST=10.79.0.1
U1=10.79.0.11
U2=10.79.0.12

# domain NUMBER MAC: create one; what has its processor first is the domain,
# as if dom0 had another one
domain() {
	xl create "/domain/u$1.cfg"
	xl sched-credit2 -d "u$1" -w 65535
	xen-dom "u$1" 1 60 <<- END
		insmod /lib/modules/xen-netfront.ko max_queues=1
		until [ -e /sys/class/net/eth0 ]; do usleep 20000; done
		/bin/ip addr add 10.79.0.1$1/24 dev eth0
		/bin/ip link set eth0 up
		/bin/ip neigh replace $HOST lladdr 00:16:3e:00:00:fe dev eth0
		/bin/ip neigh replace $U1 lladdr 00:16:3e:00:00:01 dev eth0
		/bin/ip neigh replace $U2 lladdr 00:16:3e:00:00:02 dev eth0
		vtraffic serve $SERVE
		vtraffic echo $ECHO
		vtraffic drain $DRAIN
		dd if=/dev/random of=/dev/null bs=32 count=1 2> /dev/null
	END
	/bin/ip neigh replace "10.79.0.1$1" lladdr "$2" dev xenbr0
}

# threads BY: raise how nice netback's threads are that copy to domains
threads() {
	local pids
	pids=$(ps | awk '/\[vif[0-9.]+-q[0-9]+-gu/ { print $1 }')
	[ -n "$pids" ] || exit 1
	renice -n "$1" -p $pids
}

# threads_first LOAD: with these threads before all others of dom0
threads_first() {
	threads -19
	"$@"
	threads 19
}

# prepare: what kernels put off at boot must not be measured
prepare() {
	xen-start
	echo 1 > /sys/module/xen_netback/parameters/max_queues
	domain 1 00:16:3e:00:00:01
	domain 2 00:16:3e:00:00:02
	dd if=/dev/random of=/dev/null bs=32 count=1 2> /dev/null
	sleep 10
}

snapshot() {
	vtraffic counters
	ask $U1 counters | sed 's/^/u1./'
	ask $U2 counters | sed 's/^/u2./'
	[ -d $VMS ] || return 0
	(cd $VMS && grep . dom*/nics/*/queues/*/* |
		sed 's/:/=/; s,/nics/[^/]*/queues/,.,')
	(cd /sys/bus/xen-backend/devices && grep . vif-*/xenbus/* | sed 's/:/=/')
}
