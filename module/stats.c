// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters and histograms.
 */
#include "stats.h"

#include <linux/kernel.h>
#include <linux/math64.h>

/**
 * vcoal_counters_add() - add one set of counters to another
 * @sum: grows
 * @count: what it grows by
 */
void vcoal_counters_add(struct vcoal_counters *sum,
			const struct vcoal_counters *count)
{
	const u64 *from = (const u64 *)count;
	u64 *to = (u64 *)sum;
	unsigned int i;

	/* READ_ONCE() pairs with WRITE_ONCE() in vcoal_queue_irq(). */
	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		to[i] += READ_ONCE(from[i]);
}

/**
 * vcoal_hist_quantile() - value that a share of all counts does not exceed
 * @hist: log2 histogram
 * @permille: the share, 0..1000
 *
 * Return: the upper edge of the bucket: 0 for an empty histogram, U64_MAX for
 * the last bucket, which has none
 */
u64 vcoal_hist_quantile(const struct vcoal_hist *hist, u32 permille)
{
	u64 total = 0, seen = 0, rank;
	int i;

	for (i = 0; i < VCOAL_HIST_BUCKETS; i++)
		total += hist->bucket[i];
	if (!total)
		return 0;

	rank = div_u64(total * permille + 999, 1000);
	for (i = 0; i < VCOAL_HIST_BUCKETS - 1; i++) {
		seen += hist->bucket[i];
		if (seen >= rank)
			break;
	}

	return vcoal_hist_edge(i);
}
