/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a function of ours in place of a kernel function that ftrace can reach.
 */
#ifndef _VCOAL_HOOK_FUNC_H
#define _VCOAL_HOOK_FUNC_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/ftrace.h>
#include <linux/percpu.h>

/**
 * struct vcoal_func_hook - one redirected function
 * @name: what it is called (required)
 * @ours: runs in its place, with its prototype; calls vcoal_func_leave() last
 *	(required)
 * @extent_only: redirect only what a task calls between vcoal_extent_begin()
 *	and _end(); the cheapest answer for all others
 * @local: it is not exported: ftrace finds it by its name, and whether it is the
 *	one, @mine must tell
 * @mine: redirect a call only when this says so (optional). @ip lies in the
 *	first bytes of what was called, @arg is its first argument. Any context
 *	that calls the function; notrace, does not sleep
 * @theirs: the function itself, NULL while it is not hooked, and when it is not
 *	exported. A call from this module reaches it, unless @extent_only: then
 *	within vcoal_extent_pause()
 * @inside: calls that were redirected and did not leave yet; NULL while it is
 *	not hooked
 * @ops: ftrace's
 */
struct vcoal_func_hook {
	const char *name;
	void *ours;
	bool extent_only;
	bool local;
	bool (*mine)(unsigned long ip, unsigned long arg);
	void *theirs;
	long __percpu *inside;
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	struct ftrace_ops ops;
#endif
};

/**
 * struct vcoal_extent - a task is inside a call whose callees matter
 * @task: which, NULL when this slot is free
 * @call: what the call is about; on the task's stack
 * @paused: the callees are our own for the moment
 * @passes: callees are counted, not redirected
 * @passed: so many
 */
struct vcoal_extent {
	struct task_struct *task;
	void *call;
	bool paused;
	bool passes;
	u32 passed;
} __aligned(32);	/* found by a shift */

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
bool vcoal_func_known(const char *name);
int __must_check vcoal_func_hook(struct vcoal_func_hook *hook);
void vcoal_func_unhook(struct vcoal_func_hook *hook);
void vcoal_func_unhook_all(struct vcoal_func_hook *hooks, int n);
struct vcoal_extent *vcoal_extent_begin(void *call, bool passes);
struct vcoal_extent *vcoal_extent_pause(void);
void vcoal_extent_resume(struct vcoal_extent *extent);
u32 vcoal_extent_end(struct vcoal_extent *extent);
#else
static inline bool vcoal_func_known(const char *name)
{
	return false;
}

static inline int vcoal_func_hook(struct vcoal_func_hook *hook)
{
	return -EOPNOTSUPP;
}

static inline void vcoal_func_unhook(struct vcoal_func_hook *hook) { }

static inline void vcoal_func_unhook_all(struct vcoal_func_hook *hooks, int n)
{
}

static inline struct vcoal_extent *vcoal_extent_begin(void *call, bool passes)
{
	return NULL;
}

static inline struct vcoal_extent *vcoal_extent_pause(void)
{
	return NULL;
}

static inline void vcoal_extent_resume(struct vcoal_extent *extent) { }

static inline u32 vcoal_extent_end(struct vcoal_extent *extent)
{
	return 0;
}

#endif

/**
 * vcoal_func_leave() - a redirected call is over
 * @hook: its hook
 *
 * The last thing that a replacement does. It also keeps the call of the
 * original before it from becoming a jump.
 */
static inline void vcoal_func_leave(struct vcoal_func_hook *hook)
{
	this_cpu_dec(*hook->inside);
}

#endif /* _VCOAL_HOOK_FUNC_H */
