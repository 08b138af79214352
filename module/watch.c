// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: once a second while there is traffic, look for holds that did
 * not end, and count the queues that share a VM's interrupt budget.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "watch.h"

#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <vcoal/adapter.h>
#include "queue.h"
#include "vm.h"

#define VCOAL_WATCH_PERIOD	HZ

static void vcoal_watch_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(vcoal_watch, vcoal_watch_work);

static void vcoal_watch_rescue(struct vcoal_queue *queue)
{
	if (!vcoal_hold_rescue(&queue->hold))
		return;

	spin_lock_bh(&queue->lock);
	queue->count.rescues++;
	spin_unlock_bh(&queue->lock);
	pr_warn_once("%s %s: a hold did not end; released, this queue holds no more\n",
		     kobject_name(&queue->nic->kobj),
		     kobject_name(&queue->kobj));
}

/* Return: did the queue see frames, or does it hold, since the last look? */
static bool vcoal_watch_queue(struct vcoal_queue *queue, u64 now)
{
	u64 packets = READ_ONCE(queue->count.packets);
	bool busy = packets != queue->packets_seen;

	queue->packets_seen = packets;
	if (vcoal_hold_overdue(&queue->hold, now))
		vcoal_watch_rescue(queue);

	return busy || vcoal_hold_running(&queue->hold);
}

static u32 vcoal_watch_vm(struct vcoal_vm *vm, u64 now)
{
	struct vcoal_queue *queue;
	struct vcoal_nic *nic;
	u32 busy = 0;

	list_for_each_entry(nic, &vm->nics, list)
		list_for_each_entry(queue, &nic->queues, list)
			busy += vcoal_watch_queue(queue, now);

	/* Pairs with READ_ONCE() in vcoal_vm_irq_share(). */
	WRITE_ONCE(vm->busy_queues, busy);

	return busy;
}

static void vcoal_watch_work(struct work_struct *work)
{
	u64 now = ktime_get_ns();
	struct vcoal_vm *vm;
	u32 busy = 0;

	mutex_lock(&vcoal_mutex);
	list_for_each_entry(vm, &vcoal_vms, list) {
		busy += vcoal_watch_vm(vm, now);
		cond_resched();
	}
	mutex_unlock(&vcoal_mutex);

	/* Idle costs nothing: the next window wakes us again. */
	if (busy)
		vcoal_watch_wake();
}

/**
 * vcoal_watch_wake() - there is traffic
 *
 * Context: any.
 */
void vcoal_watch_wake(void)
{
	if (!delayed_work_pending(&vcoal_watch))
		schedule_delayed_work(&vcoal_watch, VCOAL_WATCH_PERIOD);
}

/**
 * vcoal_watch_stop() - nobody is hooked any more
 */
void vcoal_watch_stop(void)
{
	cancel_delayed_work_sync(&vcoal_watch);
}
