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
#include <vcoal/compat.h>

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define vcoal_func_arg	ftrace_regs_get_argument
#else
#define vcoal_func_arg(fregs, n)	0UL
#endif

/**
 * struct vcoal_func_hook - one redirected function
 * @name: what it is called (required)
 * @ours: runs in its place, with its prototype; calls vcoal_func_leave() last
 *	(required)
 * @thunk: asked at each call, in any context that calls the function (optional).
 *	vcoal_func_enter() redirects the call, else it passes. It must let pass
 *	what @ours calls the original for; notrace, does not sleep. @ip lies in
 *	the first bytes of what was called; vcoal_func_arg() finds arguments
 * @local: it is not exported: ftrace finds it by its name, and whether it is the
 *	one, @thunk must tell
 * @theirs: the function itself, NULL while it is not hooked, and when it is not
 *	exported. Without @thunk, a call from this module reaches it
 * @inside: calls that were redirected and did not leave yet; NULL while it is
 *	not hooked
 * @ops: ftrace's
 */
struct vcoal_func_hook {
	const char *name;
	void *ours;
	void (*thunk)(unsigned long ip, unsigned long parent_ip,
		      struct ftrace_ops *ops, struct ftrace_regs *fregs);
	bool local;
	void *theirs;
	long __percpu *inside;
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	struct ftrace_ops ops;
#endif
};

#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
bool vcoal_func_known(const char *name);
int __must_check vcoal_func_hook(struct vcoal_func_hook *hook);
int __must_check vcoal_func_hook_all(struct vcoal_func_hook *hooks, int n);
void vcoal_func_unhook(struct vcoal_func_hook *hook);
void vcoal_func_unhook_all(struct vcoal_func_hook *hooks, int n);

/**
 * vcoal_func_enter() - redirect this call
 * @ops: of its hook
 * @fregs: of the call
 *
 * Context: the hook's thunk.
 */
static __always_inline void vcoal_func_enter(struct ftrace_ops *ops,
					     struct ftrace_regs *fregs)
{
	struct vcoal_func_hook *hook =
		container_of(ops, struct vcoal_func_hook, ops);

	this_cpu_inc(*hook->inside);
	ftrace_regs_set_instruction_pointer(fregs, (unsigned long)hook->ours);
}
#else
static inline bool vcoal_func_known(const char *name)
{
	return false;
}

static inline int vcoal_func_hook(struct vcoal_func_hook *hook)
{
	return -EOPNOTSUPP;
}

static inline int vcoal_func_hook_all(struct vcoal_func_hook *hooks, int n)
{
	return -EOPNOTSUPP;
}

static inline void vcoal_func_unhook(struct vcoal_func_hook *hook) { }

static inline void vcoal_func_unhook_all(struct vcoal_func_hook *hooks, int n)
{
}

static inline void vcoal_func_enter(struct ftrace_ops *ops,
				    struct ftrace_regs *fregs)
{
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
