/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_DEV_H
#define _VCOAL_VHOST_DEV_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <vcoal/hook_napi.h>
#include <vcoal/vcoal.h>

struct vhc_queue;

/**
 * struct vhn_dev - a vhost device
 * @key: found by its struct vhost_dev
 * @queue: its queues while they are hooked; readers under RCU
 * @list: in vhn_devs, under vhn_lock
 * @news: in vhn_news, under vhn_lock
 * @nic: under vcoal_mutex
 * @dead: vhost is done with it; under vhn_lock
 * @tgid: its VMM
 * @comm: the VMM's name
 * @rcu: for kfree_rcu()
 */
struct vhn_dev {
	struct vcoal_key key;
	struct vhc_queue __rcu *queue[VCOAL_DIRS];
	struct list_head list;
	struct list_head news;
	struct vcoal_nic *nic;
	bool dead;
	pid_t tgid;
	char comm[TASK_COMM_LEN];
	struct rcu_head rcu;
};

/**
 * vhn_queue() - a queue of a device
 * @vhn: found
 * @dir: direction
 *
 * Context: an RCU reader; preemption or interrupts off will do.
 *
 * Return: the queue while it is hooked, or NULL
 */
static inline struct vhc_queue *vhn_queue(const struct vhn_dev *vhn,
					  enum vcoal_dir dir)
{
	return rcu_dereference_check(vhn->queue[dir], rcu_read_lock_any_held());
}

struct vhn_dev *vhn_dev_find(const void *dev);
struct vhc_queue *vhn_dev_queue(const void *dev, enum vcoal_dir dir);
void vhn_dev_meet(const void *dev);
void vhn_dev_deliver(struct vhn_dev *vhn);
void vhn_dev_bury(struct vhn_dev *vhn);
void vhn_devs_open(void);
void vhn_devs_close(void);
void vhn_devs_flush(void);
void vhn_devs_remove(void);

#endif /* _VCOAL_VHOST_DEV_H */
