// SPDX-License-Identifier: GPL-2.0-only
/*
 * Window over -> decide -> clamp -> set.
 */
#include "../module/control.h"

#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/string.h>
#include "fake.h"

/* A policy that answers what it is told to and keeps what it was asked. */
struct told {
	struct vcoal_decision answer;
	struct vcoal_sample sample;
	struct vcoal_limits limits;
	unsigned int asked;
	unsigned int begun;
};

static struct told told;

static struct vcoal_decision told_decide(void *state,
					 const struct vcoal_sample *sample,
					 const struct vcoal_limits *limits)
{
	told.sample = *sample;
	told.limits = *limits;
	told.asked++;

	return told.answer;
}

static void told_init(void *state, const struct vcoal_limits *limits)
{
	told.begun++;
}

static const struct vcoal_policy told_policy = {
	.decide	= told_decide,
	.init	= told_init,
	.name	= "told",
};

static const struct vcoal_policy told_unbounded = {
	.decide		= told_decide,
	.unbounded	= true,
	.name		= "told-unbounded",
};

static const struct vcoal_policy told_passive = {
	.decide		= told_decide,
	.passive	= true,
	.name		= "told-passive",
};

static int control_init(struct kunit *test)
{
	memset(&told, 0, sizeof(told));
	test->priv = vcoal_fake_new(test, &told_policy);

	return 0;
}

struct clamp_case {
	const char *name;
	bool unbounded;
	u32 max_ns;
	u32 ring_size;
	unsigned long caps;
	struct vcoal_params asked;
	struct vcoal_params given;
};

#define CAPS_TIMES	(VCOAL_CAP(RX_USECS) | VCOAL_CAP(TX_USECS))
#define CAPS_FRAMES	(VCOAL_CAP(RX_FRAMES) | VCOAL_CAP(TX_FRAMES))

static const struct clamp_case clamp_cases[] = {
	{ "what is allowed passes", false, 64000, 256, FAKE_CAPS_ALL,
	  { 50000, 16 }, { 50000, 16 } },
	{ "the class bounds", false, 64000, 256, FAKE_CAPS_ALL,
	  { 64001, 16 }, { 64000, 16 } },
	{ "a bound of zero forbids", false, 0, 256, FAKE_CAPS_ALL,
	  { 1, 16 }, { 0, 0 } },
	{ "the operator's word passes the class", true, 64000, 256,
	  FAKE_CAPS_ALL, { 900000, 16 }, { 900000, 16 } },
	{ "nobody passes the maximum", true, U32_MAX, 256, FAKE_CAPS_ALL,
	  { U32_MAX, 16 }, { VCOAL_HOLD_NS_MAX, 16 } },
	{ "a huge bound does not pass the maximum", false, U32_MAX, 256,
	  FAKE_CAPS_ALL, { U32_MAX, 16 }, { VCOAL_HOLD_NS_MAX, 16 } },
	{ "what cannot hold does not", false, 64000, 256, CAPS_FRAMES,
	  { 50000, 16 }, { 0, 0 } },
	{ "what cannot count frames does not", false, 64000, 256, CAPS_TIMES,
	  { 50000, 16 }, { 50000, 0 } },
	{ "no threshold becomes half the ring", false, 64000, 256,
	  FAKE_CAPS_ALL, { 50000, 0 }, { 50000, 128 } },
	{ "no threshold is above half the ring", false, 64000, 256,
	  FAKE_CAPS_ALL, { 50000, 129 }, { 50000, 128 } },
	{ "a ring of unknown size guards nothing", false, 64000, 0,
	  FAKE_CAPS_ALL, { 50000, 9999 }, { 50000, 9999 } },
	{ "without hold no threshold", false, 64000, 256, FAKE_CAPS_ALL,
	  { 0, 16 }, { 0, 0 } },
};

KUNIT_ARRAY_PARAM_DESC(clamp, clamp_cases, name);

static void control_clamps(struct kunit *test)
{
	const struct clamp_case *row = test->param_value;
	struct vcoal_limits limits = { .max_ns = row->max_ns };
	struct vcoal_decision decision = { .params = row->asked };
	struct vcoal_fake *fake = test->priv;
	struct vcoal_sample sample = {};
	int dir;

	fake->nic.caps = row->caps;
	fake->queue.ring_size = row->ring_size;
	if (row->unbounded)
		fake->queue.policy = &told_unbounded;

	for (dir = 0; dir < VCOAL_DIRS; dir++) {
		struct vcoal_decision out;

		fake->queue.dir = dir;
		out = vcoal_control_clamp(&fake->queue, &limits, &sample,
					  decision);
		KUNIT_EXPECT_EQ(test, out.params.hold_ns, row->given.hold_ns);
		KUNIT_EXPECT_EQ(test, out.params.frames, row->given.frames);
	}
}

static void control_clamp_knows_the_direction(struct kunit *test)
{
	struct vcoal_decision decision = { .params = { .hold_ns = 50000 } };
	struct vcoal_limits limits = { .max_ns = 64000 };
	struct vcoal_fake *fake = test->priv;
	struct vcoal_sample sample = {};

	fake->nic.caps = VCOAL_CAP(TX_USECS);
	fake->queue.dir = VCOAL_RX;
	KUNIT_EXPECT_EQ(test, 0,
			vcoal_control_clamp(&fake->queue, &limits, &sample,
					    decision).params.hold_ns);
	fake->queue.dir = VCOAL_TX;
	KUNIT_EXPECT_EQ(test, 50000,
			vcoal_control_clamp(&fake->queue, &limits, &sample,
					    decision).params.hold_ns);
}

/* In the hold that is given no more than half the ring may arrive. */
static void control_clamp_keeps_the_ring_half_empty(struct kunit *test)
{
	struct vcoal_decision decision = {
		.params = { .hold_ns = VCOAL_HOLD_NS_MAX },
	};
	struct vcoal_limits limits = { .max_ns = VCOAL_HOLD_NS_MAX };
	struct vcoal_fake *fake = test->priv;
	u32 frames;

	fake->nic.caps = CAPS_TIMES;
	for (frames = 1; frames < 1000000; frames *= 7) {
		struct vcoal_sample sample = {
			.window_ns = NSEC_PER_MSEC,
			.frames = frames,
		};
		struct vcoal_decision out;

		out = vcoal_control_clamp(&fake->queue, &limits, &sample,
					  decision);
		KUNIT_EXPECT_LE(test, (u64)out.params.hold_ns * frames,
				NSEC_PER_MSEC * (fake->queue.ring_size / 2));
	}
}

static void serve(struct vcoal_queue *queue, u64 now, u32 frames)
{
	struct vcoal_served served = {
		.now = now,
		.frames = frames,
		.bytes = 100 * frames,
	};

	local_bh_disable();
	vcoal_queue_served(queue, &served);
	local_bh_enable();
}

/* Neither a queue's first setting nor a later one lifts the guard. */
static void control_apply_keeps_the_ring_half_empty(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_queue *queue = &fake->queue;
	u64 now = ktime_get_ns();

	fake->nic.caps = CAPS_TIMES;
	fake->nic.mode = VCOAL_MODE_FIXED;
	fake->nic.fixed[VCOAL_RX].hold_ns = VCOAL_HOLD_NS_MAX;
	mutex_lock(&vcoal_mutex);
	vcoal_control_apply(queue);
	KUNIT_EXPECT_EQ(test, queue->params.hold_ns, VCOAL_WINDOW_NS);
	KUNIT_EXPECT_EQ(test, queue->reason, VCOAL_REASON_RING);

	/* 500 frames a window: 128 come in 256 us */
	queue->win.start = now;
	serve(queue, now + VCOAL_WINDOW_NS, 500);
	KUNIT_EXPECT_EQ(test, queue->params.hold_ns, 256000);
	vcoal_control_apply(queue);
	KUNIT_EXPECT_EQ(test, queue->params.hold_ns, 256000);

	serve(queue, now + 2 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, queue->params.hold_ns, VCOAL_HOLD_NS_MAX);
	mutex_unlock(&vcoal_mutex);
}

static void control_clamp_says_why(struct kunit *test)
{
	struct vcoal_decision decision = {
		.params = { .hold_ns = 64000 },
		.reason = VCOAL_REASON_GROW,
	};
	struct vcoal_limits limits = { .max_ns = 64000 };
	struct vcoal_fake *fake = test->priv;
	struct vcoal_sample sample = {};

	KUNIT_EXPECT_EQ(test, VCOAL_REASON_GROW,
			vcoal_control_clamp(&fake->queue, &limits, &sample,
					    decision).reason);
	limits.max_ns = 16000;
	KUNIT_EXPECT_EQ(test, VCOAL_REASON_BOUND,
			vcoal_control_clamp(&fake->queue, &limits, &sample,
					    decision).reason);
}

static void control_decides_once_a_window(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();
	unsigned int i;

	fake->queue.win.start = now;
	for (i = 1; i <= 100; i++)
		serve(&fake->queue, now + i * VCOAL_WINDOW_NS / 10, 1);

	KUNIT_EXPECT_EQ(test, told.asked, 10);
	KUNIT_EXPECT_EQ(test, fake->queue.count.decisions, 10);
}

static void control_shows_what_the_window_saw(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1000);
	serve(&fake->queue, now + VCOAL_WINDOW_NS + 1000, 3);
	serve(&fake->queue, now + VCOAL_WINDOW_NS + 5000, 9);
	serve(&fake->queue, now + 2 * VCOAL_WINDOW_NS, 1);

	KUNIT_ASSERT_EQ(test, told.asked, 2);
	KUNIT_EXPECT_EQ(test, told.sample.window_ns, VCOAL_WINDOW_NS);
	KUNIT_EXPECT_EQ(test, told.sample.frames, 13);
	KUNIT_EXPECT_EQ(test, told.sample.bytes, 1300);
	KUNIT_EXPECT_EQ(test, told.sample.nic_bytes, 1300);
	KUNIT_EXPECT_EQ(test, told.sample.polls, 3);
	KUNIT_EXPECT_EQ(test, told.sample.ring_peak, 9);
	KUNIT_EXPECT_EQ(test, told.sample.ring_size, fake->queue.ring_size);
	KUNIT_EXPECT_EQ(test, told.sample.gap_max_ns, VCOAL_WINDOW_NS - 5000);
	KUNIT_EXPECT_LE(test, told.sample.cpu_busy, 1024);
	KUNIT_EXPECT_EQ(test, told.sample.timer_cost, VCOAL_TIMER_COST);
}

static void control_sets_what_was_decided(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	told.answer.params.hold_ns = 20000;
	told.answer.reason = VCOAL_REASON_GROW;
	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);

	KUNIT_EXPECT_EQ(test, fake->queue.params.hold_ns, 20000);
	KUNIT_EXPECT_EQ(test, fake->queue.hold.ns, 20000);
	KUNIT_EXPECT_EQ(test, fake->queue.reason, VCOAL_REASON_GROW);
	KUNIT_EXPECT_EQ(test, fake->queue.verdict_next, 1);
	KUNIT_EXPECT_EQ(test, fake->queue.verdicts[0].params.hold_ns, 20000);
}

static void control_remembers_changes_only(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();
	int i;

	told.answer.params.hold_ns = 20000;
	fake->queue.win.start = now;
	for (i = 1; i <= 20; i++)
		serve(&fake->queue, now + i * VCOAL_WINDOW_NS, 1);

	KUNIT_EXPECT_EQ(test, told.asked, 20);
	KUNIT_EXPECT_EQ(test, fake->queue.verdict_next, 1);
}

static void control_forgets_the_oldest_changes(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();
	int i;

	fake->queue.win.start = now;
	for (i = 1; i <= 3 * VCOAL_VERDICTS + 1; i++) {
		told.answer.params.hold_ns = i;
		serve(&fake->queue, now + i * VCOAL_WINDOW_NS, 1);
	}

	KUNIT_EXPECT_EQ(test, fake->queue.verdict_next, i - 1);
	KUNIT_EXPECT_EQ(test, fake->queue.verdicts[0].params.hold_ns, i - 1);
}

static void control_spares_a_passive_policy(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	fake->queue.policy = &told_passive;
	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);

	KUNIT_EXPECT_EQ(test, told.asked, 0);
}

static void control_asks_half_as_often(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	fake->queue.win.start = now;
	told.answer.long_windows = true;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);
	KUNIT_ASSERT_EQ(test, told.asked, 1);
	serve(&fake->queue, now + 3 * VCOAL_WINDOW_NS - 1, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 1);
	told.answer.long_windows = false;
	serve(&fake->queue, now + 3 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 2);
	KUNIT_EXPECT_EQ(test, told.sample.window_ns, 2 * VCOAL_WINDOW_NS);
	serve(&fake->queue, now + 4 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 3);
}

/* A window of a trial has two holds; they matter not where nothing is tried. */
static void control_gives_a_trial_two_holds(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	fake->vm.max_delay_ns = VCOAL_WINDOW_NS;
	fake->queue.win.start = now;
	told.answer.params.hold_ns = VCOAL_WINDOW_NS;
	told.answer.trial_ns = 1;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);
	KUNIT_ASSERT_EQ(test, told.asked, 1);
	serve(&fake->queue, now + 3 * VCOAL_WINDOW_NS - 1, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 1);
	told.answer.params.hold_ns = VCOAL_WINDOW_NS / 2;
	serve(&fake->queue, now + 3 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 2);
	told.answer.params.hold_ns = VCOAL_WINDOW_NS;
	told.answer.trial_ns = 0;
	serve(&fake->queue, now + 4 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 3);
	serve(&fake->queue, now + 5 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 4);
}

static void count(struct vcoal_queue *queue, int polls)
{
	local_bh_disable();
	while (polls--)
		vcoal_queue_count(queue, 1, false);
	local_bh_enable();
}

/* A rest is so many polls that are counted and not timed; one window. */
static void control_rests_for_some_polls(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_queue *queue = &fake->queue;
	u64 now = ktime_get_ns();

	told.answer.rest = 8;
	queue->win.start = now;
	serve(queue, now + VCOAL_WINDOW_NS, 1);
	KUNIT_ASSERT_EQ(test, told.asked, 1);
	KUNIT_EXPECT_TRUE(test, vcoal_queue_only_counts(queue));
	KUNIT_EXPECT_EQ(test, vcoal_queue_clock(queue), 0);

	count(queue, 7);
	KUNIT_EXPECT_TRUE(test, vcoal_queue_only_counts(queue));
	count(queue, 1);
	KUNIT_EXPECT_FALSE(test, vcoal_queue_only_counts(queue));
	KUNIT_EXPECT_NE(test, vcoal_queue_clock(queue), 0);

	serve(queue, now + 5 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 2);
	KUNIT_EXPECT_EQ(test, told.sample.window_ns, 4 * VCOAL_WINDOW_NS);
	KUNIT_EXPECT_EQ(test, told.sample.frames, 9);
	/* Between two polls of which one was not timed there is no gap. */
	KUNIT_EXPECT_EQ(test, told.sample.gap_max_ns, 0);
}

static void control_does_not_rest_while_it_holds(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	told.answer.rest = 8;
	told.answer.params.hold_ns = 20000;
	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_NE(test, vcoal_queue_clock(&fake->queue), 0);

	/* The last hold still runs when the policy lets go. */
	vcoal_hold_mark(&fake->queue.hold, now, 20000);
	told.answer.params.hold_ns = 0;
	serve(&fake->queue, now + 2 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_NE(test, vcoal_queue_clock(&fake->queue), 0);
	vcoal_hold_end(&fake->queue.hold, now + 2 * VCOAL_WINDOW_NS);
	KUNIT_EXPECT_EQ(test, vcoal_queue_clock(&fake->queue), 0);
}

/* One queue asks, all of the VM hear of it, for as long as was asked. */
static void control_pauses_the_whole_vm(struct kunit *test)
{
	struct vcoal_fake *other = vcoal_fake_new(test, &told_policy);
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	other->nic.vm = &fake->vm;
	told.answer.trial_ns = 3 * VCOAL_WINDOW_NS;
	told.answer.pause = true;
	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_FALSE(test, told.limits.trial);
	KUNIT_EXPECT_FALSE(test, told.limits.pause);

	told.answer.trial_ns = 0;
	other->queue.win.start = now;
	serve(&other->queue, now + 2 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_TRUE(test, told.limits.trial);
	KUNIT_EXPECT_TRUE(test, told.limits.pause);
	/* They hold again before anybody tries again. */
	serve(&other->queue, now + 5 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_TRUE(test, told.limits.trial);
	KUNIT_EXPECT_FALSE(test, told.limits.pause);
	serve(&other->queue, now + 50 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_FALSE(test, told.limits.trial);
}

static void control_trial_without_a_pause(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	u64 now = ktime_get_ns();

	told.answer.trial_ns = 3 * VCOAL_WINDOW_NS;
	fake->queue.win.start = now;
	serve(&fake->queue, now + VCOAL_WINDOW_NS, 1);
	told.answer.trial_ns = 0;
	serve(&fake->queue, now + 2 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_TRUE(test, told.limits.trial);
	KUNIT_EXPECT_FALSE(test, told.limits.pause);
	serve(&fake->queue, now + 5 * VCOAL_WINDOW_NS, 1);
	KUNIT_EXPECT_FALSE(test, told.limits.trial);
}

static void apply(struct vcoal_queue *queue)
{
	mutex_lock(&vcoal_mutex);
	vcoal_control_apply(queue);
	mutex_unlock(&vcoal_mutex);
}

static void control_apply_begins_a_new_policy_once(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	fake->queue.policy = NULL;
	memset(fake->queue.state, 0xff, sizeof(fake->queue.state));
	apply(&fake->queue);
	apply(&fake->queue);

	KUNIT_EXPECT_PTR_EQ(test, fake->queue.policy, &told_policy);
	KUNIT_EXPECT_EQ(test, told.begun, 1);
	KUNIT_EXPECT_EQ(test, told.asked, 2);
	KUNIT_EXPECT_EQ(test, told.sample.window_ns, 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(fake->queue.state, 0,
					   sizeof(fake->queue.state)));
}

/* What came in a rest, which may be long, is of no window once settings change. */
static void control_apply_ends_a_rest(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_queue *queue = &fake->queue;
	u64 now = ktime_get_ns();

	told.answer.rest = 1000;
	queue->win.start = now;
	serve(queue, now + VCOAL_WINDOW_NS, 1);
	count(queue, 500);
	told.answer.rest = 0;
	fake->nic.mode = VCOAL_MODE_AUTO;
	apply(queue);
	KUNIT_EXPECT_NE(test, vcoal_queue_clock(queue), 0);

	serve(queue, ktime_get_ns() + VCOAL_WINDOW_NS, 3);
	KUNIT_EXPECT_EQ(test, told.sample.frames, 3);
	KUNIT_EXPECT_LE(test, told.sample.window_ns, 2 * VCOAL_WINDOW_NS);
}

static void control_apply_obeys_the_mode(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	fake->nic.fixed[VCOAL_RX].hold_ns = 300000;
	fake->nic.mode = VCOAL_MODE_FIXED;
	apply(&fake->queue);
	KUNIT_EXPECT_PTR_EQ(test, fake->queue.policy, &vcoal_policy_fixed);
	KUNIT_EXPECT_EQ(test, fake->queue.hold.ns, 300000);

	fake->nic.mode = VCOAL_MODE_OBSERVE;
	apply(&fake->queue);
	KUNIT_EXPECT_PTR_EQ(test, fake->queue.policy, &vcoal_policy_observe);
	KUNIT_EXPECT_EQ(test, fake->queue.hold.ns, 0);
}

/* Bounds that were tightened hold at once, not from the next window on. */
static void control_apply_tightens_at_once(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	told.answer.params.hold_ns = 50000;
	apply(&fake->queue);
	KUNIT_EXPECT_EQ(test, fake->queue.hold.ns, 50000);
	fake->vm.max_delay_ns = 10000;
	apply(&fake->queue);
	KUNIT_EXPECT_EQ(test, fake->queue.hold.ns, 10000);
	fake->vm.max_delay_ns = 0;
	apply(&fake->queue);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&fake->queue.hold));
}

static void control_shares_the_budget(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	apply(&fake->queue);
	KUNIT_EXPECT_EQ(test, told.limits.irq_rate_max, 0);
	fake->vm.irq_rate_max = 4000;
	apply(&fake->queue);
	KUNIT_EXPECT_GT(test, told.limits.irq_rate_max, 0);
	KUNIT_EXPECT_LE(test, told.limits.irq_rate_max, 4000);
}

static void control_budget_is_a_floor_within_the_bound(struct kunit *test)
{
	struct vcoal_limits limits = { .max_ns = 64000, .irq_rate_max = 20000 };
	const struct vcoal_sample sample = {};
	struct vcoal_fake *fake = test->priv;
	struct vcoal_decision given, asked = {};

	given = vcoal_control_clamp(&fake->queue, &limits, &sample, asked);
	KUNIT_EXPECT_EQ(test, given.params.hold_ns, NSEC_PER_SEC / 20000);
	KUNIT_EXPECT_EQ(test, given.reason, VCOAL_REASON_BUDGET);

	limits.irq_rate_max = 100;
	given = vcoal_control_clamp(&fake->queue, &limits, &sample, asked);
	KUNIT_EXPECT_EQ(test, given.params.hold_ns, limits.max_ns);
}

static void control_says_what_is_unsupported(struct kunit *test)
{
	struct vcoal_limits limits = { .max_ns = 64000 };
	struct vcoal_decision asked = { .params.hold_ns = 1000 };
	const struct vcoal_sample sample = {};
	struct vcoal_fake *fake = test->priv;
	struct vcoal_decision given;

	fake->nic.caps = 0;
	given = vcoal_control_clamp(&fake->queue, &limits, &sample, asked);
	KUNIT_EXPECT_EQ(test, given.params.hold_ns, 0);
	KUNIT_EXPECT_EQ(test, given.reason, VCOAL_REASON_UNSUPPORTED);
}

static struct kunit_case control_cases[] = {
	KUNIT_CASE_PARAM(control_clamps, clamp_gen_params),
	KUNIT_CASE(control_clamp_knows_the_direction),
	KUNIT_CASE(control_clamp_keeps_the_ring_half_empty),
	KUNIT_CASE(control_apply_keeps_the_ring_half_empty),
	KUNIT_CASE(control_clamp_says_why),
	KUNIT_CASE(control_decides_once_a_window),
	KUNIT_CASE(control_shows_what_the_window_saw),
	KUNIT_CASE(control_sets_what_was_decided),
	KUNIT_CASE(control_remembers_changes_only),
	KUNIT_CASE(control_forgets_the_oldest_changes),
	KUNIT_CASE(control_spares_a_passive_policy),
	KUNIT_CASE(control_asks_half_as_often),
	KUNIT_CASE(control_gives_a_trial_two_holds),
	KUNIT_CASE(control_rests_for_some_polls),
	KUNIT_CASE(control_does_not_rest_while_it_holds),
	KUNIT_CASE(control_pauses_the_whole_vm),
	KUNIT_CASE(control_trial_without_a_pause),
	KUNIT_CASE(control_budget_is_a_floor_within_the_bound),
	KUNIT_CASE(control_says_what_is_unsupported),
	KUNIT_CASE(control_apply_begins_a_new_policy_once),
	KUNIT_CASE(control_apply_ends_a_rest),
	KUNIT_CASE(control_apply_obeys_the_mode),
	KUNIT_CASE(control_apply_tightens_at_once),
	KUNIT_CASE(control_shares_the_budget),
	{}
};

static struct kunit_suite control_suite = {
	.name		= "vcoal_control",
	.init		= control_init,
	.test_cases	= control_cases,
};

kunit_test_suite(control_suite);
