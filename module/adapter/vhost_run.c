// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs of a transmit queue: how vhost's worker comes to them, and to which
 * queue a work belongs. What a run means to a kick is in vhost_kick.c.
 *
 *  handle_tx_kick(work) - static in vhost_net: ftrace finds it by its name, and it
 *	is called through work->fn. Where fn is not what was called, the work is
 *	not what we think: not redirected.
 *  vhost_enable_notify(dev, vq) - a run found the ring empty.
 *
 * While a queue that is known holds nothing both are left alone: telling so takes
 * a third of what a redirect does. What is missed then is only that it asked for
 * kicks, so its first kick under a hold passes.
 *
 * A work is learned: while there is a queue that does not know its own, who runs one
 * that no queue knows says so, and the queue that then reports packets takes it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "vhost_run.h"

#include <linux/hash.h>
#include <linux/limits.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <vcoal/adapter.h>
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
/* A task has one place: who finds it taken is learned another time. */
#define VHR_TASK_BITS	4
static struct vhr_run vhr_unknown[BIT(VHR_TASK_BITS)];
bool vhr_ready __read_mostly;
/* vhost_exceeds_weight() */
static bool (*vhr_exceeds_weight)(void *vq, int packets, int bytes) __read_mostly;

/* Which queue is it? */

static struct vhc_queue *vhr_find(const void *work)
{
	struct vcoal_key *key = vcoal_key_find(work);

	return key ? container_of(key, struct vhc_queue, work) : NULL;
}

static struct vhr_run *vhr_place(void)
{
	return &vhr_unknown[hash_ptr(current, VHR_TASK_BITS)];
}

/* vhr_learn() looks at it from within the run. */
static void vhr_show(struct vcoal_vhost_work *work)
{
	struct vhr_run *run = vhr_place();

	if (READ_ONCE(vhr_ready) && !READ_ONCE(run->task) &&
	    !cmpxchg(&run->task, NULL, current))
		run->work = work;
}

static void vhr_hide(void)
{
	struct vhr_run *run = vhr_place();

	if (READ_ONCE(run->task) == current)
		/* Left before another takes it: pairs with cmpxchg(). */
		smp_store_release(&run->task, NULL);
}

/**
 * vhr_learn() - vhost reports packets of a queue whose work is not known
 * @queue: a transmit queue
 * @vq: its struct vhost_virtqueue, which has the work in it
 *
 * Context: who is in a run of it, perhaps one that vhr_show() showed.
 */
void vhr_learn(struct vhc_queue *queue, void *vq)
{
	const struct vhr_run *run = vhr_place();

	/* Only the task itself writes its name there. */
	if (READ_ONCE(run->task) == current && run->work - vq < PAGE_SIZE)
		vhk_know(queue, vq, run->work);
}

/**
 * vhr_again() - have the worker run a queue
 * @vq: its struct vhost_virtqueue
 *
 * Since 5.2 this queues the work of vq, and takes no lock.
 */
void __nocfi vhr_again(void *vq)
{
	vhr_exceeds_weight(vq, INT_MAX, INT_MAX);
}

/* The functions that run in place of vhost's. */

static bool vhr_enter(struct vcoal_vhost_work *work)
{
	struct vhc_queue *queue;
	bool pass = true;

	rcu_read_lock();
	queue = vhr_find(work);
	if (queue)
		pass = vhk_begin(queue);
	else
		vhr_show(work);
	rcu_read_unlock();

	return pass;
}

static void vhr_leave(const struct vcoal_vhost_work *work)
{
	struct vhc_queue *queue;

	vhr_hide();
	rcu_read_lock();
	queue = vhr_find(work);
	if (queue)
		vhk_end(queue);
	rcu_read_unlock();
}

static void __nocfi vhr_handle(struct vcoal_vhost_work *work)
{
	if (vhr_enter(work)) {
		work->fn(work);
		vhr_leave(work);
	}
	vcoal_func_leave(&vhr_hooks[VHR_TX_KICK]);
}

/*
 * Which function it is can only be told from what is called. Here and below
 * nothing sleeps, so preemption off makes the RCU reader, which is cheaper.
 */
static bool notrace vhr_kick_matters(unsigned long ip,
				     const struct vcoal_vhost_work *work)
{
	struct vhc_queue *queue;
	bool matters;

	if (ip - (unsigned long)work->fn >= VHR_ENTRY_SIZE)
		return false;

	preempt_disable_notrace();
	queue = vhr_find(work);
	/* Late news of who wants to learn are for the next run. */
	matters = queue ? vhk_active(queue) : atomic_read(&vhk_wanted);
	/* How a run ends that nobody sees is not known to the next. */
	if (queue && !matters)
		WRITE_ONCE(queue->kick.asked, false);
	preempt_enable_notrace();

	return matters;
}

/* Functions of one name may be many, and a name is not what decides. */
static void notrace vhr_kick_thunk(unsigned long ip, unsigned long parent_ip,
				   struct ftrace_ops *ops,
				   struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip) &&
	    vhr_kick_matters(ip, (const void *)vcoal_func_arg(fregs, 0)))
		vcoal_func_enter(ops, fregs);
}

static bool __nocfi vhr_enable_notify(void *dev, void *vq)
{
	bool (*theirs)(void *dev, void *vq) =
		vhr_hooks[VHR_ENABLE_NOTIFY].theirs;
	bool more = theirs(dev, vq);
	struct vhc_queue *queue;

	rcu_read_lock();
	queue = vhn_dev_queue(dev, VCOAL_TX);
	/* Not where it is called for a run of others: of receive, polling. */
	if (queue && READ_ONCE(queue->kick.vq) == vq &&
	    READ_ONCE(queue->kick.runner) == current)
		/* Pairs with READ_ONCE() in vhk_hold_ns(). */
		WRITE_ONCE(queue->kick.asked, !more);
	rcu_read_unlock();
	vcoal_func_leave(&vhr_hooks[VHR_ENABLE_NOTIFY]);

	return more;
}

static bool notrace vhr_enable_matters(const void *dev)
{
	const struct vhc_queue *queue;
	bool matters;

	preempt_disable_notrace();
	queue = vhn_dev_queue(dev, VCOAL_TX);
	matters = queue && vhk_active(queue);
	preempt_enable_notrace();

	return matters;
}

static void notrace vhr_enable_thunk(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops,
				     struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip) &&
	    vhr_enable_matters((const void *)vcoal_func_arg(fregs, 0)))
		vcoal_func_enter(ops, fregs);
}

static struct vcoal_func_hook vhr_hooks[VHR_FUNCS] = {
	[VHR_TX_KICK] = {
		.name	= "handle_tx_kick",
		.ours	= vhr_handle,
		.thunk	= vhr_kick_thunk,
		.local	= true,
	},
	[VHR_ENABLE_NOTIFY] = {
		.name	= "vhost_enable_notify",
		.ours	= vhr_enable_notify,
		.thunk	= vhr_enable_thunk,
	},
};

static int vhr_hook_all(void)
{
	vhr_exceeds_weight = __symbol_get("vhost_exceeds_weight");
	if (!vhr_exceeds_weight)
		return -ENOENT;
	/* As with a hook: who watches the module lets go before it does. */
	__symbol_put("vhost_exceeds_weight");

	return vcoal_func_hook_all(vhr_hooks, VHR_FUNCS);
}

/**
 * vhr_up() - hold kicks, if vhost_net is there
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
		if (err != -ENOENT)
			pr_warn("vhost: kicks are not held\n");
		return;
	}
	/* Pairs with READ_ONCE() in vhr_show(). */
	WRITE_ONCE(vhr_ready, true);
}

/**
 * vhr_down() - keep no kick any more
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
