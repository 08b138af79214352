// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event channels: what a Xen backend sends, and when it listens again.
 *
 * Three functions of the kernel are redirected while a NIC needs it:
 *
 *  notify_remote_via_irq(irq) - the backend interrupts its guest;
 *  xen_irq_lateeoi(irq, flags) - it is done with an event of the guest's and
 *	takes the next one;
 *  unbind_from_irqhandler(irq, dev_id) - the channel is over.
 *
 * Nothing of Xen is linked: vcoal must load where Xen does not exist.
 *
 * Interrupt numbers are reused, so a number means a line only until it is
 * unbound. A driver stops everything that may notify before it unbinds; what is
 * left is an event that we kept. So unbind takes the line out of the table and
 * calls gone(), which gives it up, and only then the number is freed. Nothing
 * of ours refers to it any more when it comes back as another's. A line that is
 * added while it is being unbound is seen by one of the two: whoever adds it
 * looks whether it is still bound, and unbind looks for it again.
 *
 * Backends of other devices send and take events by the same functions, and most
 * NICs only count: what ftrace calls tells so, and only the rest is redirected.
 *
 * The table is read under RCU. A line is freed a grace period after xev_del().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "xen_events.h"

#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>
#include <xen/events.h>
#include <vcoal/compat.h>
#include <vcoal/hook_func.h>

static void xev_notify(int irq);
static void xev_lateeoi(unsigned int irq, unsigned int flags);
static void xev_unbind(unsigned int irq, void *dev_id);
static void xev_notify_thunk(unsigned long ip, unsigned long parent_ip,
			     struct ftrace_ops *ops, struct ftrace_regs *fregs);
static void xev_lateeoi_thunk(unsigned long ip, unsigned long parent_ip,
			      struct ftrace_ops *ops,
			      struct ftrace_regs *fregs);

/* In this order: a line must be seen to go before anything is kept for it. */
enum xev_func {
	XEV_UNBIND,
	XEV_NOTIFY,
	XEV_LATEEOI,
	XEV_FUNCS
};

static struct vcoal_func_hook xev_hooks[XEV_FUNCS] = {
	[XEV_UNBIND] = {
		.name	= "unbind_from_irqhandler",
		.ours	= xev_unbind,
	},
	[XEV_NOTIFY] = {
		.name	= "notify_remote_via_irq",
		.ours	= xev_notify,
		.thunk	= xev_notify_thunk,
	},
	[XEV_LATEEOI] = {
		.name	= "xen_irq_lateeoi",
		.ours	= xev_lateeoi,
		.thunk	= xev_lateeoi_thunk,
	},
};

/* Protects users and the hooks. Nests inside vcoal_mutex. */
static DEFINE_MUTEX(xev_lock);
static unsigned int xev_users;
static bool xev_hooked;

static struct xev_line *xev_find(unsigned int irq)
{
	struct vcoal_key *key = vcoal_key_find((void *)(uintptr_t)irq);

	return key ? container_of(key, struct xev_line, key) : NULL;
}

/*
 * As behind vcoal_func_leave(): what was called before was a call, not a jump. A
 * jump has the return address of who called us, and the graph tracer puts its own
 * there: then the thunk would take our call for the driver's, below our locks.
 */
static __always_inline void xev_called(void)
{
	barrier();
}

/**
 * xev_send() - interrupt the guest
 * @irq: bound
 */
void xev_send(unsigned int irq)
{
	void (*notify)(int irq) = xev_hooks[XEV_NOTIFY].theirs;

	notify(irq);
	xev_called();
}

static void xev_eoi(unsigned int irq, unsigned int flags)
{
	void (*lateeoi)(unsigned int irq, unsigned int flags) =
		xev_hooks[XEV_LATEEOI].theirs;

	lateeoi(irq, flags);
	xev_called();
}

/**
 * xev_reopen() - take the next event; it had work
 * @irq: bound
 */
void xev_reopen(unsigned int irq)
{
	xev_eoi(irq, 0);
}

static void xev_notify(int irq)
{
	struct xev_line *line;
	bool pass = true;

	rcu_read_lock();
	line = xev_find(irq);
	if (line)
		pass = line->ops->notify(line);
	rcu_read_unlock();

	if (pass)
		xev_send(irq);
	vcoal_func_leave(&xev_hooks[XEV_NOTIFY]);
}

static void xev_lateeoi(unsigned int irq, unsigned int flags)
{
	struct xev_line *line;
	bool pass = true;

	rcu_read_lock();
	line = xev_find(irq);
	if (line && (flags & XEN_EOI_FLAG_SPURIOUS))
		line->ops->spurious(line);
	else if (line)
		pass = line->ops->eoi(line);
	rcu_read_unlock();

	if (pass)
		xev_eoi(irq, flags);
	vcoal_func_leave(&xev_hooks[XEV_LATEEOI]);
}

static bool notrace xev_notify_passes(unsigned int irq)
{
	struct xev_line *line;
	bool passes;

	preempt_disable_notrace();
	line = xev_find(irq);
	passes = !line || (line->ops->notify_passes &&
			   line->ops->notify_passes(line));
	preempt_enable_notrace();

	return passes;
}

static void notrace xev_notify_thunk(unsigned long ip, unsigned long parent_ip,
				     struct ftrace_ops *ops,
				     struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip) &&
	    !xev_notify_passes(vcoal_func_arg(fregs, 0)))
		vcoal_func_enter(ops, fregs);
}

static bool notrace xev_eoi_passes(unsigned int irq, unsigned int flags)
{
	struct xev_line *line;
	bool passes;

	preempt_disable_notrace();
	line = xev_find(irq);
	passes = !line || (!(flags & XEN_EOI_FLAG_SPURIOUS) &&
			   line->ops->eoi_passes &&
			   line->ops->eoi_passes(line));
	preempt_enable_notrace();

	return passes;
}

static void notrace xev_lateeoi_thunk(unsigned long ip,
				      unsigned long parent_ip,
				      struct ftrace_ops *ops,
				      struct ftrace_regs *fregs)
{
	if (!vcoal_own_text(parent_ip) &&
	    !xev_eoi_passes(vcoal_func_arg(fregs, 0), vcoal_func_arg(fregs, 1)))
		vcoal_func_enter(ops, fregs);
}

static void xev_gone(unsigned int irq)
{
	struct xev_line *line;

	rcu_read_lock();
	line = xev_find(irq);
	if (line) {
		vcoal_key_del(&line->key);
		line->ops->gone(line);
	}
	rcu_read_unlock();
}

static void xev_unbind(unsigned int irq, void *dev_id)
{
	void (*unbind)(unsigned int irq, void *dev_id) =
		xev_hooks[XEV_UNBIND].theirs;

	xev_gone(irq);
	unbind(irq, dev_id);
	xev_gone(irq);
	vcoal_func_leave(&xev_hooks[XEV_UNBIND]);
}

/**
 * xev_add() - ask the owner about a line from now on
 * @line: zeroed, or deleted
 * @ops: the owner's
 * @irq: bound, and cannot be unbound meanwhile
 */
void xev_add(struct xev_line *line, const struct xev_ops *ops,
	     unsigned int irq)
{
	line->ops = ops;
	line->irq = irq;
	vcoal_key_add(&line->key, (void *)(uintptr_t)irq);
}

/**
 * xev_del() - ask no more
 * @line: added or zeroed; it may be freed after a grace period
 */
void xev_del(struct xev_line *line)
{
	vcoal_key_del(&line->key);
}

static int xev_hook(void)
{
	int i, err;

	for (i = 0; i < XEV_FUNCS; i++) {
		err = vcoal_func_hook(&xev_hooks[i]);
		if (!err)
			continue;
		pr_warn_once("%s: cannot be redirected (error %d), no interrupts are held on Xen\n",
			     xev_hooks[i].name, err);
		vcoal_func_unhook_all(xev_hooks, i);
		return err;
	}
	xev_hooked = true;

	return 0;
}

/*
 * Waits for every task, without rtnl. A NIC that comes meanwhile waits for
 * xev_lock with rtnl held, as it waits where hooking fails: no replacement takes
 * either.
 */
static void xev_unhook_work(struct work_struct *unused)
{
	mutex_lock(&xev_lock);
	if (!xev_users && xev_hooked) {
		vcoal_func_unhook_all(xev_hooks, XEV_FUNCS);
		xev_hooked = false;
	}
	mutex_unlock(&xev_lock);
}

static DECLARE_WORK(xev_work, xev_unhook_work);

/**
 * xev_get() - a NIC needs the redirects
 *
 * Return: 0, or an error: events cannot be kept
 */
int xev_get(void)
{
	int err;

	mutex_lock(&xev_lock);
	err = xev_hooked ? 0 : xev_hook();
	if (!err)
		xev_users++;
	mutex_unlock(&xev_lock);

	return err;
}

/**
 * xev_put() - a NIC needs them no more
 */
void xev_put(void)
{
	mutex_lock(&xev_lock);
	if (!--xev_users)
		schedule_work(&xev_work);
	mutex_unlock(&xev_lock);
}

/**
 * xev_exit() - wait until the functions are the kernel's own again
 */
void xev_exit(void)
{
	flush_work(&xev_work);
}
