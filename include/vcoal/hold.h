/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hold: the one place where a virtual interrupt waits.
 *
 * A queue that served work may hold its next interrupt: mark() while the queue
 * is owned says so, wait() after it was handed back starts the wait, and the
 * first of three ends it: the timer (release() is called and brings the
 * adapter back), another event (the frames threshold is one), or detach.
 * Whoever serves the queue next calls end(). The first event after idle never
 * waits, because nothing holds an idle queue.
 */
#ifndef _VCOAL_HOLD_H
#define _VCOAL_HOLD_H

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/types.h>
#include <vcoal/policy.h>

struct vcoal_hold;

/**
 * struct vcoal_hold - one queue's waiting place
 * @ns: how long to hold from now on; written by control, read by the hook
 * @frames: frames that end a hold early; written and read like @ns
 * @since: when the running hold was marked, ktime ns (of a poll, when that began);
 *	0 when none runs. Written only by the owner of the queue; others may look.
 * @handed: when the wait began; before @since it is of an earlier hold
 * @length: length of the running hold
 * @broken: the watchdog saw a hold that did not end: never hold again
 * @release: bring the event now; true when this call brought it, false when
 *	the queue is being served already or is disabled (enabling it serves
 *	it). Hard interrupt context, or BH after vcoal_hold_soften().
 * @timer: ends the hold
 * @mode: of @timer
 */
struct vcoal_hold {
	u32 ns;
	u32 frames;
	u64 since;
	u64 handed;
	u32 length;
	bool broken;
	bool (*release)(struct vcoal_hold *hold);
	struct hrtimer timer;
	enum hrtimer_mode mode;
};

void vcoal_hold_init(struct vcoal_hold *hold,
		     bool (*release)(struct vcoal_hold *hold));
void vcoal_hold_soften(struct vcoal_hold *hold);
void vcoal_hold_set(struct vcoal_hold *hold, struct vcoal_params params);
void vcoal_hold_mark(struct vcoal_hold *hold, u64 now, u32 ns);
void vcoal_hold_arm(struct vcoal_hold *hold, u64 until);
void vcoal_hold_wait(struct vcoal_hold *hold, u64 since);
void vcoal_hold_begin(struct vcoal_hold *hold, u64 now, u32 ns);
void vcoal_hold_extend(struct vcoal_hold *hold, u64 now, u32 ns);
u64 vcoal_hold_end(struct vcoal_hold *hold, u64 now);
void vcoal_hold_close(struct vcoal_hold *hold);
bool vcoal_hold_due(const struct vcoal_hold *hold, u64 now);
bool vcoal_hold_overdue(const struct vcoal_hold *hold, u64 now);
bool vcoal_hold_rescue(struct vcoal_hold *hold);
bool vcoal_hold_supported(void);

/**
 * vcoal_hold_wanted() - should the queue that just served work hold?
 * @hold: the queue's hold
 *
 * Return: true when it should
 */
static inline bool vcoal_hold_wanted(const struct vcoal_hold *hold)
{
	/* Pairs with WRITE_ONCE() in vcoal_hold_set() and _rescue(). */
	return READ_ONCE(hold->ns) && !READ_ONCE(hold->broken);
}

/**
 * vcoal_hold_running() - is an interrupt being held?
 * @hold: the queue's hold
 *
 * Return: true when one is
 */
static inline bool vcoal_hold_running(const struct vcoal_hold *hold)
{
	return READ_ONCE(hold->since);
}

#endif /* _VCOAL_HOLD_H */
