// SPDX-License-Identifier: GPL-2.0-only
/*
 * A paced UDP sender and a sink that knows what is missing.
 *
 * Every datagram carries its number and the number of the first one of its
 * run, so that a sink needs no agreement with the sender about the count.
 */
#include "vtraffic.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* Below this much time to wait a spinning sender does not sleep any more. */
#define VT_SPIN_S	0.00005

static void vt_wait_until(double when, bool spin)
{
	double left = when - vt_now();

	if (!spin && left > 0)
		vt_sleep(left);
	if (spin && left > VT_SPIN_S)
		vt_sleep(left - VT_SPIN_S);
	while (spin && vt_now() < when)
		;
}

static bool vt_send_one(int fd, const void *data, int size)
{
	while (send(fd, data, size, 0) < 0) {
		/* no sink listens (yet): the datagram is gone, not refused */
		if (errno == ECONNREFUSED)
			return true;
		if (errno != ENOBUFS && errno != EINTR)
			return false;
	}

	return true;
}

int vt_send(const struct vt_options *opt)
{
	char data[VT_DATAGRAM_MAX] = { 0 };
	unsigned long long end = opt->count ? opt->count : LONG_MAX;
	unsigned long long seq = 0;
	double start, elapsed;
	int fd, i;

	if (opt->size < (int)sizeof(seq) || opt->size > VT_DATAGRAM_MAX) {
		fprintf(stderr, "size: 8..%d\n", VT_DATAGRAM_MAX);
		return 2;
	}
	fd = vt_connected_socket(SOCK_DGRAM, opt->host, opt->port);
	start = vt_now();
	while (seq < end) {
		if (opt->seconds && vt_now() - start >= opt->seconds)
			break;
		if (opt->rate)
			vt_wait_until(start + seq / opt->rate, opt->spin);
		for (i = 0; i < opt->burst && seq < end; i++) {
			memcpy(data, &seq, sizeof(seq));
			if (!vt_send_one(fd, data, opt->size))
				vt_die("send");
			seq++;
		}
	}
	elapsed = vt_now() - start;
	printf("sent=%llu us=%.0f\n", seq, elapsed * 1e6);

	return 0;
}

struct vt_sink_state {
	unsigned long long received;
	unsigned long long highest;	/* number expected next */
	unsigned long long reordered;
};

static void vt_sink_take(struct vt_sink_state *state, const void *data)
{
	unsigned long long seq;

	memcpy(&seq, data, sizeof(seq));
	state->received++;
	if (seq < state->highest)
		state->reordered++;
	else
		state->highest = seq + 1;
}

/* True when a datagram is there; false when nothing came for idle_ms. */
static bool vt_sink_wait(int fd, int idle_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, idle_ms) > 0;
}

static int vt_sink_receive(int fd, struct vt_sink_state *state, bool busy)
{
	char data[VT_DATAGRAM_MAX];
	ssize_t len;

	/* a blocking receive is what busy polling serves */
	len = recv(fd, data, sizeof(data), busy ? 0 : MSG_DONTWAIT);
	if (len >= (ssize_t)sizeof(state->highest))
		vt_sink_take(state, data);

	return len;
}

static void vt_sink_busy(int fd, int usecs, int idle_ms)
{
	struct timeval limit = { idle_ms / 1000, idle_ms % 1000 * 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &usecs, sizeof(usecs)))
		vt_die("SO_BUSY_POLL");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

int vt_sink(const struct vt_options *opt)
{
	int idle_ms = opt->idle_ms ? opt->idle_ms : 2000;
	int fd = vt_bound_socket(SOCK_DGRAM, opt->port);
	struct vt_sink_state state = { 0 };

	if (opt->busy_us)
		vt_sink_busy(fd, opt->busy_us, idle_ms);
	vt_background(opt->output);
	while (!opt->count || state.received < (unsigned long long)opt->count) {
		if (!opt->busy_us && !vt_sink_wait(fd, idle_ms))
			break;
		if (vt_sink_receive(fd, &state, opt->busy_us) < 0)
			break;
	}
	printf("received=%llu missing=%llu reordered=%llu\n",
	       state.received,
	       state.highest - state.received,
	       state.reordered);
	vt_finish(opt->output);

	return 0;
}
