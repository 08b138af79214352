// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net, from the guest's side.
 *
 * To hold, the driver must leave its interrupt off when it is done: it does so
 * when napi_complete_done() refuses, and that refuses while
 * NAPI_STATE_IN_BUSY_POLL is set. So a poll that may hold runs the driver's
 * poll under that bit, keeps the NAPI across it, and then either completes and
 * starts the hold, or, when nothing was found, re-opens the interrupt the way
 * the driver would have. A poll that will not hold runs the driver's poll and
 * nothing else.
 *
 * Transmit has one thing more: the driver's start_xmit() turns its completion
 * interrupt on with every packet, so while a hold runs it is turned off again
 * behind it, under the same transmit lock.
 *
 * A virtqueue may be touched only while its NAPI is owned (rx) or its transmit
 * lock is held and the queue is not stopped (tx): `ethtool -G` replaces the
 * ring of a queue whose NAPI it has disabled and whose xmit it has stopped.
 */
#include <linux/netdevice.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <vcoal/adapter.h>
#include <vcoal/hook_napi.h>
#include "virtio_ring.h"

struct vnet_queue {
	struct vcoal_queue q;
	struct vcoal_napi_hook hook;
	struct vcoal_key vq_key;
	struct virtqueue *vq;
	void (*driver_callback)(struct virtqueue *vq);
	struct netdev_queue *txq;
	/* Used index at the last look and where; split ring, NAPI owner's. */
	const void *used_ring;
	u16 used;
	/* Where a running hold wants its interrupt; see vnet_ring_suppress(). */
	u16 event;
	bool split;
};

static_assert(offsetof(struct vnet_queue, q) == 0);

struct vnet_nic {
	struct net_device_ops ops;
	const struct net_device_ops *driver_ops;
	unsigned int tx_num;
	struct vnet_queue *tx[];
};

static struct vnet_queue *to_vnet(struct vcoal_queue *queue)
{
	return container_of(queue, struct vnet_queue, q);
}

/* The interrupt. */

/*
 * A device that completes while it is being kicked interrupts before
 * start_xmit() could turn that off. The hold goes on all the same, unless the
 * queue is stopped or the frames threshold was reached.
 *
 * Nothing is lost: the hold's poll is still to come or already under way, and
 * what the device had used before it interrupted, that poll finds. A queue
 * that stops after this look gets a new interrupt from the driver.
 */
static bool vnet_tx_held(const struct vnet_queue *queue)
{
	return queue->q.dir == VCOAL_TX &&
	       vcoal_hold_running(&queue->q.hold) &&
	       !netif_xmit_stopped(queue->txq) &&
	       !(queue->split && vnet_ring_reached(queue->vq,
						   READ_ONCE(queue->event)));
}

static void vnet_callback(struct virtqueue *vq)
{
	struct vcoal_key *key = vcoal_key_find(vq);
	struct vnet_queue *queue;

	/* Cannot be: the key is there before the callback is swapped. */
	if (WARN_ON_ONCE(!key))
		return;

	queue = container_of(key, struct vnet_queue, vq_key);
	vcoal_queue_irq(&queue->q);
	if (vnet_tx_held(queue))
		vnet_vq.disable_cb(vq);
	else
		queue->driver_callback(vq);
}

/* Receive. */

/*
 * The driver's own completion (virtqueue_napi_complete() there), for a poll
 * that kept the NAPI but found nothing worth a hold.
 */
static void vnet_rx_reopen(struct vnet_queue *queue)
{
	struct napi_struct *napi = queue->hook.napi;
	unsigned int opaque;

	opaque = vnet_vq.enable_cb_prepare(queue->vq);
	if (!napi_complete_done(napi, 0)) {
		vnet_vq.disable_cb(queue->vq);
		return;
	}
	if (unlikely(vnet_vq.poll(queue->vq, opaque)) &&
	    napi_schedule_prep(napi)) {
		vnet_vq.disable_cb(queue->vq);
		__napi_schedule(napi);
	}
}

/*
 * Hand the NAPI back with the interrupt off, and wait. The device's threshold
 * must be set while the NAPI is owned; should it have passed by then, there is
 * nothing to wait for. When somebody scheduled the NAPI meanwhile, or the
 * operator's napi_defer_hard_irqs holds it, napi_complete_done() says so and
 * no hold begins.
 */
static void vnet_hold(struct vnet_queue *queue, int work)
{
	struct napi_struct *napi = queue->hook.napi;
	bool due = vnet_ring_threshold(queue->vq, queue->split, queue->used,
				       READ_ONCE(queue->q.hold.frames),
				       &queue->event);

	if (!napi_complete_done(napi, work))
		return;
	if (due)
		napi_schedule(napi);
	else
		vcoal_queue_hold(&queue->q);
}

/* The driver's poll; with @keep it leaves its interrupt off and us the NAPI. */
static int vnet_driver_poll(struct vcoal_napi_hook *hook, int budget, bool keep)
{
	struct napi_struct *napi = hook->napi;
	int work;

	if (!keep)
		return hook->driver_poll(napi, budget);

	set_bit(NAPI_STATE_IN_BUSY_POLL, &napi->state);
	work = hook->driver_poll(napi, budget);
	clear_bit(NAPI_STATE_IN_BUSY_POLL, &napi->state);

	return work;
}

static int vnet_poll_rx(struct vcoal_napi_hook *hook, int budget)
{
	struct vnet_queue *queue = container_of(hook, struct vnet_queue, hook);
	bool keep = vcoal_hold_wanted(&queue->q.hold);
	struct vcoal_served served = { .now = vcoal_queue_clock(&queue->q) };
	int work;

	served.held = vcoal_hold_end(&queue->q.hold, served.now);
	work = vnet_driver_poll(hook, budget, keep);
	served.frames = work;
	served.full = work >= budget;
	if (keep && queue->split)
		queue->used = vnet_ring_used(queue->vq);
	vcoal_queue_served(&queue->q, &served);

	if (!keep || served.full)
		return work;
	if (work)
		vnet_hold(queue, work);
	else
		vnet_rx_reopen(queue);

	return work;
}

/* Transmit. */

static void vnet_tx_reopen(struct vnet_queue *queue)
{
	struct napi_struct *napi = queue->hook.napi;
	unsigned int opaque;
	bool done;

	__netif_tx_lock(queue->txq, raw_smp_processor_id());
	opaque = vnet_vq.enable_cb_prepare(queue->vq);
	done = napi_complete_done(napi, 0);
	if (!done)
		vnet_vq.disable_cb(queue->vq);
	__netif_tx_unlock(queue->txq);

	if (done && unlikely(vnet_vq.poll(queue->vq, opaque)) &&
	    napi_schedule_prep(napi)) {
		__netif_tx_lock(queue->txq, raw_smp_processor_id());
		vnet_vq.disable_cb(queue->vq);
		__netif_tx_unlock(queue->txq);
		__napi_schedule(napi);
	}
}

/*
 * Packets completed since the last look. The driver's poll does not tell, and
 * start_xmit() reaps as well: a split ring's used index knows exactly. A
 * packed ring is judged by what this poll freed. A ring that `ethtool -G`
 * replaced counts from 0 again: what the old one had left is not known.
 */
static u32 vnet_tx_frames(struct vnet_queue *queue)
{
	u16 used, frames;

	if (!queue->split)
		return 0;
	used = vnet_ring_used(queue->vq);
	frames = used - queue->used;
	queue->used = used;
	if (likely(queue->used_ring == vnet_ring_id(queue->vq)))
		return frames;
	queue->used_ring = vnet_ring_id(queue->vq);

	return 0;
}

/*
 * With XDP some transmit queues carry raw frames and want no interrupt at all:
 * only the driver knows which.
 */
static bool vnet_tx_may_hold(const struct vnet_queue *queue)
{
	return vcoal_hold_wanted(&queue->q.hold) &&
	       !READ_ONCE(queue->hook.dev->xdp_state[XDP_MODE_DRV].prog);
}

static int vnet_poll_tx(struct vcoal_napi_hook *hook, int budget)
{
	struct vnet_queue *queue = container_of(hook, struct vnet_queue, hook);
	struct vcoal_served served = { .now = vcoal_queue_clock(&queue->q) };
	unsigned int room = queue->vq->num_free;
	bool keep = vnet_tx_may_hold(queue);
	int work;

	served.held = vcoal_hold_end(&queue->q.hold, served.now);
	served.frames = vnet_tx_frames(queue);
	work = vnet_driver_poll(hook, budget, keep);
	served.full = work >= budget;
	if (!queue->split && queue->vq->num_free > room)
		served.frames = queue->vq->num_free - room;
	vcoal_queue_served(&queue->q, &served);

	if (!keep || served.full)
		return work;
	/* A queue that is still stopped waits for its interrupt. */
	if (served.frames && !netif_xmit_stopped(queue->txq))
		vnet_hold(queue, 0);
	else
		vnet_tx_reopen(queue);

	return work;
}

/*
 * Who may run: start_xmit() runs under the transmit lock with BH off, which is
 * an RCU reader; the operations are restored before the grace period of
 * detach, and the copy is freed after it. One that was entered through the
 * copy may find the driver's operations restored: it must not look for ours.
 *
 * The hold is looked at under the transmit lock. Whoever ended it re-opens the
 * interrupt under the same lock later, so turning it off here cannot be the
 * last word; and while the hold runs, its timer is.
 */
static netdev_tx_t vnet_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	const struct net_device_ops *ops = READ_ONCE(dev->netdev_ops);
	u16 index = skb_get_queue_mapping(skb);
	struct vnet_queue *queue;
	struct vnet_nic *vnic;
	netdev_tx_t ret;

	if (unlikely(ops->ndo_start_xmit != vnet_start_xmit))
		return ops->ndo_start_xmit(skb, dev);

	vnic = container_of(ops, struct vnet_nic, ops);
	ret = vnic->driver_ops->ndo_start_xmit(skb, dev);
	if (index >= vnic->tx_num)
		return ret;

	/* A stopped queue waits for its interrupt: let it come. */
	queue = vnic->tx[index];
	if (vcoal_hold_running(&queue->q.hold) &&
	    !netif_xmit_stopped(queue->txq))
		vnet_ring_suppress(queue->vq, queue->split,
				   READ_ONCE(queue->event));

	return ret;
}

static void vnet_xmit_hook(struct vcoal_nic *nic)
{
	struct vnet_nic *vnic = nic->priv;

	vnic->driver_ops = nic->dev->netdev_ops;
	vnic->ops = *vnic->driver_ops;
	vnic->ops.ndo_start_xmit = vnet_start_xmit;
	/* The copy before the pointer; pairs with READ_ONCE() above. */
	smp_store_release(&nic->dev->netdev_ops, &vnic->ops);
}

static void vnet_xmit_unhook(struct vcoal_nic *nic)
{
	struct vnet_nic *vnic = nic->priv;

	if (nic->dev->netdev_ops == &vnic->ops)
		WRITE_ONCE(nic->dev->netdev_ops, vnic->driver_ops);
}

/* The adapter. */

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
	queue->vq = vq;
	queue->hook.napi = napi;
	queue->split = !virtio_has_feature(vdev, VIRTIO_F_RING_PACKED);
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

	return num[VCOAL_RX] == num[VCOAL_TX] ? 0 : -ENXIO;
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
	if (virtio_has_feature(vdev, VIRTIO_NET_F_NOTF_COAL)) {
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
	if (!nic->priv)
		return;
	kfree(nic->priv);
	nic->priv = NULL;
	vnet_vq_put();
}

static int vnet_hook(struct vcoal_queue *base)
{
	bool tx = base->dir == VCOAL_TX;
	struct vnet_queue *queue = to_vnet(base);

	/* The queue is up and rtnl keeps its ring: look before the hook does. */
	if (queue->split) {
		queue->used_ring = vnet_ring_id(queue->vq);
		queue->used = vnet_ring_used(queue->vq);
	}
	queue->driver_callback = queue->vq->callback;
	vcoal_key_add(&queue->vq_key, queue->vq);
	/* The key before the callback; pairs with vring_interrupt()'s call. */
	smp_store_release(&queue->vq->callback, vnet_callback);

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
	if (queue->hook.napi && queue->vq->callback == vnet_callback)
		WRITE_ONCE(queue->vq->callback, queue->driver_callback);
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
	.name		= "virtio_net",
};
