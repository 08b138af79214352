// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clock, sockets, and going to the background.
 */
#include "vtraffic.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Below this much time to wait a spinning sender does not sleep any more. */
#define VT_SPIN_S	0.00005

double vt_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void vt_sleep(double seconds)
{
	struct timespec ts = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (seconds - (time_t)seconds) * 1e9,
	};

	nanosleep(&ts, NULL);
}

/* With @spin the last bit of time is waited for awake. */
void vt_wait_until(double when, bool spin)
{
	double left = when - vt_now();

	if (!spin && left > 0)
		vt_sleep(left);
	if (spin && left > VT_SPIN_S)
		vt_sleep(left - VT_SPIN_S);
	while (spin && vt_now() < when)
		;
}

void vt_die(const char *what)
{
	perror(what);
	exit(1);
}

int vt_bound_socket(int type, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int one = 1, room = 4 << 20, fd;

	addr.sin_port = htons(port);
	fd = socket(AF_INET, type, 0);
	if (fd < 0)
		vt_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* the receiver may be starved for a while: that is no loss of ours */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		vt_die("bind");
	if (type == SOCK_STREAM && listen(fd, SOMAXCONN))
		vt_die("listen");

	return fd;
}

static int vt_connect(int fd, const char *host, int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	addr.sin_port = htons(port);
	if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
		fprintf(stderr, "%s: not an address\n", host);
		exit(2);
	}
	if (fd < 0)
		vt_die("socket");
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		vt_die("connect");

	return fd;
}

/*
 * The send buffer stays as small as it is: with a larger one the queueing
 * discipline would be the first to be full, and it drops.
 */
int vt_connected_socket(int type, const char *host, int port)
{
	return vt_connect(socket(AF_INET, type, 0), host, port);
}

/* Needs net.ipv4.ping_group_range. */
int vt_connected_ping(const char *host)
{
	return vt_connect(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), host, 0);
}

static void vt_temp_name(const char *output, char *temp, size_t size)
{
	snprintf(temp, size, "%s.part", output);
}

/*
 * Servers return to the script once they listen, so that a client can be
 * started right away. What the child prints goes to a file that appears when
 * it is complete.
 */
void vt_background(const char *output)
{
	char temp[PATH_MAX];
	pid_t child = fork();

	if (child < 0)
		vt_die("fork");
	if (child)
		exit(0);

	setsid();
	vt_temp_name(output ? output : "/dev/null", temp, sizeof(temp));
	if (!freopen("/dev/null", "r", stdin) ||
	    !freopen(output ? temp : "/dev/null", "w", stdout) ||
	    dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		exit(1);
}

void vt_finish(const char *output)
{
	char temp[PATH_MAX];

	fflush(stdout);
	if (!output)
		return;
	vt_temp_name(output, temp, sizeof(temp));
	if (rename(temp, output))
		vt_die("rename");
}
