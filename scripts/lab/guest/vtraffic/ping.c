// SPDX-License-Identifier: GPL-2.0-only
/*
 * Round trips: a server that answers and a client that measures.
 */
#include "vtraffic.h"

#include <errno.h>
#include <limits.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* What the clients of one run saw together, in shared memory. */
struct vt_trips {
	long num;
	long lost;
	float times[VT_TIMES_MAX];
};

static struct vt_trips *vt_trips_new(void)
{
	struct vt_trips *trips = mmap(NULL, sizeof(*trips),
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (trips == MAP_FAILED)
		vt_die("mmap");
	return trips;
}

static void vt_trips_add(struct vt_trips *trips, double seconds)
{
	long i = __atomic_fetch_add(&trips->num, 1, __ATOMIC_RELAXED);

	if (i < VT_TIMES_MAX)
		trips->times[i] = seconds * 1e6;
}

static void vt_trips_print(struct vt_trips *trips)
{
	long num = trips->num < VT_TIMES_MAX ? trips->num : VT_TIMES_MAX;
	float *times = trips->times;

	qsort(times, num, sizeof(*times), vt_compare);
	printf("trips=%ld lost=%ld", trips->num, trips->lost);
	if (num)
		printf(" p50_us=%.1f p99_us=%.1f max_us=%.1f",
		       times[num / 2], times[num * 99 / 100], times[num - 1]);
	printf("\n");
}

/* An echo request; the kernel fills in what a ping socket leaves empty. */
static int vt_icmp_socket(const char *host, char *data, int size)
{
	struct icmphdr *request = (struct icmphdr *)data;

	if (size < (int)sizeof(*request)) {
		fprintf(stderr, "size: %zu or more\n", sizeof(*request));
		exit(2);
	}
	request->type = ICMP_ECHO;

	return vt_connected_ping(host);
}

static int vt_ping_socket(const struct vt_options *opt, char *data)
{
	int one = 1, fd;

	if (opt->icmp)
		return vt_icmp_socket(opt->host, data, opt->size);
	if (!opt->tcp)
		return vt_connected_socket(SOCK_DGRAM, opt->host, opt->port);
	fd = vt_connected_socket(SOCK_STREAM, opt->host, opt->port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

	return fd;
}

static void vt_ping_one(const struct vt_options *opt, struct vt_trips *trips)
{
	long count = opt->count ? opt->count / opt->pairs : LONG_MAX;
	char *data = calloc(2, opt->size), *answer = data + opt->size;
	double start = vt_now(), sent;
	int fd;

	if (!data)
		vt_die("calloc");
	fd = vt_ping_socket(opt, data);
	while (count--) {
		sent = vt_now();
		if (opt->seconds && sent - start >= opt->seconds)
			break;
		if (send(fd, data, opt->size, 0) != opt->size ||
		    !vt_answer(fd, answer, opt->size))
			__atomic_fetch_add(&trips->lost, 1, __ATOMIC_RELAXED);
		else
			vt_trips_add(trips, vt_now() - sent);
	}
	free(data);
}

int vt_ping(const struct vt_options *opt)
{
	struct vt_trips *trips = vt_trips_new();
	int i;

	for (i = 0; i < opt->pairs; i++) {
		if (fork())
			continue;
		vt_ping_one(opt, trips);
		exit(0);
	}
	while (wait(NULL) > 0)
		;
	vt_trips_print(trips);

	return 0;
}
