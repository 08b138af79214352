// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCP source with a message size, and a drain.
 */
#include "vtraffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void vt_drain_one(int fd)
{
	static char data[VT_STREAM_MAX];

	while (recv(fd, data, sizeof(data), 0) > 0)
		;
	exit(0);
}

int vt_drain(const struct vt_options *opt)
{
	int listener = vt_bound_socket(SOCK_STREAM, opt->port);
	int fd;

	vt_background(NULL);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (!fork())
			vt_drain_one(fd);
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

int vt_stream(const struct vt_options *opt)
{
	static char data[VT_STREAM_MAX];
	double start = vt_now();
	long messages = 0;
	long long bytes = 0;
	ssize_t len;
	char end;
	int fd;

	if (opt->size < 1 || opt->size > VT_STREAM_MAX) {
		fprintf(stderr, "size: 1..%d\n", VT_STREAM_MAX);
		return 2;
	}
	fd = vt_connected_socket(SOCK_STREAM, opt->host, opt->port);
	while (!opt->count || messages < opt->count) {
		if (opt->seconds && vt_now() - start >= opt->seconds)
			break;
		len = send(fd, data, opt->size, 0);
		if (len < 0)
			vt_die("send");
		bytes += len;
		messages++;
	}
	/* done is when the drain has read the last byte */
	shutdown(fd, SHUT_WR);
	if (recv(fd, &end, 1, 0))
		vt_die("drain");
	close(fd);
	printf("messages=%ld bytes=%lld us=%.0f\n", messages, bytes,
	       (vt_now() - start) * 1e6);

	return 0;
}
