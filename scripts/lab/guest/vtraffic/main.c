// SPDX-License-Identifier: GPL-2.0-only
/*
 * vtraffic: traffic and counters for the lab's guests, in one static binary.
 */
#include "vtraffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum vt_operands {
	VT_NOTHING,
	VT_PORT,
	VT_HOST_PORT,
	VT_HOST_PORT_LINE,
	VT_INTERFACES,
};

struct vt_verb {
	const char *name;
	enum vt_operands operands;
	vt_run run;
	const char *help;
};

static const struct vt_verb vt_verbs[] = {
	{ "send",	VT_HOST_PORT,	vt_send,
	  "paced UDP: -r rate -n count | -t seconds, -s size -b burst -O off_ms -w" },
	{ "sink",	VT_PORT,	vt_sink,
	  "count UDP: -n count -i idle_ms -B busy_poll_us -o file | -f" },
	{ "echo",	VT_PORT,	vt_echo,
	  "answer UDP and TCP" },
	{ "ping",	VT_HOST_PORT,	vt_ping,
	  "round trips: as send, -p pairs -T (tcp) -I (icmp)" },
	{ "stream",	VT_HOST_PORT,	vt_stream,
	  "send TCP: -n messages | -t seconds, -s size" },
	{ "drain",	VT_PORT,	vt_drain,
	  "receive TCP" },
	{ "soak",	VT_NOTHING,	vt_soak,
	  "do what an idle CPU can, for verbs with -m phases to count" },
	{ "rest",	VT_NOTHING,	vt_rest,
	  "nothing: -t seconds" },
	{ "serve",	VT_PORT,	vt_serve,
	  "do what ask asks for" },
	{ "ask",	VT_HOST_PORT_LINE, vt_ask,
	  "have a verb run there: 'send 10.0.0.1 7001 -n 5'" },
	{ "counters",	VT_NOTHING,	vt_counters,
	  "interrupts and interface counters of this namespace" },
	{ "xdp",	VT_INTERFACES,	vt_xdp,
	  "attach a program that passes all to the first and detach it: -n times" },
};

static void vt_usage(void)
{
	const struct vt_verb *verb = vt_verbs;

	for (; verb < vt_verbs + sizeof(vt_verbs) / sizeof(*verb); verb++)
		fprintf(stderr, "vtraffic %-11s %s\n", verb->name, verb->help);
	exit(2);
}

static const struct vt_verb *vt_find(const char *name)
{
	const struct vt_verb *verb = vt_verbs;

	for (; verb < vt_verbs + sizeof(vt_verbs) / sizeof(*verb); verb++)
		if (!strcmp(verb->name, name))
			return verb;

	vt_usage();
	return NULL;
}

static void vt_option(struct vt_options *opt, int letter)
{
	switch (letter) {
	case 'r':
		opt->rate = atof(optarg);
		break;
	case 't':
		opt->seconds = atof(optarg);
		break;
	case 'n':
		opt->count = atol(optarg);
		break;
	case 's':
		opt->size = atoi(optarg);
		break;
	case 'b':
		opt->burst = atoi(optarg);
		break;
	case 'p':
		opt->pairs = atoi(optarg);
		break;
	case 'i':
		opt->idle_ms = atoi(optarg);
		break;
	case 'O':
		opt->off_ms = atoi(optarg);
		break;
	case 'B':
		opt->busy_us = atoi(optarg);
		break;
	case 'o':
		opt->output = optarg;
		break;
	case 'f':
		opt->foreground = true;
		break;
	case 'w':
		opt->spin = true;
		break;
	case 'T':
		opt->tcp = true;
		break;
	case 'I':
		opt->icmp = true;
		break;
	case 'm':
		opt->phases = atoi(optarg);
		break;
	default:
		vt_usage();
	}
}

static void vt_operands(struct vt_options *opt, enum vt_operands want,
			char **args, int num)
{
	static const int needed[] = {
		[VT_NOTHING] = 0,
		[VT_PORT] = 1,
		[VT_HOST_PORT] = 2,
		[VT_HOST_PORT_LINE] = 3,
		[VT_INTERFACES] = 2,
	};

	if (num != needed[want])
		vt_usage();
	if (want == VT_PORT)
		opt->port = atoi(args[0]);
	if (num > 1)
		opt->host = args[0];
	if (want == VT_HOST_PORT || want == VT_HOST_PORT_LINE)
		opt->port = atoi(args[1]);
	if (want == VT_HOST_PORT_LINE)
		opt->line = args[2];
	if (want == VT_INTERFACES)
		opt->spare = args[1];
}

/* Also for what a server is asked: it comes with no state of an earlier one. */
int vt_main(int argc, char **argv)
{
	struct vt_options opt = { .size = 64, .burst = 1, .pairs = 1 };
	const struct vt_verb *verb;
	int letter;

	if (argc < 2)
		vt_usage();
	verb = vt_find(argv[1]);
	argc--;
	argv++;
	optind = 0;
	while ((letter = getopt(argc, argv, "r:t:n:s:b:p:i:B:O:o:fwTIm:")) != -1)
		vt_option(&opt, letter);
	vt_operands(&opt, verb->operands, argv + optind, argc - optind);

	/* the default slack of 50 us is as long as a hold */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	return opt.phases ? vt_measure(verb->run, &opt) : verb->run(&opt);
}

int main(int argc, char **argv)
{
	return vt_main(argc, argv);
}
