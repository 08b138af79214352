// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that come from the other end of a Xen network device.
 *
 * An event channel is masked from its event until the driver says
 * xen_irq_lateeoi(). The hold lies in between: the other end's first event
 * meanwhile is kept by Xen, those after it are not even sent, and when the hold
 * ends the event comes at once, or is free to come.
 *
 * An event must never find an empty ring: Xen takes that for an attack, and
 * punishes the second in a row with a delay that grows to a second. It cannot
 * be our doing: the driver asked for events when the ring was empty, and while
 * the channel is masked nothing else makes it look at the ring. What remains
 * is the driver's own race, work that arrives while it asks, whose event we
 * bring later than it came. But a spurious event is not held on to: the next
 * one comes on time, so no second in a row is ours. And where spurious events
 * are more than a few, for whatever reason, the door stays open.
 *
 * Who may run: the driver's eoi, in any context, one at a time for a channel;
 * the hold's timer; gone() and detach. All take the lock, and whoever clears
 * @shut under it tells Xen what it stood for, once; a hold that begins sets
 * @shut under the same lock that starts the timer. gone() runs before the
 * channel's number is freed and tells Xen nothing: who finds @shut set may use
 * the number.
 */
#include "xen_door.h"

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <vcoal/adapter.h>

/*
 * Served this soon after a hold's end is what the hold released. If an event had
 * come meanwhile, opening was a call of Xen, and the event is served after several
 * of those; where Xen is slow to answer it takes longer.
 */
#define XEN_DOOR_PROMPT_NS	(50 * NSEC_PER_USEC)
#define XEN_DOOR_PROMPT_MAX_NS	NSEC_PER_MSEC
#define XEN_DOOR_CALLS		16

/* Above one spurious event in eight the score climbs to where no holds are. */
#define XEN_DOOR_SCORE_UP	8
#define XEN_DOOR_SCORE_WARY	32
#define XEN_DOOR_SCORE_MAX	64

/**
 * xen_door_init() - prepare
 * @door: zeroed but for its line's number, if it has one
 * @queue: whose hold it is
 */
void xen_door_init(struct xen_door *door, struct vcoal_queue *queue)
{
	spin_lock_init(&door->lock);
	door->queue = queue;
}

/**
 * xen_door_hang() - from now on its owner hears of the channel
 * @door: a number is known
 * @ops: of the line
 */
void xen_door_hang(struct xen_door *door, const struct xev_ops *ops)
{
	xev_add(&door->line, ops, door->line.irq);
}

/**
 * xen_door_allow() - from now on it may be shut, unless the channel went
 * @door: hung, and the number was its channel's after that
 */
void xen_door_allow(struct xen_door *door)
{
	unsigned long flags;

	spin_lock_irqsave(&door->lock, flags);
	door->open = !door->over;
	spin_unlock_irqrestore(&door->lock, flags);
}

/**
 * xen_door_keep_open() - shut it no more; one that is shut stays so for its hold
 * @door: hung or not
 */
void xen_door_keep_open(struct xen_door *door)
{
	unsigned long flags;

	spin_lock_irqsave(&door->lock, flags);
	door->open = false;
	spin_unlock_irqrestore(&door->lock, flags);
}

/**
 * xen_door_remove() - let come what a hold kept, and forget the channel
 * @door: kept open, its hold is closed; freed a grace period after this
 *
 * In this order: until there is nothing left to tell Xen, we must see the
 * channel go.
 */
void xen_door_remove(struct xen_door *door)
{
	xen_door_release(door);
	xev_del(&door->line);
}

/**
 * xen_door_eoi_passes() - is there nothing to decide? An owner's eoi_passes()
 * @line: of a door
 *
 * The score changes only in eoi() and spurious(): both are the driver's. A hold
 * that is set meanwhile begins with the next event.
 */
bool xen_door_eoi_passes(struct xev_line *line)
{
	struct xen_door *door = xen_door_of(line);

	return !vcoal_hold_wanted(&door->queue->hold) && !READ_ONCE(door->score);
}

/**
 * xen_door_eoi() - the driver wants events again; an owner's eoi()
 * @line: of a door
 *
 * Return: false to keep it from that
 */
bool xen_door_eoi(struct xev_line *line)
{
	struct xen_door *door = xen_door_of(line);
	unsigned long flags;
	bool keep;

	if (xen_door_eoi_passes(line))
		return true;

	spin_lock_irqsave(&door->lock, flags);
	if (door->score)
		door->score--;
	keep = door->open && !door->shut &&
	       door->score < XEN_DOOR_SCORE_WARY &&
	       vcoal_hold_wanted(&door->queue->hold);
	if (keep) {
		door->shut = true;
		vcoal_queue_begin(door->queue, ktime_get_ns(),
				  READ_ONCE(door->queue->hold.ns));
	}
	spin_unlock_irqrestore(&door->lock, flags);

	return !keep;
}

/**
 * xen_door_spurious() - an event found nothing; an owner's spurious()
 * @line: of a door
 */
void xen_door_spurious(struct xev_line *line)
{
	struct xen_door *door = xen_door_of(line);
	unsigned long flags;

	vcoal_queue_spurious(door->queue);
	spin_lock_irqsave(&door->lock, flags);
	door->score = min(door->score + XEN_DOOR_SCORE_UP, XEN_DOOR_SCORE_MAX);
	spin_unlock_irqrestore(&door->lock, flags);
}

/**
 * xen_door_gone() - the channel is over; an owner's gone()
 * @line: of a door
 */
void xen_door_gone(struct xev_line *line)
{
	struct xen_door *door = xen_door_of(line);
	unsigned long flags;

	spin_lock_irqsave(&door->lock, flags);
	door->over = true;
	door->open = false;
	if (door->shut)
		vcoal_hold_end(&door->queue->hold, ktime_get_ns());
	door->shut = false;
	spin_unlock_irqrestore(&door->lock, flags);
}

/**
 * xen_door_release() - the hold is over: let the event come
 * @door: hung, or removed and not gone
 *
 * Return: true when it was this call that did so
 */
bool xen_door_release(struct xen_door *door)
{
	u64 now = ktime_get_ns();
	unsigned long flags;
	u64 calls, took;
	bool shut;

	spin_lock_irqsave(&door->lock, flags);
	shut = door->shut;
	if (shut) {
		door->shut = false;
		/* Pairs with READ_ONCE() in xen_door_reopened(). */
		WRITE_ONCE(door->opened, now);
		door->kept = vcoal_hold_end(&door->queue->hold, now);
		calls = ktime_get_ns();
		xev_reopen(door->line.irq);
		took = (ktime_get_ns() - calls) * XEN_DOOR_CALLS;
		door->prompt = now + clamp_t(u64, took, XEN_DOOR_PROMPT_NS,
					     XEN_DOOR_PROMPT_MAX_NS);
	}
	spin_unlock_irqrestore(&door->lock, flags);

	return shut;
}

/**
 * xen_door_held() - an event came
 * @door: hung
 * @now: ktime ns
 *
 * Return: how long it was held, 0 if it was not
 */
u64 xen_door_held(struct xen_door *door, u64 now)
{
	unsigned long flags;
	u64 held = 0;

	spin_lock_irqsave(&door->lock, flags);
	if (door->opened && now < door->prompt) {
		door->opened = 0;
		held = door->kept;
	}
	spin_unlock_irqrestore(&door->lock, flags);

	return held;
}

/**
 * xen_door_enter() - the driver is about to serve the queue
 * @door: hung or not
 * @now: ktime ns
 *
 * Context: BH off.
 *
 * Return: how long what it finds was held, 0 if it was not
 */
u64 xen_door_enter(struct xen_door *door, u64 now)
{
	struct vcoal_served nothing = { .now = now };
	unsigned long flags;
	u64 opened, prompt, kept;

	spin_lock_irqsave(&door->lock, flags);
	opened = door->opened;
	prompt = door->prompt;
	kept = door->kept;
	door->opened = 0;
	spin_unlock_irqrestore(&door->lock, flags);

	if (!opened)
		return 0;
	if (now < prompt)
		return kept;

	/* Nothing had come when the hold ended. */
	nothing.held = kept;
	vcoal_queue_served(door->queue, &nothing);

	return 0;
}
