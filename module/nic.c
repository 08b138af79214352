// SPDX-License-Identifier: GPL-2.0-only
/*
 * One NIC: attach and detach.
 *
 * A NIC object lives from NETDEV_REGISTER to NETDEV_UNREGISTER (a move to
 * another namespace is both) and so does what the operator wrote. Its queues
 * live only while it is hooked: open() finds them afresh and close() forgets
 * them, so no pointer into a driver survives ifdown, suspend, a namespace move
 * or unbind.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "nic.h"

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <vcoal/adapter.h>
#include "control.h"
#include "debugfs.h"
#include "nics.h"
#include "queue.h"
#include "sysfs.h"
#include "vm.h"

static bool vcoal_nic_name_taken(const struct vcoal_vm *vm, const char *name)
{
	struct vcoal_nic *nic;

	list_for_each_entry(nic, &vm->nics, list)
		if (!strcmp(kobject_name(&nic->kobj), name))
			return true;

	return false;
}

/* Namespaces may use a name twice: the second is called eth0@2. */
static void vcoal_nic_name(const struct vcoal_vm *vm, const char *name,
			   char unique[VCOAL_NIC_NAME_LEN])
{
	unsigned int n = 1;

	strscpy(unique, name, VCOAL_NIC_NAME_LEN);
	while (vcoal_nic_name_taken(vm, unique))
		snprintf(unique, VCOAL_NIC_NAME_LEN, "%s@%u", name, ++n);
}

/**
 * vcoal_nic_free() - the last reference is gone
 * @nic: closed
 */
void vcoal_nic_free(struct vcoal_nic *nic)
{
	kfree(nic);
}

/**
 * vcoal_nic_new() - a NIC appeared
 * @name: wanted name; a number is appended when it is taken
 * @vm_id: who owns it
 * @vm_permanent: keep the VM when its last NIC leaves
 * @adapter: who knows its driver
 * @dev: its netdev, or NULL
 *
 * Return: the NIC, not hooked yet, or NULL without memory
 */
struct vcoal_nic *vcoal_nic_new(const char *name, const char *vm_id,
				bool vm_permanent,
				const struct vcoal_adapter *adapter,
				struct net_device *dev)
{
	struct vcoal_nic *nic;
	struct vcoal_vm *vm;

	lockdep_assert_held(&vcoal_mutex);

	nic = kzalloc(sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return NULL;

	INIT_LIST_HEAD(&nic->queues);
	nic->adapter = adapter;
	nic->dev = dev;
	kobject_init(&nic->kobj, &vcoal_nic_ktype);

	vm = vcoal_vm_get(vm_id, vm_permanent);
	if (!vm)
		goto err_put_nic;

	nic->vm = vm;
	vcoal_nic_name(vm, name, nic->name);
	nic->kobj.kset = vcoal_sysfs_root;
	if (kobject_add(&nic->kobj, vm->nics_kobj, "%s", nic->name))
		goto err_put_vm;
	nic->queues_kobj = kobject_create_and_add("queues", &nic->kobj);
	if (!nic->queues_kobj)
		goto err_put_vm;

	list_add_tail(&nic->list, &vm->nics);
	vcoal_sysfs_link(nic);
	vcoal_debugfs_nic_add(nic);
	/*
	 * It can be set up now: who hears of it finds files whose writers wait
	 * for our caller's locks. That it moved or went the core says by itself,
	 * before the kset goes: no NIC is left when vcoal_sysfs_exit() runs.
	 */
	kobject_uevent(&nic->kobj, KOBJ_ADD);

	return nic;

err_put_vm:
	vcoal_vm_put(vm);
err_put_nic:
	kobject_put(&nic->kobj);
	return NULL;
}

/**
 * vcoal_nic_remove() - a NIC disappeared
 * @nic: from vcoal_nic_new()
 */
void vcoal_nic_remove(struct vcoal_nic *nic)
{
	struct vcoal_vm *vm = nic->vm;

	lockdep_assert_held(&vcoal_mutex);

	vcoal_nic_close(nic);
	vcoal_debugfs_nic_del(nic);
	vcoal_sysfs_unlink(nic);
	list_del(&nic->list);
	kobject_put(nic->queues_kobj);
	kobject_del(&nic->kobj);
	kobject_put(&nic->kobj);
	vcoal_vm_put(vm);
}

static int vcoal_nic_add_queues(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;
	int err;

	list_for_each_entry(queue, &nic->queues, list) {
		err = kobject_add(&queue->kobj, nic->queues_kobj, "%s-%u",
				  vcoal_dir_name(queue->dir), queue->index);
		if (err)
			return err;
		vcoal_control_apply(queue);
	}

	return 0;
}

static int vcoal_nic_hook(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;
	int err;

	list_for_each_entry(queue, &nic->queues, list) {
		err = nic->adapter->hook(queue);
		if (err)
			return err;
		queue->hooked = true;
	}

	return 0;
}

/**
 * vcoal_nic_open() - find the queues and hook them
 * @nic: not hooked
 *
 * Return: 0, or an error after which the NIC runs its driver's own code
 */
int vcoal_nic_open(struct vcoal_nic *nic)
{
	int err;

	lockdep_assert_held(&vcoal_mutex);

	if (!vcoal_nics_active() || nic->mode == VCOAL_MODE_OFF ||
	    !list_empty(&nic->queues))
		return 0;
	if (nic->dev && !(netif_running(nic->dev) &&
			  netif_device_present(nic->dev)))
		return 0;
	if (nic->adapter->ready && !nic->adapter->ready(nic->dev))
		return 0;

	/* An earlier attempt may have failed. */
	nic->why = NULL;
	err = nic->adapter->scan(nic);
	if (!err)
		err = vcoal_nic_add_queues(nic);
	if (!err)
		err = vcoal_nic_hook(nic);
	if (err) {
		vcoal_nic_close(nic);
		nic->why = "hooking failed: see the kernel log";
		pr_warn("%s: not managed (error %d), the driver runs unchanged\n",
			kobject_name(&nic->kobj), err);
	}

	return err;
}

/**
 * vcoal_nic_close() - give the queues back
 * @nic: hooked, or half hooked, or not at all
 *
 * The order: restore the pointers, wait for who is still inside, stop the
 * timers that only those (or they themselves) could start, let through what a
 * hold kept, and only then free what all of them used.
 */
void vcoal_nic_close(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue, *next;

	lockdep_assert_held(&vcoal_mutex);

	if (list_empty(&nic->queues) && !nic->priv)
		return;

	list_for_each_entry(queue, &nic->queues, list)
		if (queue->hooked)
			nic->adapter->unhook(queue);
	synchronize_net();
	list_for_each_entry(queue, &nic->queues, list) {
		vcoal_hold_close(&queue->hold);
		if (queue->hooked)
			nic->adapter->kick(queue);
	}
	if (nic->adapter->drop)
		nic->adapter->drop(nic);

	list_for_each_entry_safe(queue, next, &nic->queues, list) {
		vcoal_queue_retire(queue);
		list_del(&queue->list);
		if (queue->kobj.state_in_sysfs)
			kobject_del(&queue->kobj);
		kobject_put(&queue->kobj);
	}
	nic->caps = 0;
	nic->why = NULL;
}

/* Asking a driver costs some loads for each of its queues. */
#define VCOAL_NIC_BYTES_NS	(NSEC_PER_MSEC / 4)

/* A NIC without a netdev knows what its adapter could tell. */
static u64 vcoal_nic_count_bytes(const struct vcoal_nic *nic)
{
	struct rtnl_link_stats64 stats;
	struct vcoal_queue *queue;
	u64 sum = 0;

	if (nic->dev) {
		dev_get_stats(nic->dev, &stats);
		return stats.rx_bytes + stats.tx_bytes;
	}
	/* Its owner may be adding: a number of a moment ago will do. */
	list_for_each_entry(queue, &nic->queues, list)
		sum += READ_ONCE(queue->count.bytes);

	return sum;
}

/**
 * vcoal_nic_bytes() - what a NIC carried so far, in both directions
 * @nic: hooked
 * @now: ktime ns
 *
 * At most a quarter of a millisecond old. CPUs that ask at the same time may
 * both look, and the older number may stay: who subtracts must expect it.
 *
 * Context: within a hook, for which vcoal_nic_close() waits before it takes the
 * queues, or under vcoal_mutex.
 *
 * Return: bytes; a NIC that cannot tell says 0
 */
u64 vcoal_nic_bytes(struct vcoal_nic *nic, u64 now)
{
	/* All of these pair with each other. */
	if (now >= READ_ONCE(nic->bytes_when) + VCOAL_NIC_BYTES_NS) {
		WRITE_ONCE(nic->bytes_when, now);
		WRITE_ONCE(nic->bytes, vcoal_nic_count_bytes(nic));
	}

	return READ_ONCE(nic->bytes);
}

/**
 * vcoal_nic_apply() - settings of the NIC changed
 * @nic: the NIC
 */
void vcoal_nic_apply(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;

	lockdep_assert_held(&vcoal_mutex);

	list_for_each_entry(queue, &nic->queues, list)
		vcoal_control_apply(queue);
}

/**
 * vcoal_nic_set_mode() - who decides for this NIC
 * @nic: the NIC
 * @mode: VCOAL_MODE_OFF unhooks it
 *
 * Return: 0, or why the NIC cannot be hooked
 */
int vcoal_nic_set_mode(struct vcoal_nic *nic, enum vcoal_mode mode)
{
	ASSERT_RTNL();
	lockdep_assert_held(&vcoal_mutex);

	WRITE_ONCE(nic->mode, mode);
	if (mode != VCOAL_MODE_OFF && list_empty(&nic->queues))
		return vcoal_nic_open(nic);

	if (mode == VCOAL_MODE_OFF)
		vcoal_nic_close(nic);
	else
		vcoal_nic_apply(nic);

	return 0;
}

/**
 * vcoal_nic_rename() - its netdev has another name
 * @nic: one with a netdev
 */
void vcoal_nic_rename(struct vcoal_nic *nic)
{
	char unique[VCOAL_NIC_NAME_LEN];

	vcoal_nic_name(nic->vm, nic->dev->name, unique);
	if (kobject_rename(&nic->kobj, unique)) {
		netdev_warn(nic->dev, "vcoal: still called %s in sysfs\n",
			    nic->name);
		return;
	}
	strscpy(nic->name, unique, sizeof(nic->name));
	vcoal_debugfs_nic_del(nic);
	vcoal_debugfs_nic_add(nic);
}
