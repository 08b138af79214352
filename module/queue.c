// SPDX-License-Identifier: GPL-2.0-only
/*
 * One queue: counters and the running window.
 */
#include "queue.h"

#include <linux/slab.h>
#include <vcoal/adapter.h>
#include "control.h"
#include "stats.h"
#include "trace.h"

static const char *const vcoal_dir_names[VCOAL_DIRS] = {
	[VCOAL_RX] = "rx",
	[VCOAL_TX] = "tx",
};

/**
 * vcoal_dir_name() - "rx" or "tx"
 * @dir: direction
 */
const char *vcoal_dir_name(enum vcoal_dir dir)
{
	return vcoal_dir_names[dir];
}

/**
 * vcoal_queue_new() - a queue that an adapter's scan() found
 * @nic: its NIC
 * @dir: direction
 * @index: number among its direction
 *
 * Return: the queue, in nic->queues, or NULL without memory
 */
struct vcoal_queue *vcoal_queue_new(struct vcoal_nic *nic, enum vcoal_dir dir,
				    u32 index)
{
	struct vcoal_queue *queue;

	queue = kzalloc(nic->adapter->queue_size, GFP_KERNEL);
	if (!queue)
		return NULL;

	queue->nic = nic;
	queue->dir = dir;
	queue->index = index;
	spin_lock_init(&queue->lock);
	/* Before the first window nobody knows the rate. */
	queue->guard_ns = VCOAL_WINDOW_NS;
	queue->window_ns = VCOAL_WINDOW_NS;
	vcoal_hold_init(&queue->hold, nic->adapter->release);
	kobject_init(&queue->kobj, &vcoal_queue_ktype);
	list_add_tail(&queue->list, &nic->queues);

	return queue;
}

/**
 * vcoal_queue_free() - the last reference is gone
 * @queue: unhooked and closed
 *
 * A search in the table of hooks may still be on a key of it.
 */
void vcoal_queue_free(struct vcoal_queue *queue)
{
	kfree_rcu(queue, rcu);
}

/**
 * vcoal_queue_retire() - keep the counters of a queue that goes away
 * @queue: unhooked and closed
 */
void vcoal_queue_retire(struct vcoal_queue *queue)
{
	lockdep_assert_held(&vcoal_mutex);

	vcoal_queue_read(queue, &queue->nic->vm->retired);
}

/**
 * vcoal_queue_read() - add up counters
 * @queue: the queue
 * @sum: what its counters are added to
 */
void vcoal_queue_read(struct vcoal_queue *queue, struct vcoal_counters *sum)
{
	spin_lock_bh(&queue->lock);
	vcoal_counters_add(sum, &queue->count);
	spin_unlock_bh(&queue->lock);
}

/**
 * vcoal_queue_hold() - hold the queue's next interrupt
 * @queue: owned; the caller found vcoal_hold_wanted()
 * @now: ktime ns, not 0; for vcoal_hold_wait(), too, once the queue was handed back
 */
void vcoal_queue_hold(struct vcoal_queue *queue, u64 now)
{
	trace_vcoal_hold(queue);
	vcoal_hold_mark(&queue->hold, now, READ_ONCE(queue->hold.ns));
}

/**
 * vcoal_queue_begin() - hold an interrupt that nobody hands over: it waits from now on
 * @queue: its interrupt is ours to keep, and the lock that guards what is kept is held
 * @now: ktime ns, not 0
 * @ns: how long
 */
void vcoal_queue_begin(struct vcoal_queue *queue, u64 now, u32 ns)
{
	trace_vcoal_hold(queue);
	vcoal_hold_begin(&queue->hold, now, ns);
}

/**
 * vcoal_queue_irq() - one interrupt of this queue was taken
 * @queue: the queue
 *
 * Context: the queue's own interrupt, or whoever sends it, which does not overlap
 * itself. It is the only writer, so a plain add will do.
 */
void vcoal_queue_irq(struct vcoal_queue *queue)
{
	/* Pairs with READ_ONCE() in vcoal_counters_add(). */
	WRITE_ONCE(queue->count.irqs, queue->count.irqs + 1);
	trace_vcoal_irq(queue);
}

/* Two CPUs may serve in turn and report in the other order: no gap then. */
static void vcoal_queue_gap(struct vcoal_queue *queue, u64 now)
{
	struct vcoal_window *win = &queue->win;
	u64 gap = now - win->last_work;

	if (win->last_work && now > win->last_work) {
		gap = min_t(u64, gap, U32_MAX);
		win->gap_max = max_t(u32, win->gap_max, gap);
		vcoal_hist_add(&queue->gap_us, (u32)gap / NSEC_PER_USEC);
	}
	win->last_work = now;
}

/**
 * vcoal_queue_spurious() - the driver says that an interrupt was for nothing
 * @queue: the queue
 *
 * Context: as vcoal_queue_irq().
 */
void vcoal_queue_spurious(struct vcoal_queue *queue)
{
	/* Pairs with READ_ONCE() in vcoal_counters_add(). */
	WRITE_ONCE(queue->count.spurious, queue->count.spurious + 1);
}

/* What every poll counts. */
static void vcoal_queue_poll(struct vcoal_queue *queue, u32 frames, bool full)
{
	queue->count.polls++;
	if (unlikely(queue->count.polls == queue->wake))
		/* Pairs with READ_ONCE() in vcoal_queue_clock(). */
		WRITE_ONCE(queue->timed, true);
	if (!frames) {
		queue->count.empty_polls++;
		return;
	}
	queue->count.packets += frames;
	queue->count.full_polls += full;
	vcoal_hist_add(&queue->batch, frames);
}

/* What a policy that thinks knows beyond it. */
static void vcoal_queue_work(struct vcoal_queue *queue,
			     const struct vcoal_served *served)
{
	queue->count.bytes += served->bytes;
	if (!served->now)
		return;
	queue->win.peak = max(queue->win.peak, served->frames);
	vcoal_queue_gap(queue, served->now);
}

static void vcoal_queue_held(struct vcoal_queue *queue,
			     const struct vcoal_served *served)
{
	u32 delay = min_t(u64, served->held, U32_MAX);

	queue->count.holds++;
	trace_vcoal_release(queue, delay, served->frames);
	if (!served->frames) {
		queue->count.empty_holds++;
		return;
	}

	queue->count.held_packets += served->frames;
	queue->count.added_delay_ns += (u64)delay * served->frames;
	queue->win.delay_max = max(queue->win.delay_max, delay);
	vcoal_hist_add_n(&queue->delay_us, delay / NSEC_PER_USEC,
			 served->frames);
}

/**
 * vcoal_queue_count() - account one poll of a queue that only counts
 * @queue: the queue
 * @frames: frames served
 * @full: the whole budget was used
 *
 * The short form of vcoal_queue_served(): no time, no hold, no bytes. The
 * queue may have begun to do more since the caller looked; then this poll is
 * one of which the time is not known.
 *
 * Context: BH off.
 */
void vcoal_queue_count(struct vcoal_queue *queue, u32 frames, bool full)
{
	spin_lock(&queue->lock);
	vcoal_queue_poll(queue, frames, full);
	spin_unlock(&queue->lock);
}

/**
 * vcoal_queue_served() - account one poll; decide when the window is over
 * @queue: the queue
 * @served: what the poll did
 *
 * A driver's own completion hands the queue back inside its poll, so two CPUs
 * may come here at once for the same queue: hence the lock.
 *
 * Context: BH off.
 */
void vcoal_queue_served(struct vcoal_queue *queue,
			const struct vcoal_served *served)
{
	spin_lock(&queue->lock);
	vcoal_queue_poll(queue, served->frames, served->full);
	if (served->frames)
		vcoal_queue_work(queue, served);
	if (served->held)
		vcoal_queue_held(queue, served);
	if (served->now && served->now >= queue->win.start + queue->window_ns)
		vcoal_control_window(queue, served->now);
	spin_unlock(&queue->lock);
}
