// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest transmits, in xen-netback.
 *
 * The guest's event schedules the driver's NAPI. Its poll takes packets, puts
 * their completions into the ring, and when there are no more it asks for the
 * next event. That is held, see xen_door.c. Only this NAPI takes from the ring,
 * and only the event schedules it. (The driver's credit timer does, too, but a
 * queue that waits for credit did not ask for events.)
 *
 * Completions interrupt the guest. Those of one poll wait for its end: then
 * one interrupt brings them all. Few of them wait for the end of the next, when
 * the events come one hold after another: half of the interrupts are enough, and
 * only a sender who is out of buffers waits for them. Of all packets but the
 * smallest the driver maps pages, and its thread completes these one by one when
 * they were freed elsewhere. Those wait, too: for the end of a poll under way or,
 * while the door is shut, of the next. Should no event follow that hold, its timer
 * runs once more, soon, and tells. Where neither is to come, and beside holds that
 * are short, they go out at once; and those of the thread beside ones so long
 * that a ring full of large packets would wait, too. The ring asks for one
 * interrupt until the guest has reaped, so all that wait share it. A frontend
 * that takes spurious interrupts for an attack reaps in its interrupt (Linux
 * since XSA-391), so one that comes late finds work; older ones may have reaped
 * when they transmitted, and do not mind.
 *
 * Who may run: the poll and, in it, notify() and eoi(), on one CPU at a time
 * but for a poll's tail; notify() of the driver's thread; the hold's timer, or
 * the watchdog in its place; polls that are not ours (busy pollers, and what is
 * left of them after unhook); gone(); detach. All take the door's lock. Whoever
 * clears @completed under it sends what it stood for, or lets it pass, but for
 * gone(): nobody is to be told. Is somebody always there to clear it? In a poll
 * of ours, its end is. Beyond it, they begin to wait only while the door is shut
 * and nobody detaches, so a timer is to come; that one opens the door and comes
 * again, and then it finds a poll of ours under way, the door shut by another
 * one, or itself to tell. A poll of others would shut the door, too, and so move
 * that timer: its eoi() tells. Detach keeps the door open first: from there on
 * the thread passes, or a last poll of ours tells; it looks when neither that nor
 * a timer is left. The line goes only after its NAPI, and not before gone(): who
 * finds @completed set may use it.
 */
#include <linux/ktime.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"

/* A poll that took so many is worth an interrupt: large ones fill half a ring. */
#define XNB_TELL_FRAMES	8

/*
 * An event that the door kept has led to a poll, and to its end, by then. Nothing
 * waits for more than the end of its poll beside a shorter hold.
 */
#define XNB_TELL_NS	(100 * NSEC_PER_USEC)

/* Nor does what the thread completes between polls beside a longer one. */
#define XNB_LARGE_NS	NSEC_PER_MSEC

/* It was not the timer that ended this hold. */
#define XNB_LOST_NS	NSEC_PER_SEC

static struct xnb_queue *xnb_of_door(struct xev_line *line)
{
	return container_of(xen_door_of(line), struct xnb_queue, door);
}

/* The guest hears of all completions there are. */
static void xnb_tx_told(struct xnb_queue *queue)
{
	lockdep_assert_held(&queue->door.lock);

	queue->completed = false;
	queue->waited = false;
	vcoal_queue_irq(&queue->gate.q);
}

/*
 * Is a hold's end to come, and its timer? Beside a short one, the time until it is
 * clear that no poll follows would be long.
 */
static bool xnb_tx_holds(const struct xnb_queue *queue)
{
	const struct xen_door *door = &queue->door;

	return door->open && door->shut &&
	       queue->gate.q.hold.length >= XNB_TELL_NS;
}

/* The same for the driver's thread. */
static bool xnb_tx_holds_large(const struct xnb_queue *queue)
{
	return xnb_tx_holds(queue) &&
	       queue->gate.q.hold.length <= XNB_LARGE_NS;
}

/* Completions go out at once, unless a poll or a hold's end will tell of them. */
static bool xnb_tx_passes(struct xnb_queue *queue, bool keep)
{
	unsigned long flags;
	bool passes;

	spin_lock_irqsave(&queue->door.lock, flags);
	passes = !queue->polling && !xnb_tx_holds_large(queue);
	if (passes) {
		xnb_tx_told(queue);
	} else if (keep) {
		queue->waited |= !queue->polling;
		queue->completed = true;
	}
	spin_unlock_irqrestore(&queue->door.lock, flags);

	return passes;
}

/* The driver is about to tell the guest of completions. */
static bool xnb_tx_notify(struct xev_line *line)
{
	return xnb_tx_passes(xnb_of_door(line), true);
}

static bool xnb_tx_notify_passes(struct xev_line *line)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) &&
	       xnb_tx_passes(xnb_of_door(line), false);
}

static void xnb_tx_tell(struct xnb_queue *queue)
{
	xnb_tx_told(queue);
	xev_send(queue->door.line.irq);
}

static bool xnb_tx_eoi(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_door(line);
	unsigned long flags;

	spin_lock_irqsave(&queue->door.lock, flags);
	if (queue->completed && !queue->polling)
		xnb_tx_tell(queue);
	spin_unlock_irqrestore(&queue->door.lock, flags);

	return xen_door_eoi(line);
}

static void xnb_tx_gone(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_door(line);
	unsigned long flags;

	spin_lock_irqsave(&queue->door.lock, flags);
	queue->completed = false;
	spin_unlock_irqrestore(&queue->door.lock, flags);
	xen_door_gone(line);
}

static const struct xev_ops xnb_tx_ops = {
	.notify		= xnb_tx_notify,
	.eoi		= xnb_tx_eoi,
	.spurious	= xen_door_spurious,
	.gone		= xnb_tx_gone,
	.notify_passes	= xnb_tx_notify_passes,
	.eoi_passes	= xen_door_eoi_passes,
};

static void xnb_tx_begin(struct xnb_queue *queue)
{
	spin_lock_irq(&queue->door.lock);
	queue->polling = vcoal_hold_wanted(&queue->gate.q.hold);
	spin_unlock_irq(&queue->door.lock);
}

/* Is another poll to come soon, and worth waiting for? */
static bool xnb_tx_waits(const struct xnb_queue *queue,
			 const struct vcoal_served *served)
{
	return xnb_tx_holds(queue) && !queue->waited && served->held &&
	       served->frames < XNB_TELL_FRAMES;
}

static void xnb_tx_end(struct xnb_queue *queue,
		       const struct vcoal_served *served)
{
	spin_lock_irq(&queue->door.lock);
	queue->polling = false;
	if (queue->completed) {
		if (xnb_tx_waits(queue, served))
			queue->waited = true;
		else
			xnb_tx_tell(queue);
	}
	spin_unlock_irq(&queue->door.lock);
}

static int xnb_serve(struct xnb_queue *queue, int budget)
{
	struct vcoal_napi_hook *hook = &queue->hook;
	struct vcoal_served served = { .now = ktime_get_ns() };
	int work;

	served.held = xen_door_enter(&queue->door, served.now);
	xnb_tx_begin(queue);
	work = hook->driver_poll(hook->napi, budget);
	served.frames = work;
	served.full = work >= budget;
	xnb_tx_end(queue, &served);
	vcoal_queue_served(&queue->gate.q, &served);

	return work;
}

/*
 * The short way leaves @polling as it was, which is false: completions go out at
 * once. A hold that is set during the poll shuts the door at its end, as ever.
 */
static int xnb_poll(struct vcoal_napi_hook *hook, int budget)
{
	struct xnb_queue *queue = container_of(hook, struct xnb_queue, hook);
	int work;

	if (!vcoal_queue_only_counts(&queue->gate.q) ||
	    xen_door_reopened(&queue->door))
		return xnb_serve(queue, budget);

	work = hook->driver_poll(hook->napi, budget);
	vcoal_queue_count(&queue->gate.q, work, work >= budget);

	return work;
}

/**
 * xnb_tx_release() - the hold is over, or has been for a while
 * @queue: transmit
 *
 * A timer that was late, while another poll shut the door, has nothing to do:
 * the hold that runs has its own. One that was lost is no reason to start it.
 *
 * Return: true when this let an event come
 */
bool xnb_tx_release(struct xnb_queue *queue)
{
	struct vcoal_hold *hold = &queue->gate.q.hold;
	u64 now = ktime_get_ns();
	unsigned long flags;
	bool released, lost;

	lost = vcoal_hold_due(hold, now - XNB_LOST_NS);
	released = vcoal_hold_due(hold, now) &&
		   xen_door_release(&queue->door);

	spin_lock_irqsave(&queue->door.lock, flags);
	if (queue->completed && !queue->polling && !queue->door.shut) {
		if (released && !lost)
			vcoal_hold_arm(hold, now + XNB_TELL_NS);
		else
			xnb_tx_tell(queue);
	}
	spin_unlock_irqrestore(&queue->door.lock, flags);

	return released;
}

/**
 * xnb_tx_hook() - count packets; hold events if it has a line of its own
 * @queue: transmit
 */
void xnb_tx_hook(struct xnb_queue *queue)
{
	if (queue->door.line.irq) {
		xen_door_hang(&queue->door, &xnb_tx_ops);
		xen_door_allow(&queue->door);
	}
	vcoal_napi_hook(&queue->hook, queue->hook.napi, xnb_poll);
}

/**
 * xnb_tx_unhook() - begin no hold any more
 * @queue: hooked; the poll may still be under way
 */
void xnb_tx_unhook(struct xnb_queue *queue)
{
	xen_door_keep_open(&queue->door);
	vcoal_napi_unhook(&queue->hook);
}

/**
 * xnb_tx_kick() - let come what a hold kept
 * @queue: unhooked; nobody is inside
 *
 * Do not poll: an event that is pending would find nothing.
 */
void xnb_tx_kick(struct xnb_queue *queue)
{
	vcoal_key_del(&queue->hook.key);
	spin_lock_irq(&queue->door.lock);
	if (queue->completed)
		xnb_tx_tell(queue);
	spin_unlock_irq(&queue->door.lock);
	xen_door_remove(&queue->door);
}
