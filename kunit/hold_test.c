// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hold engine with an adapter that only counts. Run under User-mode Linux
 * in simulated time, where a sleep takes exactly as long as it says.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <vcoal/hold.h>

/* How late a timer may be where time is not simulated. */
#define LATE_NS		(20 * NSEC_PER_MSEC)

struct fake {
	struct vcoal_hold hold;
	unsigned int released;
	u64 released_at;
	bool event;
};

static bool fake_release(struct vcoal_hold *hold)
{
	struct fake *fake = container_of(hold, struct fake, hold);

	/* Pairs with READ_ONCE() in the tests. */
	WRITE_ONCE(fake->released, fake->released + 1);
	WRITE_ONCE(fake->released_at, ktime_get_ns());

	return fake->event;
}

static void fake_close(void *data)
{
	struct fake *fake = data;

	vcoal_hold_close(&fake->hold);
}

static struct fake *fake_new(struct kunit *test, u32 ns)
{
	struct fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	vcoal_hold_init(&fake->hold, fake_release);
	vcoal_hold_set(&fake->hold, (struct vcoal_params) { .hold_ns = ns });
	fake->event = true;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fake_close, fake));

	return fake;
}

static void hold_is_not_wanted_before_it_is_set(struct kunit *test)
{
	struct fake *fake = fake_new(test, 0);

	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&fake->hold));
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&fake->hold));
	vcoal_hold_set(&fake->hold, (struct vcoal_params) { .hold_ns = 1 });
	KUNIT_EXPECT_TRUE(test, vcoal_hold_wanted(&fake->hold));
	vcoal_hold_set(&fake->hold, (struct vcoal_params) { .frames = 8 });
	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&fake->hold));
	KUNIT_EXPECT_EQ(test, fake->hold.frames, 8);
}

static const u32 hold_lengths[] = {
	1, 1000, 16000, 64000, 1000000, VCOAL_HOLD_NS_MAX,
};

static void hold_length_desc(const u32 *ns, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u ns", *ns);
}

KUNIT_ARRAY_PARAM(hold_length, hold_lengths, hold_length_desc);

static void hold_fires_once_at_its_time(struct kunit *test)
{
	u32 ns = *(const u32 *)test->param_value;
	struct fake *fake = fake_new(test, ns);
	u64 now = ktime_get_ns();

	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	msleep(100);

	KUNIT_ASSERT_EQ(test, READ_ONCE(fake->released), 1);
	KUNIT_EXPECT_GE(test, fake->released_at, now + ns);
	KUNIT_EXPECT_LE(test, fake->released_at, now + ns + LATE_NS);
}

static void hold_runs_from_begin_to_end(struct kunit *test)
{
	struct fake *fake = fake_new(test, VCOAL_HOLD_NS_MAX);
	u64 now = ktime_get_ns();

	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_running(&fake->hold));
	KUNIT_EXPECT_EQ(test, vcoal_hold_end(&fake->hold, now + 700), 700);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&fake->hold));
}

static void hold_end_without_begin_held_nothing(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);
	u64 now = ktime_get_ns();

	KUNIT_EXPECT_EQ(test, vcoal_hold_end(&fake->hold, now), 0);
	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	vcoal_hold_end(&fake->hold, now + 1);
	KUNIT_EXPECT_EQ(test, vcoal_hold_end(&fake->hold, now + 2), 0);
}

/* Zero says that nothing was held, so the shortest hold must not be zero. */
static void hold_of_no_length_still_counts(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);
	u64 now = ktime_get_ns();

	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	KUNIT_EXPECT_GT(test, vcoal_hold_end(&fake->hold, now), 0);
	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	KUNIT_EXPECT_GT(test, vcoal_hold_end(&fake->hold, now - 5), 0);
}

static void hold_close_cancels(struct kunit *test)
{
	struct fake *fake = fake_new(test, 5 * NSEC_PER_MSEC);

	vcoal_hold_begin(&fake->hold, ktime_get_ns(), fake->hold.ns);
	vcoal_hold_close(&fake->hold);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 0);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&fake->hold));
}

static void hold_close_may_come_without_hold(struct kunit *test)
{
	struct fake *fake = fake_new(test, 1000);

	vcoal_hold_close(&fake->hold);
	vcoal_hold_close(&fake->hold);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&fake->hold));
}

static void hold_begun_again_ends_at_the_later_time(struct kunit *test)
{
	struct fake *fake = fake_new(test, VCOAL_HOLD_NS_MAX);
	u64 again;

	vcoal_hold_begin(&fake->hold, ktime_get_ns(), fake->hold.ns);
	usleep_range(4000, 4100);
	again = ktime_get_ns();
	vcoal_hold_end(&fake->hold, again);
	vcoal_hold_begin(&fake->hold, again, fake->hold.ns);
	msleep(100);

	KUNIT_ASSERT_EQ(test, READ_ONCE(fake->released), 1);
	KUNIT_EXPECT_GE(test, fake->released_at, again + VCOAL_HOLD_NS_MAX);
}

static void hold_set_leaves_the_running_one_alone(struct kunit *test)
{
	struct fake *fake = fake_new(test, 2 * NSEC_PER_MSEC);
	u64 now = ktime_get_ns();

	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	vcoal_hold_set(&fake->hold, (struct vcoal_params) {
		.hold_ns = VCOAL_HOLD_NS_MAX,
	});
	msleep(100);

	KUNIT_ASSERT_EQ(test, READ_ONCE(fake->released), 1);
	KUNIT_EXPECT_GE(test, fake->released_at, now + 2 * NSEC_PER_MSEC);
	KUNIT_EXPECT_LT(test, fake->released_at,
			now + VCOAL_HOLD_NS_MAX + LATE_NS);
}

static void hold_is_overdue_only_when_it_did_not_end(struct kunit *test)
{
	struct fake *fake = fake_new(test, VCOAL_HOLD_NS_MAX);
	u64 now = ktime_get_ns();
	u64 late = now + 60 * NSEC_PER_SEC;

	KUNIT_EXPECT_FALSE(test, vcoal_hold_overdue(&fake->hold, late));
	vcoal_hold_begin(&fake->hold, now, fake->hold.ns);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_overdue(&fake->hold, now));
	KUNIT_EXPECT_FALSE(test, vcoal_hold_overdue(&fake->hold,
						    now + VCOAL_HOLD_NS_MAX));
	/* A timer that is still to come is late, not lost. */
	KUNIT_EXPECT_FALSE(test, vcoal_hold_overdue(&fake->hold, late));
	msleep(100);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_overdue(&fake->hold, late));
	vcoal_hold_end(&fake->hold, late);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_overdue(&fake->hold, late));
}

static void hold_marked_is_not_armed(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);
	u64 now = ktime_get_ns();

	vcoal_hold_mark(&fake->hold, now, 64000);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_running(&fake->hold));
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 0);
	vcoal_hold_wait(&fake->hold, now);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 1);
}

/* Handing the queue back may take a while: the wait begins behind it. */
static void hold_counts_from_when_the_queue_was_handed_back(struct kunit *test)
{
	struct fake *fake = fake_new(test, 3 * NSEC_PER_MSEC);
	u64 marked = ktime_get_ns();
	u64 handed;

	vcoal_hold_mark(&fake->hold, marked, 3 * NSEC_PER_MSEC);
	usleep_range(5000, 5100);
	handed = ktime_get_ns();
	vcoal_hold_wait(&fake->hold, marked);
	msleep(100);

	KUNIT_ASSERT_EQ(test, READ_ONCE(fake->released), 1);
	KUNIT_EXPECT_GE(test, fake->released_at, handed + 3 * NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, vcoal_hold_end(&fake->hold, fake->released_at),
			fake->released_at - handed);
}

/* It was polled once more; what is known of an earlier hold says nothing. */
static void hold_that_was_not_handed_back_delayed_nobody(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);
	u64 now = ktime_get_ns();

	vcoal_hold_mark(&fake->hold, now, 64000);
	vcoal_hold_wait(&fake->hold, now);
	msleep(100);
	now = ktime_get_ns();
	vcoal_hold_end(&fake->hold, now);
	vcoal_hold_mark(&fake->hold, now, 64000);
	KUNIT_EXPECT_EQ(test, vcoal_hold_end(&fake->hold, now + 700), 1);
}

/* The next owner was faster: it ended that hold, or began one of its own. */
static void hold_of_another_owner_is_not_waited_for(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);
	u64 now = ktime_get_ns();

	vcoal_hold_mark(&fake->hold, now, 64000);
	vcoal_hold_end(&fake->hold, now + 1);
	vcoal_hold_wait(&fake->hold, now);
	vcoal_hold_mark(&fake->hold, now + 2, 64000);
	vcoal_hold_wait(&fake->hold, now);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 0);
	vcoal_hold_wait(&fake->hold, now + 2);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 1);
}

static void hold_rescue_fails_open_for_good(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);

	KUNIT_EXPECT_TRUE(test, vcoal_hold_rescue(&fake->hold));
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake->released), 1);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&fake->hold));
	vcoal_hold_set(&fake->hold, (struct vcoal_params) { .hold_ns = 64000 });
	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&fake->hold));
}

static void hold_rescue_spares_a_queue_that_is_served(struct kunit *test)
{
	struct fake *fake = fake_new(test, 64000);

	fake->event = false;
	KUNIT_EXPECT_FALSE(test, vcoal_hold_rescue(&fake->hold));
	KUNIT_EXPECT_TRUE(test, vcoal_hold_wanted(&fake->hold));
}

static void hold_needs_high_resolution_timers(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vcoal_hold_supported(),
			hrtimer_resolution < NSEC_PER_MSEC);
}

static struct kunit_case hold_cases[] = {
	KUNIT_CASE(hold_is_not_wanted_before_it_is_set),
	KUNIT_CASE_PARAM(hold_fires_once_at_its_time, hold_length_gen_params),
	KUNIT_CASE(hold_runs_from_begin_to_end),
	KUNIT_CASE(hold_end_without_begin_held_nothing),
	KUNIT_CASE(hold_of_no_length_still_counts),
	KUNIT_CASE(hold_close_cancels),
	KUNIT_CASE(hold_close_may_come_without_hold),
	KUNIT_CASE(hold_begun_again_ends_at_the_later_time),
	KUNIT_CASE(hold_set_leaves_the_running_one_alone),
	KUNIT_CASE(hold_is_overdue_only_when_it_did_not_end),
	KUNIT_CASE(hold_marked_is_not_armed),
	KUNIT_CASE(hold_counts_from_when_the_queue_was_handed_back),
	KUNIT_CASE(hold_that_was_not_handed_back_delayed_nobody),
	KUNIT_CASE(hold_of_another_owner_is_not_waited_for),
	KUNIT_CASE(hold_rescue_fails_open_for_good),
	KUNIT_CASE(hold_rescue_spares_a_queue_that_is_served),
	KUNIT_CASE(hold_needs_high_resolution_timers),
	{}
};

static struct kunit_suite hold_suite = {
	.name		= "vcoal_hold",
	.test_cases	= hold_cases,
};

kunit_test_suite(hold_suite);
