// SPDX-License-Identifier: GPL-2.0-only
/*
 * A soaker takes what others leave: what it lacks is what they used.
 */
#define _GNU_SOURCE
#include "vtraffic.h"

#include <sched.h>
#include <stdio.h>

#define VT_SOAK_UNIT	1000

int vt_soak(const struct vt_options *opt)
{
	struct sched_param param = { 0 };
	unsigned long units = 0;
	double start, elapsed;
	int i;

	if (sched_setscheduler(0, SCHED_IDLE, &param))
		vt_die("sched_setscheduler");
	start = vt_now();
	do {
		for (i = 0; i < VT_SOAK_UNIT; i++)
			asm volatile(""); /* else the loop vanishes */
		units++;
		elapsed = vt_now() - start;
	} while (elapsed < opt->seconds);
	printf("units=%lu us=%.0f\n", units, elapsed * 1e6);

	return 0;
}
