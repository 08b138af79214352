// SPDX-License-Identifier: GPL-2.0-only
/*
 * A soaker takes what others leave: what it lacks is what they used.
 *
 * It counts units of work for ever, in a page that a measured verb looks at
 * when it begins and when it is over.
 */
#define _GNU_SOURCE
#include "vtraffic.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define VT_SOAK_PAGE	"/run/soak"
#define VT_MARKER	"/run/tracing/trace_marker"
#define VT_SOAK_UNIT	100	/* turns of a loop of two instructions */
#define VT_BEFORE_S	0.05	/* for what processes that ended left behind */
#define VT_AFTER_S	0.01	/* for packets that are still under way */
#define VT_PHASE_S	0.001237 /* no multiple of anything that ticks */

static volatile unsigned long long *vt_soak_page(void)
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
	volatile unsigned long long *units = vt_soak_page();
	struct sched_param param = { 0 };
	int i;

	(void)opt;
	vt_background(NULL);
	if (sched_setscheduler(0, SCHED_IDLE, &param))
		vt_die("sched_setscheduler");
	for (;;) {
		for (i = 0; i < VT_SOAK_UNIT; i++)
			asm volatile(""); /* else the loop vanishes */
		*units += 1;
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

static void vt_measure_once(vt_run run, const struct vt_options *opt,
			    volatile unsigned long long *units)
{
	unsigned long long before;
	double start;

	vt_mark_begin();
	before = *units;
	start = vt_now();
	if (run(opt))
		exit(1);
	vt_sleep(VT_AFTER_S);
	printf("soak_units=%llu soak_us=%.3f\n", *units - before,
	       (vt_now() - start) * 1e6);
	fflush(stdout);
}

/*
 * Run a verb again and again, each time at another phase against the clock;
 * after what it says itself, print the time and the soaker's units it took.
 */
int vt_measure(vt_run run, const struct vt_options *opt)
{
	volatile unsigned long long *units = vt_soak_page();
	int i;

	for (i = 0; i < opt->phases; i++) {
		vt_sleep(VT_BEFORE_S + i * VT_PHASE_S);
		vt_measure_once(run, opt, units);
	}

	return 0;
}

/* What a measurement shows when nothing happens. */
int vt_rest(const struct vt_options *opt)
{
	vt_sleep(opt->seconds);

	return 0;
}
