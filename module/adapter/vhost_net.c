// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-net, from the host's side: the interrupts that it injects into guests.
 *
 * vhost has no hook of its own, and its structures are private: a device is
 * nothing but a pointer here, that functions were called with. Traffic and the
 * signals about it are in vhost_batch.c, kicks in vhost_run.c; here is what ends
 * either:
 *
 *  vhost_dev_flush(dev) - when it returns, vhost is done with what it began;
 *	vhost_net calls it after it took a queue's backend away. So must we be:
 *	a VMM that stops a device looks at its eventfds once more and no later.
 *  vhost_dev_cleanup(dev) - the device is over.
 *  eventfd_ctx_put(ctx) - an eventfd may go: see vhost_call.c.
 *
 * What the VMM sees: a signal that was kept arrives before an ioctl that takes
 * its eventfd or its queue away returns, as if vhost had signalled just before.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <vcoal/adapter.h>
#include <vcoal/hook_func.h>
#include "vhost_batch.h"
#include "vhost_call.h"
#include "vhost_dev.h"
#include "vhost_run.h"

/*
 * Descriptors of a ring, for the guard that ends a hold before half of it is
 * used. What the VMM chose cannot be seen from here: this is QEMU's default,
 * and a larger ring is only guarded too early.
 */
#define VHN_RING_SIZE	256

/*
 * The guest may be running when the time is over: the timer is an exit, and so
 * is what brings the interrupt. Measured, see policies.rst.
 */
#define VHN_TIMER_COST	60U

enum vhn_func {
	VHN_CTX_PUT,	/* first up, last down */
	VHN_DEV_FLUSH,
	VHN_DEV_CLEANUP,
	VHN_FUNCS
};

/* Protects the hooks. */
static DEFINE_MUTEX(vhn_hooks_mutex);
static struct vcoal_func_hook vhn_hooks[VHN_FUNCS];

static void vhn_ctx_put(struct eventfd_ctx *ctx)
{
	vhc_ctx_put(ctx);
	eventfd_ctx_put(ctx);
	vcoal_func_leave(&vhn_hooks[VHN_CTX_PUT]);
}

/* The end of a device, or of what it was doing. */

/* Return: is the device known? */
static bool vhn_deliver(const void *dev)
{
	struct vhn_dev *vhn;

	rcu_read_lock();
	vhn = vhn_dev_find(dev);
	if (vhn)
		vhn_dev_deliver(vhn);
	rcu_read_unlock();

	return vhn;
}

/*
 * What is delivered may be a kick: see clause 4 in vhost_kick.c. __nocfi, here and
 * below, as in vhost_batch.c.
 */
static void __nocfi vhn_dev_flush(void *dev)
{
	void (*theirs)(void *dev) = vhn_hooks[VHN_DEV_FLUSH].theirs;

	theirs(dev);
	if (vhn_deliver(dev)) {
		theirs(dev);
		vhn_deliver(dev);
	}
	vcoal_func_leave(&vhn_hooks[VHN_DEV_FLUSH]);
}

/* Return: was the device known? */
static bool vhn_bury(const void *dev)
{
	struct vhn_dev *vhn;

	rcu_read_lock();
	vhn = vhn_dev_find(dev);
	if (vhn)
		vhn_dev_bury(vhn);
	rcu_read_unlock();

	return vhn;
}

static void __nocfi vhn_dev_cleanup(void *dev)
{
	void (*theirs)(void *dev) = vhn_hooks[VHN_DEV_CLEANUP].theirs;
	void (*flush)(void *dev) = vhn_hooks[VHN_DEV_FLUSH].theirs;

	/* See clause 5 in vhost_kick.c. */
	if (vhn_bury(dev))
		flush(dev);
	theirs(dev);
	vcoal_func_leave(&vhn_hooks[VHN_DEV_CLEANUP]);
}

/* The hooks, in the order in which they come up. */

static struct vcoal_func_hook vhn_hooks[VHN_FUNCS] = {
	[VHN_CTX_PUT] = {
		.name	= "eventfd_ctx_put",
		.ours	= vhn_ctx_put,
	},
	[VHN_DEV_FLUSH] = {
		.name	= "vhost_dev_flush",
		.ours	= vhn_dev_flush,
	},
	[VHN_DEV_CLEANUP] = {
		.name	= "vhost_dev_cleanup",
		.ours	= vhn_dev_cleanup,
	},
};

/*
 * The reverse of vhn_up(). When kicks and signals are kept no more, those that
 * are kept go out before the hooks go that would bring them in time; and all
 * gates are closed before the first hook goes, which lets eventfds go.
 */
static void vhn_down(void)
{
	vhn_devs_close();
	vhr_down();
	vhb_down();
	vhn_devs_flush();
	vcoal_func_unhook_all(&vhn_hooks[VHN_DEV_FLUSH],
			      VHN_FUNCS - VHN_DEV_FLUSH);
	vhn_devs_remove();
	vcoal_func_unhook(&vhn_hooks[VHN_CTX_PUT]);
}

static bool vhn_is_up(void)
{
	return vhn_hooks[VHN_DEV_CLEANUP].theirs;
}

static void vhn_up(void)
{
	int err;

	/*
	 * Up already: vhost went live, and vhn_start() was there before the
	 * notifier.
	 */
	if (vhn_is_up() ||
	    !vcoal_func_known(vhn_hooks[VHN_DEV_CLEANUP].name))
		return;

	vhn_devs_open();
	err = vcoal_func_hook_all(vhn_hooks, VHN_FUNCS);
	if (!err)
		err = vhb_up();
	if (err) {
		pr_warn("vhost: not managed (error %d)\n", err);
		vhn_down();
		return;
	}
	vhr_up();
}

static void vhn_base_event(unsigned long event)
{
	mutex_lock(&vhn_hooks_mutex);
	if (event == MODULE_STATE_LIVE)
		vhn_up();
	else if (event == MODULE_STATE_GOING)
		vhn_down();
	mutex_unlock(&vhn_hooks_mutex);
}

/* vhost is there without vhost_net, before it and after it. */
static void vhn_net_event(unsigned long event)
{
	mutex_lock(&vhn_hooks_mutex);
	if (event == MODULE_STATE_LIVE && vhn_is_up())
		vhr_up();
	else if (event == MODULE_STATE_GOING)
		vhr_down();
	mutex_unlock(&vhn_hooks_mutex);
}

static int vhn_module_event(struct notifier_block *nb, unsigned long event,
			    void *ptr)
{
	const struct module *mod = ptr;

	if (!strcmp(mod->name, "vhost"))
		vhn_base_event(event);
	else if (!strcmp(mod->name, "vhost_net"))
		vhn_net_event(event);

	return NOTIFY_DONE;
}

static struct notifier_block vhn_module_nb = {
	.notifier_call = vhn_module_event,
};

/* The adapter. */

static int vhn_start(void)
{
	int err;

	err = register_module_notifier(&vhn_module_nb);
	if (err)
		return err;

	mutex_lock(&vhn_hooks_mutex);
	vhn_up();
	mutex_unlock(&vhn_hooks_mutex);

	return 0;
}

static void vhn_stop(void)
{
	unregister_module_notifier(&vhn_module_nb);
	mutex_lock(&vhn_hooks_mutex);
	vhn_down();
	mutex_unlock(&vhn_hooks_mutex);
}

static int vhn_scan(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;
	enum vcoal_dir dir;

	for (dir = 0; dir < VCOAL_DIRS; dir++) {
		queue = vcoal_queue_new(nic, dir, 0);
		if (!queue)
			return -ENOMEM;
		queue->ring_size = VHN_RING_SIZE;
	}

	nic->caps = VCOAL_CAP(COUNT_RX) | VCOAL_CAP(COUNT_TX);
	if (!vcoal_hold_supported()) {
		nic->why = "no high-resolution timers";
		return 0;
	}
	nic->caps |= VCOAL_CAP(RX_USECS) | VCOAL_CAP(RX_FRAMES) |
		     VCOAL_CAP(TX_USECS) | VCOAL_CAP(TX_FRAMES);

	return 0;
}

static struct vhc_queue *to_vhc(struct vcoal_queue *queue)
{
	return container_of(queue, struct vhc_queue, gate.q);
}

static int vhn_hook(struct vcoal_queue *base)
{
	struct vhc_queue *queue = to_vhc(base);
	struct vhn_dev *vhn = base->nic->priv;

	vhc_open(queue);
	rcu_assign_pointer(vhn->queue[base->dir], queue);

	return 0;
}

static void vhn_unhook(struct vcoal_queue *base)
{
	struct vhn_dev *vhn = base->nic->priv;

	/* In this order: while it may deliver, it must be found. */
	vhc_close(to_vhc(base));
	RCU_INIT_POINTER(vhn->queue[base->dir], NULL);
}

/* The gate delivered what it kept when it was closed. */
static void vhn_kick(struct vcoal_queue *base)
{
}

const struct vcoal_adapter vcoal_vhost_net = {
	.release	= vcoal_gate_release,
	.start		= vhn_start,
	.stop		= vhn_stop,
	.scan		= vhn_scan,
	.hook		= vhn_hook,
	.unhook		= vhn_unhook,
	.kick		= vhn_kick,
	.queue_size	= sizeof(struct vhc_queue),
	.timer_cost	= VHN_TIMER_COST,
	.name		= "vhost_net",
};
