// SPDX-License-Identifier: GPL-2.0-only
/*
 * A batch that vhost reports to a guest, and the interrupt that it asks for.
 *
 *  vhost_add_used_and_signal_n(dev, vq, heads, count) - vhost_net calls it for
 *	every batch, in both directions and nobody else does. A device that is
 *	not known yet is met here.
 *  eventfd_signal(ctx) - the interrupt, when it is about a batch. All others who
 *	call it (vCPU kicks, vfio, aio) must not notice.
 *
 * Which queue is it? A used element says how many bytes the device wrote into
 * the guest's buffer: all of a packet for receive, and 0 for transmit, where
 * the guest's buffers are only read (virtio 1.x, 2.7.8).
 *
 * Both functions are redirected while the queue holds. The batch then opens an
 * extent: what this task calls until it ends is about it. While a queue only
 * counts, which most do most of the time, neither is redirected but counted where
 * ftrace calls us, which is half as dear: the signal is recognised by its eventfd
 * and by the task that reported a batch last. (While nothing is held but the
 * policy asks for the time, it is the batch alone that is redirected.)
 *
 * The eventfd is learned in an extent, and forgotten when it may go. While it is
 * not known, a signal is guessed to be about the batch that its task reported
 * last; then the next batch opens an extent, to learn. (A VMM may ask vhost to
 * signal that it wrote a log, too; none that we know does. When a guest wants no
 * interrupts at first, that would be learned.)
 *
 * Only within an extent is a signal redirected, so whatever is missed here, the
 * interrupt goes out.
 */
#include "vhost_batch.h"

#include <linux/eventfd.h>
#include <linux/hash.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <uapi/linux/virtio_ring.h>
#include <vcoal/adapter.h>
#include <vcoal/compat.h>
#include <vcoal/hook_func.h>
#include "vhost_call.h"
#include "vhost_dev.h"
#include "vhost_run.h"

enum vhb_func {
	VHB_SIGNAL,
	VHB_ADD_USED,
	VHB_FUNCS
};

/**
 * struct vhb_call - a batch that vhost reports to the guest
 * @dev: the struct vhost_dev
 * @dir: of its queue
 * @frames: that no interrupt was asked for yet
 */
struct vhb_call {
	const void *dev;
	enum vcoal_dir dir;
	u32 frames;
};

/**
 * struct vhb_extent - a task is inside a batch
 * @task: which, NULL when this slot is free
 * @call: on the task's stack
 * @paused: what it calls is our own for the moment
 */
struct vhb_extent {
	struct task_struct *task;
	struct vhb_call *call;
	bool paused;
} __aligned(32);	/* found by a shift */

/*
 * Tasks that are inside an extent right now: about as many as there are CPUs.
 * A task looks only into its own set, a cache line; one that finds it full does
 * without.
 */
#define VHB_TASK_BITS	9
#define VHB_EXTENT_WAYS	2

static struct vhb_extent
vhb_extents[BIT(VHB_TASK_BITS)][VHB_EXTENT_WAYS] ____cacheline_aligned;

/**
 * struct vhb_guess - the last batch of a queue whose eventfd is not known
 * @task: who reported it
 * @dev: its struct vhost_dev
 * @dir: of its queue
 *
 * Only the task itself believes it. Another's that takes its place makes it miss
 * a signal.
 */
struct vhb_guess {
	const struct task_struct *task;
	const void *dev;
	enum vcoal_dir dir;
} __aligned(32);	/* found by a shift */

static struct vhb_guess vhb_guesses[BIT(VHB_TASK_BITS)];

static struct vcoal_func_hook vhb_hooks[VHB_FUNCS];

static enum vcoal_dir vhb_dir(const struct vring_used_elem *heads)
{
	return heads->len ? VCOAL_RX : VCOAL_TX;
}

/* Extents. */

static __always_inline struct vhb_extent *vhb_extent_set(void)
{
	return vhb_extents[hash_ptr(current, VHB_TASK_BITS)];
}

/*
 * Only the task itself writes its name into a slot, so finding it needs no
 * barrier: nobody else can make the comparison true.
 */
static __always_inline struct vhb_extent *vhb_extent_find(void)
{
	struct vhb_extent *set = vhb_extent_set();
	int i;

	for (i = 0; i < VHB_EXTENT_WAYS; i++)
		if (READ_ONCE(set[i].task) == current)
			return &set[i];

	return NULL;
}

/* Return: the extent, or NULL when all slots are taken */
static struct vhb_extent *vhb_extent_begin(struct vhb_call *call)
{
	struct vhb_extent *set = vhb_extent_set();
	int i;

	for (i = 0; i < VHB_EXTENT_WAYS; i++) {
		if (cmpxchg(&set[i].task, NULL, current))
			continue;
		set[i].call = call;
		set[i].paused = false;
		return &set[i];
	}

	return NULL;
}

static void vhb_extent_end(struct vhb_extent *extent)
{
	if (!extent)
		return;
	/* Left before another takes it: pairs with cmpxchg(). */
	smp_store_release(&extent->task, NULL);
}

/* A batch that is counted where ftrace calls us, and its signal. */

static __always_inline struct vhb_guess *vhb_guess_slot(void)
{
	return &vhb_guesses[hash_ptr(current, VHB_TASK_BITS)];
}

static __always_inline bool vhb_guess_mine(const struct vhb_guess *guess)
{
	return READ_ONCE(guess->task) == current;
}

static void vhb_guess(const void *dev, enum vcoal_dir dir)
{
	struct vhb_guess *guess = vhb_guess_slot();

	/* Others read it with each signal: it stays theirs, too. */
	if (vhb_guess_mine(guess) && guess->dev == dev && guess->dir == dir)
		return;
	guess->dev = dev;
	guess->dir = dir;
	/* Pairs with READ_ONCE() in vhb_guess_mine(). */
	WRITE_ONCE(guess->task, current);
}

/* Shall its signal only be counted? Nothing is held nor is to be. */
static bool vhb_listens(const struct vhc_queue *queue)
{
	return READ_ONCE(queue->gate.open) &&
	       vhc_ctx_state(queue) != VHC_LEARN &&
	       !vhk_active(queue) && !READ_ONCE(queue->kick.held);
}

/* Return: is there nothing else to do? Where the queue's lock may sleep there is. */
static bool vhb_count(struct vhc_queue *queue, const void *dev, u32 frames)
{
	bool listens = vhb_listens(queue);

	if (vhc_ctx_state(queue) != VHC_KNOWN)
		vhb_guess(dev, queue->gate.q.dir);
	/* Pairs with READ_ONCE() in vhc_count() and vhb_redirects(). */
	WRITE_ONCE(queue->counting, listens ? current : NULL);
	if (!listens || vhr_learns(queue) || IS_ENABLED(CONFIG_PREEMPT_RT) ||
	    !vcoal_queue_only_counts(&queue->gate.q))
		return false;
	vcoal_queue_count(&queue->gate.q, frames, false);

	return true;
}

/*
 * The queue's own mutex, which vhost holds, keeps two batches apart; interrupts
 * are off as the queue's lock wants no softirq meanwhile, and as an RCU reader.
 *
 * Return: is there nothing else to do?
 */
static bool notrace vhb_counted(struct ftrace_regs *fregs)
{
	const void *dev = (const void *)vcoal_func_arg(fregs, 0);
	const struct vring_used_elem *heads =
		(const void *)vcoal_func_arg(fregs, 2);
	u32 frames = vcoal_vhost_count(vcoal_func_arg(fregs, 3),
				       vcoal_func_arg(fregs, 4));
	struct vhc_queue *queue;
	unsigned long flags;
	struct vhn_dev *vhn;
	bool counted = false;

	local_irq_save(flags);
	vhn = vhn_dev_find(dev);
	if (vhn) {
		queue = vhn_queue(vhn, vhb_dir(heads));
		counted = !queue || vhb_count(queue, dev, frames);
	}
	local_irq_restore(flags);

	return counted;
}

static void notrace vhb_add_used_thunk(unsigned long ip,
				       unsigned long parent_ip,
				       struct ftrace_ops *ops,
				       struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip) && !vhb_counted(fregs))
		vcoal_func_enter(ops, fregs);
}

/* A task that is no more may have left its name to another: guess once. */
static void notrace vhb_guessed(void)
{
	struct vhb_guess *guess = vhb_guess_slot();
	struct vhc_queue *queue;

	preempt_disable_notrace();
	if (vhb_guess_mine(guess)) {
		queue = vhn_dev_queue(guess->dev, guess->dir);
		if (queue)
			vhc_guessed(queue);
		WRITE_ONCE(guess->task, NULL);
	}
	preempt_enable_notrace();
}

/*
 * An interrupt that came to a task in its extent is not part of it. Nor is what
 * memory accounting signals with interrupts off, when the extent touches memory
 * of the VM (thresholds of cgroup v1): the replacement may enable BH.
 */
static noinline void notrace vhb_signals(const struct eventfd_ctx *ctx,
					 struct ftrace_ops *ops,
					 struct ftrace_regs *fregs)
{
	struct vhb_extent *extent;

	if (!in_task() || irqs_disabled() || vhc_heard(ctx))
		return;

	extent = vhb_extent_find();
	if (!extent)
		vhb_guessed();
	else if (!extent->paused)
		vcoal_func_enter(ops, fregs);
}

/* The cheapest answer for all others. */
static void notrace vhb_signal_thunk(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops,
				     struct ftrace_regs *fregs)
{
	const struct eventfd_ctx *ctx = (const void *)vcoal_func_arg(fregs, 0);

	if (unlikely(vhc_perhaps(ctx) || vhb_guess_mine(vhb_guess_slot())))
		vhb_signals(ctx, ops, fregs);
}

/* The functions that run in place of the kernel's. */

/* Return: shall the signal pass? */
static bool vhb_event(struct vhb_call *call, struct eventfd_ctx *ctx)
{
	struct vhc_queue *queue;
	bool pass = true;

	rcu_read_lock();
	queue = vhn_dev_queue(call->dev, call->dir);
	if (queue) {
		pass = vhc_signal(queue, ctx, call->frames);
		call->frames = 0;
	}
	rcu_read_unlock();

	return pass;
}

/*
 * The second argument and the result differ between kernels; vhost uses the
 * plainest of the former and ignores the latter.
 */
static u64 vhb_signal(struct eventfd_ctx *ctx)
{
	/* No other task's extent can have led here. */
	struct vhb_extent *extent = vhb_extent_find();

	extent->paused = true;
	if (vhb_event(extent->call, ctx))
		vcoal_eventfd_signal(ctx);
	extent->paused = false;
	vcoal_func_leave(&vhb_hooks[VHB_SIGNAL]);

	return 1;
}

/* Return: shall the signals of this batch be redirected? */
static bool vhb_redirects(const struct vhb_call *call)
{
	const struct vhc_queue *queue;
	bool redirects;

	/* As vhr_kick_matters(). */
	preempt_disable();
	queue = vhn_dev_queue(call->dev, call->dir);
	redirects = queue && READ_ONCE(queue->counting) != current;
	preempt_enable();

	return redirects;
}

/* Return: is the device known? */
static bool vhb_served(const struct vhb_call *call, void *vq)
{
	struct vhc_queue *queue = NULL;
	struct vhn_dev *vhn;

	rcu_read_lock();
	vhn = vhn_dev_find(call->dev);
	if (vhn)
		queue = vhn_queue(vhn, call->dir);
	if (queue && call->frames)
		vhk_work(queue, call->frames);
	if (queue && unlikely(vhr_learns(queue)))
		vhr_learn(queue, vq);
	rcu_read_unlock();

	return vhn;
}

/*
 * __nocfi: the types of what is called are in vhost's private header, so they
 * cannot match.
 */
static void __nocfi
vhb_add_used(void *dev, void *vq, const struct vring_used_elem *heads,
	     unsigned long arg4, unsigned long arg5)
{
	void (*theirs)(void *dev, void *vq, const struct vring_used_elem *heads,
		       unsigned long arg4, unsigned long arg5) =
		vhb_hooks[VHB_ADD_USED].theirs;
	struct vhb_call call = {
		.dev = dev,
		.dir = vhb_dir(heads),
		.frames = vcoal_vhost_count(arg4, arg5),
	};
	struct vhb_extent *extent = vhb_redirects(&call) ?
				    vhb_extent_begin(&call) : NULL;

	theirs(dev, vq, heads, arg4, arg5);
	vhb_extent_end(extent);

	if (unlikely(!vhb_served(&call, vq)))
		vhn_dev_meet(dev);
	vcoal_func_leave(&vhb_hooks[VHB_ADD_USED]);
}

static struct vcoal_func_hook vhb_hooks[VHB_FUNCS] = {
	[VHB_SIGNAL] = {
		.name	= VCOAL_EVENTFD_SIGNAL,
		.ours	= vhb_signal,
		.thunk	= vhb_signal_thunk,
	},
	[VHB_ADD_USED] = {
		.name	= "vhost_add_used_and_signal_n",
		.ours	= vhb_add_used,
		.thunk	= vhb_add_used_thunk,
	},
};

/**
 * vhb_up() - meet devices, count, keep signals
 *
 * Context: process; the functions that end what is kept are redirected.
 *
 * Return: 0 or an error
 */
int vhb_up(void)
{
	return vcoal_func_hook_all(vhb_hooks, VHB_FUNCS);
}

/**
 * vhb_down() - keep no signal any more
 *
 * What is kept must be delivered by the caller.
 *
 * Context: process.
 */
void vhb_down(void)
{
	vcoal_func_unhook_all(vhb_hooks, VHB_FUNCS);
}
