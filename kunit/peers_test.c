// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policies of others: `rate`, `dim`, `aic`.
 */
#include "traffic.h"

#define LONG_NS		1000000U
#define SHORT_NS	64000U

static const struct traffic light = { .gap_ns = 500000 };
static const struct traffic heavy = { .gap_ns = 4000 };
static const struct traffic flood = { .gap_ns = 250 };

static u32 rate_hold_ns(struct kunit *test, u32 rate, u32 max_ns)
{
	struct asked asked;

	traffic_start(test, &asked, "rate", max_ns);
	asked.limits.irq_rate_max = rate;
	traffic_run(&asked, &heavy, 1);

	return asked.last.params.hold_ns;
}

static void rate_is_a_period(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, rate_hold_ns(test, 8000, LONG_NS),
			NSEC_PER_SEC / 8000);
	KUNIT_EXPECT_EQ(test, rate_hold_ns(test, 0, LONG_NS),
			NSEC_PER_SEC / 4000);
	KUNIT_EXPECT_EQ(test, rate_hold_ns(test, 8000, SHORT_NS), SHORT_NS);
	KUNIT_EXPECT_LE(test, rate_hold_ns(test, 1, VCOAL_HOLD_NS_MAX),
			VCOAL_HOLD_NS_MAX);
	KUNIT_EXPECT_GT(test, rate_hold_ns(test, U32_MAX, LONG_NS), 0);
}

static void rate_does_not_care_for_the_load(struct kunit *test)
{
	struct asked asked;
	u32 hold_ns;

	traffic_start(test, &asked, "rate", LONG_NS);
	traffic_run(&asked, &light, 100);
	hold_ns = asked.last.params.hold_ns;
	traffic_run(&asked, &heavy, 100);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, hold_ns);
}

static u32 aic_hold_ns(struct kunit *test, const struct traffic *load)
{
	struct asked asked;

	traffic_start(test, &asked, "aic", LONG_NS);
	traffic_run(&asked, load, 100);

	return asked.last.params.hold_ns;
}

static void aic_leaves_room_in_the_buffers(struct kunit *test)
{
	u32 hold_ns = aic_hold_ns(test, &flood);

	KUNIT_EXPECT_EQ(test, aic_hold_ns(test, &light), LONG_NS);
	KUNIT_EXPECT_LT(test, hold_ns, LONG_NS);
	KUNIT_EXPECT_LT(test, hold_ns / flood.gap_ns, 256);
	KUNIT_EXPECT_GT(test, hold_ns / flood.gap_ns, 128);
}

static void aic_samples_once_a_second(struct kunit *test)
{
	struct asked asked;

	traffic_start(test, &asked, "aic", LONG_NS);
	traffic_run(&asked, &light, 100);
	traffic_run(&asked, &flood, 500);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, LONG_NS);
	traffic_run(&asked, &flood, 2000);
	KUNIT_EXPECT_LT(test, asked.last.params.hold_ns, LONG_NS);
}

static void dim_climbs_to_fewer_events(struct kunit *test)
{
	struct asked asked;
	u32 top = 0;
	u32 i;

	traffic_start(test, &asked, "dim", LONG_NS);
	for (i = 0; i < 500; i++) {
		traffic_run(&asked, &heavy, 1);
		top = max(top, asked.last.params.hold_ns);
	}
	KUNIT_EXPECT_EQ(test, top, 256000);
}

static void dim_waits_for_its_events(struct kunit *test)
{
	struct asked asked;

	traffic_start(test, &asked, "dim", LONG_NS);
	/* 64 events take 32 of these windows. */
	traffic_run(&asked, &light, 30);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	traffic_run(&asked, &light, 10);
	KUNIT_EXPECT_GT(test, asked.last.params.hold_ns, 0);
}

static void dim_turns_when_it_gets_worse(struct kunit *test)
{
	const struct traffic loop = { .gap_ns = 30000, .closed = true };
	struct asked asked;

	traffic_start(test, &asked, "dim", LONG_NS);
	/* Each longer hold serves less: it must not stay at the top. */
	traffic_run(&asked, &loop, 2000);
	KUNIT_EXPECT_LT(test, asked.last.params.hold_ns, 256000);
}

static struct kunit_case peers_cases[] = {
	KUNIT_CASE(rate_is_a_period),
	KUNIT_CASE(rate_does_not_care_for_the_load),
	KUNIT_CASE(aic_leaves_room_in_the_buffers),
	KUNIT_CASE(aic_samples_once_a_second),
	KUNIT_CASE(dim_climbs_to_fewer_events),
	KUNIT_CASE(dim_waits_for_its_events),
	KUNIT_CASE(dim_turns_when_it_gets_worse),
	{}
};

static struct kunit_suite peers_suite = {
	.name		= "vcoal_policy_peers",
	.test_cases	= peers_cases,
};

kunit_test_suite(peers_suite);
