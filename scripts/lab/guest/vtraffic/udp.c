// SPDX-License-Identifier: GPL-2.0-only
/*
 * A paced UDP sender and a sink that knows what is missing.
 *
 * Every datagram carries its number, so that a sink needs no agreement with the
 * sender about the count, and the time, which tells how long it took where
 * both ends share a clock.
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

#define VT_FIRST_MS	30000

/* What a datagram says, if it is long enough for all of it. */
struct vt_mark {
	unsigned long long seq;
	double sent;
};

/* When to send number seq: in every other period of off_ms nothing is. */
static double vt_send_time(const struct vt_options *opt, unsigned long long seq)
{
	double busy = seq / opt->rate, off = opt->off_ms / 1e3;

	return off ? busy + (long)(busy / off) * off : busy;
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
	unsigned long long end = opt->count ? opt->count : LONG_MAX;
	char data[VT_DATAGRAM_MAX] = { 0 };
	struct vt_mark mark = { 0 };
	double start;
	int fd, i;

	if (opt->size < (int)sizeof(mark) || opt->size > VT_DATAGRAM_MAX) {
		fprintf(stderr, "size: %zu..%d\n", sizeof(mark),
			VT_DATAGRAM_MAX);
		return 2;
	}
	fd = vt_connected_socket(SOCK_DGRAM, opt->host, opt->port);
	start = vt_now();
	while (mark.seq < end) {
		if (opt->seconds && vt_now() - start >= opt->seconds)
			break;
		if (opt->rate)
			vt_wait_until(start + vt_send_time(opt, mark.seq),
				      opt->spin);
		for (i = 0; i < opt->burst && mark.seq < end; i++) {
			mark.sent = vt_now();
			memcpy(data, &mark, sizeof(mark));
			if (!vt_send_one(fd, data, opt->size))
				vt_die("send");
			mark.seq++;
		}
	}
	close(fd);
	printf("sent=%llu us=%.0f\n", mark.seq, (vt_now() - start) * 1e6);

	return 0;
}

struct vt_sink_state {
	unsigned long long received;
	unsigned long long highest;	/* number expected next */
	unsigned long long reordered;
	struct vt_times *times;		/* from send() to recv() */
};

static void vt_sink_take(struct vt_sink_state *state, const void *data)
{
	struct vt_mark mark;

	memcpy(&mark, data, sizeof(mark));
	vt_times_add(state->times, vt_now() - mark.sent);
	state->received++;
	if (mark.seq < state->highest)
		state->reordered++;
	else
		state->highest = mark.seq + 1;
}

/*
 * True when a datagram is there; false when nothing came for idle_ms. The
 * first one may take longer: its sender has yet to be started.
 */
static bool vt_sink_wait(int fd, bool first, int idle_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (first && idle_ms < VT_FIRST_MS)
		idle_ms = VT_FIRST_MS;
	return poll(&pfd, 1, idle_ms) > 0;
}

static int vt_sink_receive(int fd, struct vt_sink_state *state, bool busy)
{
	char data[VT_DATAGRAM_MAX];
	ssize_t len;

	/* a blocking receive is what busy polling serves */
	len = recv(fd, data, sizeof(data), busy ? 0 : MSG_DONTWAIT);
	if (len >= (ssize_t)sizeof(struct vt_mark))
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
	struct vt_sink_state state = { .times = vt_times_new() };
	bool first = true;

	if (opt->busy_us)
		vt_sink_busy(fd, opt->busy_us, idle_ms);
	if (!opt->foreground)
		vt_background(opt->output);
	while (!opt->count || state.received < (unsigned long long)opt->count) {
		if ((first || !opt->busy_us) &&
		    !vt_sink_wait(fd, first, idle_ms))
			break;
		first = false;
		if (vt_sink_receive(fd, &state, opt->busy_us) < 0)
			break;
	}
	printf("received=%llu missing=%llu reordered=%llu", state.received,
	       state.highest - state.received, state.reordered);
	vt_times_print(state.times);
	vt_finish(opt->output);

	return 0;
}
