# SPDX-License-Identifier: GPL-2.0
# Beside host-functions.sh: a KVM host, with guests u1 and u2 on its bridge.

VMS=/sys/kernel/vcoal/vms
NICS="$VMS/pid*/nics/*"
HOST=10.80.0.1
U1=10.80.0.11
U2=10.80.0.12
# of the host's own time, in which a load takes two or three
STUCK_S=12
said=0

# insmod MODULE [NAME=VALUE ...]: a vhost device is met by its traffic
insmod() {
	local tries=0
	command insmod "$@"
	until [ "$(ls -d $NICS/queues/tx-0 2> /dev/null | wc -l)" = 2 ]; do
		ask $U1 counters > /run/met
		ask $U2 counters > /run/met
		usleep 20000
		tries=$((tries + 1))
		[ $tries -lt 100 ]
	done
}

# stuck: what the guests do when nothing goes on, and the end
stuck() {
	for guest in u1 u2; do
		echo "@ stuck $guest"
		echo "info registers" > /run/$guest.mon.in
		echo "info lapic" > /run/$guest.mon.in
		sleep 1
		tail -n 100 /run/$guest.monitor
	done
	echo "@ done 1"
	sleep 1
	poweroff -f
}

# guard: say what is there; from now on, and until it is called again, things
# have to go on
guard() {
	tail -c +$((said + 1)) /run/result > /dev/ttyS1
	said=$(stat -c %s /run/result)
	[ -z "$guard" ] || kill "$guard"
	(
		trap 'kill $sleeps' TERM
		sleep $STUCK_S &
		sleeps=$!
		wait $sleeps && stuck > /dev/ttyS1 2>&1
	) &
	guard=$!
}

snapshot() {
	guard
	vtraffic counters
	ask $U1 counters | sed 's/^/u1./'
	ask $U2 counters | sed 's/^/u2./'
	echo "exits=$(cat /sys/kernel/debug/kvm/exits)"
	[ -d $VMS ] || return 0
	(cd $VMS && grep . pid*/nics/*/queues/*/* |
		sed 's/:/=/; s,/nics/[^/]*/queues/,.,')
}
