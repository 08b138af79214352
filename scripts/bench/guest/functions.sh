# SPDX-License-Identifier: GPL-2.0
# What jobs are made of. Two NICs of this guest share a hub: eth0 in namespace
# a sends, eth1 in namespace b receives. eth2 and eth3, in c and d, are another
# such pair. Each load runs PHASES times for SECONDS.

NICS=/sys/kernel/vcoal/vms/local/nics
ALL="a:eth0 b:eth1 c:eth2 d:eth3"
TRACING=/run/tracing
EVENTS=$TRACING/events/vcoal

# inside NETNS COMMAND: unlike ip netns exec it mounts nothing, which takes long
inside() {
	local netns=$1
	shift
	nsenter --net=/run/netns/"$netns" "$@"
}

in_a() { inside a "$@"; }
in_b() { inside b "$@"; }

# connect NETNS DEV ADDRESS PEER-ADDRESS PEER-MAC
connect() {
	/bin/ip netns add "$1"
	/bin/ip link set "$2" netns "$1"
	/bin/ip -n "$1" addr add "$3/24" dev "$2"
	/bin/ip -n "$1" link set lo up
	/bin/ip -n "$1" link set "$2" up
	/bin/ip -n "$1" neigh add "$4" lladdr "$5" dev "$2"
	inside "$1" sh -c 'echo 0 0 > /proc/sys/net/ipv4/ping_group_range'
}

# nics NAME VALUE [NAME VALUE ...]: the same settings for all NICs
nics() {
	while [ $# -ge 2 ]; do
		for nic in $ALL; do
			echo "$2" > "$NICS/${nic#*:}/$1"
		done
		shift 2
	done
}

# defer FLUSH-NS DEFERRALS: the core's own deferral, all NICs
defer() {
	for nic in $ALL; do
		/bin/ip netns exec "${nic%:*}" sh -c "
			echo $2 > /sys/class/net/${nic#*:}/napi_defer_hard_irqs
			echo $1 > /sys/class/net/${nic#*:}/gro_flush_timeout"
	done
}

# gso on|off: whether TCP makes segments late or at once
gso() {
	in_a ethtool -K eth0 gso "$1"
	in_b ethtool -K eth1 gso "$1"
}

snapshot() {
	for nic in $ALL; do
		inside "${nic%:*}" vtraffic counters
	done
	[ -d "$NICS" ] || return 0
	(cd "$NICS" && grep . */queues/*/* | sed 's/:/=/; s,/queues/,.,')
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

# traced NAME LOAD: run LOAD once, for the distribution of the added delay
# and the decisions; what tracing costs is not measured
traced() {
	[ -d "$EVENTS" ] || return 0
	local PHASES=1 SECONDS=0.1
	local hist='hist:keys=dir,held_ns.buckets=1000:vals=frames'
	echo "$hist:size=4096" > "$EVENTS/vcoal_release/trigger"
	echo 1 > "$EVENTS/vcoal_decide/enable"
	vtraffic rest -t 0 -m 1 > /run/turn
	echo > "$TRACING/trace"
	eval "$2" > /run/during
	echo "@ held $1"
	cat "$EVENTS/vcoal_release/hist"
	echo "@ decided $1"
	cat /run/during
	grep -E "vcoal_decide:|tracing_mark_write:" "$TRACING/trace"
	echo "!$hist" > "$EVENTS/vcoal_release/trigger"
	echo 0 > "$EVENTS/vcoal_decide/enable"
}

# The loads; each prints what it saw.

# udp SEND-OPTIONS: one flow
udp() {
	rm -f /run/sink
	in_b vtraffic sink 7001 -i 500 -o /run/sink
	in_a vtraffic send 10.78.0.2 7001 -m "$PHASES" "$@"
	until [ -s /run/sink ]; do usleep 20000; done
	cat /run/sink
}

# ping PING-OPTIONS: closed loops
ping() { in_a vtraffic ping 10.78.0.2 7000 -m "$PHASES" "$@"; }

# stream STREAM-OPTIONS: one TCP connection
stream() { in_a vtraffic stream 10.78.0.2 7002 -m "$PHASES" "$@"; }

# streams STREAM-OPTIONS: one in each direction
streams() {
	in_b vtraffic stream 10.78.0.1 7002 -m "$PHASES" "$@" > /run/back &
	stream "$@"
	wait $!
	sed 's/^/back /' /run/back
}

# side RATE SECONDS COMMAND: a bulk flow beside a command that makes round trips
side() {
	local rate=$1 seconds=$2
	shift 2
	"$@" -t "$seconds" > /run/side &
	udp -r "$rate" -t "$seconds"
	wait $!
	sed 's/^/side /' /run/side
}

# mix RATE SECONDS: paced round trips on the same NICs; apart: on others
mix() { side "$@" ping -r 500; }
apart() {
	side "$@" inside c vtraffic ping 10.79.0.2 7000 -m "$PHASES" -r 500
}

# What the kernel puts off at boot, random numbers above all, must not be
# measured. Waiting is free as long as nothing soaks.
prepare() {
	connect a eth0 10.78.0.1 10.78.0.2 52:54:00:00:00:01
	connect b eth1 10.78.0.2 10.78.0.1 52:54:00:00:00:00
	connect c eth2 10.79.0.1 10.79.0.2 52:54:00:00:00:03
	connect d eth3 10.79.0.2 10.79.0.1 52:54:00:00:00:02
	in_b vtraffic echo 7000
	inside d vtraffic echo 7000
	in_b vtraffic drain 7002
	in_a vtraffic drain 7002
	dd if=/dev/random of=/dev/null bs=32 count=1 2> /dev/null
	sleep 10
}
