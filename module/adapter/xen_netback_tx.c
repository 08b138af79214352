// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest transmits, in xen-netback.
 *
 * The guest's event schedules the driver's NAPI. Its poll takes packets, puts
 * their completions into the ring, and when there are no more it asks for the
 * next event: in the ring, and with xen_irq_lateeoi(), before which the event
 * channel stays masked. The hold is the time between these two. The guest's
 * first packet meanwhile makes the event pending, those after it cost nothing,
 * and when the hold ends the event comes at once, or is free to come.
 *
 * An event must never find an empty ring: Xen takes that for an attack, and
 * punishes it with up to a second. Here it cannot: the ring was empty when the
 * driver asked, only its NAPI takes from it, and while the event is masked
 * nothing schedules that NAPI. (The driver's credit timer does, but a queue
 * that waits for credit did not ask.) Should Xen punish the vif all the same,
 * events are kept no more for a while.
 *
 * Completions interrupt the guest. Those of one poll wait for its end: then
 * one interrupt brings them all, and as polls are as rare as the hold makes
 * them, so are these. They wait no longer than that: the guest reaps them with
 * its next packet, and the interrupt that came after it would be spurious over
 * there. For the same reason completions from the driver's thread (zero-copy
 * packets that were freed elsewhere) go out at once.
 *
 * Who may run: the poll and, in it, notify() and eoi(), one CPU at a time but
 * for a poll's tail; notify() of the driver's thread; the hold's timer; gone()
 * and detach. All of them take the lock, and whoever clears @shut or @completed
 * under it sends what they stood for: once, and not too late, as a hold that
 * begins sets @shut under the same lock that starts the timer.
 */
#include <linux/ktime.h>
#include <xen/xenbus.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"

/* A poll this soon after a hold's end is what the hold released. */
#define XNB_PROMPT_NS		(50 * NSEC_PER_USEC)
/* How long to keep no events after Xen punished the vif. */
#define XNB_WARY_NS		(1 * NSEC_PER_SEC)

static bool xnb_tx_wary(struct xnb_queue *queue, u64 now)
{
	int penalty = atomic_read(&queue->xbdev->jiffies_eoi_delayed);

	if (penalty != queue->penalty) {
		queue->penalty = penalty;
		queue->wary = now + XNB_WARY_NS;
	}

	return now < queue->wary;
}

/* The driver asks for the next event: keep it from that for the hold. */
static bool xnb_tx_eoi(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_line(line);
	unsigned long flags;
	bool keep;

	spin_lock_irqsave(&queue->lock, flags);
	keep = queue->open && !queue->shut &&
	       vcoal_hold_wanted(&queue->gate.q.hold) &&
	       !xnb_tx_wary(queue, ktime_get_ns());
	if (keep) {
		queue->shut = true;
		vcoal_queue_hold(&queue->gate.q);
	}
	spin_unlock_irqrestore(&queue->lock, flags);

	return !keep;
}

/* The driver is about to tell the guest of completions. */
static bool xnb_tx_notify(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_line(line);
	unsigned long flags;
	bool keep;

	spin_lock_irqsave(&queue->lock, flags);
	keep = queue->open && queue->polling;
	if (keep)
		queue->completed = true;
	else
		vcoal_queue_irq(&queue->gate.q);
	spin_unlock_irqrestore(&queue->lock, flags);

	return !keep;
}

static void xnb_tx_gone(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_line(line);
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->open = false;
	queue->shut = false;
	queue->completed = false;
	spin_unlock_irqrestore(&queue->lock, flags);
}

static const struct xev_ops xnb_tx_ops = {
	.notify	= xnb_tx_notify,
	.eoi	= xnb_tx_eoi,
	.gone	= xnb_tx_gone,
};

/**
 * xnb_tx_release() - the hold is over: let the event come
 * @queue: transmit
 *
 * Return: true when it was this call that did so
 */
bool xnb_tx_release(struct xnb_queue *queue)
{
	u64 now = ktime_get_ns();
	unsigned long flags;
	bool shut;

	spin_lock_irqsave(&queue->lock, flags);
	shut = queue->shut;
	if (shut) {
		queue->shut = false;
		queue->opened = now;
		queue->kept = vcoal_hold_end(&queue->gate.q.hold, now);
		xev_reopen(queue->line.irq);
	}
	spin_unlock_irqrestore(&queue->lock, flags);

	return shut;
}

/* Return: how long the packets that this poll finds were held */
static u64 xnb_tx_begin(struct xnb_queue *queue, u64 now)
{
	struct vcoal_served nothing = { .now = now };
	u64 opened, kept;

	spin_lock_irq(&queue->lock);
	queue->polling = vcoal_hold_wanted(&queue->gate.q.hold);
	opened = queue->opened;
	kept = queue->kept;
	queue->opened = 0;
	spin_unlock_irq(&queue->lock);

	if (!opened)
		return 0;
	if (now < opened + XNB_PROMPT_NS)
		return kept;

	/* Nothing had come when the hold ended. */
	nothing.held = kept;
	vcoal_queue_served(&queue->gate.q, &nothing);

	return 0;
}

static void xnb_tx_end(struct xnb_queue *queue)
{
	spin_lock_irq(&queue->lock);
	queue->polling = false;
	if (queue->completed) {
		queue->completed = false;
		vcoal_queue_irq(&queue->gate.q);
		xev_send(queue->line.irq);
	}
	spin_unlock_irq(&queue->lock);
}

static int xnb_poll(struct vcoal_napi_hook *hook, int budget)
{
	struct xnb_queue *queue = container_of(hook, struct xnb_queue, hook);
	struct vcoal_served served = { .now = ktime_get_ns() };
	int work;

	served.held = xnb_tx_begin(queue, served.now);
	work = hook->driver_poll(hook->napi, budget);
	xnb_tx_end(queue);
	served.frames = work;
	served.full = work >= budget;
	vcoal_queue_served(&queue->gate.q, &served);

	return work;
}

/**
 * xnb_tx_init() - prepare a queue that scan() found
 * @queue: transmit
 */
void xnb_tx_init(struct xnb_queue *queue)
{
	struct device *parent = queue->hook.dev->dev.parent;

	spin_lock_init(&queue->lock);
	queue->xbdev = to_xenbus_device(parent);
	queue->penalty = atomic_read(&queue->xbdev->jiffies_eoi_delayed);
}

/**
 * xnb_tx_hook() - count packets; keep events if it has a line of its own
 * @queue: transmit
 */
void xnb_tx_hook(struct xnb_queue *queue)
{
	if (queue->line.irq) {
		queue->open = true;
		xev_add(&queue->line, &xnb_tx_ops, queue->line.irq);
	}
	vcoal_napi_hook(&queue->hook, queue->hook.napi, xnb_poll);
}

/**
 * xnb_tx_unhook() - begin no hold any more
 * @queue: hooked; the poll may still be under way
 */
void xnb_tx_unhook(struct xnb_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	queue->open = false;
	spin_unlock_irqrestore(&queue->lock, flags);
	xev_del(&queue->line);
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
	xnb_tx_release(queue);
}
