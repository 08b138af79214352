// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long many things took, seen by several processes together.
 */
#include "vtraffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define VT_TIMES_MAX	1000000

struct vt_times {
	long num;
	float us[VT_TIMES_MAX];
};

/* Processes that are forked later add to the same times. */
struct vt_times *vt_times_new(void)
{
	struct vt_times *times = mmap(NULL, sizeof(*times),
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (times == MAP_FAILED)
		vt_die("mmap");
	return times;
}

void vt_times_free(struct vt_times *times)
{
	munmap(times, sizeof(*times));
}

void vt_times_add(struct vt_times *times, double seconds)
{
	long i = __atomic_fetch_add(&times->num, 1, __ATOMIC_RELAXED);

	if (i < VT_TIMES_MAX)
		times->us[i] = seconds * 1e6;
}

long vt_times_num(const struct vt_times *times)
{
	return times->num;
}

static int vt_compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The rest of a line of results. */
void vt_times_print(struct vt_times *times)
{
	long num = times->num < VT_TIMES_MAX ? times->num : VT_TIMES_MAX;
	float *us = times->us;

	qsort(us, num, sizeof(*us), vt_compare);
	if (num)
		printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
		       us[num / 2], us[num * 99 / 100], us[num * 999 / 1000],
		       us[num - 1]);
	printf("\n");
}
