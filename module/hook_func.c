// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redirect of a function, by ftrace and as livepatch does it.
 *
 * A call of the function enters ftrace's trampoline, the trampoline calls the
 * thunk, and that makes it return into our replacement. What the replacement
 * itself calls must reach the original: the thunk lets pass what is called from
 * this module's text. That test reads the return address, so the replacement's
 * call must be a call: as a jump it would come from nowhere, and go round for
 * ever. vcoal_func_leave() behind it sees to that. A thunk of the hook's owner
 * may let more calls pass, and do itself what little there is to do.
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
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <vcoal/compat.h>
#include <vcoal/hook_func.h>

static void notrace vcoal_func_thunk(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops,
				     struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip))
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

static long vcoal_func_inside(const struct vcoal_func_hook *hook)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(hook->inside, cpu));

	return sum;
}

/* Nobody enters any more: wait for those inside. */
static void vcoal_func_wait(struct vcoal_func_hook *hooks, int n)
{
	int i;

	for (i = 0; i < n; i++)
		while (hooks[i].inside && vcoal_func_inside(&hooks[i]))
			schedule_timeout_uninterruptible(1);
	synchronize_rcu_tasks();
	for (i = 0; i < n; i++)
		if (hooks[i].inside)
			vcoal_func_forget(&hooks[i]);
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

	hook->ops.func = hook->thunk ?: vcoal_func_thunk;
	hook->ops.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
	err = vcoal_func_filter(hook);
	if (err) {
		vcoal_func_forget(hook);
		return err;
	}
	err = register_ftrace_function(&hook->ops);
	if (err) {
		/* Calls are led to us until ftrace finds the function taken. */
		synchronize_rcu_tasks();
		vcoal_func_wait(hook, 1);
	}

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
 * Context: process; holds no lock that a replacement may take, as a failure
 * waits like vcoal_func_unhook_all().
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

/**
 * vcoal_func_hook_all() - all or none
 * @hooks: see vcoal_func_hook(); the first goes first
 * @n: how many
 *
 * Return: 0, or the error of the one that failed, which was said but for
 * -ENOENT
 */
int vcoal_func_hook_all(struct vcoal_func_hook *hooks, int n)
{
	int i, err;

	for (i = 0; i < n; i++) {
		err = vcoal_func_hook(&hooks[i]);
		if (!err)
			continue;
		if (err != -ENOENT)
			pr_warn("%s() cannot be redirected (error %d)\n",
				hooks[i].name, err);
		vcoal_func_unhook_all(hooks, i);
		return err;
	}

	return 0;
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

	vcoal_func_wait(hooks, n);
}

/**
 * vcoal_func_unhook() - give one function back
 * @hook: see vcoal_func_unhook_all()
 */
void vcoal_func_unhook(struct vcoal_func_hook *hook)
{
	vcoal_func_unhook_all(hook, 1);
}
