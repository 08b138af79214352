// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-net: what runs with the packets.
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
 * A virtqueue may be touched only while its NAPI is owned, or its transmit lock
 * is held and the queue is not stopped: `ethtool -G` replaces the ring of a queue
 * whose NAPI it has disabled and whose xmit it has stopped. (What the driver does
 * where it owns neither, in its callback and for a last look behind a completion,
 * is done here as well, by the same functions.)
 */
#include "virtio_net.h"

#include <linux/netdevice.h>
#include <linux/string.h>

/*
 * One copy of the driver's operations for all of its NICs, never freed: who
 * holds rtnl may have read dev->netdev_ops before a detach and call through it
 * afterwards (do_setlink() does), grace period or not. rmmod needs rtnl, too.
 */
static struct net_device_ops vnet_ops;
static const struct net_device_ops *vnet_driver_ops;
/* NICs with vnet_ops; under vcoal_mutex. */
static unsigned int vnet_ops_users;

/* The interrupt. */

/*
 * A device that completes while it is being kicked interrupts before
 * start_xmit() could turn that off. The hold goes on all the same, unless the
 * queue is stopped or the frames threshold was reached.
 *
 * Nothing is lost: while the hold runs, its poll is still to come, and that
 * poll ends the hold before it re-opens the interrupt. So whoever turns the
 * interrupt off here looks again: a hold that ended meanwhile may have been
 * re-opened, and then the driver must be told. So it must when the queue was
 * stopped meanwhile, which waits for the interrupt that was just turned off; one
 * that stops after the second look turns it on again.
 */
static bool vnet_tx_held(const struct vnet_queue *queue)
{
	return queue->q.dir == VCOAL_TX &&
	       vcoal_hold_running(&queue->q.hold) &&
	       !netif_xmit_stopped(queue->txq) &&
	       !(queue->ring.split &&
		 vnet_ring_reached(&queue->ring, READ_ONCE(queue->event)));
}

/**
 * vnet_callback() - the virtqueue's interrupt
 * @vq: the virtqueue
 */
void vnet_callback(struct virtqueue *vq)
{
	struct vcoal_key *key = vcoal_key_find(vq);
	struct vnet_queue *queue;

	/* Cannot be: the key is there before the callback is swapped. */
	if (WARN_ON_ONCE(!key))
		return;

	queue = container_of(key, struct vnet_queue, vq_key);
	vcoal_queue_irq(&queue->q);
	if (vnet_tx_held(queue)) {
		vnet_vq.disable_cb(vq);
		/* Off before the look: pairs with smp_mb() in vnet_serve_tx(). */
		smp_mb();
		if (vnet_tx_held(queue))
			return;
	}
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

	opaque = vnet_vq.enable_cb_prepare(queue->ring.vq);
	if (!napi_complete_done(napi, 0)) {
		vnet_vq.disable_cb(queue->ring.vq);
		return;
	}
	if (unlikely(vnet_vq.poll(queue->ring.vq, opaque)) &&
	    napi_schedule_prep(napi)) {
		vnet_vq.disable_cb(queue->ring.vq);
		__napi_schedule(napi);
	}
}

/*
 * Hand the NAPI back with the interrupt off, and wait. The device's threshold
 * must be set while the NAPI is owned; should it have passed by then, there is
 * nothing to wait for. When somebody scheduled the NAPI meanwhile, or the
 * operator's napi_defer_hard_irqs holds it, napi_complete_done() says so: the
 * poll to come ends the hold, and no timer is needed.
 */
static void vnet_hold(struct vnet_queue *queue, u64 now, int work)
{
	struct napi_struct *napi = queue->hook.napi;
	bool full = vnet_ring_threshold(&queue->ring, queue->used,
					READ_ONCE(queue->q.hold.frames),
					&queue->event);

	if (!full)
		vcoal_queue_hold(&queue->q, now);
	if (!napi_complete_done(napi, work))
		return;
	if (!full)
		vcoal_hold_wait(&queue->q.hold, now);
	else
		napi_schedule(napi);
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

/* `ethtool -G` tells nobody; the guard against overflow must know. */
static void vnet_ring_resized(struct vnet_queue *queue)
{
	WRITE_ONCE(queue->q.ring_size, vnet_vq.ring_size(queue->ring.vq));
}

/* Noinline: what it needs of the stack, a poll that only counts does not. */
static noinline int vnet_serve_rx(struct vnet_queue *queue, int budget)
{
	bool keep = vcoal_hold_wanted(&queue->q.hold);
	struct vcoal_served served = {
		.now = vcoal_queue_clock_to_hold(&queue->q, keep),
	};
	int work;

	served.held = vcoal_hold_end(&queue->q.hold, served.now);
	if (keep)
		vnet_ring_resized(queue);
	work = vnet_driver_poll(&queue->hook, budget, keep);
	served.frames = work;
	served.full = work >= budget;
	vcoal_queue_served(&queue->q, &served);

	if (!keep || served.full)
		return work;
	if (!work) {
		vnet_rx_reopen(queue);
		return work;
	}
	if (queue->ring.event_idx)
		queue->used = vnet_ring_last_used(&queue->ring);
	vnet_hold(queue, served.now, work);

	return work;
}

/**
 * vnet_poll_rx() - the poll of a receive queue
 * @hook: of its NAPI
 * @budget: as the driver's
 */
int vnet_poll_rx(struct vcoal_napi_hook *hook, int budget)
{
	struct vnet_queue *queue = container_of(hook, struct vnet_queue, hook);
	int work;

	if (!vcoal_queue_only_counts(&queue->q))
		return vnet_serve_rx(queue, budget);

	work = hook->driver_poll(hook->napi, budget);
	vcoal_queue_count(&queue->q, work, work >= budget);

	return work;
}

/* Transmit. */

static void vnet_tx_reopen(struct vnet_queue *queue)
{
	struct napi_struct *napi = queue->hook.napi;
	unsigned int opaque;
	bool done;

	__netif_tx_lock(queue->txq, raw_smp_processor_id());
	opaque = vnet_vq.enable_cb_prepare(queue->ring.vq);
	done = napi_complete_done(napi, 0);
	if (!done)
		vnet_vq.disable_cb(queue->ring.vq);
	__netif_tx_unlock(queue->txq);

	if (done && unlikely(vnet_vq.poll(queue->ring.vq, opaque)) &&
	    napi_schedule_prep(napi)) {
		__netif_tx_lock(queue->txq, raw_smp_processor_id());
		vnet_vq.disable_cb(queue->ring.vq);
		__netif_tx_unlock(queue->txq);
		__napi_schedule(napi);
	}
}

/*
 * Packets completed since the last look. The driver's poll does not tell, and
 * start_xmit() reaps as well: a split ring's used index knows exactly. A ring
 * that `ethtool -G` replaced, or an AF_XDP socket reset (in place), counts from 0
 * again: what it had before is not known, more than it has room for was never.
 */
static u32 vnet_tx_used(struct vnet_queue *queue)
{
	const struct vring_used *ring = queue->ring.vring->used;
	u16 used = vnet_ring_used(&queue->ring);
	u16 frames = used - queue->used;

	queue->used = used;
	if (likely(queue->used_ring == ring &&
		   frames <= queue->ring.vring->num))
		return frames;
	queue->used_ring = ring;

	return 0;
}

/* Before the driver's poll: the same, or what a packed ring is judged by. */
static u32 vnet_tx_before(struct vnet_queue *queue)
{
	return queue->ring.split ? vnet_tx_used(queue) :
				   queue->ring.vq->num_free;
}

/* After it: packets completed; those that the poll freed of a packed ring. */
static u32 vnet_tx_frames(const struct vnet_queue *queue, u32 before)
{
	u32 room;

	if (queue->ring.split)
		return before;
	room = queue->ring.vq->num_free;

	return room > before ? room - before : 0;
}

/*
 * With XDP some transmit queues carry raw frames and want no interrupt at all:
 * only the driver knows which.
 */
static bool vnet_tx_may_hold(const struct vnet_queue *queue)
{
	const struct bpf_xdp_entity *xdp =
		&queue->hook.dev->xdp_state[XDP_MODE_DRV];

	return vcoal_hold_wanted(&queue->q.hold) &&
	       !READ_ONCE(xdp->prog) && !READ_ONCE(xdp->link);
}

static noinline int vnet_serve_tx(struct vnet_queue *queue, int budget)
{
	bool keep = vnet_tx_may_hold(queue);
	struct vcoal_served served = {
		.now = vcoal_queue_clock_to_hold(&queue->q, keep),
	};
	u32 before;
	int work;

	served.held = vcoal_hold_end(&queue->q.hold, served.now);
	if (served.held)
		/* Ended, then re-opened: pairs with vnet_callback(). */
		smp_mb();
	if (keep)
		vnet_ring_resized(queue);
	before = vnet_tx_before(queue);
	work = vnet_driver_poll(&queue->hook, budget, keep);
	served.frames = vnet_tx_frames(queue, before);
	served.full = work >= budget;
	vcoal_queue_served(&queue->q, &served);

	if (!keep || served.full)
		return work;
	/* A queue that is still stopped waits for its interrupt. */
	if (served.frames && !netif_xmit_stopped(queue->txq))
		vnet_hold(queue, served.now, 0);
	else
		vnet_tx_reopen(queue);

	return work;
}

/**
 * vnet_poll_tx() - the poll of a transmit queue
 * @hook: of its NAPI
 * @budget: as the driver's
 */
int vnet_poll_tx(struct vcoal_napi_hook *hook, int budget)
{
	struct vnet_queue *queue = container_of(hook, struct vnet_queue, hook);
	u32 before;
	int work;

	if (!vcoal_queue_only_counts(&queue->q))
		return vnet_serve_tx(queue, budget);

	before = vnet_tx_before(queue);
	work = hook->driver_poll(hook->napi, budget);
	vcoal_queue_count(&queue->q, vnet_tx_frames(queue, before),
			  work >= budget);

	return work;
}

/*
 * Who may run: start_xmit() runs under the transmit lock with BH off, which is
 * an RCU reader; the operations are restored before the grace period of
 * detach, and the key leaves the table after it. Without a key (a stale pointer
 * to our operations) the driver's function runs alone.
 *
 * The hold is looked at under the transmit lock. Whoever ended it re-opens the
 * interrupt under the same lock later, so turning it off here cannot be the
 * last word; and while the hold runs, its timer is.
 */
static netdev_tx_t vnet_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	u16 index = skb_get_queue_mapping(skb);
	netdev_tx_t ret = vnet_driver_ops->ndo_start_xmit(skb, dev);
	struct vcoal_key *key = vcoal_key_find(dev);
	struct vnet_queue *queue;
	struct vnet_nic *vnic;

	if (unlikely(!key))
		return ret;
	vnic = container_of(key, struct vnet_nic, key);
	if (unlikely(index >= vnic->tx_num))
		return ret;

	/* A stopped queue waits for its interrupt: let it come. */
	queue = vnic->tx[index];
	if (vcoal_hold_running(&queue->q.hold) &&
	    !netif_xmit_stopped(queue->txq))
		vnet_ring_suppress(&queue->ring, READ_ONCE(queue->event));

	return ret;
}

/**
 * vnet_xmit_hook() - run our start_xmit()
 * @nic: its queues are found
 */
void vnet_xmit_hook(struct vcoal_nic *nic)
{
	struct vnet_nic *vnic = nic->priv;

	if (!vnet_ops_users) {
		vnet_driver_ops = nic->dev->netdev_ops;
		vnet_ops = *vnet_driver_ops;
		vnet_ops.ndo_start_xmit = vnet_start_xmit;
	}
	/* Somebody else's operations: transmit is held less well, no more. */
	if (nic->dev->netdev_ops != vnet_driver_ops)
		return;

	vnet_ops_users++;
	vnic->xmit_hooked = true;
	vcoal_key_add(&vnic->key, nic->dev);
	/* The copy and the key before the pointer; pairs with its readers. */
	smp_store_release(&nic->dev->netdev_ops, &vnet_ops);
}

/**
 * vnet_xmit_unhook() - run the driver's
 * @nic: hooked, or not
 */
void vnet_xmit_unhook(struct vcoal_nic *nic)
{
	if (nic->dev->netdev_ops == &vnet_ops)
		WRITE_ONCE(nic->dev->netdev_ops, vnet_driver_ops);
}

/**
 * vnet_xmit_forget() - nobody is in our start_xmit() any more
 * @vnic: unhooked, and a grace period has passed
 */
void vnet_xmit_forget(struct vnet_nic *vnic)
{
	if (!vnic->xmit_hooked)
		return;
	vcoal_key_del(&vnic->key);
	vnet_ops_users--;
}
