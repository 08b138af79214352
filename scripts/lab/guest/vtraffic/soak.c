// SPDX-License-Identifier: GPL-2.0-only
/*
 * A soaker takes what others leave: what it lacks is what they used.
 *
 * It counts units of work for ever, in a page that a measured verb looks at
 * when it begins and when it is over. In between it is stopped: a machine that
 * counts time in instructions passes idle time for nothing.
 */
#define _GNU_SOURCE
#include "vtraffic.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define VT_SOAK_PAGE	"/run/soak"
#define VT_MARKER	"/run/tracing/trace_marker"
#define VT_SOAK_UNIT	100	/* turns of a loop of two instructions */
#define VT_SOAK_UNITS	64	/* then see who else wants the processor */
#define VT_BEFORE_S	0.05	/* for what processes that ended left behind */
#define VT_START_S	0.002	/* for the soaker to get going */
#define VT_AFTER_S	0.01	/* for packets that are still under way */
#define VT_GRID_S	0.2	/* so that what ran before changes no phase */
#define VT_PHASE_S	0.001237 /* no multiple of anything that ticks */

struct vt_soak {
	unsigned long long units;
	pid_t pid;		/* 0 before there is a soaker */
	int users;		/* verbs that measure now */
};

static volatile struct vt_soak *vt_soak_page(void)
{
	int fd = open(VT_SOAK_PAGE, O_RDWR | O_CREAT, 0600);
	void *page;

	if (fd < 0 || ftruncate(fd, getpagesize()))
		vt_die(VT_SOAK_PAGE);
	page = mmap(NULL, getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		vt_die("mmap");

	return page;
}

int vt_soak(const struct vt_options *opt)
{
	volatile struct vt_soak *soak = vt_soak_page();
	struct sched_param param = { 0 };
	int i;

	(void)opt;
	vt_background(NULL);
	if (sched_setscheduler(0, SCHED_IDLE, &param))
		vt_die("sched_setscheduler");
	soak->pid = getpid();
	raise(SIGSTOP);
	for (;;) {
		for (i = 0; i < VT_SOAK_UNIT; i++)
			asm volatile(""); /* else the loop vanishes */
		/*
		 * Between two that take turns the scheduler may find that it is
		 * the soaker's, and looks again at its next tick: milliseconds,
		 * which are none of the traffic's.
		 */
		if (++soak->units % VT_SOAK_UNITS == 0)
			sched_yield();
	}
}

/* For who looks at traces, where there are any. */
static void vt_mark_begin(void)
{
	FILE *marker = fopen(VT_MARKER, "w");

	if (!marker)
		return;
	fprintf(marker, "begin");
	fclose(marker);
}

static void vt_soak_use(volatile struct vt_soak *soak, int users)
{
	int now = __atomic_add_fetch(&soak->users, users, __ATOMIC_RELAXED);

	if (soak->pid)
		kill(soak->pid, now ? SIGCONT : SIGSTOP);
}

static void vt_measure_once(vt_run run, const struct vt_options *opt,
			    volatile struct vt_soak *soak)
{
	unsigned long long before;
	double start;

	vt_soak_use(soak, 1);
	vt_sleep(VT_START_S);
	vt_mark_begin();
	before = soak->units;
	start = vt_now();
	if (run(opt))
		exit(1);
	vt_sleep(VT_AFTER_S);
	printf("soak_units=%llu soak_us=%.3f\n", soak->units - before,
	       (vt_now() - start) * 1e6);
	fflush(stdout);
	vt_soak_use(soak, -1);
}

/*
 * The next point of a grid of time that leaves enough time before it: verbs
 * that are started right after one begin together at the next.
 */
static double vt_next_start(void)
{
	return ((long)((vt_now() + VT_BEFORE_S) / VT_GRID_S) + 1) * VT_GRID_S;
}

/*
 * Run a verb again and again, each time at another phase against the clock;
 * after what it says itself, print the time and the soaker's units it took.
 */
int vt_measure(vt_run run, const struct vt_options *opt)
{
	volatile struct vt_soak *soak = vt_soak_page();
	int i;

	for (i = 0; i < opt->phases; i++) {
		vt_wait_until(vt_next_start() + i * VT_PHASE_S, false);
		vt_measure_once(run, opt, soak);
	}

	return 0;
}

/* What a measurement shows when nothing happens. */
int vt_rest(const struct vt_options *opt)
{
	vt_sleep(opt->seconds);

	return 0;
}
