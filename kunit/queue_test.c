// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one poll adds to a queue's counters and window.
 */
#include "../module/queue.h"

#include <kunit/test.h>
#include <linux/limits.h>
#include "../module/control.h"
#include "fake.h"

static int queue_init(struct kunit *test)
{
	struct vcoal_fake *fake = vcoal_fake_new(test, &vcoal_policy_observe);

	/* One endless window: nothing is decided while these tests count. */
	fake->queue.win.start = U64_MAX - VCOAL_WINDOW_NS;
	test->priv = fake;

	return 0;
}

static void serve(struct vcoal_queue *queue, struct vcoal_served served)
{
	local_bh_disable();
	vcoal_queue_served(queue, &served);
	local_bh_enable();
}

static void queue_counts_each_poll_once(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_counters *count = &fake->queue.count;

	serve(&fake->queue, (struct vcoal_served) { .now = 1000 });
	serve(&fake->queue, (struct vcoal_served) {
		.now = 2000, .frames = 64, .bytes = 6400, .full = true });
	serve(&fake->queue, (struct vcoal_served) {
		.now = 3000, .frames = 1, .bytes = 100 });

	KUNIT_EXPECT_EQ(test, count->polls, 3);
	KUNIT_EXPECT_EQ(test, count->empty_polls, 1);
	KUNIT_EXPECT_EQ(test, count->full_polls, 1);
	KUNIT_EXPECT_EQ(test, count->packets, 65);
	KUNIT_EXPECT_EQ(test, count->bytes, 6500);
	KUNIT_EXPECT_EQ(test, count->holds, 0);
}

/* The short form counts what the long one does of a poll without time. */
static void queue_counts_the_same_in_short(struct kunit *test)
{
	static const struct vcoal_served polls[] = {
		{ .frames = 0 },
		{ .frames = 1 },
		{ .frames = 64, .full = true },
		{ .frames = 300 },
	};
	struct vcoal_fake *other = vcoal_fake_new(test, &vcoal_policy_observe);
	struct vcoal_fake *fake = test->priv;
	int i;

	for (i = 0; i < ARRAY_SIZE(polls); i++) {
		serve(&fake->queue, polls[i]);
		local_bh_disable();
		vcoal_queue_count(&other->queue, polls[i].frames,
				  polls[i].full);
		local_bh_enable();
	}

	KUNIT_EXPECT_EQ(test, other->queue.count.packets, 365);
	KUNIT_EXPECT_MEMEQ(test, &fake->queue.count, &other->queue.count,
			   sizeof(fake->queue.count));
	KUNIT_EXPECT_MEMEQ(test, &fake->queue.batch, &other->queue.batch,
			   sizeof(fake->queue.batch));
}

/* Whoever needs the time, or may have an interrupt to bring, takes the long. */
static void queue_counts_only_while_nothing_else_is_asked(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_queue *queue = &fake->queue;

	queue->timed = false;
	vcoal_hold_set(&queue->hold, (struct vcoal_params) { });
	KUNIT_EXPECT_TRUE(test, vcoal_queue_only_counts(queue));

	queue->timed = true;
	KUNIT_EXPECT_FALSE(test, vcoal_queue_only_counts(queue));

	queue->timed = false;
	vcoal_hold_set(&queue->hold, (struct vcoal_params) { .hold_ns = 1000 });
	KUNIT_EXPECT_FALSE(test, vcoal_queue_only_counts(queue));

	/* A hold that still runs when the setting is gone. */
	vcoal_hold_mark(&queue->hold, 5000, 1000);
	vcoal_hold_set(&queue->hold, (struct vcoal_params) { });
	KUNIT_EXPECT_FALSE(test, vcoal_queue_only_counts(queue));

	vcoal_hold_end(&queue->hold, 6000);
	KUNIT_EXPECT_TRUE(test, vcoal_queue_only_counts(queue));
}

static void queue_measures_gaps_between_work(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	serve(&fake->queue, (struct vcoal_served) { .now = 10000, .frames = 1 });
	KUNIT_EXPECT_EQ(test, fake->queue.win.gap_max, 0);
	serve(&fake->queue, (struct vcoal_served) { .now = 15000 });
	serve(&fake->queue, (struct vcoal_served) { .now = 30000, .frames = 1 });
	KUNIT_EXPECT_EQ(test, fake->queue.win.gap_max, 20000);
	serve(&fake->queue, (struct vcoal_served) { .now = 31000, .frames = 1 });
	KUNIT_EXPECT_EQ(test, fake->queue.win.gap_max, 20000);
}

/* Two CPUs may report in the other order than they served. */
static void queue_stands_a_clock_that_steps_back(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	serve(&fake->queue, (struct vcoal_served) { .now = 30000, .frames = 1 });
	serve(&fake->queue, (struct vcoal_served) { .now = 29000, .frames = 1 });
	KUNIT_EXPECT_EQ(test, fake->queue.win.gap_max, 0);
	KUNIT_EXPECT_EQ(test, fake->queue.count.packets, 2);
}

static void queue_gap_does_not_wrap(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;

	serve(&fake->queue, (struct vcoal_served) { .now = 1, .frames = 1 });
	serve(&fake->queue, (struct vcoal_served) {
		.now = 1 + (1ULL << 32) + 5, .frames = 1 });
	KUNIT_EXPECT_EQ(test, fake->queue.win.gap_max, U32_MAX);
}

static void queue_accounts_a_hold_that_released(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_counters *count = &fake->queue.count;

	serve(&fake->queue, (struct vcoal_served) {
		.now = 100000, .held = 30000, .frames = 4 });

	KUNIT_EXPECT_EQ(test, count->holds, 1);
	KUNIT_EXPECT_EQ(test, count->empty_holds, 0);
	KUNIT_EXPECT_EQ(test, count->held_packets, 4);
	KUNIT_EXPECT_EQ(test, count->added_delay_ns, 4 * 30000);
	KUNIT_EXPECT_EQ(test, fake->queue.win.delay_max, 30000);
}

static void queue_accounts_a_hold_in_vain(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_counters *count = &fake->queue.count;

	serve(&fake->queue, (struct vcoal_served) {
		.now = 100000, .held = 30000 });

	KUNIT_EXPECT_EQ(test, count->holds, 1);
	KUNIT_EXPECT_EQ(test, count->empty_holds, 1);
	KUNIT_EXPECT_EQ(test, count->held_packets, 0);
	KUNIT_EXPECT_EQ(test, count->added_delay_ns, 0);
}

static void queue_packets_that_waited_were_served(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_counters *count = &fake->queue.count;
	u32 i;

	for (i = 1; i < 200; i++)
		serve(&fake->queue, (struct vcoal_served) {
			.now = i * 1000, .held = i % 3 ? i : 0,
			.frames = i % 7 });

	KUNIT_EXPECT_LE(test, count->held_packets, count->packets);
	KUNIT_EXPECT_LE(test, count->empty_holds, count->holds);
	KUNIT_EXPECT_LE(test, count->holds, count->polls);
	KUNIT_EXPECT_LE(test, count->empty_polls, count->polls);
}

static void queue_counts_interrupts(struct kunit *test)
{
	struct vcoal_fake *fake = test->priv;
	struct vcoal_counters sum = {};

	vcoal_queue_irq(&fake->queue);
	vcoal_queue_irq(&fake->queue);
	vcoal_queue_read(&fake->queue, &sum);
	vcoal_queue_read(&fake->queue, &sum);
	KUNIT_EXPECT_EQ(test, sum.irqs, 4);
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(queue_counts_each_poll_once),
	KUNIT_CASE(queue_counts_the_same_in_short),
	KUNIT_CASE(queue_counts_only_while_nothing_else_is_asked),
	KUNIT_CASE(queue_measures_gaps_between_work),
	KUNIT_CASE(queue_stands_a_clock_that_steps_back),
	KUNIT_CASE(queue_gap_does_not_wrap),
	KUNIT_CASE(queue_accounts_a_hold_that_released),
	KUNIT_CASE(queue_accounts_a_hold_in_vain),
	KUNIT_CASE(queue_packets_that_waited_were_served),
	KUNIT_CASE(queue_counts_interrupts),
	{}
};

static struct kunit_suite queue_suite = {
	.name		= "vcoal_queue",
	.init		= queue_init,
	.test_cases	= queue_cases,
};

kunit_test_suite(queue_suite);
