/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Run a function of ours in place of a driver's NAPI poll, and find our own
 * object from a driver's pointer in constant time.
 */
#ifndef _VCOAL_HOOK_NAPI_H
#define _VCOAL_HOOK_NAPI_H

#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <vcoal/hold.h>

/**
 * struct vcoal_key - finds the object that embeds it by a driver's pointer
 * @node: in the table
 * @ptr: the driver's pointer
 */
struct vcoal_key {
	struct hlist_node node;
	const void *ptr;
};

void vcoal_key_add(struct vcoal_key *key, const void *ptr);
void vcoal_key_del(struct vcoal_key *key);
struct vcoal_key *vcoal_key_find(const void *ptr);

/**
 * struct vcoal_napi_hook - one swapped poll function
 * @key: found by the napi_struct
 * @dev: whose NAPI it is
 * @napi: the driver's
 * @driver_poll: its own poll
 * @poll: ours; calls @driver_poll
 * @hold: ended by a busy poller, who owns @napi then (optional; set by the
 *	adapter before it is hooked)
 * @gone: @napi is not to be touched any more but by who owns it
 */
struct vcoal_napi_hook {
	struct vcoal_key key;
	struct net_device *dev;
	struct napi_struct *napi;
	int (*driver_poll)(struct napi_struct *napi, int budget);
	int (*poll)(struct vcoal_napi_hook *hook, int budget);
	struct vcoal_hold *hold;
	bool gone;
};

void vcoal_napi_hook(struct vcoal_napi_hook *hook, struct napi_struct *napi,
		     int (*poll)(struct vcoal_napi_hook *hook, int budget));
bool vcoal_napi_hooked(const struct vcoal_napi_hook *hook);
void vcoal_napi_unhook(struct vcoal_napi_hook *hook);
void vcoal_napi_kick(struct vcoal_napi_hook *hook);
bool vcoal_napi_release(struct vcoal_napi_hook *hook);

#endif /* _VCOAL_HOOK_NAPI_H */
