// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of adapters.
 */
#include "registry.h"

#include <linux/kernel.h>
#include <linux/string.h>

#define VCOAL_ADAPTERS	8

/* Written only by module init and exit (and KUnit), read under no lock. */
static const struct vcoal_adapter *vcoal_adapters[VCOAL_ADAPTERS];

static const struct vcoal_adapter *const vcoal_adapters_builtin[] = {
	&vcoal_virtio_net,
	&vcoal_vhost_net,
	VCOAL_XEN_ADAPTERS
};

/**
 * vcoal_adapter_match() - who knows this netdev?
 * @dev: any netdev
 *
 * Return: the adapter, or NULL: vcoal leaves the netdev alone
 */
const struct vcoal_adapter *vcoal_adapter_match(const struct net_device *dev)
{
	int i;

	for (i = 0; i < VCOAL_ADAPTERS; i++)
		if (vcoal_adapters[i] && vcoal_adapters[i]->match &&
		    vcoal_adapters[i]->match(dev))
			return vcoal_adapters[i];

	return NULL;
}

/**
 * vcoal_adapter_register() - make an adapter known
 * @adapter: what is required must be there
 *
 * Return: 0, -EINVAL (incomplete), -EEXIST (name taken) or -ENOSPC
 */
int vcoal_adapter_register(const struct vcoal_adapter *adapter)
{
	int i, slot = -1;

	if (!adapter->name || !adapter->release || !adapter->scan ||
	    !adapter->hook || !adapter->unhook || !adapter->kick ||
	    !adapter->timer_cost ||
	    adapter->queue_size < sizeof(struct vcoal_queue))
		return -EINVAL;

	for (i = VCOAL_ADAPTERS - 1; i >= 0; i--) {
		if (!vcoal_adapters[i])
			slot = i;
		else if (!strcmp(vcoal_adapters[i]->name, adapter->name))
			return -EEXIST;
	}
	if (slot < 0)
		return -ENOSPC;
	vcoal_adapters[slot] = adapter;

	return 0;
}

/**
 * vcoal_adapter_unregister() - forget an adapter that no NIC uses
 * @adapter: registered
 */
void vcoal_adapter_unregister(const struct vcoal_adapter *adapter)
{
	int i;

	for (i = 0; i < VCOAL_ADAPTERS; i++)
		if (vcoal_adapters[i] == adapter)
			vcoal_adapters[i] = NULL;
}

static void vcoal_adapters_stop_below(int i)
{
	while (i--)
		if (vcoal_adapters[i] && vcoal_adapters[i]->stop)
			vcoal_adapters[i]->stop();
}

/**
 * vcoal_adapters_start() - let adapters find NICs that are no netdevs
 */
int vcoal_adapters_start(void)
{
	int i, err;

	for (i = 0; i < VCOAL_ADAPTERS; i++) {
		if (!vcoal_adapters[i] || !vcoal_adapters[i]->start)
			continue;
		err = vcoal_adapters[i]->start();
		if (err) {
			vcoal_adapters_stop_below(i);
			return err;
		}
	}

	return 0;
}

/**
 * vcoal_adapters_stop() - such NICs are gone when this returns
 */
void vcoal_adapters_stop(void)
{
	vcoal_adapters_stop_below(VCOAL_ADAPTERS);
}

/**
 * vcoal_adapters_init() - register what is built in
 */
int vcoal_adapters_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(vcoal_adapters_builtin); i++) {
		err = vcoal_adapter_register(vcoal_adapters_builtin[i]);
		if (err)
			goto err_unregister;
	}

	return 0;

err_unregister:
	vcoal_adapters_exit();
	return err;
}

/**
 * vcoal_adapters_exit() - forget them all
 */
void vcoal_adapters_exit(void)
{
	int i;

	for (i = 0; i < VCOAL_ADAPTERS; i++)
		if (vcoal_adapters[i] && vcoal_adapters[i]->exit)
			vcoal_adapters[i]->exit();
	memset(vcoal_adapters, 0, sizeof(vcoal_adapters));
}
