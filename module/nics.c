// SPDX-License-Identifier: GPL-2.0-only
/*
 * All NICs: who comes, goes and changes, as netdev and PM notifiers tell.
 */
#include "nics.h"

#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>
#include <vcoal/adapter.h>
#include "nic.h"
#include "registry.h"
#include "vm.h"

/* Both under vcoal_mutex. */
static bool vcoal_enabled = true;
/* A bit for each kind of sleep that was announced and is not over. */
static unsigned long vcoal_frozen;

static struct vcoal_nic *vcoal_nic_find(const struct net_device *dev)
{
	struct vcoal_nic *nic;
	struct vcoal_vm *vm;

	lockdep_assert_held(&vcoal_mutex);

	list_for_each_entry(vm, &vcoal_vms, list)
		list_for_each_entry(nic, &vm->nics, list)
			if (nic->dev == dev)
				return nic;

	return NULL;
}

static void vcoal_nics_look_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(vcoal_nics_look, vcoal_nics_look_work);

/*
 * Where queues depend on a connection they come, go, or become others with the
 * carrier. It may come on a moment before they are complete, and nothing tells
 * when they are: then look again.
 */
static void vcoal_nic_look(struct vcoal_nic *nic)
{
	const struct vcoal_adapter *adapter = nic->adapter;

	if (adapter->ready && !list_empty(&nic->queues) && adapter->stale(nic))
		vcoal_nic_close(nic);
	vcoal_nic_open(nic);
	if (adapter->ready && netif_running(nic->dev) &&
	    netif_carrier_ok(nic->dev) && !adapter->ready(nic->dev))
		schedule_delayed_work(&vcoal_nics_look, HZ / 20);
}

static void vcoal_nics_update(void)
{
	struct vcoal_nic *nic;
	struct vcoal_vm *vm;

	list_for_each_entry(vm, &vcoal_vms, list) {
		list_for_each_entry(nic, &vm->nics, list) {
			if (vcoal_nics_active())
				vcoal_nic_look(nic);
			else
				vcoal_nic_close(nic);
		}
	}
}

static void vcoal_nics_look_work(struct work_struct *work)
{
	rtnl_lock();
	mutex_lock(&vcoal_mutex);
	vcoal_nics_update();
	mutex_unlock(&vcoal_mutex);
	rtnl_unlock();
}

/**
 * vcoal_nics_active() - may NICs be hooked now?
 */
bool vcoal_nics_active(void)
{
	lockdep_assert_held(&vcoal_mutex);

	return vcoal_enabled && !vcoal_frozen;
}

/**
 * vcoal_nics_enabled() - is the master switch on?
 */
bool vcoal_nics_enabled(void)
{
	return READ_ONCE(vcoal_enabled);
}

/**
 * vcoal_nics_enable() - the master switch
 * @enable: false unhooks every NIC
 */
void vcoal_nics_enable(bool enable)
{
	ASSERT_RTNL();
	lockdep_assert_held(&vcoal_mutex);

	WRITE_ONCE(vcoal_enabled, enable);
	vcoal_nics_update();
}

static void vcoal_nic_appear(struct net_device *dev)
{
	const struct vcoal_adapter *adapter = vcoal_adapter_match(dev);
	char vm_id[16] = "local";

	if (!adapter)
		return;
	if (adapter->owner)
		adapter->owner(dev, vm_id, sizeof(vm_id));
	if (!vcoal_nic_new(dev->name, vm_id, !adapter->owner, adapter, dev))
		netdev_warn(dev, "vcoal: not managed, out of memory\n");
}

static void vcoal_nic_changed(struct vcoal_nic *nic, unsigned long event)
{
	switch (event) {
	case NETDEV_UP:
		vcoal_nic_open(nic);
		break;
	case NETDEV_CHANGE:
		if (nic->adapter->ready)
			vcoal_nic_look(nic);
		break;
	case NETDEV_GOING_DOWN:
		vcoal_nic_close(nic);
		break;
	case NETDEV_CHANGENAME:
		vcoal_nic_rename(nic);
		break;
	case NETDEV_UNREGISTER:
		vcoal_nic_remove(nic);
		break;
	}
}

static int vcoal_netdev_event(struct notifier_block *nb, unsigned long event,
			      void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct vcoal_nic *nic;

	/*
	 * Others, as each new VM has some, need not wait for us. One that is managed
	 * had a parent when it was matched, and keeps it until after UNREGISTER.
	 */
	if (!dev->dev.parent)
		return NOTIFY_DONE;

	mutex_lock(&vcoal_mutex);
	nic = vcoal_nic_find(dev);
	if (nic)
		vcoal_nic_changed(nic, event);
	else if (event == NETDEV_REGISTER)
		vcoal_nic_appear(dev);
	mutex_unlock(&vcoal_mutex);

	return NOTIFY_DONE;
}

static struct notifier_block vcoal_netdev_nb = {
	.notifier_call = vcoal_netdev_event,
};

static void vcoal_nics_freeze(unsigned long over, unsigned long announced)
{
	rtnl_lock();
	mutex_lock(&vcoal_mutex);
	vcoal_frozen = (vcoal_frozen & ~over) | announced;
	vcoal_nics_update();
	mutex_unlock(&vcoal_mutex);
	rtnl_unlock();
}

/*
 * virtio frees and re-creates queues and NAPIs in its freeze and restore
 * callbacks, with no netdev event: let go of them before, find them after.
 *
 * Sleeps may overlap: who opens /dev/snapshot announces hibernation, and may
 * suspend the machine before freezing it. (One that was announced before this
 * module came, or never as by kexec's jump, is not noticed.)
 */
static int vcoal_pm_event(struct notifier_block *nb, unsigned long event,
			  void *unused)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_SUSPEND_PREPARE:
	case PM_RESTORE_PREPARE:
		vcoal_nics_freeze(0, BIT(event));
		break;
	case PM_POST_HIBERNATION:
		vcoal_nics_freeze(BIT(PM_HIBERNATION_PREPARE), 0);
		break;
	case PM_POST_SUSPEND:
		vcoal_nics_freeze(BIT(PM_SUSPEND_PREPARE), 0);
		break;
	case PM_POST_RESTORE:
		vcoal_nics_freeze(BIT(PM_RESTORE_PREPARE), 0);
		break;
	}

	return NOTIFY_DONE;
}

static struct notifier_block vcoal_pm_nb = {
	.notifier_call = vcoal_pm_event,
};

/**
 * vcoal_nics_init() - watch netdevs; those that exist are attached here
 */
int vcoal_nics_init(void)
{
	unsigned int flags;
	int err;

	/* Not between a suspend's notifiers and its freeze, but see above. */
	flags = lock_system_sleep();
	err = register_pm_notifier(&vcoal_pm_nb);
	if (err)
		goto err_unlock;
	err = register_netdevice_notifier(&vcoal_netdev_nb);
	if (err)
		goto err_unregister_pm;
	err = vcoal_adapters_start();
	if (err)
		goto err_unregister_netdev;
	unlock_system_sleep(flags);

	return 0;

err_unregister_netdev:
	unregister_netdevice_notifier(&vcoal_netdev_nb);
	cancel_delayed_work_sync(&vcoal_nics_look);
err_unregister_pm:
	unregister_pm_notifier(&vcoal_pm_nb);
err_unlock:
	unlock_system_sleep(flags);
	return err;
}

/**
 * vcoal_nics_exit() - let go of every NIC
 *
 * Unregistering replays GOING_DOWN and UNREGISTER for all of them.
 */
void vcoal_nics_exit(void)
{
	vcoal_adapters_stop();
	unregister_netdevice_notifier(&vcoal_netdev_nb);
	cancel_delayed_work_sync(&vcoal_nics_look);
	unregister_pm_notifier(&vcoal_pm_nb);
}
