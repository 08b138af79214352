// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips: a server that answers and a client that measures.
 */
#include "vtraffic.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define VT_ANSWER_MS	1000
#define VT_TIMES_MAX	1000000

static void vt_echo_datagram(int fd)
{
	char data[VT_DATAGRAM_MAX];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len;

	len = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from,
		       &from_len);
	if (len > 0)
		sendto(fd, data, len, 0, (struct sockaddr *)&from, from_len);
}

static void vt_echo_stream(int fd)
{
	static char data[65536];
	int one = 1;
	ssize_t len;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while ((len = recv(fd, data, sizeof(data), 0)) > 0)
		if (send(fd, data, len, MSG_NOSIGNAL) < 0)
			break;
	exit(0);
}

int vt_echo(const struct vt_options *opt)
{
	int udp = vt_bound_socket(SOCK_DGRAM, opt->port);
	int tcp = vt_bound_socket(SOCK_STREAM, opt->port);
	struct pollfd fds[] = {
		{ .fd = udp, .events = POLLIN },
		{ .fd = tcp, .events = POLLIN },
	};
	int fd;

	vt_background(NULL);
	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		if (fds[0].revents)
			vt_echo_datagram(udp);
		if (fds[1].revents) {
			fd = accept(tcp, NULL, NULL);
			if (!fork())
				vt_echo_stream(fd);
			close(fd);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}

	return 1;
}

static int vt_compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Wait for a whole answer; false when it does not come. */
static bool vt_answer(int fd, char *data, int size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t len;
	int got = 0;

	while (got < size) {
		if (poll(&pfd, 1, VT_ANSWER_MS) <= 0)
			return false;
		len = recv(fd, data, size - got, 0);
		if (len <= 0)
			return false;
		got += len;
	}

	return true;
}

static void vt_ping_print(float *times, long num, long lost)
{
	qsort(times, num, sizeof(*times), vt_compare);
	printf("trips=%ld lost=%ld", num, lost);
	if (num)
		printf(" p50_us=%.1f p99_us=%.1f max_us=%.1f",
		       times[num / 2], times[num * 99 / 100], times[num - 1]);
	printf("\n");
}

static void vt_ping_one(const struct vt_options *opt)
{
	float *times = malloc(VT_TIMES_MAX * sizeof(*times));
	char *data = calloc(1, opt->size);
	double start = vt_now(), sent;
	long num = 0, lost = 0;
	int one = 1, fd;

	if (!times || !data)
		vt_die("malloc");
	fd = vt_connected_socket(opt->tcp ? SOCK_STREAM : SOCK_DGRAM,
				 opt->host, opt->port);
	if (opt->tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (num + lost < (opt->count ? opt->count : VT_TIMES_MAX)) {
		sent = vt_now();
		if (opt->seconds && sent - start >= opt->seconds)
			break;
		if (send(fd, data, opt->size, 0) != opt->size ||
		    !vt_answer(fd, data, opt->size))
			lost++;
		else
			times[num++] = (vt_now() - sent) * 1e6;
	}
	vt_ping_print(times, num, lost);
	free(data);
	free(times);
}

int vt_ping(const struct vt_options *opt)
{
	int i;

	for (i = 0; i < opt->pairs; i++) {
		if (fork())
			continue;
		vt_ping_one(opt);
		exit(0);
	}
	while (wait(NULL) > 0)
		;

	return 0;
}
