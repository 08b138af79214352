// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hold engine.
 *
 * Who may run: end() and mark() are called by the owner of the queue (the NAPI owner,
 * the vhost worker; or whoever has the lock that guards a kept event, who marks and
 * waits at once, begin()), wait() by the same context right after it handed the queue
 * back: a timer that fires earlier finds the queue owned and is spent. So it may come
 * late, when the next owner has ended this hold or begun another. It sees that, for the
 * mark is not its own, and leaves the timer to whoever made the other one, who starts
 * it as well. Between its look and the timer the next owner may still begin: then the
 * one timer ends the other hold when this one would have ended, mostly early. (Later,
 * by the difference, should the length have been changed to a shorter one just now.) A
 * marked hold always ends: by its own timer, by one like that, or by who owned the
 * queue.
 *
 * The length counts from when the queue was handed back: that delivers what was
 * served, and whatever comes meanwhile would have waited for it without a hold, too.
 *
 * The timer runs in hard interrupt context (softirq on PREEMPT_RT, and after
 * vcoal_hold_soften()) and touches nothing but @release. The watchdog reads
 * @since and @length from process context. close() is called when begin() can
 * no longer be: the hook is gone and its last user was waited for.
 */
#include <linux/bottom_half.h>
#include <linux/kernel.h>
#include <vcoal/hold.h>
#include <vcoal/compat.h>

/* A hold this much over its time did not end by itself. */
#define VCOAL_HOLD_OVERDUE_NS	(2 * NSEC_PER_SEC)

static enum hrtimer_restart vcoal_hold_timer(struct hrtimer *timer)
{
	struct vcoal_hold *hold = container_of(timer, struct vcoal_hold, timer);

	hold->release(hold);

	return HRTIMER_NORESTART;
}

/**
 * vcoal_hold_init() - prepare a hold that holds nothing
 * @hold: zeroed memory
 * @release: see struct vcoal_hold
 */
void vcoal_hold_init(struct vcoal_hold *hold,
		     bool (*release)(struct vcoal_hold *hold))
{
	hold->release = release;
	hold->mode = HRTIMER_MODE_ABS_PINNED;
	hrtimer_setup(&hold->timer, vcoal_hold_timer, CLOCK_MONOTONIC,
		      hold->mode);
}

/**
 * vcoal_hold_soften() - release() takes locks that only BH may take
 * @hold: no hold began yet
 */
void vcoal_hold_soften(struct vcoal_hold *hold)
{
	hold->mode = HRTIMER_MODE_ABS_PINNED_SOFT;
	hrtimer_setup(&hold->timer, vcoal_hold_timer, CLOCK_MONOTONIC,
		      hold->mode);
}

/**
 * vcoal_hold_set() - change the length of the holds to come
 * @hold: the hold
 * @params: from the next begin() on; a running hold ends as it began
 */
void vcoal_hold_set(struct vcoal_hold *hold, struct vcoal_params params)
{
	/* Pairs with READ_ONCE() in vcoal_hold_wanted() and its callers. */
	WRITE_ONCE(hold->frames, params.frames);
	WRITE_ONCE(hold->ns, params.hold_ns);
}

/**
 * vcoal_hold_mark() - from now on the interrupt is held
 * @hold: the hold; the caller found vcoal_hold_wanted() and owns the queue
 * @now: ktime in ns
 * @ns: how long
 */
void vcoal_hold_mark(struct vcoal_hold *hold, u64 now, u32 ns)
{
	WRITE_ONCE(hold->length, ns);
	WRITE_ONCE(hold->since, now);
}

/**
 * vcoal_hold_arm() - start the timer: from release(), to be called once more
 * @hold: the hold
 * @until: when
 */
void vcoal_hold_arm(struct vcoal_hold *hold, u64 until)
{
	hrtimer_start(&hold->timer, ns_to_ktime(until), hold->mode);
}

/* Pairs with READ_ONCE() in vcoal_hold_end(). */
static void hold_wait_from(struct vcoal_hold *hold, u64 now, u32 ns)
{
	WRITE_ONCE(hold->handed, now);
	vcoal_hold_arm(hold, now + ns);
}

/**
 * vcoal_hold_wait() - the queue was handed back: its interrupt waits from now on
 * @hold: marked; napi_complete_done() was true
 * @since: the time given to vcoal_hold_mark()
 */
void vcoal_hold_wait(struct vcoal_hold *hold, u64 since)
{
	u64 now = ktime_get_ns();

	if (READ_ONCE(hold->since) == since)
		hold_wait_from(hold, now, READ_ONCE(hold->length));
}

/**
 * vcoal_hold_begin() - mark and wait, where nobody hands over in between
 * @hold: the hold
 * @now: ktime in ns
 * @ns: how long
 */
void vcoal_hold_begin(struct vcoal_hold *hold, u64 now, u32 ns)
{
	vcoal_hold_mark(hold, now, ns);
	hold_wait_from(hold, now, ns);
}

/**
 * vcoal_hold_extend() - release() could not bring the event: try again
 * @hold: the running hold
 * @now: ktime in ns
 * @ns: when, from now on
 */
void vcoal_hold_extend(struct vcoal_hold *hold, u64 now, u32 ns)
{
	WRITE_ONCE(hold->length, now - hold->since + ns);
	vcoal_hold_arm(hold, now + ns);
}

/**
 * vcoal_hold_end() - the queue is being served
 * @hold: the hold
 * @now: ktime in ns
 *
 * A timer that is still queued (the frames threshold or another event came
 * first) is left alone: the next wait() moves it, and should it fire before,
 * release() finds the queue owned or serves it once more.
 *
 * When the queue was not handed back (it was polled once more), or that was not said
 * yet, nobody has waited.
 *
 * Return: how long the interrupt was held, 0 when none was
 */
u64 vcoal_hold_end(struct vcoal_hold *hold, u64 now)
{
	/* Pairs with WRITE_ONCE() in hold_wait_from(). */
	u64 handed = READ_ONCE(hold->handed);
	u64 since = hold->since;

	if (!since)
		return 0;
	WRITE_ONCE(hold->since, 0);

	return handed >= since && now > handed ? now - handed : 1;
}

/**
 * vcoal_hold_close() - no hold will begin any more
 * @hold: the hold
 *
 * Context: process; waits for a running timer.
 */
void vcoal_hold_close(struct vcoal_hold *hold)
{
	hrtimer_cancel(&hold->timer);
	WRITE_ONCE(hold->since, 0);
}

/**
 * vcoal_hold_due() - is the running hold over?
 * @hold: the hold
 * @now: ktime in ns
 */
bool vcoal_hold_due(const struct vcoal_hold *hold, u64 now)
{
	u64 since = READ_ONCE(hold->since);

	return since && now >= since + READ_ONCE(hold->length);
}

/**
 * vcoal_hold_overdue() - did a hold fail to end?
 * @hold: the hold
 * @now: ktime in ns
 */
bool vcoal_hold_overdue(const struct vcoal_hold *hold, u64 now)
{
	/* Pairs with WRITE_ONCE() in mark() and end(); stale is harmless. */
	u64 since = READ_ONCE(hold->since);

	/* A timer that is still to come is late, not lost. */
	return since && !hrtimer_active(&hold->timer) &&
	       now > since + READ_ONCE(hold->length) + VCOAL_HOLD_OVERDUE_NS;
}

/**
 * vcoal_hold_rescue() - fail open: bring the event, hold no more
 * @hold: a hold that is overdue
 *
 * Return: true when an event was stuck. A queue that is disabled or being
 * served (false) is not stuck.
 */
bool vcoal_hold_rescue(struct vcoal_hold *hold)
{
	bool released;

	if (READ_ONCE(hold->broken))
		return false;

	/* What release() raises runs at once, on this CPU. */
	local_bh_disable();
	released = hold->release(hold);
	local_bh_enable();
	if (!released)
		return false;
	/* Pairs with READ_ONCE() in vcoal_hold_wanted(). */
	WRITE_ONCE(hold->broken, true);

	return true;
}

/**
 * vcoal_hold_supported() - can this kernel hold for microseconds?
 *
 * Without high-resolution timers every hold would last until the next tick.
 */
bool vcoal_hold_supported(void)
{
	return hrtimer_resolution < NSEC_PER_MSEC;
}
