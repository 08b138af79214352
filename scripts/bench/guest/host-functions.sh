# SPDX-License-Identifier: GPL-2.0
# What jobs of a host with two guests are made of, whatever runs them: HOST, U1
# and U2 are addresses on its bridge, NICS is where the module has their NICs,
# snapshot prints all counters. The soaker is the host's, so a load that a guest
# sends is started, and measured, from here. Each load runs PHASES times for
# SECONDS.

# at both ends
ECHO=7002
DRAIN=7003
SERVE=7020

# ask GUEST-ADDRESS "VERB ...": have a guest do it
ask() {
	local where=$1
	shift
	vtraffic ask "$where" $SERVE "$@"
}

# nics NAME VALUE [NAME VALUE ...]: the same settings for all NICs
nics() {
	while [ $# -ge 2 ]; do
		for nic in $NICS; do
			echo "$2" > "$nic/$1"
		done
		shift 2
	done
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

# often N LOAD: in so many phases instead
often() {
	local PHASES=$1
	shift
	"$@"
}

# The loads; each prints what it saw. Clocks of two guests are not the same, so
# only round trips are timed.

untimed() { sed 's/ p50_us.*//'; }

# down SEND-OPTIONS: the host to a guest
down() {
	ask $U1 "sink 7001 -f -i 500" > /run/sink &
	vtraffic send $U1 7001 -m "$PHASES" "$@"
	wait $!
	untimed < /run/sink
}

# up SEND-OPTIONS: a guest to the host
up() {
	vtraffic sink 7001 -f -i 500 > /run/sink &
	ask $U1 "send $HOST 7001 $*" -m "$PHASES"
	wait $!
	untimed < /run/sink
}

# across SEND-OPTIONS: a guest to another one
across() {
	ask $U2 "sink 7001 -f -i 500" > /run/sink &
	ask $U1 "send $U2 7001 $*" -m "$PHASES"
	wait $!
	untimed < /run/sink
}

# stream_down, stream_up STREAM-OPTIONS: one TCP connection
stream_down() { vtraffic stream $U1 $DRAIN -m "$PHASES" "$@"; }
stream_up() { ask $U1 "stream $HOST $DRAIN $*" -m "$PHASES"; }
stream_across() { ask $U1 "stream $U2 $DRAIN $*" -m "$PHASES"; }

# ping, ping_across PING-OPTIONS: closed loops
ping() { vtraffic ping $U1 $ECHO -m "$PHASES" "$@"; }
ping_across() { ask $U1 "ping $U2 $ECHO $*" -m "$PHASES"; }

# mix RATE SECONDS, apart RATE SECONDS: a bulk flow beside paced round trips to
# the same guest, and to the other one
side() {
	local pings
	vtraffic ping "$1" $ECHO -m "$PHASES" -r 500 -t "$3" > /run/side &
	pings=$!
	down -r "$2" -t "$3"
	wait $pings
	sed 's/^/side /' /run/side
}
mix() { side $U1 "$@"; }
apart() { side $U2 "$@"; }
