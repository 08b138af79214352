// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy `adaptive` and closed loops: who waits for whom?
 */
#include "traffic.h"

#define BOUND_NS	64000U
#define LONG_NS		1000000U
#define SOON		5	/* windows: milliseconds */
#define SETTLED		600
#define REST		10000

static const struct traffic stream[] = {
	{ .gap_ns = 10000 },
	{ .gap_ns = 20000 },
	{ .gap_ns = 40000 },
};

static const struct traffic closed[] = {
	{ "answer in 12 us", 12000, true },
	{ "answer in 25 us", 25000, true },
	{ "answer in 45 us", 45000, true },
};

/* Than the ping-pong before, by far. */
static const struct traffic slower[] = {
	{ "gap 20 us", 20000 },
	{ "gap 40 us", 40000 },
	{ "gap 80 us", 80000 },
};

KUNIT_ARRAY_PARAM(closed, closed, traffic_desc);
KUNIT_ARRAY_PARAM(slower, slower, traffic_desc);

static void lets_go_of_a_closed_loop(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, load, SETTLED), SETTLED / 20);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, load, REST), REST / 50);
}

/* From the first window on the hold sets the pace, which asks for no long look. */
static void finds_a_loop_at_once(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	KUNIT_EXPECT_LE(test, traffic_run(&asked, load, 50), 3);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
}

/* What is learned of it is not what comes next, at once or after a silence. */
static void holds_what_follows_a_loop(struct kunit *test)
{
	const struct traffic load = {
		.gap_ns = 220000,
		.closed = true,
		.timer_cost = 100,
	};
	const struct traffic next = { .gap_ns = 62000 };
	struct vcoal_sample silence;
	struct asked asked;
	int after, i;

	traffic_window(&load, 0, &silence);
	silence.window_ns = 100 * NSEC_PER_MSEC;
	for (after = 0; after < 2; after++) {
		traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
		/* Twice in vain: the backoff is seconds long. */
		traffic_run(&asked, &load, SETTLED);
		for (i = 0; i < REST && !asked.last.params.hold_ns; i++)
			traffic_run(&asked, &load, 1);
		traffic_run(&asked, &load, SOON);
		KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 0);
		if (after)
			traffic_ask(&asked, &silence);
		traffic_run(&asked, &next, 2 * SOON);
		KUNIT_EXPECT_GT(test, asked.last.params.hold_ns, 0);
	}
}

/* Something else slows the loop down as well: the rate hardly tells. */
static void finds_a_loop_that_was_slow_before(struct kunit *test)
{
	const struct traffic load = {
		.gap_ns = 220000,
		.closed = true,
		.timer_cost = 100,
	};
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	KUNIT_EXPECT_LE(test, traffic_run(&asked, &load, 50), 3);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
}

/* What a loop does once it is free is no rising load. */
static void tries_a_loop_that_it_freed_no_sooner(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct traffic loop = *load;
	struct asked asked;

	loop.timer_cost = 100;
	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	traffic_run(&asked, &stream[1], SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 4 * BOUND_NS);
	KUNIT_EXPECT_LE(test, traffic_run(&asked, &loop, 200), 3);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
}

/*
 * A loop that was over before its own rate was learned: what is learned is the
 * stream's, which must not wait longer each time.
 */
static void holds_after_a_short_loop(struct kunit *test)
{
	const struct traffic loop = {
		.gap_ns = 200000,
		.closed = true,
		.timer_cost = 100,
	};
	struct asked asked;
	int i;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	for (i = 0; i < 4; i++) {
		traffic_run(&asked, &stream[2], SETTLED);
		KUNIT_ASSERT_GT(test, asked.last.params.hold_ns, 0);
		traffic_run(&asked, &loop, SOON);
		KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	}
}

/* A stream of small messages: fewer frames, which carry more. */
static void holds_where_messages_gather(struct kunit *test)
{
	struct traffic load = *(const struct traffic *)test->param_value;
	struct asked asked;

	load.gathers = true;
	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &load, SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	KUNIT_EXPECT_GT(test, traffic_run(&asked, &load, REST),
			REST * 9 / 10);
}

static void names_a_closed_loop(struct kunit *test)
{
	const struct traffic fast = { .gap_ns = 15000, .closed = true };
	struct asked asked;

	/* Too short a class to try less. */
	traffic_start(test, &asked, "adaptive", 40000);
	traffic_run(&asked, &fast, 50);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
}

/* A stream becomes a ping-pong: its own hold keeps it slow. */
static void lets_go_when_a_loop_closes(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(stream); i++) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		traffic_run(&asked, &stream[i], SETTLED);
		KUNIT_ASSERT_GT(test, asked.last.params.hold_ns, 0);
		KUNIT_EXPECT_LE(test, traffic_run(&asked, load, 100),
				2 * SOON);
		KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
		KUNIT_EXPECT_EQ(test, asked.last.reason,
				VCOAL_REASON_CLOSED_LOOP);
	}
}

static void holds_when_a_loop_opens(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	traffic_run(&asked, &closed[0], REST);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 0);
	traffic_run(&asked, load, 4 * SOON);
	KUNIT_EXPECT_GT(test, asked.last.params.hold_ns, 0);
}

/*
 * Both ends of a ping-pong hold: neither gets faster when it lets go alone, so
 * one frame a hold must make a queue ask all others to let go as well.
 */
static void asks_the_vm_when_holds_release_one_frame(struct kunit *test)
{
	const struct traffic held_up = { "answer when held", BOUND_NS };
	u32 asks = 0, i;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &stream[1], SETTLED);
	for (i = 0; i < SETTLED; i++) {
		traffic_run(&asked, &held_up, 1);
		asks += asked.last.trial_ns && asked.last.pause;
	}
	KUNIT_EXPECT_GT(test, asks, 0);
}

static struct kunit_case loop_cases[] = {
	KUNIT_CASE_PARAM(lets_go_of_a_closed_loop, closed_gen_params),
	KUNIT_CASE_PARAM(finds_a_loop_at_once, closed_gen_params),
	KUNIT_CASE(finds_a_loop_that_was_slow_before),
	KUNIT_CASE(holds_what_follows_a_loop),
	KUNIT_CASE_PARAM(tries_a_loop_that_it_freed_no_sooner, closed_gen_params),
	KUNIT_CASE(holds_after_a_short_loop),
	KUNIT_CASE_PARAM(holds_where_messages_gather, closed_gen_params),
	KUNIT_CASE(names_a_closed_loop),
	KUNIT_CASE_PARAM(lets_go_when_a_loop_closes, closed_gen_params),
	KUNIT_CASE_PARAM(holds_when_a_loop_opens, slower_gen_params),
	KUNIT_CASE(asks_the_vm_when_holds_release_one_frame),
	{}
};

static struct kunit_suite loop_suite = {
	.name		= "vcoal_policy_adaptive_loop",
	.test_cases	= loop_cases,
};

kunit_test_suite(loop_suite);
