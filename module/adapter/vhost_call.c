// SPDX-License-Identifier: GPL-2.0-only
/*
 * One queue of a vhost device: the eventfd that it signals, behind a gate.
 *
 * The lifetime of an eventfd whose signal is kept, clause by clause:
 *
 *  1. We hold no reference, vhost does: it has one on the eventfd of each
 *	queue, and gives it back with eventfd_ctx_put(), wherever it does so
 *	(a new eventfd, a closed device, a reset owner, a killed VMM).
 *  2. vhost signals under the queue's mutex and gives back under the same, or
 *	when its worker has nothing to do any more: no signal comes after the
 *	put. Else vhost itself would use what is freed.
 *  3. So when eventfd_ctx_put() runs for vhost's reference, each signal of this
 *	eventfd is either delivered or kept in a gate that vhc_ctxs names.
 *	vhc_ctx_put(), which runs in its place, flushes those gates and only
 *	then gives the reference back: the eventfd lives while they deliver.
 *  4. A gate delivers under its lock, so a timer that is delivering right now
 *	is waited for, and one that comes later finds nothing kept.
 *  5. Others (the file, irqfd, io_uring) have references of their own, and put
 *	them through the same function: that flushes early, and harms nobody.
 *	From an interrupt, with interrupts off, or below a signal (which may be
 *	the one that a gate delivers, under its lock) it cannot be vhost's.
 *  6. A pointer in a queue or in vhc_ctxs may outlive its eventfd, and the
 *	memory may become another eventfd: it is compared with, and signalled
 *	only while something is kept for it, which is between a signal of vhost
 *	and the put above.
 *  7. eventfd_ctx_put() is hooked before the first gate opens, and until the
 *	last one is closed (vhn_up(), vhn_down()). ftrace cannot be switched off
 *	meanwhile.
 *
 * A queue keeps signals of one eventfd at a time: when it signals another one
 * than before (a new one, or the error or log eventfd), the gate is flushed.
 * A page fault below vhost may signal memory pressure, to an eventfd of
 * somebody else: that can be kept for once, too, and is safe by 5, as its owner
 * gives it back in a work item.
 */
#include "vhost_call.h"

#include <linux/eventfd.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <vcoal/adapter.h>
#include <vcoal/compat.h>

/*
 * Protects vhc_ctxs; readers under RCU. Taken with BH off, outside the gates'
 * locks.
 */
static DEFINE_SEQLOCK(vhc_ctxs_lock);
struct hlist_head vhc_ctxs[BIT(VHC_CTXS_BITS)];

static struct vhc_queue *to_vhc(struct vcoal_gate *gate)
{
	return container_of(gate, struct vhc_queue, gate);
}

static bool vhc_deliver(struct vcoal_gate *gate)
{
	struct vhc_queue *queue = to_vhc(gate);

	if (queue->kick.kept)
		return vhk_deliver(queue);
	if (!eventfd_signal_allowed())
		return false;
	vcoal_eventfd_signal(queue->ctx);

	return true;
}

/*
 * From now on the queue keeps signals of another eventfd. Who reads the list that
 * it leaves may be led into the one it enters, and then miss that it has a signal
 * to count.
 */
static void vhc_adopt(struct vhc_queue *queue, struct eventfd_ctx *ctx)
{
	vcoal_gate_flush(&queue->gate);
	write_seqlock_bh(&vhc_ctxs_lock);
	if (!queue->gone) {
		hlist_del_init_rcu(&queue->node);
		/* Pairs with READ_ONCE() in vhc_heard(). */
		WRITE_ONCE(queue->ctx, ctx);
		hlist_add_head_rcu(&queue->node, vhc_bucket(ctx));
	}
	write_sequnlock_bh(&vhc_ctxs_lock);
}

/**
 * vhc_open() - begin to hold
 * @queue: zeroed but for its vcoal_queue
 */
void vhc_open(struct vhc_queue *queue)
{
	vcoal_gate_open(&queue->gate, vhc_deliver);
	if (queue->gate.q.dir == VCOAL_TX)
		vhk_want(queue);
}

/**
 * vhc_close() - deliver what is kept, keep nothing more
 * @queue: open
 *
 * Who still has the queue, until the grace period, finds a gate that lets all
 * pass, and must not name the queue in vhc_ctxs again.
 */
void vhc_close(struct vhc_queue *queue)
{
	vcoal_gate_close(&queue->gate);
	vhk_forget(queue);
	write_seqlock_bh(&vhc_ctxs_lock);
	queue->gone = true;
	hlist_del_init_rcu(&queue->node);
	write_sequnlock_bh(&vhc_ctxs_lock);
}

/**
 * vhc_signal() - vhost is about to signal
 * @queue: which
 * @ctx: what
 * @frames: since the last signal
 *
 * Context: process, under vhost's mutex of the queue.
 *
 * Return: true when it shall, false when the signal is kept
 */
bool vhc_signal(struct vhc_queue *queue, struct eventfd_ctx *ctx, u32 frames)
{
	if (queue->ctx != ctx)
		vhc_adopt(queue, ctx);
	/* The mutex comes between this and a put of vhost's. Others read it. */
	if (vhc_ctx_state(queue) != VHC_KNOWN)
		WRITE_ONCE(queue->ctx_state, VHC_KNOWN);

	return vhk_notify(queue, frames);
}

/* A signal passes of a queue whose last batch was reported by this task. */
static bool notrace vhc_count(struct vhc_queue *queue)
{
	/* Not when that batch was not only counted. */
	if (READ_ONCE(queue->counting) != current)
		return false;
	WRITE_ONCE(queue->counting, NULL);
	vcoal_queue_irq(&queue->gate.q);

	return true;
}

/**
 * vhc_heard() - a task signals
 * @ctx: what
 *
 * If it is about the batch that this task reported last, and that was only
 * counted, so is this. (Where two queues share an eventfd it may be the other's.)
 *
 * Context: process.
 *
 * Return: was it?
 */
bool notrace vhc_heard(const struct eventfd_ctx *ctx)
{
	struct vhc_queue *queue;
	bool heard = false;

	preempt_disable_notrace();
	hlist_for_each_entry_rcu(queue, vhc_bucket(ctx), node) {
		heard = READ_ONCE(queue->ctx) == ctx && vhc_count(queue);
		if (heard)
			break;
	}
	preempt_enable_notrace();

	return heard;
}

/**
 * vhc_guessed() - a task signals what no queue is known for
 * @queue: of the batch that this task reported last
 *
 * Context: process, preemption off.
 */
void notrace vhc_guessed(struct vhc_queue *queue)
{
	if (vhc_ctx_state(queue) != VHC_KNOWN && vhc_count(queue))
		WRITE_ONCE(queue->ctx_state, VHC_LEARN);
}

/*
 * May a signal of an eventfd be kept? All that put one ask, so no lock is taken for
 * that. A list that changes may lead into another: then look again. Who does not find
 * a queue that named it comes after that left the list, and with it (the order of the
 * seqlock) after its flush.
 */
static bool vhc_names(const struct eventfd_ctx *ctx)
{
	const struct vhc_queue *queue;
	bool named = false;
	unsigned int seq;

	rcu_read_lock();
	do {
		seq = read_seqbegin(&vhc_ctxs_lock);
		hlist_for_each_entry_rcu(queue, vhc_bucket(ctx), node)
			named |= READ_ONCE(queue->ctx) == ctx;
	} while (!named && read_seqretry(&vhc_ctxs_lock, seq));
	rcu_read_unlock();

	return named;
}

/**
 * vhc_ctx_put() - somebody is about to give back an eventfd
 * @ctx: perhaps one for which a signal is kept
 */
void vhc_ctx_put(const struct eventfd_ctx *ctx)
{
	struct vhc_queue *queue;

	if (!in_task() || irqs_disabled() || !eventfd_signal_allowed() ||
	    !vhc_names(ctx))
		return;

	read_seqlock_excl_bh(&vhc_ctxs_lock);
	hlist_for_each_entry(queue, vhc_bucket(ctx), node) {
		if (queue->ctx != ctx)
			continue;
		WRITE_ONCE(queue->ctx_state, VHC_GUESS);
		vcoal_gate_flush(&queue->gate);
	}
	read_sequnlock_excl_bh(&vhc_ctxs_lock);
}
