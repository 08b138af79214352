/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VIRTIO_NET_H
#define _VCOAL_VIRTIO_NET_H

#include <vcoal/adapter.h>
#include <vcoal/hook_napi.h>
#include "virtio_ring.h"

/**
 * struct vnet_queue - one virtqueue that carries packets
 * @q: what the core knows
 * @hook: its NAPI's poll
 * @vq_key: finds it by its virtqueue
 * @ring: its virtqueue
 * @driver_callback: of the virtqueue
 * @txq: its transmit queue, NULL for receive
 * @used_ring: tells a ring from the one that replaced it; NAPI owner's
 * @used: used index at the last look, split ring only; NAPI owner's
 * @event: where a running hold wants its interrupt
 */
struct vnet_queue {
	struct vcoal_queue q;
	struct vcoal_napi_hook hook;
	struct vcoal_key vq_key;
	struct vnet_ring ring;
	void (*driver_callback)(struct virtqueue *vq);
	struct netdev_queue *txq;
	const void *used_ring;
	u16 used;
	u16 event;
};

static_assert(offsetof(struct vnet_queue, q) == 0);

/**
 * struct vnet_nic - one NIC
 * @key: finds it by its net_device while start_xmit() is ours
 * @rcu: for kfree_rcu(), as a search may still be on @key
 * @xmit_hooked: it is
 * @tx_num: transmit queues
 * @tx: they
 */
struct vnet_nic {
	struct vcoal_key key;
	struct rcu_head rcu;
	bool xmit_hooked;
	unsigned int tx_num;
	struct vnet_queue *tx[];
};

static inline struct vnet_queue *to_vnet(struct vcoal_queue *queue)
{
	return container_of(queue, struct vnet_queue, q);
}

void vnet_callback(struct virtqueue *vq);
int vnet_poll_rx(struct vcoal_napi_hook *hook, int budget);
int vnet_poll_tx(struct vcoal_napi_hook *hook, int budget);
void vnet_xmit_hook(struct vcoal_nic *nic);
void vnet_xmit_unhook(struct vcoal_nic *nic);
void vnet_xmit_forget(struct vnet_nic *vnic);

#endif /* _VCOAL_VIRTIO_NET_H */
