// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate with a backend that only counts. Run under User-mode Linux in
 * simulated time, where a sleep takes exactly as long as it says.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/ktime.h>
#include <vcoal/adapter.h>
#include <vcoal/gate.h>
#include "../module/control.h"
#include "fake.h"

#define HOLD_NS		(4U * NSEC_PER_MSEC)
/* How late a timer may be where time is not simulated. */
#define LATE_NS		(20 * NSEC_PER_MSEC)

struct guest {
	struct vcoal_fake *fake;
	struct vcoal_gate gate;
	unsigned int delivered;
	u64 delivered_at;
	bool deaf;
	bool other;
};

static bool guest_deliver(struct vcoal_gate *gate)
{
	struct guest *guest = container_of(gate, struct guest, gate);

	if (guest->deaf)
		return false;
	/* Pair with READ_ONCE() in the tests. */
	WRITE_ONCE(guest->delivered, guest->delivered + 1);
	WRITE_ONCE(guest->delivered_at, ktime_get_ns());
	if (guest->other)
		vcoal_hold_end(&gate->q.hold, ktime_get_ns());

	return true;
}

static void guest_close(void *data)
{
	struct guest *guest = data;

	vcoal_gate_close(&guest->gate);
	vcoal_hold_close(&guest->gate.q.hold);
}

static struct guest *guest_new(struct kunit *test, u32 ns, u32 frames)
{
	struct vcoal_params params = { .hold_ns = ns, .frames = frames };
	struct guest *guest = kunit_kzalloc(test, sizeof(*guest), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, guest);
	guest->fake = vcoal_fake_new(test, &vcoal_policy_fixed);
	guest->fake->nic.fixed[VCOAL_RX] = params;
	guest->gate.q.nic = &guest->fake->nic;
	guest->gate.q.policy = &vcoal_policy_fixed;
	guest->gate.q.timed = true;
	spin_lock_init(&guest->gate.q.lock);
	vcoal_hold_init(&guest->gate.q.hold, vcoal_gate_release);
	vcoal_gate_open(&guest->gate, guest_deliver);
	vcoal_hold_set(&guest->gate.q.hold, params);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, guest_close, guest));

	return guest;
}

/* The backend interrupts unless the gate keeps it. */
static bool guest_notify(struct guest *guest, u32 frames)
{
	if (!vcoal_gate_notify(&guest->gate, frames))
		return false;
	guest_deliver(&guest->gate);

	return true;
}

static void gate_without_a_hold_passes_all(struct kunit *test)
{
	struct guest *guest = guest_new(test, 0, 0);
	int i;

	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, guest_notify(guest, 3));
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 5);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.irqs, 5);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.packets, 15);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.holds, 0);
}

/* Nobody asks for the time or a hold: the short way counts as the long one does. */
static void gate_that_only_counts_begins_to_hold(struct kunit *test)
{
	struct vcoal_params params = { .hold_ns = HOLD_NS };
	struct guest *guest = guest_new(test, 0, 0);
	struct vcoal_queue *queue = &guest->gate.q;

	queue->timed = false;
	KUNIT_ASSERT_TRUE(test, vcoal_queue_only_counts(queue));
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 3));
	vcoal_gate_work(&guest->gate, 2);
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 4));
	KUNIT_EXPECT_EQ(test, queue->count.irqs, 2);
	KUNIT_EXPECT_EQ(test, queue->count.polls, 3);
	KUNIT_EXPECT_EQ(test, queue->count.packets, 9);
	KUNIT_EXPECT_EQ(test, guest->gate.last, 0);

	guest->fake->nic.fixed[VCOAL_RX] = params;
	vcoal_hold_set(&queue->hold, params);
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
	KUNIT_EXPECT_FALSE(test, guest_notify(guest, 1));
	vcoal_gate_flush(&guest->gate);
	KUNIT_EXPECT_EQ(test, queue->count.irqs, 4);
	KUNIT_EXPECT_EQ(test, queue->count.packets, 11);
	KUNIT_EXPECT_EQ(test, queue->count.holds, 1);
}

static void gate_never_delays_the_first_event_after_idle(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	int i;

	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
		msleep(100);
	}

	KUNIT_EXPECT_EQ(test, guest->gate.q.count.holds, 0);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.empty_polls, 0);
}

static void gate_merges_events_into_one(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	u64 now = ktime_get_ns();
	int i;

	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_FALSE(test, guest_notify(guest, 2));
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_GE(test, guest->delivered_at, now + HOLD_NS);
	KUNIT_EXPECT_LE(test, guest->delivered_at, now + HOLD_NS + LATE_NS);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.irqs, 2);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.packets, 21);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.held_packets, 20);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.holds, 1);
}

/* Those that are spaced three quarters of it share it by two. */
static void gate_holds_from_the_event_on(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	u64 kept;

	guest_notify(guest, 1);
	usleep_range(3000, 3001);
	kept = ktime_get_ns();
	KUNIT_EXPECT_FALSE(test, guest_notify(guest, 1));
	usleep_range(3000, 3001);
	KUNIT_EXPECT_FALSE(test, guest_notify(guest, 1));
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.held_packets, 2);
	KUNIT_EXPECT_GE(test, guest->delivered_at, kept + HOLD_NS);
	KUNIT_EXPECT_LE(test, guest->delivered_at, kept + HOLD_NS + LATE_NS);
}

/* One event too soon, and all others would look so, held for nothing for good. */
static void gate_lets_go_of_what_is_rare(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	int i;

	guest_notify(guest, 1);
	usleep_range(1000, 1001);
	KUNIT_EXPECT_FALSE(test, guest_notify(guest, 1));
	for (i = 0; i < 20; i++) {
		usleep_range(6000, 6001);
		guest_notify(guest, 1);
	}
	msleep(100);

	KUNIT_EXPECT_EQ(test, guest->gate.q.count.packets, 22);
	KUNIT_EXPECT_LE(test, guest->gate.q.count.holds, 4);
}

static void gate_holds_again_after_a_release(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	u64 first = ktime_get_ns();
	int i;

	for (i = 0; i < 40; i++) {
		guest_notify(guest, 1);
		usleep_range(1000, 1001);
	}

	KUNIT_EXPECT_LE(test, READ_ONCE(guest->delivered),
			div_u64(ktime_get_ns() - first, HOLD_NS) + 1);
	KUNIT_EXPECT_GE(test, READ_ONCE(guest->delivered), 5);
}

static void gate_frames_end_a_hold_early(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 8);
	int i;

	guest_notify(guest, 1);
	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_FALSE(test, guest_notify(guest, 1));
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.held_packets, 8);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&guest->gate.q.hold));

	/* The timer of the hold that is over must not bring anything. */
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
}

static void gate_one_frame_is_enough_when_asked_for(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 1);
	int i;

	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
}

static void gate_silent_work_counts_towards_the_frames(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 8);

	guest_notify(guest, 1);
	guest_notify(guest, 1);
	vcoal_gate_work(&guest->gate, 3);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	vcoal_gate_work(&guest->gate, 4);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.held_packets, 8);
}

static void gate_silent_work_alone_interrupts_nobody(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 8);
	int i;

	for (i = 0; i < 10; i++)
		vcoal_gate_work(&guest->gate, 5);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 0);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.irqs, 0);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.packets, 50);
}

static void gate_flush_delivers_once(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	vcoal_gate_flush(&guest->gate);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 0);
	guest_notify(guest, 1);
	guest_notify(guest, 1);
	vcoal_gate_flush(&guest->gate);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	vcoal_gate_flush(&guest->gate);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
}

static void gate_close_delivers_and_keeps_no_more(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	guest_notify(guest, 1);
	guest_notify(guest, 1);
	vcoal_gate_close(&guest->gate);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
	vcoal_gate_work(&guest->gate, 1);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 4);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.packets, 2);
}

static void gate_tries_again_when_it_could_not_deliver(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	guest_notify(guest, 1);
	guest_notify(guest, 1);
	guest->deaf = true;
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_running(&guest->gate.q.hold));
	guest->deaf = false;
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_GE(test, guest->gate.q.count.added_delay_ns,
			90 * NSEC_PER_MSEC);
}

static void gate_that_is_broken_holds_no_more(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	guest_notify(guest, 1);
	guest_notify(guest, 1);
	hrtimer_cancel(&guest->gate.q.hold.timer);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_rescue(&guest->gate.q.hold));
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	KUNIT_EXPECT_TRUE(test, guest_notify(guest, 1));
}

/* Something that is no interrupt is kept, as a kick is. */
static void guest_keep_other(struct guest *guest)
{
	guest->other = true;
	spin_lock_bh(&guest->gate.lock);
	vcoal_queue_begin(&guest->gate.q, ktime_get_ns(), HOLD_NS);
	spin_unlock_bh(&guest->gate.lock);
}

static void gate_delivers_what_is_no_interrupt(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	u64 first = ktime_get_ns();

	guest_keep_other(guest);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_running(&guest->gate.q.hold));
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	KUNIT_EXPECT_GE(test, guest->delivered_at, first + HOLD_NS);
	KUNIT_EXPECT_LE(test, guest->delivered_at, first + HOLD_NS + LATE_NS);
	guest_keep_other(guest);
	vcoal_gate_flush(&guest->gate);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 2);
	guest_keep_other(guest);
	vcoal_gate_close(&guest->gate);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 3);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 3);
}

static void gate_leaves_its_account_to_who_keeps_it(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	guest_keep_other(guest);
	msleep(100);

	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&guest->gate.q.hold));
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.irqs, 0);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.polls, 0);
	KUNIT_EXPECT_EQ(test, guest->gate.q.count.holds, 0);
}

static void gate_rescues_what_is_no_interrupt(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);

	guest_keep_other(guest);
	hrtimer_cancel(&guest->gate.q.hold.timer);
	msleep(100);
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 0);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_rescue(&guest->gate.q.hold));
	KUNIT_EXPECT_EQ(test, READ_ONCE(guest->delivered), 1);
	KUNIT_EXPECT_EQ(test, vcoal_gate_hold_ns(&guest->gate), 0);
}

static void gate_feeds_the_windows(struct kunit *test)
{
	struct guest *guest = guest_new(test, HOLD_NS, 0);
	u64 begin = ktime_get_ns();
	int i;

	for (i = 0; i < 60; i++) {
		guest_notify(guest, 1);
		usleep_range(1000, 1001);
	}

	KUNIT_EXPECT_GE(test, guest->gate.q.count.decisions, 5);
	KUNIT_EXPECT_LE(test, guest->gate.q.count.decisions,
			div_u64(ktime_get_ns() - begin, VCOAL_WINDOW_NS));
}

static struct kunit_case gate_cases[] = {
	KUNIT_CASE(gate_without_a_hold_passes_all),
	KUNIT_CASE(gate_that_only_counts_begins_to_hold),
	KUNIT_CASE(gate_never_delays_the_first_event_after_idle),
	KUNIT_CASE(gate_merges_events_into_one),
	KUNIT_CASE(gate_holds_from_the_event_on),
	KUNIT_CASE(gate_lets_go_of_what_is_rare),
	KUNIT_CASE(gate_holds_again_after_a_release),
	KUNIT_CASE(gate_frames_end_a_hold_early),
	KUNIT_CASE(gate_one_frame_is_enough_when_asked_for),
	KUNIT_CASE(gate_silent_work_counts_towards_the_frames),
	KUNIT_CASE(gate_silent_work_alone_interrupts_nobody),
	KUNIT_CASE(gate_flush_delivers_once),
	KUNIT_CASE(gate_close_delivers_and_keeps_no_more),
	KUNIT_CASE(gate_tries_again_when_it_could_not_deliver),
	KUNIT_CASE(gate_that_is_broken_holds_no_more),
	KUNIT_CASE(gate_delivers_what_is_no_interrupt),
	KUNIT_CASE(gate_leaves_its_account_to_who_keeps_it),
	KUNIT_CASE(gate_rescues_what_is_no_interrupt),
	KUNIT_CASE(gate_feeds_the_windows),
	{}
};

static struct kunit_suite gate_suite = {
	.name		= "vcoal_gate",
	.test_cases	= gate_cases,
};

kunit_test_suite(gate_suite);
