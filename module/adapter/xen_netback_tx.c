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
 * one interrupt brings them all, and as polls are as rare as the hold makes
 * them, so are these. They wait no longer than that: a frontend may reap them
 * when it transmits, and the interrupt that comes after that is spurious over
 * there. For the same reason completions from the driver's thread (zero-copy
 * packets that were freed elsewhere) go out at once.
 *
 * Who may run: the poll and, in it, notify() and eoi(), on one CPU at a time
 * but for a poll's tail; notify() of the driver's thread; gone(). All take the
 * door's lock. Whoever clears @completed under it sends what it stood for; a
 * line goes only after its NAPI, so the end of a poll finds the line alive.
 */
#include <linux/ktime.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"

static struct xnb_queue *xnb_of_door(struct xev_line *line)
{
	return container_of(xen_door_of(line), struct xnb_queue, door);
}

/* Completions go out at once, unless the poll will tell of them. */
static bool xnb_tx_passes(struct xnb_queue *queue, bool keep)
{
	unsigned long flags;
	bool passes;

	spin_lock_irqsave(&queue->door.lock, flags);
	passes = !queue->polling;
	if (passes)
		vcoal_queue_irq(&queue->gate.q);
	else if (keep)
		queue->completed = true;
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

static const struct xev_ops xnb_tx_ops = {
	.notify		= xnb_tx_notify,
	.eoi		= xen_door_eoi,
	.spurious	= xen_door_spurious,
	.gone		= xen_door_gone,
	.notify_passes	= xnb_tx_notify_passes,
	.eoi_passes	= xen_door_eoi_passes,
};

static void xnb_tx_begin(struct xnb_queue *queue)
{
	spin_lock_irq(&queue->door.lock);
	queue->polling = vcoal_hold_wanted(&queue->gate.q.hold);
	spin_unlock_irq(&queue->door.lock);
}

static void xnb_tx_end(struct xnb_queue *queue)
{
	spin_lock_irq(&queue->door.lock);
	queue->polling = false;
	if (queue->completed) {
		queue->completed = false;
		vcoal_queue_irq(&queue->gate.q);
		xev_send(queue->door.line.irq);
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
	xnb_tx_end(queue);
	served.frames = work;
	served.full = work >= budget;
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
	xen_door_remove(&queue->door);
}
