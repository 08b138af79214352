// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost devices: met in traffic, buried when vhost is done with them.
 *
 * Both happen in the hooks, where vhost holds locks of its own; NICs are made
 * and removed in a work item, in the order of the news. A device is freed there
 * and nowhere else, after its NIC, and a grace period after its key has left
 * the table: a hook that found it uses it under RCU only.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "vhost_dev.h"

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <vcoal/adapter.h>
#include <vcoal/compat.h>
#include "../nic.h"
#include "vhost_call.h"

/*
 * Protects vhn_devs, vhn_news and vhn_closing. Taken with BH off, outside the
 * gates' locks.
 */
static DEFINE_SPINLOCK(vhn_lock);
static LIST_HEAD(vhn_devs);
static LIST_HEAD(vhn_news);
static bool vhn_closing;

static void vhn_news_work(struct work_struct *work);
static DECLARE_WORK(vhn_work, vhn_news_work);

/**
 * vhn_dev_find() - the device that vhost means
 * @dev: its struct vhost_dev
 *
 * Context: an RCU reader.
 */
struct vhn_dev *vhn_dev_find(const void *dev)
{
	struct vcoal_key *key = vcoal_key_find(dev);

	return key ? container_of(key, struct vhn_dev, key) : NULL;
}

/**
 * vhn_dev_queue() - a queue of the device that vhost means
 * @dev: its struct vhost_dev
 * @dir: direction
 *
 * Context: an RCU reader; preemption off will do.
 *
 * Return: the queue while it is hooked, or NULL
 */
struct vhc_queue *vhn_dev_queue(const void *dev, enum vcoal_dir dir)
{
	struct vhn_dev *vhn = vhn_dev_find(dev);

	return vhn ? vhn_queue(vhn, dir) : NULL;
}

/*
 * A worker is a thread of the VMM, or a kernel thread that uses its memory.
 */
static void vhn_identify(struct vhn_dev *vhn)
{
	struct task_struct *vmm = current;

	rcu_read_lock();
	if (current->flags & PF_KTHREAD)
		vmm = vcoal_mm_owner(current->mm) ?: current;
	vhn->tgid = vmm->tgid;
	strscpy(vhn->comm, vmm->group_leader->comm, sizeof(vhn->comm));
	rcu_read_unlock();
}

/**
 * vhn_dev_meet() - make a device known
 * @dev: its struct vhost_dev
 *
 * Its NIC is made where locks may be taken.
 *
 * Context: process; a task that works for the VMM.
 */
void vhn_dev_meet(const void *dev)
{
	struct vhn_dev *vhn = kzalloc(sizeof(*vhn), GFP_KERNEL);

	if (!vhn)
		return;
	vhn_identify(vhn);

	spin_lock_bh(&vhn_lock);
	if (vhn_closing || vhn_dev_find(dev)) {
		spin_unlock_bh(&vhn_lock);
		kfree(vhn);
		return;
	}
	vcoal_key_add(&vhn->key, dev);
	list_add_tail(&vhn->list, &vhn_devs);
	list_add_tail(&vhn->news, &vhn_news);
	spin_unlock_bh(&vhn_lock);
	schedule_work(&vhn_work);
}

/**
 * vhn_dev_deliver() - deliver what is kept for a device
 * @vhn: found
 *
 * Context: an RCU reader, BH on or off.
 */
void vhn_dev_deliver(struct vhn_dev *vhn)
{
	struct vhc_queue *queue;
	enum vcoal_dir dir;

	for (dir = 0; dir < VCOAL_DIRS; dir++) {
		queue = vhn_queue(vhn, dir);
		if (queue)
			vcoal_gate_flush(&queue->gate);
	}
}

/**
 * vhn_dev_bury() - vhost is done with a device
 * @vhn: found
 *
 * The pointer may soon be another device: nobody finds this one by it any more.
 *
 * Context: an RCU reader, BH on.
 */
void vhn_dev_bury(struct vhn_dev *vhn)
{
	struct vhc_queue *queue = vhn_queue(vhn, VCOAL_TX);

	if (queue)
		vhk_bury(queue);

	spin_lock_bh(&vhn_lock);
	vcoal_key_del(&vhn->key);
	vhn->dead = true;
	if (list_empty(&vhn->news))
		list_add_tail(&vhn->news, &vhn_news);
	spin_unlock_bh(&vhn_lock);
	schedule_work(&vhn_work);
}

/* Devices become NICs, and cease to be. */

static void vhn_dev_add(struct vhn_dev *vhn)
{
	struct vcoal_nic *nic;
	char id[16];

	snprintf(id, sizeof(id), "pid%d", vhn->tgid);
	nic = vcoal_nic_new("vhost", id, false, &vcoal_vhost_net, NULL);
	if (!nic) {
		pr_warn("%s: a vhost device is not managed, out of memory\n",
			id);
		return;
	}
	if (!nic->vm->label[0])
		strscpy(nic->vm->label, vhn->comm, sizeof(nic->vm->label));
	nic->priv = vhn;
	vhn->nic = nic;
	vcoal_nic_open(nic);
}

static void vhn_dev_remove(struct vhn_dev *vhn)
{
	if (vhn->nic)
		vcoal_nic_remove(vhn->nic);

	spin_lock_bh(&vhn_lock);
	vcoal_key_del(&vhn->key);
	list_del(&vhn->list);
	list_del(&vhn->news);
	spin_unlock_bh(&vhn_lock);
	kfree_rcu(vhn, rcu);
}

/* A device that dies after this look is news again. */
static struct vhn_dev *vhn_next(bool *dead)
{
	struct vhn_dev *vhn;

	spin_lock_bh(&vhn_lock);
	vhn = list_first_entry_or_null(&vhn_news, struct vhn_dev, news);
	if (vhn) {
		list_del_init(&vhn->news);
		*dead = vhn->dead;
	}
	spin_unlock_bh(&vhn_lock);

	return vhn;
}

static void vhn_news_work(struct work_struct *work)
{
	struct vhn_dev *vhn;
	bool dead;

	while ((vhn = vhn_next(&dead))) {
		/*
		 * One by one: each removal waits for a grace period. Nobody else
		 * frees @vhn meanwhile: vhn_devs_remove() cancels this work first.
		 */
		mutex_lock(&vcoal_mutex);
		if (dead)
			vhn_dev_remove(vhn);
		else
			vhn_dev_add(vhn);
		mutex_unlock(&vcoal_mutex);
	}
}

/**
 * vhn_devs_remove() - forget all devices
 *
 * Context: process; after vhn_devs_close(), and nobody can bury any more.
 */
void vhn_devs_remove(void)
{
	struct vhn_dev *vhn, *next;

	cancel_work_sync(&vhn_work);
	list_for_each_entry_safe(vhn, next, &vhn_devs, list) {
		mutex_lock(&vcoal_mutex);
		vhn_dev_remove(vhn);
		mutex_unlock(&vcoal_mutex);
	}
}

/**
 * vhn_devs_flush() - deliver what is kept for any device, and forget its kicks
 *
 * Context: process; nothing more is kept or learned.
 */
void vhn_devs_flush(void)
{
	struct vhc_queue *queue;
	struct vhn_dev *vhn;

	rcu_read_lock();
	spin_lock_bh(&vhn_lock);
	list_for_each_entry(vhn, &vhn_devs, list) {
		vhn_dev_deliver(vhn);
		queue = vhn_queue(vhn, VCOAL_TX);
		if (queue)
			vhk_forget(queue);
	}
	spin_unlock_bh(&vhn_lock);
	rcu_read_unlock();
}

static void vhn_set_closing(bool closing)
{
	spin_lock_bh(&vhn_lock);
	vhn_closing = closing;
	spin_unlock_bh(&vhn_lock);
}

/**
 * vhn_devs_open() - devices may be met
 */
void vhn_devs_open(void)
{
	vhn_set_closing(false);
}

/**
 * vhn_devs_close() - no device is met any more
 */
void vhn_devs_close(void)
{
	vhn_set_closing(true);
}
