# SPDX-License-Identifier: GPL-2.0
# What jobs of a Xen host are made of. Domains u1 and u2 hang on its bridge. The
# soaker is dom0's, so a load that a domain sends is started, and measured,
# from here. Each load runs PHASES times for SECONDS.

VMS=/sys/kernel/vcoal/vms
DOM0=10.79.0.1
U1=10.79.0.11
U2=10.79.0.12
# at both ends: see xen-start and domain()
ECHO=7002
DRAIN=7003
SERVE=7020

# ask DOMAIN-ADDRESS "VERB ...": have a domain do it
ask() {
	local where=$1
	shift
	vtraffic ask "$where" $SERVE "$@"
}

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
		/bin/ip neigh replace $DOM0 lladdr 00:16:3e:00:00:fe dev eth0
		/bin/ip neigh replace $U1 lladdr 00:16:3e:00:00:01 dev eth0
		/bin/ip neigh replace $U2 lladdr 00:16:3e:00:00:02 dev eth0
		vtraffic serve $SERVE
		vtraffic echo $ECHO
		vtraffic drain $DRAIN
		dd if=/dev/random of=/dev/null bs=32 count=1 2> /dev/null
	END
	/bin/ip neigh replace "10.79.0.1$1" lladdr "$2" dev xenbr0
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

# nics NAME VALUE [NAME VALUE ...]: the same settings for all NICs
nics() {
	while [ $# -ge 2 ]; do
		for nic in $VMS/dom*/nics/*; do
			echo "$2" > "$nic/$1"
		done
		shift 2
	done
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

# sample NAME LOAD: run LOAD between two snapshots. All parts of it are started
# in the same turn of the grid in which verbs begin to measure.
sample() {
	echo "@ before $1"
	snapshot
	vtraffic rest -t 0 -m 1 > /run/turn
	echo "@ during $1"
	eval "$2"
	echo "@ after $1"
	snapshot
}

# The loads; each prints what it saw. Clocks of two domains are not the same, so
# only round trips are timed.

untimed() { sed 's/ p50_us.*//'; }

# down SEND-OPTIONS: dom0 to a domain
down() {
	ask $U1 "sink 7001 -f -i 500" > /run/sink &
	vtraffic send $U1 7001 -m "$PHASES" "$@"
	wait $!
	untimed < /run/sink
}

# up SEND-OPTIONS: a domain to dom0
up() {
	vtraffic sink 7001 -f -i 500 > /run/sink &
	ask $U1 "send $DOM0 7001 $*" -m "$PHASES"
	wait $!
	untimed < /run/sink
}

# across SEND-OPTIONS: a domain to another one
across() {
	ask $U2 "sink 7001 -f -i 500" > /run/sink &
	ask $U1 "send $U2 7001 $*" -m "$PHASES"
	wait $!
	untimed < /run/sink
}

# stream_down, stream_up STREAM-OPTIONS: one TCP connection
stream_down() { vtraffic stream $U1 $DRAIN -m "$PHASES" "$@"; }
stream_up() { ask $U1 "stream $DOM0 $DRAIN $*" -m "$PHASES"; }
stream_across() { ask $U1 "stream $U2 $DRAIN $*" -m "$PHASES"; }

# ping, ping_across PING-OPTIONS: closed loops
ping() { vtraffic ping $U1 $ECHO -m "$PHASES" "$@"; }
ping_across() { ask $U1 "ping $U2 $ECHO $*" -m "$PHASES"; }

# mix RATE SECONDS, apart RATE SECONDS: a bulk flow beside paced round trips to
# the same domain, and to the other one
side() {
	vtraffic ping "$1" $ECHO -m "$PHASES" -r 500 -t "$3" > /run/side &
	down -r "$2" -t "$3"
	wait
	sed 's/^/side /' /run/side
}
mix() { side $U1 "$@"; }
apart() { side $U2 "$@"; }
