// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: failnth insmod FILE MODULE | up NETDEV | write FILE TEXT BEFORE
 *
 * Runs one system call again and again. Its first allocation fails, then its
 * second, and so on, until the call makes no more of them; what it did is
 * undone each time. Prints "<allocations> <error or 0>", the latter for the
 * call in which none failed. Nothing but the call itself is under fault
 * injection, which a shell's "echo N > fail-nth" could not do, and under all
 * checkers no program need be started for each N, which takes most of the time.
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

#define MAX_N 3000

struct call {
	const char *target;
	const char *text;
	const char *before;
	struct ifreq ifr;
	int fd;
};

struct verb {
	const char *name;
	int args;
	void (*open)(struct call *call);
	int (*undo)(struct call *call);
	int (*run)(struct call *call);
};

static void must(int good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(2);
}

static void open_file(struct call *call)
{
	/* a module cannot be read from a file that is open for writing */
	call->fd = open(call->target, call->before ? O_WRONLY : O_RDONLY);
	must(call->fd >= 0, call->target);
}

static int insmod(struct call *call)
{
	return syscall(SYS_finit_module, call->fd, "", 0);
}

static int rmmod(struct call *call)
{
	int ret = syscall(SYS_delete_module, call->text, O_NONBLOCK);

	return ret && errno != ENOENT ? ret : 0;
}

static int put(struct call *call, const char *text)
{
	return pwrite(call->fd, text, strlen(text), 0) < 0 ? -1 : 0;
}

static int put_text(struct call *call)
{
	return put(call, call->text);
}

static int put_before(struct call *call)
{
	return put(call, call->before);
}

static void open_link(struct call *call)
{
	call->fd = socket(AF_INET, SOCK_DGRAM, 0);
	must(call->fd >= 0, "socket");
	snprintf(call->ifr.ifr_name, IFNAMSIZ, "%s", call->target);
	must(!ioctl(call->fd, SIOCGIFFLAGS, &call->ifr), call->target);
}

static int link_up(struct call *call)
{
	call->ifr.ifr_flags |= IFF_UP;

	return ioctl(call->fd, SIOCSIFFLAGS, &call->ifr);
}

static int link_down(struct call *call)
{
	call->ifr.ifr_flags &= ~IFF_UP;

	return ioctl(call->fd, SIOCSIFFLAGS, &call->ifr);
}

static const struct verb verbs[] = {
	{ "insmod", 4, open_file, rmmod, insmod },
	{ "up", 3, open_link, link_down, link_up },
	{ "write", 5, open_file, put_before, put_text },
};

static const struct verb *find(int argc, char **argv)
{
	const struct verb *verb;

	for (verb = verbs; verb < verbs + sizeof(verbs) / sizeof(*verb); verb++)
		if (argc == verb->args && !strcmp(argv[1], verb->name))
			return verb;
	fprintf(stderr, "usage: see failnth.c\n");
	exit(2);
}

static void arm(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	must(pwrite(fd, text, len, 0) == len, "fail-nth");
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
	const struct verb *verb = find(argc, argv);
	struct call call = { .target = argv[2], .text = argv[3] };
	int fail, n, unfired, err;

	if (argc > 4)
		call.before = argv[4];
	verb->open(&call);
	fail = open("/proc/thread-self/fail-nth", O_RDWR);
	must(fail >= 0, "fail-nth");

	for (n = 1; n <= MAX_N; n++) {
		must(!verb->undo(&call), "undo");
		arm(fail, n);
		err = verb->run(&call) ? errno : 0;
		unfired = left(fail);
		arm(fail, 0);
		if (unfired) {
			printf("%d %d\n", n - 1, err);
			return 0;
		}
	}
	fprintf(stderr, "no end after %d\n", MAX_N);

	return 1;
}
