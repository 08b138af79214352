// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net, from the guest's side: which queues there are, and what they can
 * do. virtio_poll.c is what runs with the packets.
 */
#include "virtio_net.h"

#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <xen/xen.h>

/*
 * An interrupt costs 4,900 instructions here, and a timer 2,300. That ratio decides
 * where frames are few, so to the 6,900 that policies take for an interrupt it is
 * 3,200. Measured, see policies.rst.
 */
#define VNET_TIMER_COST	32U

static bool vnet_release(struct vcoal_hold *hold)
{
	struct vcoal_queue *queue = container_of(hold, struct vcoal_queue, hold);

	return vcoal_napi_release(&to_vnet(queue)->hook);
}

static bool vnet_match(const struct net_device *dev)
{
	const struct device *parent = dev->dev.parent;

	/* A failover or stacked netdev may share the parent, not the private. */
	return parent && parent->driver && parent->bus &&
	       !strcmp(parent->bus->name, "virtio") &&
	       !strcmp(parent->driver->name, "virtio_net") &&
	       dev_to_virtio((struct device *)parent)->priv == netdev_priv(dev);
}

static struct virtqueue *vnet_find_vq(struct virtio_device *vdev,
				      enum vcoal_dir dir, unsigned int index)
{
	struct virtqueue *vq;
	char name[16];

	snprintf(name, sizeof(name), "%s.%u",
		 dir == VCOAL_RX ? "input" : "output", index);
	list_for_each_entry(vq, &vdev->vqs, list)
		if (vq->name && !strcmp(vq->name, name))
			return vq;

	return NULL;
}

static enum vcoal_dir vnet_dir(const struct napi_struct *napi)
{
	return test_bit(NAPI_STATE_NO_BUSY_POLL, &napi->state) ? VCOAL_TX :
								 VCOAL_RX;
}

static int vnet_add_queue(struct vcoal_nic *nic, struct napi_struct *napi,
			  unsigned int index)
{
	struct virtio_device *vdev = dev_to_virtio(nic->dev->dev.parent);
	enum vcoal_dir dir = vnet_dir(napi);
	struct vnet_nic *vnic = nic->priv;
	struct vcoal_queue *base;
	struct vnet_queue *queue;
	struct virtqueue *vq;

	vq = vnet_find_vq(vdev, dir, index);
	if (!vq || index >= nic->dev->num_tx_queues)
		return -ENXIO;
	base = vcoal_queue_new(nic, dir, index);
	if (!base)
		return -ENOMEM;

	queue = to_vnet(base);
	queue->hook.napi = napi;
	vnet_ring_init(&queue->ring, vq);
	queue->q.ring_size = vnet_vq.ring_size(vq);
	if (dir == VCOAL_TX) {
		queue->txq = netdev_get_tx_queue(nic->dev, index);
		vnic->tx[index] = queue;
	}

	return 0;
}

/* NAPIs of one direction are listed in the reverse order of their index. */
static int vnet_add_queues(struct vcoal_nic *nic)
{
	unsigned int num[VCOAL_DIRS] = {};
	struct vnet_nic *vnic = nic->priv;
	struct napi_struct *napi;
	int err;

	list_for_each_entry_reverse(napi, &nic->dev->napi_list, dev_list) {
		err = vnet_add_queue(nic, napi, num[vnet_dir(napi)]++);
		if (err)
			return err;
	}
	vnic->tx_num = num[VCOAL_TX];

	return num[VCOAL_TX] && num[VCOAL_RX] == num[VCOAL_TX] ? 0 : -ENXIO;
}

/*
 * What is held here must not be woken by a neighbour: every queue needs a
 * vector of its own. virtio_pci gives vector 0 to configuration changes and
 * the following ones to the queues; when it got fewer it shares them.
 */
static bool vnet_own_vectors(const struct vcoal_nic *nic)
{
	const struct virtio_device *vdev =
		dev_to_virtio(nic->dev->dev.parent);
	const struct vnet_nic *vnic = nic->priv;
	struct device *parent = vdev->dev.parent;

	return parent && dev_is_pci(parent) &&
	       to_pci_dev(parent)->msix_enabled &&
	       pci_irq_vector(to_pci_dev(parent), 2 * vnic->tx_num) > 0;
}

static void vnet_capabilities(struct vcoal_nic *nic)
{
	struct virtio_device *vdev = dev_to_virtio(nic->dev->dev.parent);
	struct vnet_nic *vnic = nic->priv;

	nic->caps = VCOAL_CAP(COUNT_RX) | VCOAL_CAP(COUNT_TX);
	if (!vcoal_hold_supported()) {
		nic->why = "no high-resolution timers";
		return;
	}
	if (virtio_has_feature(vdev, VIRTIO_NET_F_NOTF_COAL) ||
	    virtio_has_feature(vdev, VIRTIO_NET_F_VQ_NOTF_COAL)) {
		nic->why = "the device coalesces by itself: use ethtool -C";
		return;
	}
	if (!vnet_own_vectors(nic)) {
		nic->why = "queues share one interrupt";
		return;
	}

	nic->caps |= VCOAL_CAP(RX_USECS);
	if (vnic->tx[0]->hook.napi->weight)
		nic->caps |= VCOAL_CAP(TX_USECS);
	else
		nic->why = "transmit completions take no interrupts (napi_tx=0)";
	if (virtio_has_feature(vdev, VIRTIO_F_RING_PACKED)) {
		nic->why = "packed ring: no frames threshold";
		return;
	}
	if (!virtio_has_feature(vdev, VIRTIO_RING_F_EVENT_IDX)) {
		nic->why = "no event index: no frames threshold";
		return;
	}
	nic->caps |= VCOAL_CAP(RX_FRAMES);
	if (nic->caps & VCOAL_CAP(TX_USECS))
		nic->caps |= VCOAL_CAP(TX_FRAMES);
}

static int vnet_scan(struct vcoal_nic *nic)
{
	struct vnet_nic *vnic;
	int err;

	/* Xen freezes devices without telling PM notifiers: see nics.c. */
	if (xen_domain() && !xen_initial_domain())
		return -EOPNOTSUPP;
	err = vnet_vq_get();
	if (err)
		return err;
	vnic = kzalloc(struct_size(vnic, tx, nic->dev->num_tx_queues),
		       GFP_KERNEL);
	if (!vnic) {
		vnet_vq_put();
		return -ENOMEM;
	}
	nic->priv = vnic;

	err = vnet_add_queues(nic);
	if (err)
		return err;
	vnet_capabilities(nic);

	return 0;
}

static void vnet_drop(struct vcoal_nic *nic)
{
	struct vnet_nic *vnic = nic->priv;

	if (!vnic)
		return;
	vnet_xmit_forget(vnic);
	kfree_rcu(vnic, rcu);
	nic->priv = NULL;
	vnet_vq_put();
}

static int vnet_hook(struct vcoal_queue *base)
{
	bool tx = base->dir == VCOAL_TX;
	struct vnet_queue *queue = to_vnet(base);

	/* The queue is up and rtnl keeps its ring: look before the hook does. */
	if (queue->ring.split) {
		queue->used_ring = queue->ring.vring->used;
		queue->used = vnet_ring_used(&queue->ring);
	}
	queue->driver_callback = queue->ring.vq->callback;
	vcoal_key_add(&queue->vq_key, queue->ring.vq);
	/* The key before the callback; pairs with vring_interrupt()'s call. */
	smp_store_release(&queue->ring.vq->callback, vnet_callback);

	queue->hook.hold = &base->hold;
	vcoal_napi_hook(&queue->hook, queue->hook.napi,
			tx ? vnet_poll_tx : vnet_poll_rx);
	if (tx && !base->index)
		vnet_xmit_hook(base->nic);

	return 0;
}

static void vnet_unhook(struct vcoal_queue *base)
{
	struct vnet_queue *queue = to_vnet(base);

	vcoal_napi_unhook(&queue->hook);
	/* A NAPI that is gone took its virtqueue along. */
	if (!queue->hook.gone && queue->ring.vq->callback == vnet_callback)
		WRITE_ONCE(queue->ring.vq->callback, queue->driver_callback);
	if (base->dir == VCOAL_TX && !base->index)
		vnet_xmit_unhook(base->nic);
}

static void vnet_kick(struct vcoal_queue *base)
{
	struct vnet_queue *queue = to_vnet(base);

	vcoal_key_del(&queue->vq_key);
	vcoal_napi_kick(&queue->hook);
}

const struct vcoal_adapter vcoal_virtio_net = {
	.release	= vnet_release,
	.match		= vnet_match,
	.scan		= vnet_scan,
	.hook		= vnet_hook,
	.unhook		= vnet_unhook,
	.kick		= vnet_kick,
	.drop		= vnet_drop,
	.queue_size	= sizeof(struct vnet_queue),
	.timer_cost	= VNET_TIMER_COST,
	.name		= "virtio_net",
};
