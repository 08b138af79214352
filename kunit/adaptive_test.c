// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy `adaptive`: what it makes of traffic.
 */
#include "traffic.h"

#define BOUND_NS	64000U
#define LONG_NS		1000000U
#define SOON		5	/* windows: milliseconds */
#define SETTLED		600
#define REST		10000

static const struct traffic dense[] = {
	{ "gap 10 us", 10000 },
	{ "gap 20 us", 20000 },
	{ "gap 40 us", 40000 },
};

static const struct traffic sparse[] = {
	{ "gap 80 us", 80000 },
	{ "gap 200 us", 200000 },
	{ "gap 1 ms", 1000000 },
	{ "gap 5 ms", 5000000 },
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

KUNIT_ARRAY_PARAM(dense, dense, traffic_desc);
KUNIT_ARRAY_PARAM(sparse, sparse, traffic_desc);
KUNIT_ARRAY_PARAM(closed, closed, traffic_desc);
KUNIT_ARRAY_PARAM(slower, slower, traffic_desc);

static void holds_what_comes_densely(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, load, SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	traffic_run(&asked, load, SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

static void does_not_hold_what_comes_rarely(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, load, SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, load, REST), REST / 50);
}

/* Nor what comes so rarely that no rate is less. */
static void does_not_try_for_ever(struct kunit *test)
{
	struct traffic load = {};
	struct asked asked;
	u32 ms;

	for (ms = 20; ms <= 60; ms += 10) {
		load.gap_ns = ms * NSEC_PER_MSEC;
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		KUNIT_EXPECT_LT(test, traffic_run(&asked, &load, REST),
				REST / 8);
	}
}

/*
 * A check that is due after silence begins when it knows the load, not with the
 * first few frames: those before the next load would make it look like a loop.
 */
static void checks_what_it_measured(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = 40000 };
	const struct traffic few = { .gap_ns = 500000 };
	const struct traffic fast = { .gap_ns = 10000 };
	struct vcoal_sample silence;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &slow, 100);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	traffic_window(&few, BOUND_NS, &silence);
	silence.window_ns = NSEC_PER_SEC;
	traffic_ask(&asked, &silence);
	traffic_run(&asked, &few, 4);
	KUNIT_EXPECT_GT(test, traffic_run(&asked, &fast, 40), 30);
	KUNIT_EXPECT_NE(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
}

/*
 * Nor while the rate rises: what it was before would make that look like a loop.
 * Behind 16 of these windows the check begins among them, and the load within it.
 */
static void checks_no_rising_load(struct kunit *test)
{
	const struct traffic few = { .gap_ns = 500000 };
	const struct traffic load = { .gap_ns = 111000 };
	struct vcoal_sample silence;
	struct asked asked;
	u32 i;

	traffic_window(&few, NSEC_PER_MSEC, &silence);
	silence.window_ns = NSEC_PER_SEC;
	for (i = 1; i < 16; i++) {
		traffic_start(test, &asked, "adaptive", NSEC_PER_MSEC);
		traffic_run(&asked, &load, 100);
		KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, NSEC_PER_MSEC);
		traffic_ask(&asked, &silence);
		traffic_run(&asked, &few, i);
		traffic_run(&asked, &load, 60);
		KUNIT_EXPECT_EQ_MSG(test, asked.last.params.hold_ns,
				    NSEC_PER_MSEC, "%u windows of few", i);
	}
}

/* But what rises again and again is checked: it may be a loop. */
static void checks_what_never_stops_rising(struct kunit *test)
{
	const struct traffic few = { .gap_ns = 111000 };
	const struct traffic many = { .gap_ns = 40000 };
	struct vcoal_sample sample;
	struct asked asked;
	u32 i, first, checks;

	/* Whichever window of three it is that a check is due in. */
	for (first = 100; first < 103; first++) {
		traffic_start(test, &asked, "adaptive", NSEC_PER_MSEC);
		traffic_run(&asked, &few, first);
		for (i = checks = 0; i < 3000; i++) {
			traffic_window(i % 3 ? &few : &many,
				       asked.last.params.hold_ns, &sample);
			/* not as many in every hold */
			sample.ring_peak = 0;
			traffic_ask(&asked, &sample);
			checks += asked.last.pause;
		}
		KUNIT_EXPECT_GT_MSG(test, checks, 0, "behind %u windows",
				    first);
	}
}

/* Nor does traffic answer a try, or a check, when it pauses meanwhile. */
static void a_pause_is_no_answer(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = 40000 };
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	const struct traffic fast = { .gap_ns = 20000 };
	struct asked asked;
	u32 i;

	for (i = 0; i < 24; i++) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		while (!asked.last.params.hold_ns)
			traffic_run(&asked, &slow, 1);
		traffic_run(&asked, &slow, i / 4);
		traffic_run(&asked, &rare, 1 + i % 4);
		KUNIT_EXPECT_GT(test, traffic_run(&asked, &fast, 60), 50);
	}
}

/* All let go, the load ended, and the next one is faster: not for being let go. */
static void a_pause_ends_a_check(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = 40000 };
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	const struct traffic fast = { .gap_ns = 25000 };
	struct asked asked;
	u32 i;

	for (i = 0; i < 16; i++) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		while (!asked.last.pause)
			traffic_run(&asked, &slow, 1);
		traffic_run(&asked, &slow, i / 4);
		traffic_run(&asked, &rare, 1 + i % 4);
		KUNIT_EXPECT_GT_MSG(test, traffic_run(&asked, &fast, 60), 50,
				    "%u windows and %u gaps after it let go",
				    i / 4, 1 + i % 4);
		KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	}
}

/* But a loop that pauses again and again is one. */
static void a_pausing_loop_is_found(struct kunit *test)
{
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	struct traffic loop = { .closed = true, .burst = 8 };
	struct asked asked;
	u32 i, length, held;

	for (length = 16; length < 40; length += 2) {
		for (loop.gap_ns = 20000; loop.gap_ns < 200000;
		     loop.gap_ns += 20000) {
			traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
			asked.announces = true;
			for (i = held = 0; i < REST / length; i++) {
				held += traffic_run(&asked, &loop, length);
				traffic_run(&asked, &rare, 1);
			}
			KUNIT_EXPECT_LT_MSG(test, held, REST / 16,
					    "%u windows of %u ns at a time",
					    length, loop.gap_ns);
		}
	}
}

/* Nor is one that was idle compared with its silence. */
static void a_loop_is_known_after_silence(struct kunit *test)
{
	const struct traffic loop = { .gap_ns = 45000, .closed = true,
				      .burst = 4 };
	struct vcoal_sample silence;
	struct asked asked;
	u32 i;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &loop, SETTLED);
	traffic_window(&loop, 0, &silence);
	silence.window_ns = 20 * (u64)NSEC_PER_SEC;
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 0);
		traffic_ask(&asked, &silence);
		KUNIT_EXPECT_LT(test, traffic_run(&asked, &loop, 200), 20);
	}
}

/* Bursts came faster behind a check that paused; what is slower comes after them. */
static void what_was_faster_may_fall(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = 40000 };
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	const struct traffic bursts = { .gap_ns = NSEC_PER_MSEC, .burst = 48 };
	const struct traffic stream = { .gap_ns = 50000 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	while (!asked.last.pause)
		traffic_run(&asked, &slow, 1);
	traffic_run(&asked, &slow, 1);
	traffic_run(&asked, &rare, 1);
	traffic_run(&asked, &bursts, SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
	traffic_run(&asked, &stream, 4 * SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 4 * BOUND_NS);
}

/* Whenever it pauses, and whether a trickle is left of it. */
static void a_trickle_is_no_answer(struct kunit *test)
{
	static const u32 rests_ms[] = { 20, 100 };
	const struct traffic load = { .gap_ns = 40000 };
	struct traffic rare = {};
	struct asked asked;
	u32 i;

	for (i = 0; i < 3600; i++) {
		rare.gap_ns = rests_ms[i % 2] * NSEC_PER_MSEC;
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		traffic_run(&asked, &load, i / 12);
		traffic_run(&asked, &rare, 1 + i / 2 % 6);
		KUNIT_EXPECT_GT_MSG(test, traffic_run(&asked, &load, 60), 45,
				    "after %u ms %u gaps of %u ns", i / 12,
				    1 + i / 2 % 6, rare.gap_ns);
	}
}

/* A try that nothing answers any more ends all the same. */
static void a_pause_ends_a_try(struct kunit *test)
{
	const struct traffic load = { .gap_ns = 40000 };
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	while (!asked.last.params.hold_ns)
		traffic_run(&asked, &load, 1);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, &rare, 200), 150);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
}

/* A loop that falls asleep when held loses more than holds: once is no proof. */
static void a_sleepy_loop_is_found(struct kunit *test)
{
	const struct traffic loop = { .gap_ns = 180000, .closed = true };
	const struct traffic asleep = { .gap_ns = 4 * NSEC_PER_MSEC };
	struct vcoal_sample sample;
	struct asked asked;
	u32 i, held = 0;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	for (i = 0; i < REST; i++) {
		traffic_window(&loop, 0, &sample);
		if (asked.last.params.hold_ns) {
			traffic_window(&asleep, 0, &sample);
			sample.irqs = 0;
			sample.holds = 1;
			sample.held_frames = 1;
			sample.polls = 1;
			held++;
		}
		traffic_ask(&asked, &sample);
	}
	KUNIT_EXPECT_LT(test, held, REST / 50);
}

/* What gathers by itself says nothing about what comes after it, and is less. */
static void a_verdict_is_of_one_load(struct kunit *test)
{
	const struct traffic bursts = { .gap_ns = NSEC_PER_MSEC, .burst = 48 };
	const struct traffic stream = { .gap_ns = 50000 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	traffic_run(&asked, &bursts, SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_ASSERT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
	traffic_run(&asked, &stream, 3 * SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 4 * BOUND_NS);
}

/* The pause between bursts ends in a window of one frame, which pays for no hold. */
static void bursts_with_pauses_stay_held(struct kunit *test)
{
	const struct traffic pause = { .gap_ns = 6600000, .timer_cost = 17 };
	const struct traffic burst = { .gap_ns = 20000, .timer_cost = 17 };
	struct asked asked;
	u32 i;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	traffic_run(&asked, &burst, SETTLED);
	for (i = 0; i < 100; i++) {
		traffic_run(&asked, &pause, 1);
		traffic_run(&asked, &burst, 1);
		KUNIT_ASSERT_NE(test, asked.last.reason, VCOAL_REASON_SPARSE);
		traffic_run(&asked, &burst, 1);
	}
	/* What is left when only the pause is, is another load. */
	traffic_run(&asked, &pause, 4);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
}

/* Less again, and nothing has paid meanwhile: it is another load if it lasts. */
static void what_fell_may_fall_again(struct kunit *test)
{
	const struct traffic many = { .gap_ns = NSEC_PER_MSEC, .burst = 48 };
	const struct traffic fewer = { .gap_ns = NSEC_PER_MSEC, .burst = 12 };
	const struct traffic stream = { .gap_ns = 250000 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", LONG_NS);
	traffic_run(&asked, &many, SETTLED);
	traffic_run(&asked, &fewer, SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
	traffic_run(&asked, &stream, 2000);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, LONG_NS);
}

/* But not what comes and goes, or it would be tried each time. */
static void what_comes_and_goes_is_left_alone(struct kunit *test)
{
	static const u32 turns[][2] = { { 40, 40 }, { 5, 15 }, { 60, 180 } };
	const struct traffic many = { .gap_ns = NSEC_PER_MSEC, .burst = 48 };
	const struct traffic fewer = { .gap_ns = NSEC_PER_MSEC, .burst = 12 };
	struct asked asked;
	u32 i, t, held;

	for (i = 0; i < ARRAY_SIZE(turns); i++) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		for (t = held = 0; t < REST; t += turns[i][0] + turns[i][1]) {
			held += traffic_run(&asked, &many, turns[i][0]);
			held += traffic_run(&asked, &fewer, turns[i][1]);
		}
		KUNIT_EXPECT_LT_MSG(test, held, REST / 100, "%u and %u ms",
				    turns[i][0], turns[i][1]);
	}
}

/* What comes in floods needs half as long a check as others. */
static void a_flood_is_checked_briefly(struct kunit *test)
{
	const struct traffic flood = { .gap_ns = 5000 };
	struct asked asked;
	u32 i, now = 0, longest = 0;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	asked.announces = true;
	traffic_run(&asked, &flood, SETTLED);
	for (i = 0; i < 3 * REST; i++) {
		now = traffic_run(&asked, &flood, 1) ? 0 : now + 1;
		longest = max(longest, now);
	}
	KUNIT_EXPECT_GT(test, longest, 0);
	KUNIT_EXPECT_LE(test, longest, 34);
}

/* One round trip a hold: some of them are enough, and once is. */
static void a_loop_is_soon_found(struct kunit *test)
{
	const struct traffic loop = { .gap_ns = 180000, .closed = true };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	KUNIT_EXPECT_LE(test, traffic_run(&asked, &loop, 100), SOON);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
	KUNIT_EXPECT_EQ(test, traffic_run(&asked, &loop, REST), 0);
}

/* The longest hold of so many windows of this load. */
static u32 longest_of(struct asked *asked, const struct traffic *load,
		      u32 windows)
{
	u32 longest = 0;

	while (windows--) {
		traffic_run(asked, load, 1);
		longest = max(longest, asked->last.params.hold_ns);
	}

	return longest;
}

/* It shows under a hold of some gaps, however long the bound is. */
static void a_loop_is_tried_gently(struct kunit *test)
{
	struct traffic loop = { .closed = true };
	struct asked asked;
	u32 longest;

	for (loop.gap_ns = 30000; loop.gap_ns < 300000; loop.gap_ns += 10000) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		longest = longest_of(&asked, &loop, SETTLED);
		KUNIT_EXPECT_EQ(test, asked.last.reason,
				VCOAL_REASON_CLOSED_LOOP);
		KUNIT_EXPECT_GT(test, longest, loop.gap_ns);
		KUNIT_EXPECT_LE(test, longest, 4 * loop.gap_ns);
	}
}

/* Nor is a loop that another queue held up tried with what it was until then. */
static void a_loop_that_is_let_go_is_tried_gently(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = LONG_NS, .closed = true };
	const struct traffic fast = { .gap_ns = 180000, .closed = true };
	struct asked asked;
	u32 round, longest = 0;

	traffic_start(test, &asked, "adaptive", LONG_NS);
	for (round = 0; round < 5; round++) {
		asked.limits.trial = true;
		KUNIT_EXPECT_EQ(test, traffic_run(&asked, &slow, 2 * REST), 0);
		asked.limits.trial = false;
		longest = max(longest, longest_of(&asked, &fast, SETTLED));
		KUNIT_EXPECT_EQ(test, asked.last.reason,
				VCOAL_REASON_CLOSED_LOOP);
	}
	KUNIT_EXPECT_GT(test, longest, fast.gap_ns);
	KUNIT_EXPECT_LE(test, longest, 4 * fast.gap_ns);
}

/* But what rises in the moment of each try is tried. */
static void tries_what_rises_again_and_again(struct kunit *test)
{
	const struct traffic few = { .gap_ns = 1000000 };
	const struct traffic many = { .gap_ns = 180000 };
	struct asked asked;
	u32 first, i, held;

	for (first = 0; first < 16; first++) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		held = traffic_run(&asked, &few, first);
		for (i = 0; i < 6; i++) {
			held += traffic_run(&asked, &many, 1);
			held += traffic_run(&asked, &few, 15);
		}
		KUNIT_EXPECT_GT_MSG(test, held, 0, "behind %u windows", first);
	}
}

/* A stream of that rate fills it, and is held as long as may be. */
static void a_stream_is_tried_twice(struct kunit *test)
{
	struct traffic stream = {};
	struct asked asked;

	for (stream.gap_ns = 30000; stream.gap_ns < 300000;
	     stream.gap_ns += 10000) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		traffic_run(&asked, &stream, 3 * SOON);
		KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, LONG_NS);
	}
}

/* And no longer than gathers 40 frames; a level is twice as long, a rate 5 % rough. */
static void a_try_is_no_longer_than_batches(struct kunit *test)
{
	struct traffic stream = {};
	struct asked asked;
	u32 longest;

	for (stream.gap_ns = 2500; stream.gap_ns < 20000;
	     stream.gap_ns += 100) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		longest = longest_of(&asked, &stream, SETTLED);
		KUNIT_EXPECT_GE_MSG(test, longest,
				    min(40 * stream.gap_ns, LONG_NS),
				    "gap %u ns", stream.gap_ns);
		KUNIT_EXPECT_LE_MSG(test, longest, 85 * stream.gap_ns,
				    "gap %u ns", stream.gap_ns);
	}
}

/* Holds that are all empty need not be as many as frames that make a comparison. */
static void a_try_in_vain_is_short(struct kunit *test)
{
	struct traffic load = {};
	struct asked asked;
	u32 held;

	for (load.gap_ns = 80000; load.gap_ns <= NSEC_PER_MSEC;
	     load.gap_ns += 20000) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		while (!asked.last.params.hold_ns)
			traffic_run(&asked, &load, 1);
		held = 0;
		while (asked.last.params.hold_ns)
			held += traffic_run(&asked, &load, 1);
		KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
		/* A window of the phase before, and eight holds in whole ones. */
		KUNIT_EXPECT_LE(test, held * (NSEC_PER_MSEC / load.gap_ns),
				8 + 2 * (NSEC_PER_MSEC / load.gap_ns));
	}
}

/* Nor are they in vain where a frame interrupts again and again. */
static void a_hold_gathers_more_than_frames(struct kunit *test)
{
	struct traffic load = { .parts = 16 };
	struct asked asked;

	for (load.gap_ns = 80000; load.gap_ns <= 480000; load.gap_ns += 50000) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		traffic_run(&asked, &load, 3 * SOON);
		KUNIT_EXPECT_GT(test, traffic_run(&asked, &load, SETTLED),
				SETTLED * 9 / 10);
	}
}

/* But one pause does not end that hold, and many do: no check would. */
static void parts_are_forgotten_in_silence(struct kunit *test)
{
	const struct traffic rare = { .gap_ns = 100 * NSEC_PER_MSEC };
	const struct traffic load = { .gap_ns = 480000, .parts = 16 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &load, SETTLED);
	traffic_run(&asked, &rare, 1);
	KUNIT_EXPECT_GT(test, traffic_run(&asked, &load, 40), 35);
	traffic_run(&asked, &rare, 20);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
}

/* Unless what was to be held has gone: when it is soon there again, it is held. */
static void a_load_that_goes_is_not_in_vain(struct kunit *test)
{
	const struct traffic fast = { .gap_ns = 20000 };
	const struct traffic slow = { .gap_ns = 200000 };
	struct asked asked;
	u32 i;

	for (i = 2; i < 8; i++) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		while (!asked.last.params.hold_ns)
			traffic_run(&asked, &fast, 1);
		traffic_run(&asked, &slow, i);
		KUNIT_EXPECT_GT_MSG(test, traffic_run(&asked, &fast, 60), 40,
				    "gone for %u windows", i);
	}
}

/* Four frames in three holds: worth a timer of our own, not one that is an exit. */
static void a_dear_timer_must_gather_more(struct kunit *test)
{
	struct traffic load = { .gap_ns = BOUND_NS * 3 / 4 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &load, SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);

	load.timer_cost = 100;
	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &load, SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_SPARSE);
}

static void lets_go_of_a_closed_loop(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, load, SETTLED), SETTLED / 20);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_LT(test, traffic_run(&asked, load, REST), REST / 50);
}

/*
 * By turns a message of so many frames and a frame, each behind the other. What comes
 * @apart is found one by one without a hold, which saves much then.
 */
struct messages {
	u32 frames;
	u32 leg_ns;
	bool apart;
	u64 held_ns;
	bool answer;
	struct vcoal_sample sample;
};

/* So many of both; returns how many of them were held. */
static u32 messages_run(struct asked *asked, struct messages *load, u32 legs)
{
	struct vcoal_sample *s = &load->sample;
	u32 held = 0;

	while (legs--) {
		u32 hold_ns = asked->last.params.hold_ns;
		u32 frames = load->answer ? 1 : load->frames;
		u32 found = load->apart && !hold_ns ? 1 : frames;

		held += hold_ns > 0;
		load->held_ns += hold_ns;
		load->answer = !load->answer;
		s->window_ns += load->leg_ns + hold_ns;
		s->polls += frames / found;
		s->frames += frames;
		s->bytes += 1448 * frames;
		s->irqs += hold_ns ? 0 : frames / found;
		s->holds += !!hold_ns;
		s->held_frames += hold_ns ? frames : 0;
		s->ring_peak = max(s->ring_peak, found);
		if (s->window_ns < vcoal_decision_window_ns(&asked->last))
			continue;
		s->nic_bytes = s->bytes;
		s->timer_cost = VCOAL_TIMER_COST;
		traffic_ask(asked, s);
		*s = (struct vcoal_sample) {};
	}

	return held;
}

/* Windows that have now the one and now the other have no rate to compare. */
static void lets_go_of_large_messages(struct kunit *test)
{
	struct messages load = {};
	struct asked asked;
	u32 frames, leg_us;

	for (frames = 24; frames <= 48; frames += 8) {
		for (leg_us = 1000; leg_us < 3000; leg_us += 250) {
			traffic_start(test, &asked, "adaptive", NSEC_PER_MSEC);
			load = (struct messages) { frames, 1000 * leg_us };
			messages_run(&asked, &load, 400);
			KUNIT_EXPECT_LT_MSG(test,
					    messages_run(&asked, &load, 4000),
					    800, "%u frames in %u us", frames,
					    leg_us);
		}
	}
}

/* And where holding would save much, it must not slow the loop for that. */
static void finds_a_loop_of_large_messages(struct kunit *test)
{
	const u32 legs = 4000;
	struct messages load = {};
	struct asked asked;
	u32 frames, leg_us;

	for (frames = 24; frames <= 48; frames += 8) {
		for (leg_us = 1000; leg_us <= 1500; leg_us += 100) {
			traffic_start(test, &asked, "adaptive", NSEC_PER_MSEC);
			load = (struct messages) {
				frames, 1000 * leg_us, .apart = true,
			};
			messages_run(&asked, &load, 400);
			load.held_ns = 0;
			messages_run(&asked, &load, legs);
			KUNIT_EXPECT_LT_MSG(test, div_u64(load.held_ns, legs),
					    load.leg_ns / 12,
					    "%u frames in %u us", frames,
					    leg_us);
		}
	}
}

/* Not for a load that pauses or changes now and then; and not for ever. */
static void asks_rarely_where_each_window_differs(struct kunit *test)
{
	const struct traffic many = { .gap_ns = 20000 };
	const struct traffic few = { .gap_ns = 500000 };
	struct vcoal_sample pause;
	struct asked asked;
	u32 i, length;

	traffic_window(&few, NSEC_PER_MSEC, &pause);
	pause.window_ns = 20 * NSEC_PER_MSEC;
	traffic_start(test, &asked, "adaptive", BOUND_NS);
	for (length = 3; length < 30; length++) {
		for (i = 0; i < 10; i++) {
			traffic_run(&asked, &many, length);
			traffic_ask(&asked, &pause);
			KUNIT_EXPECT_FALSE(test, asked.last.long_windows);
		}
	}
	for (i = 0; i < 20; i++) {
		traffic_run(&asked, &many, 1);
		traffic_run(&asked, &few, 1);
	}
	KUNIT_EXPECT_TRUE(test, asked.last.long_windows);
	traffic_run(&asked, &many, 200);
	KUNIT_EXPECT_FALSE(test, asked.last.long_windows);
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

/* Who gets faster when others let go belongs to their loop, and tries nothing soon. */
static void waits_when_others_held_it_up(struct kunit *test)
{
	const struct traffic slow = { .gap_ns = 300000, .closed = true };
	const struct traffic fast = { .gap_ns = 100000, .closed = true };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	asked.limits.trial = true;
	KUNIT_ASSERT_EQ(test, traffic_run(&asked, &slow, 20), 0);
	asked.limits.pause = true;
	traffic_run(&asked, &fast, 3);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_CLOSED_LOOP);
	asked.limits.trial = false;
	asked.limits.pause = false;
	KUNIT_EXPECT_EQ(test, traffic_run(&asked, &fast, 200), 0);
	KUNIT_EXPECT_GT(test, traffic_run(&asked, &fast, 200), 0);
}

/* What gathered was another load, if but few frames come in a hold behind it. */
static void finds_a_loop_behind_what_gathered(struct kunit *test)
{
	const struct traffic first = { .gap_ns = 160000, .closed = true,
				       .gathers = true };
	const struct traffic bulk = { .gap_ns = 80000 };
	struct traffic loop = { .gap_ns = 20000, .closed = true };
	struct asked asked;

	for (; loop.gap_ns <= 100000; loop.gap_ns *= 5) {
		traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
		asked.announces = true;
		traffic_run(&asked, &first, 10 * SETTLED);
		KUNIT_EXPECT_GT(test, traffic_run(&asked, &bulk, 10 * SETTLED),
				9 * SETTLED);
		KUNIT_EXPECT_LT_MSG(test, traffic_run(&asked, &loop, REST),
				    REST / 50, "%u ns", loop.gap_ns);
	}
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

/* Each check loses less than may be chance, but all of them do. */
static void believes_what_many_checks_doubt(struct kunit *test)
{
	const struct traffic load = { .gap_ns = 33000 };
	struct vcoal_sample sample;
	struct asked asked;
	u32 i, share, held = 0;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	for (i = 0; i < 8 * REST; i++) {
		traffic_window(&load, asked.last.params.hold_ns, &sample);
		share = i % 2 ? 140 : 60;
		if (asked.last.params.hold_ns == 4 * BOUND_NS) {
			share -= share / 6;
			held++;
		}
		sample.frames = sample.frames * share / 100;
		sample.held_frames = sample.held_frames * share / 100;
		traffic_ask(&asked, &sample);
	}
	/* Not by the short ones alone. */
	KUNIT_EXPECT_GT(test, held, 2 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

/* Bursts that rise, each shorter than what is measured where a load rises. */
static void checks_short_bursts_between_silences(struct kunit *test)
{
	const struct traffic silence = { .gap_ns = 100 * NSEC_PER_MSEC };
	const struct traffic bulk = { .gap_ns = 33000 };
	struct traffic burst = {};
	struct asked asked;
	u32 i, length, checks;

	for (length = 5; length <= 12; length += 7) {
		traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
		traffic_run(&asked, &bulk, SETTLED / 3);
		for (i = checks = 0; i < REST; i++) {
			burst.gap_ns = 50000 - i % length * 30000 / length;
			traffic_run(&asked, &burst, 1);
			if (i % length == length - 1)
				traffic_run(&asked, &silence, 1);
			checks += i > REST / 4 && asked.last.pause;
		}
		KUNIT_EXPECT_GT_MSG(test, checks, 0, "%u windows", length);
	}
}

static void is_quiet_at_rest(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct vcoal_sample sample;
	struct asked asked;
	u32 hold_ns;
	u32 i;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, load, 6000);
	hold_ns = asked.last.params.hold_ns;
	for (i = 0; i < REST; i++) {
		traffic_window(load, hold_ns, &sample);
		traffic_ask(&asked, &sample);
		KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, hold_ns);
	}
}

static void follows_a_rising_load(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &sparse[2], SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, 0);
	traffic_run(&asked, load, SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

static void follows_a_falling_load(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	/* Into a hold that passed its first check, not into one. */
	traffic_run(&asked, load, SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	traffic_run(&asked, &sparse[2], SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
}

static void leaves_half_the_ring_free(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct vcoal_sample sample;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", LONG_NS);
	traffic_run(&asked, load, SETTLED);
	KUNIT_EXPECT_GT(test, asked.last.params.hold_ns, 0);
	traffic_window(load, asked.last.params.hold_ns, &sample);
	KUNIT_EXPECT_LE(test, sample.ring_peak, sample.ring_size / 2);
}

static void shortens_the_hold_of_a_crowded_ring(struct kunit *test)
{
	struct vcoal_sample sample;
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &dense[0], SETTLED);
	traffic_window(&dense[0], asked.last.params.hold_ns, &sample);
	sample.ring_peak = sample.ring_size;
	traffic_ask(&asked, &sample);
	KUNIT_EXPECT_LT(test, asked.last.params.hold_ns, BOUND_NS);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_RING);
}

/* A stream becomes a ping-pong: its own hold keeps it slow. */
static void lets_go_when_a_loop_closes(struct kunit *test)
{
	const struct traffic *load = test->param_value;
	struct asked asked;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(dense); i++) {
		traffic_start(test, &asked, "adaptive", LONG_NS);
		traffic_run(&asked, &dense[i], SETTLED);
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

/* A loop that bears a quarter of the hold, or a sixteenth, and no more. */
static void bears_a_quarter(struct asked *asked, u32 windows)
{
	struct vcoal_sample sample;
	u32 hold_ns;

	while (windows--) {
		hold_ns = asked->last.params.hold_ns;
		sample = (struct vcoal_sample) {
			.window_ns = NSEC_PER_MSEC,
			.frames = hold_ns > BOUND_NS ? 20 : 40,
			.irqs = hold_ns ? 0 : 20,
			.holds = hold_ns ? NSEC_PER_MSEC / hold_ns : 0,
			.ring_size = 256,
			.timer_cost = VCOAL_TIMER_COST,
		};
		sample.held_frames = hold_ns ? sample.frames : 0;
		sample.polls = sample.irqs + sample.holds;
		sample.bytes = 64 * sample.frames;
		sample.nic_bytes = sample.bytes;
		traffic_ask(asked, &sample);
	}
}

/*
 * What comes in its place is held for longer: from the next check on, or from one
 * of those behind it where its rate does not tell that it is another load.
 */
static void holds_longer_when_a_loop_opens(struct kunit *test)
{
	const struct traffic other = { .gap_ns = 50000 };
	const struct traffic alike = { .gap_ns = 25000 };
	struct asked asked;

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	bears_a_quarter(&asked, 2 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	traffic_run(&asked, &other, 2 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 4 * BOUND_NS);

	traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
	bears_a_quarter(&asked, 2 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	traffic_run(&asked, &alike, 16 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 4 * BOUND_NS);
}

/* But not for ever where one that is longer would be shortened again. */
static void rests_when_a_loop_opens(struct kunit *test)
{
	const struct traffic flood = { .gap_ns = 3000 };
	struct vcoal_sample sample;
	struct asked asked;
	u32 i, held = 0;

	traffic_start(test, &asked, "adaptive", 16 * BOUND_NS);
	bears_a_quarter(&asked, 2 * REST);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	for (i = 0; i < 14 * REST; i++) {
		held += i >= 2 * REST && asked.last.params.hold_ns;
		traffic_window(&flood, asked.last.params.hold_ns, &sample);
		/* The end of which is no reason. */
		sample.ring_size = 4096;
		traffic_ask(&asked, &sample);
	}
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 2 * BOUND_NS);
	KUNIT_EXPECT_GT(test, held, 12 * REST - REST / 10);
}

/* Each check is longer than the one before: not without end. */
static void rests_for_minutes(struct kunit *test)
{
	struct asked asked;
	u32 held;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &dense[1], SETTLED);
	held = traffic_run(&asked, &dense[1], 12 * REST);
	KUNIT_EXPECT_GT(test, held, 12 * REST - REST / 10);
}

/* Another queue of the VM checks: this one lets go, too, and comes back. */
static void lets_go_while_the_vm_pauses(struct kunit *test)
{
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &dense[1], SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	asked.limits.trial = true;
	asked.limits.pause = true;
	traffic_run(&asked, &dense[1], 1);
	KUNIT_EXPECT_EQ(test, traffic_run(&asked, &dense[1], SETTLED), 0);
	asked.limits.trial = false;
	asked.limits.pause = false;
	traffic_run(&asked, &dense[1], SOON);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

/* Others would spoil what the one that tries measures. */
static void begins_nothing_during_a_trial(struct kunit *test)
{
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &sparse[0], SETTLED / 4);
	asked.limits.trial = true;
	KUNIT_EXPECT_EQ(test, traffic_run(&asked, &dense[0], SETTLED), 0);
	asked.limits.trial = false;
	traffic_run(&asked, &dense[0], SOON + 1);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

/* They know of it until it is over: a loop that is held has long windows. */
static void tries_no_longer_than_it_says(struct kunit *test)
{
	const struct traffic loop = { .gap_ns = 140000, .closed = true };
	struct vcoal_sample sample;
	struct asked asked;
	u64 now = 0, until = 0;
	u32 i, held = 0;

	traffic_start(test, &asked, "adaptive", LONG_NS);
	for (i = 0; i < 100; i++) {
		traffic_window(&loop, asked.last.params.hold_ns, &sample);
		if (asked.last.params.hold_ns) {
			sample.window_ns *= 2;
			KUNIT_EXPECT_LE(test, now + sample.window_ns, until);
			held++;
		}
		now += sample.window_ns;
		traffic_ask(&asked, &sample);
		if (asked.last.trial_ns)
			until = now + asked.last.trial_ns;
	}
	KUNIT_EXPECT_GT(test, held, 3);
}

/* Nobody waits for a queue where little happens, nor for one where nothing does. */
static void makes_nobody_wait_for_little(struct kunit *test)
{
	const struct traffic few = { .gap_ns = 4 * NSEC_PER_MSEC };
	const struct vcoal_sample nothing = {
		.window_ns = NSEC_PER_MSEC,
		.polls = 1,
	};
	struct asked asked;
	u64 waited = 0;
	u32 i, held;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	for (held = 0; held < 8; held += asked.last.params.hold_ns > 0) {
		traffic_run(&asked, &few, 1);
		waited += asked.last.trial_ns;
	}
	KUNIT_EXPECT_LE(test, waited, 20 * NSEC_PER_MSEC);

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	while (!asked.last.trial_ns)
		traffic_run(&asked, &dense[0], 1);
	for (i = 0; i < REST; i++) {
		traffic_ask(&asked, &nothing);
		KUNIT_EXPECT_EQ(test, asked.last.trial_ns, 0);
	}
}

/*
 * Also where bulk comes between. No two windows are alike then, which does not make
 * what was measured that of another load.
 */
static void asks_the_vm_though_each_window_differs(struct kunit *test)
{
	const struct traffic bulk = { .gap_ns = 13300 };
	struct traffic loop = { .closed = true };
	struct vcoal_sample sample;
	struct asked asked;
	u32 i, windows, asks;

	for (loop.gap_ns = 30000; loop.gap_ns < 60000; loop.gap_ns += 5000) {
		traffic_start(test, &asked, "adaptive", 4 * BOUND_NS);
		asked.announces = true;
		traffic_run(&asked, &bulk, SETTLED);
		KUNIT_ASSERT_GT(test, asked.last.params.hold_ns, 0);
		for (i = asks = 0; i < 2 * REST; i++) {
			windows = 1 + asked.last.long_windows;
			traffic_window(i % 2 ? &bulk : &loop,
				       asked.last.params.hold_ns, &sample);
			sample.window_ns *= windows;
			sample.frames *= windows;
			sample.irqs *= windows;
			sample.polls *= windows;
			sample.holds *= windows;
			sample.empty_holds *= windows;
			sample.held_frames *= windows;
			traffic_ask(&asked, &sample);
			asks += asked.last.pause;
		}
		KUNIT_EXPECT_GT_MSG(test, asks, REST / 20, "answer in %u ns",
				    loop.gap_ns);
	}
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
	traffic_run(&asked, &dense[1], SETTLED);
	for (i = 0; i < SETTLED; i++) {
		traffic_run(&asked, &held_up, 1);
		asks += asked.last.trial_ns && asked.last.pause;
	}
	KUNIT_EXPECT_GT(test, asks, 0);
}

/* What is left alone costs a decision now and then, not one a window. */
static void rests_when_nothing_pays(struct kunit *test)
{
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &sparse[0], SETTLED / 4);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_GT(test, asked.last.rest, 0);
	traffic_run(&asked, &dense[0], 1);
	KUNIT_EXPECT_EQ(test, asked.last.rest, 0);
	traffic_run(&asked, &dense[0], SOON + 1);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
}

static void obeys_new_limits_at_once(struct kunit *test)
{
	const struct vcoal_sample no_data = {};
	struct asked asked;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &dense[0], SETTLED);
	KUNIT_ASSERT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	asked.limits.max_ns = BOUND_NS / 4;
	traffic_ask(&asked, &no_data);
	KUNIT_EXPECT_LE(test, asked.last.params.hold_ns, BOUND_NS / 4);
	asked.limits.max_ns = 0;
	traffic_run(&asked, &dense[0], SETTLED);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, 0);
	KUNIT_EXPECT_EQ(test, asked.last.reason, VCOAL_REASON_BOUND);
}

static void no_data_changes_nothing(struct kunit *test)
{
	struct vcoal_sample silent = { .window_ns = NSEC_PER_MSEC };
	const struct vcoal_sample no_data = {};
	struct asked asked, before;

	traffic_start(test, &asked, "adaptive", BOUND_NS);
	traffic_run(&asked, &dense[0], SETTLED);
	before = asked;
	traffic_ask(&asked, &no_data);
	traffic_ask(&asked, &silent);
	KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns,
			before.last.params.hold_ns);
	KUNIT_EXPECT_MEMEQ(test, asked.state, before.state,
			   sizeof(asked.state));
}

static void survives_a_broken_state(struct kunit *test)
{
	struct asked asked;
	u32 byte;

	for (byte = 0; byte < 256; byte++) {
		traffic_start(test, &asked, "adaptive", BOUND_NS);
		memset(asked.state, byte, asked.policy->state_size);
		traffic_run(&asked, &dense[0], SETTLED);
		KUNIT_EXPECT_EQ(test, asked.last.params.hold_ns, BOUND_NS);
	}
}

static struct kunit_case adaptive_cases[] = {
	KUNIT_CASE_PARAM(holds_what_comes_densely, dense_gen_params),
	KUNIT_CASE_PARAM(does_not_hold_what_comes_rarely, sparse_gen_params),
	KUNIT_CASE(does_not_try_for_ever),
	KUNIT_CASE(checks_what_it_measured),
	KUNIT_CASE(checks_no_rising_load),
	KUNIT_CASE(checks_what_never_stops_rising),
	KUNIT_CASE(a_pause_is_no_answer),
	KUNIT_CASE(a_trickle_is_no_answer),
	KUNIT_CASE(a_pause_ends_a_try),
	KUNIT_CASE(a_pause_ends_a_check),
	KUNIT_CASE(a_pausing_loop_is_found),
	KUNIT_CASE(a_loop_is_known_after_silence),
	KUNIT_CASE(what_was_faster_may_fall),
	KUNIT_CASE(a_sleepy_loop_is_found),
	KUNIT_CASE(a_verdict_is_of_one_load),
	KUNIT_CASE(bursts_with_pauses_stay_held),
	KUNIT_CASE(what_fell_may_fall_again),
	KUNIT_CASE(what_comes_and_goes_is_left_alone),
	KUNIT_CASE(a_flood_is_checked_briefly),
	KUNIT_CASE(a_loop_is_soon_found),
	KUNIT_CASE(a_loop_is_tried_gently),
	KUNIT_CASE(a_loop_that_is_let_go_is_tried_gently),
	KUNIT_CASE(tries_what_rises_again_and_again),
	KUNIT_CASE(a_stream_is_tried_twice),
	KUNIT_CASE(a_try_is_no_longer_than_batches),
	KUNIT_CASE(a_try_in_vain_is_short),
	KUNIT_CASE(a_hold_gathers_more_than_frames),
	KUNIT_CASE(parts_are_forgotten_in_silence),
	KUNIT_CASE(a_load_that_goes_is_not_in_vain),
	KUNIT_CASE(a_dear_timer_must_gather_more),
	KUNIT_CASE_PARAM(lets_go_of_a_closed_loop, closed_gen_params),
	KUNIT_CASE(lets_go_of_large_messages),
	KUNIT_CASE(finds_a_loop_of_large_messages),
	KUNIT_CASE(asks_rarely_where_each_window_differs),
	KUNIT_CASE_PARAM(holds_where_messages_gather, closed_gen_params),
	KUNIT_CASE(waits_when_others_held_it_up),
	KUNIT_CASE(finds_a_loop_behind_what_gathered),
	KUNIT_CASE(names_a_closed_loop),
	KUNIT_CASE(believes_what_many_checks_doubt),
	KUNIT_CASE(checks_short_bursts_between_silences),
	KUNIT_CASE_PARAM(is_quiet_at_rest, dense_gen_params),
	KUNIT_CASE_PARAM(follows_a_rising_load, dense_gen_params),
	KUNIT_CASE_PARAM(follows_a_falling_load, dense_gen_params),
	KUNIT_CASE_PARAM(leaves_half_the_ring_free, dense_gen_params),
	KUNIT_CASE(shortens_the_hold_of_a_crowded_ring),
	KUNIT_CASE_PARAM(lets_go_when_a_loop_closes, closed_gen_params),
	KUNIT_CASE_PARAM(holds_when_a_loop_opens, slower_gen_params),
	KUNIT_CASE(holds_longer_when_a_loop_opens),
	KUNIT_CASE(rests_when_a_loop_opens),
	KUNIT_CASE(rests_for_minutes),
	KUNIT_CASE(lets_go_while_the_vm_pauses),
	KUNIT_CASE(begins_nothing_during_a_trial),
	KUNIT_CASE(tries_no_longer_than_it_says),
	KUNIT_CASE(makes_nobody_wait_for_little),
	KUNIT_CASE(asks_the_vm_when_holds_release_one_frame),
	KUNIT_CASE(asks_the_vm_though_each_window_differs),
	KUNIT_CASE(rests_when_nothing_pays),
	KUNIT_CASE(obeys_new_limits_at_once),
	KUNIT_CASE(no_data_changes_nothing),
	KUNIT_CASE(survives_a_broken_state),
	{}
};

static struct kunit_suite adaptive_suite = {
	.name		= "vcoal_policy_adaptive",
	.test_cases	= adaptive_cases,
};

kunit_test_suite(adaptive_suite);
