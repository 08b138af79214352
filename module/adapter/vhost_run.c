// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of a transmit queue by vhost's worker.
 *
 * Two functions are redirected:
 *
 *  handle_tx_kick(work) - the worker runs the queue. That is a kick, or one that
 *	we released, or vhost that goes on after it let others run. It is static
 *	in vhost_net, found by its name, and called through work->fn. Where fn
 *	is not what was called, the work is not what we think: not redirected.
 *  vhost_enable_notify(dev, vq) - a run found the ring empty. Only then the
 *	next run is a kick's: one that was cut short (256 packets, 512 KB) goes
 *	on by itself, and must not wait. Nothing else tells the two apart: while
 *	the end of a run is on its way through the tap, kicks come, too.
 *
 * Which queue is it? A work that no queue knows is shown while it runs, and
 * where vhost reports packets of a queue whose work is not known, the task that
 * does so knows both.
 *
 * To make the worker run a queue, vhost_exceeds_weight(vq, INT_MAX, INT_MAX) is
 * called: since 5.2 it queues the work of vq, and takes no lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "vhost_run.h"

#include <linux/limits.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <vcoal/compat.h>
#include <vcoal/hook_func.h>
#include "vhost_call.h"
#include "vhost_dev.h"

/* A function's entry: what comes before the place where ftrace steps in. */
#define VHR_ENTRY_SIZE	16

enum vhr_func {
	VHR_TX_KICK,
	VHR_ENABLE_NOTIFY,
	VHR_FUNCS
};

/**
 * struct vhr_run - a run of a queue that nobody knows
 * @task: who is in it, NULL when there is none
 * @work: what was run
 */
struct vhr_run {
	const struct task_struct *task;
	void *work;
};

static struct vcoal_func_hook vhr_hooks[VHR_FUNCS];
/* One at a time: who finds it taken is learned another time. */
static struct vhr_run vhr_unknown;
/* Both functions are redirected: queues may be learned. */
static bool vhr_ready;
/* vhost_exceeds_weight() */
static bool (*vhr_exceeds_weight)(void *vq, int packets, int bytes);

static void vhr_show(struct vcoal_vhost_work *work)
{
	if (READ_ONCE(vhr_ready) && !READ_ONCE(vhr_unknown.task) &&
	    !cmpxchg(&vhr_unknown.task, NULL, current))
		vhr_unknown.work = work;
}

static void vhr_hide(void)
{
	if (READ_ONCE(vhr_unknown.task) == current)
		/* Left before another takes it: pairs with cmpxchg(). */
		smp_store_release(&vhr_unknown.task, NULL);
}

/**
 * vhr_learn() - vhost reports packets of a queue whose work is not known
 * @queue: a transmit queue
 * @vq: its struct vhost_virtqueue, which has the work in it
 *
 * Context: who is in a run of it, perhaps one that is shown.
 */
void vhr_learn(struct vhc_queue *queue, void *vq)
{
	/* Only the task itself writes its name there. */
	if (READ_ONCE(vhr_unknown.task) == current &&
	    vhr_unknown.work - vq < PAGE_SIZE)
		vhk_learn(queue, vhr_unknown.work, vq);
}

/**
 * vhr_queue() - let the worker run a queue
 * @vq: a struct vhost_virtqueue that is alive
 *
 * Context: any.
 */
void __nocfi vhr_queue(void *vq)
{
	vhr_exceeds_weight(vq, INT_MAX, INT_MAX);
}

/* The functions that run in place of vhost's. */

/* Which function it is can only be told from what is called. */
static bool notrace vhr_mine(unsigned long ip, unsigned long arg)
{
	const struct vcoal_vhost_work *work = (const void *)arg;

	return ip - (unsigned long)work->fn < VHR_ENTRY_SIZE;
}

static enum vhk_verdict vhr_begin(struct vcoal_vhost_work *work)
{
	enum vhk_verdict verdict = VHK_PASS;
	struct vhc_queue *queue;

	rcu_read_lock();
	queue = vhk_find(work);
	if (likely(queue))
		verdict = vhk_enter(queue);
	else
		vhr_show(work);
	rcu_read_unlock();

	return verdict;
}

static void vhr_end(const struct vcoal_vhost_work *work)
{
	struct vhc_queue *queue;

	rcu_read_lock();
	queue = vhk_find(work);
	if (queue)
		vhk_leave(queue);
	rcu_read_unlock();
}

static void __nocfi vhr_handle_tx_kick(struct vcoal_vhost_work *work)
{
	enum vhk_verdict verdict = vhr_begin(work);

	if (verdict != VHK_KEEP)
		work->fn(work);
	if (verdict == VHK_RUN)
		vhr_end(work);
	else
		vhr_hide();
	vcoal_func_leave(&vhr_hooks[VHR_TX_KICK]);
}

static bool __nocfi vhr_enable_notify(void *dev, void *vq)
{
	bool (*theirs)(void *dev, void *vq) =
		vhr_hooks[VHR_ENABLE_NOTIFY].theirs;
	bool more = theirs(dev, vq);
	struct vhc_queue *queue = NULL;
	struct vhn_dev *vhn;

	rcu_read_lock();
	vhn = vhn_dev_find(dev);
	if (vhn)
		queue = rcu_dereference(vhn->queue[VCOAL_TX]);
	if (queue && READ_ONCE(queue->kick.vq) == vq)
		/* Pairs with READ_ONCE() in vhost_kick.c. */
		WRITE_ONCE(queue->kick.asked, !more);
	rcu_read_unlock();
	vcoal_func_leave(&vhr_hooks[VHR_ENABLE_NOTIFY]);

	return more;
}

static struct vcoal_func_hook vhr_hooks[VHR_FUNCS] = {
	[VHR_TX_KICK] = {
		.name	= "handle_tx_kick",
		.ours	= vhr_handle_tx_kick,
		.mine	= vhr_mine,
	},
	[VHR_ENABLE_NOTIFY] = {
		.name	= "vhost_enable_notify",
		.ours	= vhr_enable_notify,
	},
};

static int vhr_hook_all(void)
{
	enum vhr_func func;
	int err;

	vhr_exceeds_weight = __symbol_get("vhost_exceeds_weight");
	if (!vhr_exceeds_weight)
		return -ENOENT;
	/* As with a hook: who watches the module lets go before it does. */
	__symbol_put("vhost_exceeds_weight");

	for (func = 0; func < VHR_FUNCS; func++) {
		err = vcoal_func_hook(&vhr_hooks[func]);
		if (err)
			return err;
	}

	return 0;
}

/**
 * vhr_up() - see runs, if vhost_net is there
 *
 * Context: process; vhost's functions are redirected. May be called again.
 */
void vhr_up(void)
{
	int err;

	if (vhr_ready)
		return;
	err = vhr_hook_all();
	if (err) {
		vhr_down();
		if (err != -ENOENT)
			pr_warn("vhost: kicks are not held, functions cannot be redirected (error %d)\n",
				err);
		return;
	}
	/* Pairs with READ_ONCE() in vhr_show(). */
	WRITE_ONCE(vhr_ready, true);
}

/**
 * vhr_down() - see no run any more, so keep no kick
 *
 * What is kept must be released, and queues be forgotten, by the caller.
 *
 * Context: process.
 */
void vhr_down(void)
{
	WRITE_ONCE(vhr_ready, false);
	vcoal_func_unhook_all(vhr_hooks, VHR_FUNCS);
}
