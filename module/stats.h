/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_STATS_H
#define _VCOAL_STATS_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <vcoal/vcoal.h>

void vcoal_counters_add(struct vcoal_counters *sum,
			const struct vcoal_counters *count);
u64 vcoal_hist_quantile(const struct vcoal_hist *hist, u32 permille);

/**
 * vcoal_counter() - one counter of a set
 * @count: the set
 * @offset: of the counter
 */
static inline u64 vcoal_counter(const struct vcoal_counters *count,
				size_t offset)
{
	return *(const u64 *)((const char *)count + offset);
}

/**
 * vcoal_hist_edge() - largest value that a bucket counts
 * @bucket: its index
 */
static inline u64 vcoal_hist_edge(int bucket)
{
	return bucket < VCOAL_HIST_BUCKETS - 1 ? BIT_ULL(bucket) - 1 : U64_MAX;
}

/**
 * vcoal_hist_add_n() - count a value several times
 * @hist: log2 histogram
 * @value: bucket fls(value) takes it, the last bucket all above
 * @n: how often
 */
static inline void vcoal_hist_add_n(struct vcoal_hist *hist, u32 value, u32 n)
{
	hist->bucket[min(fls(value), VCOAL_HIST_BUCKETS - 1)] += n;
}

/**
 * vcoal_hist_add() - count a value
 * @hist: log2 histogram
 * @value: see vcoal_hist_add_n()
 */
static inline void vcoal_hist_add(struct vcoal_hist *hist, u32 value)
{
	vcoal_hist_add_n(hist, value, 1);
}

#endif /* _VCOAL_STATS_H */
