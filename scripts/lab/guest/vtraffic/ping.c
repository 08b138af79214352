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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define VT_ANSWER_MS	1000
#define VT_LOST_MAX	255	/* what an exit status can say */

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

/* Returns how many answers did not come. */
static long vt_ping_one(const struct vt_options *opt, struct vt_times *times)
{
	long count = opt->count ? opt->count / opt->pairs : LONG_MAX;
	char *data = calloc(2, opt->size), *answer = data + opt->size;
	double start = vt_now(), sent;
	long num, lost = 0;
	int fd;

	if (!data)
		vt_die("calloc");
	fd = vt_ping_socket(opt, data);
	for (num = 0; num < count; num++) {
		if (opt->rate)
			vt_wait_until(start + num / opt->rate, opt->spin);
		sent = vt_now();
		if (opt->seconds && sent - start >= opt->seconds)
			break;
		if (send(fd, data, opt->size, 0) != opt->size ||
		    !vt_answer(fd, answer, opt->size))
			lost++;
		else
			vt_times_add(times, vt_now() - sent);
	}
	close(fd);
	free(data);

	return lost;
}

/* The answers that a child says are missing, VT_LOST_MAX for many. */
static int vt_ping_child(const struct vt_options *opt, struct vt_times *times)
{
	long lost = vt_ping_one(opt, times);

	return lost < VT_LOST_MAX ? lost : VT_LOST_MAX;
}

int vt_ping(const struct vt_options *opt)
{
	struct vt_times *times = vt_times_new();
	int i, status, lost = 0;

	for (i = 0; i < opt->pairs; i++)
		if (!fork())
			exit(vt_ping_child(opt, times));
	while (wait(&status) > 0)
		lost += WIFEXITED(status) ? WEXITSTATUS(status) : VT_LOST_MAX;
	printf("trips=%ld lost=%d", vt_times_num(times), lost);
	vt_times_print(times);
	vt_times_free(times);

	return 0;
}
