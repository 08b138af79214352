// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redirect of a function, by ftrace and as livepatch does it.
 *
 * A call of the function enters ftrace's trampoline, the trampoline calls
 * vcoal_func_thunk(), and that makes it return into our replacement. What the
 * replacement itself calls must reach the original: the thunk lets pass what
 * is called from this module's text. That test reads the return address, so
 * the replacement's call must be a call: as a jump it would come from nowhere,
 * and go round for ever. vcoal_func_leave() behind it sees to that.
 *
 * Who may be where when a hook goes, and what waits for them:
 *
 *  in the trampoline or the thunk: both run with preemption as it was, but
 *	never sleep. unregister_ftrace_function() waits for them (the ops is
 *	dynamic: synchronize_rcu_tasks_rude() and synchronize_rcu_tasks());
 *	after it, no call is redirected any more.
 *  in the replacement: may sleep, for as long as the original does. Every
 *	call is counted by the thunk, that is before unregister returned, and
 *	counted back by vcoal_func_leave(). Enter and leave may be on different
 *	CPUs, so only the sum says anything: once nobody enters, a sum that
 *	reads 0 has seen every call leave.
 *  in the few instructions behind vcoal_func_leave(): cannot sleep there, only
 *	be preempted or interrupted. synchronize_rcu_tasks() waits for both, as
 *	each task must block or reach user space by itself, and a grace period
 *	of plain RCU, for interrupts on idle CPUs, is part of it. Without
 *	preemption it is that grace period, and enough.
 *
 * So after vcoal_func_unhook() the module's text may go. A call that is stuck
 * in the original (a page fault that user space must resolve) delays it.
 *
 * A function has one owner (IPMODIFY): hooking one that a live patch has taken
 * fails with -EBUSY. While a hook is there, ftrace cannot be switched off
 * behind our back (PERMANENT), as lifetimes depend on seeing every call.
 *
 * A module that brought the function may go: it unhooks in the module notifier
 * (MODULE_STATE_GOING), which runs before ftrace forgets the module.
 */
#include <linux/build_bug.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <vcoal/compat.h>
#include <vcoal/hook_func.h>

/*
 * Tasks that are inside an extent right now: about as many as there are CPUs.
 * A task looks only into its own set; one that finds it full does without.
 */
#define VCOAL_EXTENT_BITS	6
#define VCOAL_EXTENT_WAYS	4

static struct vcoal_extent
vcoal_extents[BIT(VCOAL_EXTENT_BITS)][VCOAL_EXTENT_WAYS];

static __always_inline struct vcoal_extent *vcoal_extent_set(void)
{
	return vcoal_extents[hash_ptr(current, VCOAL_EXTENT_BITS)];
}

/*
 * Only the task itself writes its name into a slot, so finding it needs no
 * barrier: nobody else can make the comparison true.
 */
static __always_inline struct vcoal_extent *vcoal_extent_find(void)
{
	struct vcoal_extent *set = vcoal_extent_set();

	/* Whoever calls such a function comes by here: no loop. */
	BUILD_BUG_ON(VCOAL_EXTENT_WAYS != 4);
	if (READ_ONCE(set[0].task) == current)
		return &set[0];
	if (READ_ONCE(set[1].task) == current)
		return &set[1];
	if (READ_ONCE(set[2].task) == current)
		return &set[2];
	if (READ_ONCE(set[3].task) == current)
		return &set[3];

	return NULL;
}

/**
 * vcoal_extent_begin() - from now on this task's callees matter
 * @call: what vcoal_extent_pause() finds
 * @passes: do not redirect them, count them
 *
 * Context: process; not within another extent.
 *
 * Return: the extent, or NULL when all slots are taken: nothing is redirected
 */
struct vcoal_extent *vcoal_extent_begin(void *call, bool passes)
{
	struct vcoal_extent *set = vcoal_extent_set();
	int i;

	for (i = 0; i < VCOAL_EXTENT_WAYS; i++) {
		if (cmpxchg(&set[i].task, NULL, current))
			continue;
		set[i].call = call;
		set[i].paused = false;
		set[i].passes = passes;
		set[i].passed = 0;
		return &set[i];
	}

	return NULL;
}

/**
 * vcoal_extent_pause() - what this task calls from now on is not redirected
 *
 * Context: a replacement with @extent_only, which no other task's extent can
 * have led to.
 *
 * Return: this task's extent
 */
struct vcoal_extent *vcoal_extent_pause(void)
{
	struct vcoal_extent *extent = vcoal_extent_find();

	extent->paused = true;

	return extent;
}

/**
 * vcoal_extent_resume() - undo vcoal_extent_pause()
 * @extent: this task's
 */
void vcoal_extent_resume(struct vcoal_extent *extent)
{
	extent->paused = false;
}

/**
 * vcoal_extent_end() - this task's callees do not matter any more
 * @extent: from vcoal_extent_begin(), may be NULL
 *
 * Return: how many callees passed
 */
u32 vcoal_extent_end(struct vcoal_extent *extent)
{
	u32 passed;

	if (!extent)
		return 0;
	passed = extent->passed;
	/* Left before another takes it: pairs with cmpxchg(). */
	smp_store_release(&extent->task, NULL);

	return passed;
}

static __always_inline void vcoal_func_enter(struct ftrace_ops *ops,
					     struct ftrace_regs *fregs)
{
	struct vcoal_func_hook *hook =
		container_of(ops, struct vcoal_func_hook, ops);

	this_cpu_inc(*hook->inside);
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->ours);
}

static void notrace vcoal_func_thunk(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops,
				     struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip))
		vcoal_func_enter(ops, fregs);
}

/*
 * An interrupt that came to a task in its extent is not part of it. Nor is what
 * memory accounting signals with interrupts off, when the extent touches memory
 * of the VM (thresholds of cgroup v1): replacements may enable BH.
 */
static void notrace vcoal_func_thunk_extent(unsigned long ip,
					    unsigned long parent_ip,
					    struct ftrace_ops *ops,
					    struct ftrace_regs *fregs)
{
	struct vcoal_extent *extent = vcoal_extent_find();

	if (likely(!extent) || !in_task() || irqs_disabled() || extent->paused)
		return;
	if (extent->passes)
		extent->passed++;
	else
		vcoal_func_enter(ops, fregs);
}

/* Functions of one name may be many, and a name is not what decides. */
static void notrace vcoal_func_thunk_mine(unsigned long ip,
					  unsigned long parent_ip,
					  struct ftrace_ops *ops,
					  struct ftrace_regs *fregs)
{
	const struct vcoal_func_hook *hook =
		container_of(ops, struct vcoal_func_hook, ops);

	if (!vcoal_own_text(parent_ip) &&
	    hook->mine(ip, ftrace_regs_get_argument(fregs, 0)))
		vcoal_func_enter(ops, fregs);
}

/* ftrace leaves pointers behind to what it frees: begin afresh next time. */
static void vcoal_func_forget(struct vcoal_func_hook *hook)
{
	ftrace_free_filter(&hook->ops);
	memset(&hook->ops, 0, sizeof(hook->ops));
	free_percpu(hook->inside);
	hook->inside = NULL;
	hook->theirs = NULL;
}

static ftrace_func_t vcoal_func_choose(const struct vcoal_func_hook *hook)
{
	if (hook->mine)
		return vcoal_func_thunk_mine;

	return hook->extent_only ? vcoal_func_thunk_extent : vcoal_func_thunk;
}

/* By name, only what is there now is found: -ENOENT when that is nothing. */
static int vcoal_func_filter(struct vcoal_func_hook *hook)
{
	int err;

	if (!hook->local)
		return ftrace_set_filter_ip(&hook->ops,
					    (unsigned long)hook->theirs, 0, 0);

	err = ftrace_set_filter(&hook->ops, (unsigned char *)hook->name,
				strlen(hook->name), 0);

	return err == -EINVAL ? -ENOENT : err;
}

static int vcoal_func_register(struct vcoal_func_hook *hook)
{
	int err;

	hook->inside = alloc_percpu(long);
	if (!hook->inside) {
		hook->theirs = NULL;
		return -ENOMEM;
	}

	hook->ops.func = vcoal_func_choose(hook);
	hook->ops.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
	err = vcoal_func_filter(hook);
	if (!err)
		err = register_ftrace_function(&hook->ops);
	if (err)
		vcoal_func_forget(hook);

	return err;
}

/**
 * vcoal_func_known() - is there such a function now?
 * @name: what it is called
 */
bool vcoal_func_known(const char *name)
{
	if (!__symbol_get(name))
		return false;
	__symbol_put(name);

	return true;
}

/**
 * vcoal_func_hook() - run our function in place of the kernel's
 * @hook: name and ours are set
 *
 * A function of a module is not pinned by its hook: the caller watches the
 * module and unhooks before it is gone.
 *
 * Context: process.
 *
 * Return: 0, -ENOENT where there is no such function, -EBUSY when somebody
 * else has taken it, or another error of ftrace
 */
int vcoal_func_hook(struct vcoal_func_hook *hook)
{
	int err;

	if (hook->local)
		return vcoal_func_register(hook);

	hook->theirs = __symbol_get(hook->name);
	if (!hook->theirs)
		return -ENOENT;
	err = vcoal_func_register(hook);
	__symbol_put(hook->name);

	return err;
}

static long vcoal_func_inside(const struct vcoal_func_hook *hook)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(hook->inside, cpu));

	return sum;
}

/**
 * vcoal_func_unhook_all() - give functions back and wait for those inside ours
 * @hooks: hooked, or not; the last goes first
 * @n: how many
 *
 * Waiting is what takes the time: all of them share it.
 *
 * Context: process; holds no lock that a replacement may take.
 */
void vcoal_func_unhook_all(struct vcoal_func_hook *hooks, int n)
{
	bool any = false;
	int i;

	for (i = n - 1; i >= 0; i--) {
		if (!hooks[i].inside)
			continue;
		/* It fails only when ftrace has shut itself down for good. */
		WARN_ON_ONCE(unregister_ftrace_function(&hooks[i].ops));
		any = true;
	}
	if (!any)
		return;

	for (i = 0; i < n; i++)
		while (hooks[i].inside && vcoal_func_inside(&hooks[i]))
			schedule_timeout_uninterruptible(1);
	synchronize_rcu_tasks();
	for (i = 0; i < n; i++)
		if (hooks[i].inside)
			vcoal_func_forget(&hooks[i]);
}

/**
 * vcoal_func_unhook() - give one function back
 * @hook: see vcoal_func_unhook_all()
 */
void vcoal_func_unhook(struct vcoal_func_hook *hook)
{
	vcoal_func_unhook_all(hook, 1);
}
