// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kicks of a guest that transmits.
 *
 * What transmitting costs a host is not the interrupt at the end, but each
 * packet's kick: an exit, an eventfd, the wake-up of vhost's worker. So it is
 * kicks that are held. One that comes sooner after the queue's last run than
 * the hold is long is kept for as long, and then the worker is told to run. With
 * an event index the guest kicks no more until then, for vhost has not looked.
 * One kick, one wake-up and one interrupt remain of the batch.
 *
 * Only a run that found the ring empty (vhost_enable_notify(), @asked) is followed
 * by one that is a kick's: a run that was cut short (256 packets, 512 KB) goes on by
 * itself, and must not wait. Nothing else tells the two apart: while the end of a
 * run is on its way through the tap, kicks come, too. What vhost itself queues
 * otherwise (zero copies that are done, busy polling) waits as a kick does.
 *
 * Where runs are not seen (vhost_run.c), or a number of frames shall end holds (the
 * operator's, for all vhost knows are those of a run), signals are held by the
 * gate as for receive. Settings change while something is kept, and both kinds
 * share a hold: @kept says which, and who finds the other running passes.
 *
 * Clause by clause, all under the gate's lock where nothing else is said:
 *
 *  1. A kept kick is not lost: @kept is set with the hold and its timer, and
 *	cleared with the hold, by who then releases (timer, flush, close) or by
 *	the end of the device. A run that was released passes, as @due is set
 *	before the work is queued. While the worker has not begun that run, more
 *	kicks are the same work, queued once.
 *  2. vq is alive when it is used: it is learned in a run, from a call of vhost
 *	about it, and vhost_dev_cleanup() is redirected: vhk_bury() takes vq away
 *	before vhost does.
 *  3. The work is not mistaken for another's: vhk_bury() takes the key away, too,
 *	before the address can be another's. It then cannot come back: learning
 *	needs a run, and there is none while vhost_dev_cleanup() is called, or the
 *	worker would use what is freed; and an open gate, which bury closes.
 *  4. When vhost_dev_flush() returns, nothing of ours is queued: ours flushes,
 *	releases what is kept, and flushes again. That counts where polls have been
 *	stopped, so no kick comes meanwhile. All releases were before or in that
 *	second step, hence their work is before the second flush in the worker's
 *	list, or is running there. It does not matter whether this queue was
 *	found in between: see 6.
 *  5. When vhost_dev_cleanup() begins, nothing of ours is queued: a kick that came
 *	after the last flush of vhost that we saw may have been released, so ours
 *	flushes once more, after vhk_bury(), after which nothing is released.
 *  6. A queue that is unhooked (mode off, or the NIC goes) closes its gate, which
 *	releases what is kept, and forgets vq and key, and only then it leaves
 *	vhn->queue[]. So whoever does not find it there, in the middle of 4 or 5,
 *	comes after its last release.
 *  7. When the hooks go (rmmod), first those of vhost_run.c: nobody is in
 *	vhr_handle() any more, no kick is kept. Then that of
 *	vhost_add_used_and_signal_n(): nothing is learned. Then all queues
 *	release what is kept and forget, and only then those go that take care
 *	of 2 to 5. vhost's own flushes find what was released in the list.
 *  8. vhost_net goes when it has no device any more, so there is no run. vhost
 *	goes after it.
 *  9. A queue that was found is used under RCU only, on both sides of the run:
 *	it is looked up again behind it. Then the gate may be closed, the queue
 *	gone, or another in its place that knows nothing of this run (@runner).
 */
#include "vhost_kick.h"

#include <linux/ktime.h>
#include <linux/minmax.h>
#include <vcoal/adapter.h>
#include "vhost_call.h"
#include "vhost_run.h"

atomic_t vhk_wanted = ATOMIC_INIT(0);

/**
 * vhk_want() - the queue's work is to be learned
 * @queue: a transmit queue that nobody else has yet
 *
 * Until vhk_know() or vhk_forget().
 */
void vhk_want(struct vhc_queue *queue)
{
	queue->kick.wanted = true;
	atomic_inc(&vhk_wanted);
}

static void vhk_want_no_more(struct vhk_kick *kick)
{
	if (!kick->wanted)
		return;
	kick->wanted = false;
	atomic_dec(&vhk_wanted);
}

/**
 * vhk_know() - from now on kicks of this queue may be held
 * @queue: a transmit queue; this is a run of it
 * @vq: its struct vhost_virtqueue
 * @work: that runs it
 */
void vhk_know(struct vhc_queue *queue, void *vq, const void *work)
{
	struct vhk_kick *kick = &queue->kick;

	spin_lock_bh(&queue->gate.lock);
	if (queue->gate.open && !kick->vq) {
		WRITE_ONCE(kick->vq, vq);
		vcoal_key_add(&queue->work, work);
		vhk_want_no_more(kick);
	}
	spin_unlock_bh(&queue->gate.lock);
}

/**
 * vhk_forget() - release what is kept, and keep nothing more
 * @queue: any
 */
void vhk_forget(struct vhc_queue *queue)
{
	struct vhk_kick *kick = &queue->kick;

	spin_lock_bh(&queue->gate.lock);
	if (kick->kept)
		vhk_deliver(queue);
	WRITE_ONCE(kick->vq, NULL);
	vcoal_key_del(&queue->work);
	vhk_want_no_more(kick);
	spin_unlock_bh(&queue->gate.lock);
}

/**
 * vhk_bury() - vhost is about to forget the queue
 * @queue: any
 */
void vhk_bury(struct vhc_queue *queue)
{
	spin_lock_bh(&queue->gate.lock);
	WRITE_ONCE(queue->kick.vq, NULL);
	spin_unlock_bh(&queue->gate.lock);

	/* A signal is delivered, a kick has nowhere to go. */
	vcoal_gate_close(&queue->gate);
	vhk_forget(queue);
}

/* Accounts. */

/* One run is one poll, however many signals it sent. */
static void vhk_account(struct vhc_queue *queue, u64 now)
{
	struct vhk_kick *kick = &queue->kick;
	struct vcoal_served served = {
		.now = now,
		.held = kick->held,
		.frames = kick->frames,
	};

	if (!served.frames && !served.held)
		return;
	/* Pairs with READ_ONCE() in vhost_batch.c. */
	WRITE_ONCE(kick->held, 0);
	kick->lone = served.held && served.frames <= 1;
	kick->frames = 0;
	vcoal_queue_served(&queue->gate.q, &served);
}

/* Packets that come from elsewhere than a run (of zero copies) are one, too. */
static void vhk_count(struct vhc_queue *queue, u32 frames)
{
	struct vhk_kick *kick = &queue->kick;

	kick->frames += frames;
	if (kick->runner != current)
		vhk_account(queue, vcoal_queue_clock(&queue->gate.q));
}

/* A number of frames that is not control's own, for half the ring. */
static bool vhk_counts_frames(const struct vcoal_queue *q)
{
	u32 frames = READ_ONCE(q->hold.frames);

	return frames && frames != q->ring_size / 2;
}

/*
 * Do kicks wait, so that signals pass? Else the gate does what it always did.
 * The signals of a run that was released pass, whatever is wanted by then.
 */
static bool vhk_holds(const struct vhc_queue *queue)
{
	const struct vcoal_queue *q = &queue->gate.q;

	if (vcoal_hold_running(&q->hold))
		return queue->kick.kept;
	if (queue->kick.held)
		return true;

	return queue->kick.vq && vcoal_hold_wanted(&q->hold) &&
	       !vhk_counts_frames(q);
}

/**
 * vhk_notify() - vcoal_gate_notify(), where a kick may be what is held
 * @queue: any
 * @frames: since the last call of this or of vhk_work()
 *
 * Return: true when vhost shall signal, false when the signal is kept
 */
bool vhk_notify(struct vhc_queue *queue, u32 frames)
{
	struct vcoal_gate *gate = &queue->gate;
	bool pass = true;

	spin_lock_bh(&gate->lock);
	if (!gate->open || !vhk_holds(queue)) {
		pass = vcoal_gate_event(gate, frames);
	} else {
		vcoal_queue_irq(&gate->q);
		vhk_count(queue, frames);
	}
	spin_unlock_bh(&gate->lock);

	return pass;
}

/**
 * vhk_work() - vcoal_gate_work(), where a kick may be what is held
 * @queue: any
 * @frames: since the last call of this or of vhk_notify()
 */
void vhk_work(struct vhc_queue *queue, u32 frames)
{
	struct vcoal_gate *gate = &queue->gate;

	spin_lock_bh(&gate->lock);
	if (gate->open && vhk_holds(queue))
		vhk_count(queue, frames);
	else
		vcoal_gate_served(gate, frames);
	spin_unlock_bh(&gate->lock);
}

/* Kicks. */

/**
 * vhk_deliver() - release the kick that is kept
 * @queue: locked; its hold keeps a kick
 *
 * Return: true
 */
bool vhk_deliver(struct vhc_queue *queue)
{
	struct vhk_kick *kick = &queue->kick;
	u64 now = ktime_get_ns();

	lockdep_assert_held(&queue->gate.lock);

	kick->kept = false;
	WRITE_ONCE(kick->held, vcoal_hold_end(&queue->gate.q.hold, now));
	kick->last = now;
	if (kick->vq) {
		/* Pairs with READ_ONCE() in vhk_active(). */
		WRITE_ONCE(kick->due, true);
		vhr_again(kick->vq);
	}

	return true;
}

/* How long may a kick wait that comes no later than that after the last run? */
static u32 vhk_hold_ns(const struct vhc_queue *queue)
{
	const struct vhk_kick *kick = &queue->kick;

	if (kick->due || !READ_ONCE(kick->asked) || !vhk_holds(queue))
		return 0;

	return vcoal_gate_hold_ns(&queue->gate);
}

/* What is left of that, if half the ring shall not fill since the last run. */
static u32 vhk_wait_ns(const struct vhc_queue *queue, u64 now, u32 ns)
{
	/* Pairs with WRITE_ONCE() in control.c. */
	u32 guard = READ_ONCE(queue->gate.q.guard_ns);
	u64 since_last = now - queue->kick.last;
	u32 wait = vcoal_gate_wait(since_last, min(ns, guard),
				   queue->kick.lone);

	/* A wait of 0 stays 0, also where the guard is over. */
	return min_t(u64, wait, guard - since_last);
}

static void vhk_run(struct vhk_kick *kick, u64 now)
{
	WRITE_ONCE(kick->due, false);
	WRITE_ONCE(kick->asked, false);
	kick->runner = current;
	kick->now = now;
	if (now)
		kick->last = now;
}

/* Return: shall the queue run? */
static bool vhk_event(struct vhc_queue *queue)
{
	struct vhk_kick *kick = &queue->kick;
	u32 ns, wait;
	u64 now;

	lockdep_assert_held(&queue->gate.lock);

	if (!queue->gate.open)
		return true;
	if (kick->kept)
		return false;

	ns = vhk_hold_ns(queue);
	now = vcoal_queue_clock_to_hold(&queue->gate.q, ns);
	wait = vhk_wait_ns(queue, now, ns);
	if (wait) {
		kick->kept = true;
		vcoal_queue_begin(&queue->gate.q, now, wait);
		return false;
	}
	vhk_run(kick, now);

	return true;
}

/**
 * vhk_begin() - the worker comes to a queue
 * @queue: a transmit queue that is known
 *
 * Return: shall it run? Else its kick is kept
 */
bool vhk_begin(struct vhc_queue *queue)
{
	bool pass;

	spin_lock_bh(&queue->gate.lock);
	pass = vhk_event(queue);
	spin_unlock_bh(&queue->gate.lock);

	return pass;
}

/**
 * vhk_end() - the worker leaves a queue
 * @queue: known, perhaps only since
 */
void vhk_end(struct vhc_queue *queue)
{
	struct vhk_kick *kick = &queue->kick;

	spin_lock_bh(&queue->gate.lock);
	if (kick->runner == current) {
		kick->runner = NULL;
		if (queue->gate.open)
			vhk_account(queue, kick->now);
	}
	spin_unlock_bh(&queue->gate.lock);
}
