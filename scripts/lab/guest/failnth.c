// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: failnth N insmod FILE | rmmod MODULE | up NETDEV | down NETDEV |
 *	  write FILE TEXT
 *
 * Runs one system call in which the Nth allocation fails. Prints
 * "failnth N: <error or 0> <fired|unfired>", where unfired says that the call
 * made fewer than N allocations. Nothing but the call itself is under fault
 * injection, which a shell's "echo N > fail-nth" could not do.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
	const char *file;
	const char *text;
	struct ifreq ifr;
	int fd;
};

typedef long (*call_fn)(struct call *call);

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

static void open_file(struct call *call, int flags)
{
	call->fd = open(call->file, flags);
	must(call->fd >= 0, call->file);
}

static void open_link(struct call *call, int up)
{
	call->fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(call->fd >= 0, "socket");
	snprintf(call->ifr.ifr_name, IFNAMSIZ, "%s", call->file);
	must(!ioctl(call->fd, SIOCGIFFLAGS, &call->ifr), call->file);
	if (up)
		call->ifr.ifr_flags |= IFF_UP;
	else
		call->ifr.ifr_flags &= ~IFF_UP;
}

static long do_insmod(struct call *call)
{
	return syscall(SYS_finit_module, call->fd, "", 0);
}

static long do_rmmod(struct call *call)
{
	return syscall(SYS_delete_module, call->file, O_NONBLOCK);
}

static long do_link(struct call *call)
{
	return ioctl(call->fd, SIOCSIFFLAGS, &call->ifr);
}

static long do_write(struct call *call)
{
	return write(call->fd, call->text, strlen(call->text));
}

/* Prepare everything that is not to be tested; return the call that is. */
static call_fn prepare(struct call *call, const char *verb)
{
	if (!strcmp(verb, "insmod")) {
		open_file(call, O_RDONLY);
		return do_insmod;
	}
	if (!strcmp(verb, "rmmod"))
		return do_rmmod;
	if (!strcmp(verb, "write") && call->text) {
		open_file(call, O_WRONLY);
		return do_write;
	}
	must(!strcmp(verb, "up") || !strcmp(verb, "down"), verb);
	open_link(call, !strcmp(verb, "up"));
	return do_link;
}

static void arm(int fd, const char *n)
{
	must(pwrite(fd, n, strlen(n), 0) > 0, "fail-nth");
}

/* What is left of the count; 0 when the allocation failed. */
static int left(int fd)
{
	char text[16] = "";

	must(pread(fd, text, sizeof(text) - 1, 0) > 0, "fail-nth");

	return atoi(text);
}

int main(int argc, char **argv)
{
	call_fn run;
	struct call call = {};
	int fail, unfired, err;

	must(argc >= 4, "usage");
	call.file = argv[3];
	call.text = argv[4];
	run = prepare(&call, argv[2]);
	fail = open("/proc/thread-self/fail-nth", O_RDWR);
	must(fail >= 0, "fail-nth");

	arm(fail, argv[1]);
	err = run(&call) < 0 ? errno : 0;
	unfired = left(fail);
	arm(fail, "0");

	printf("failnth %s: %d %s\n", argv[1], err,
	       unfired ? "unfired" : "fired");

	return 0;
}
