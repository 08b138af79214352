// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verbs at the other end: a server that runs what it is asked for in a child,
 * without a shell or a program to load, and a client that prints what that said.
 */
#include "vtraffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define VT_LINE_MAX	256
#define VT_WORDS_MAX	16

/* Read one line; what follows it is not for us. */
static void vt_read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && read(fd, line + len, 1) == 1 &&
	       line[len] != '\n')
		len++;
	line[len] = 0;
}

static void vt_serve_one(int fd)
{
	char line[VT_LINE_MAX], *words[VT_WORDS_MAX + 1] = { "vtraffic" };
	char *word;
	int num = 1;

	vt_read_line(fd, line, sizeof(line));
	for (word = strtok(line, " "); word && num < VT_WORDS_MAX;
	     word = strtok(NULL, " "))
		words[num++] = word;
	if (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		exit(1);
	close(fd);
	exit(vt_main(num, words));
}

int vt_serve(const struct vt_options *opt)
{
	int listener = vt_bound_socket(SOCK_STREAM, opt->port);
	int fd;

	vt_background(NULL);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (!fork()) {
			close(listener);
			vt_serve_one(fd);
		}
		close(fd);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

int vt_ask(const struct vt_options *opt)
{
	int fd = vt_connected_socket(SOCK_STREAM, opt->host, opt->port);
	char said[4096];
	ssize_t len;

	if (dprintf(fd, "%s\n", opt->line) < 0)
		vt_die("ask");
	while ((len = read(fd, said, sizeof(said))) > 0)
		fwrite(said, 1, len, stdout);
	close(fd);
	if (len < 0)
		vt_die("ask");

	return 0;
}
