// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters by name, and histograms.
 */
#include "../module/stats.h"

#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/stddef.h>

static u64 hist_total(const struct vcoal_hist *hist)
{
	u64 total = 0;
	int i;

	for (i = 0; i < VCOAL_HIST_BUCKETS; i++)
		total += hist->bucket[i];

	return total;
}

#define COUNTER_OFFSET(id)	offsetof(struct vcoal_counters, id),
static const size_t counters[] = { VCOAL_COUNTERS(COUNTER_OFFSET) };

#undef COUNTER_OFFSET

static void counters_add_each_to_its_own(struct kunit *test)
{
	struct vcoal_counters sum = {}, count = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		*(u64 *)((void *)&count + counters[i]) = i + 1;
	vcoal_counters_add(&sum, &count);
	vcoal_counters_add(&sum, &count);

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		KUNIT_EXPECT_EQ(test, vcoal_counter(&sum, counters[i]),
				2 * (i + 1));
		KUNIT_EXPECT_EQ(test, vcoal_counter(&count, counters[i]),
				i + 1);
	}
}

static void hist_counts_every_value_once(struct kunit *test)
{
	static const u32 values[] = { 0, 1, 2, 255, 256, 1 << 18, U32_MAX };
	struct vcoal_hist hist = {};
	int i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		vcoal_hist_add(&hist, values[i]);
		KUNIT_EXPECT_EQ(test, hist_total(&hist), i + 1);
	}
	KUNIT_EXPECT_EQ(test, hist.bucket[0], 1);
	KUNIT_EXPECT_GE(test, hist.bucket[VCOAL_HIST_BUCKETS - 1], 1);
}

static void hist_counts_a_value_several_times(struct kunit *test)
{
	struct vcoal_hist many = {}, one = {};
	int i;

	vcoal_hist_add_n(&many, 77, 5);
	for (i = 0; i < 5; i++)
		vcoal_hist_add(&one, 77);
	KUNIT_EXPECT_MEMEQ(test, &many, &one, sizeof(one));
}

static void hist_quantile_of_nothing_is_zero(struct kunit *test)
{
	struct vcoal_hist hist = {};

	KUNIT_EXPECT_EQ(test, vcoal_hist_quantile(&hist, 0), 0);
	KUNIT_EXPECT_EQ(test, vcoal_hist_quantile(&hist, 1000), 0);
}

static void hist_quantile_is_within_a_factor_of_two(struct kunit *test)
{
	u32 value;

	for (value = 1; value < 1 << (VCOAL_HIST_BUCKETS - 2); value *= 3) {
		struct vcoal_hist hist = {};

		vcoal_hist_add(&hist, value);
		KUNIT_EXPECT_GE(test, vcoal_hist_quantile(&hist, 500), value);
		KUNIT_EXPECT_LT(test, vcoal_hist_quantile(&hist, 500),
				2 * value);
	}
}

static void hist_quantile_never_falls(struct kunit *test)
{
	struct vcoal_hist hist = {};
	u64 last = 0;
	u32 i;

	for (i = 0; i < 4096; i++)
		vcoal_hist_add(&hist, i * i);
	for (i = 0; i <= 1000; i++) {
		u64 quantile = vcoal_hist_quantile(&hist, i);

		KUNIT_EXPECT_GE(test, quantile, last);
		last = quantile;
	}
}

static void hist_quantile_ignores_what_is_rarer(struct kunit *test)
{
	struct vcoal_hist hist = {};

	vcoal_hist_add_n(&hist, 10, 990);
	vcoal_hist_add_n(&hist, 10000, 10);
	KUNIT_EXPECT_LT(test, vcoal_hist_quantile(&hist, 990), 20);
	KUNIT_EXPECT_GE(test, vcoal_hist_quantile(&hist, 991), 10000);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(counters_add_each_to_its_own),
	KUNIT_CASE(hist_counts_every_value_once),
	KUNIT_CASE(hist_counts_a_value_several_times),
	KUNIT_CASE(hist_quantile_of_nothing_is_zero),
	KUNIT_CASE(hist_quantile_is_within_a_factor_of_two),
	KUNIT_CASE(hist_quantile_never_falls),
	KUNIT_CASE(hist_quantile_ignores_what_is_rarer),
	{}
};

static struct kunit_suite stats_suite = {
	.name		= "vcoal_stats",
	.test_cases	= stats_cases,
};

kunit_test_suite(stats_suite);
