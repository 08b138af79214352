// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest receives, in xen-netback.
 *
 * Frames are counted on their way into the driver, in its start_xmit(). Its
 * thread copies them to the guest, and interrupts the guest through the gate
 * when the guest asked for that. An interrupt that is kept always stands for a
 * frame that the guest has not seen: it sleeps, and only its interrupt wakes it
 * up. So however long it is kept, it is not spurious.
 */
#include <linux/irqflags.h>
#include <linux/netdevice.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"

/*
 * One copy of the driver's operations for all vifs, never freed: who holds rtnl
 * may have read dev->netdev_ops before a detach and call through it afterwards,
 * grace period or not. rmmod needs rtnl, too.
 */
static struct net_device_ops xnb_ops;
static const struct net_device_ops *xnb_driver_ops;
/* Vifs with xnb_ops; under vcoal_mutex. */
static unsigned int xnb_ops_users;

static struct xnb_queue *xnb_of_line(struct xev_line *line)
{
	return container_of(line, struct xnb_queue, line);
}

static void xnb_rx_bytes(struct xnb_queue *queue)
{
	spin_lock_bh(&queue->gate.q.lock);
	queue->gate.q.count.bytes += atomic64_xchg(&queue->bytes, 0);
	spin_unlock_bh(&queue->gate.q.lock);
}

/* With it go the frames that came meanwhile, for which no notify() came. */
static bool xnb_rx_deliver(struct vcoal_gate *gate)
{
	struct xnb_queue *queue = container_of(gate, struct xnb_queue, gate);

	gate->frames += atomic_xchg(&queue->frames, 0);
	xnb_rx_bytes(queue);
	xev_send(queue->line.irq);

	return true;
}

/*
 * The driver's thread copied frames. On a line for both directions completions
 * come here as well, with interrupts off: they pass.
 */
static bool xnb_rx_notify(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_line(line);

	if (irqs_disabled())
		return true;
	xnb_rx_bytes(queue);

	return vcoal_gate_notify(&queue->gate, atomic_xchg(&queue->frames, 0));
}

/*
 * Nothing is held nor shall be: the thread is the only one who counts, and
 * interrupts are off as the queue's lock wants no softirq meanwhile.
 */
static bool xnb_rx_notify_passes(struct xev_line *line)
{
	struct xnb_queue *queue = xnb_of_line(line);
	struct vcoal_served served = {};
	unsigned long flags;

	if (irqs_disabled())
		return true;
	if (IS_ENABLED(CONFIG_PREEMPT_RT) || !READ_ONCE(queue->gate.open) ||
	    !vcoal_queue_only_counts(&queue->gate.q))
		return false;

	served.frames = atomic_xchg(&queue->frames, 0);
	if (served.frames)
		served.bytes = atomic64_xchg(&queue->bytes, 0);
	local_irq_save(flags);
	vcoal_queue_irq(&queue->gate.q);
	vcoal_queue_served(&queue->gate.q, &served);
	local_irq_restore(flags);

	return true;
}

static bool xnb_rx_eoi(struct xev_line *line)
{
	return true;
}

static void xnb_rx_spurious(struct xev_line *line)
{
	vcoal_queue_spurious(&xnb_of_line(line)->gate.q);
}

static void xnb_rx_gone(struct xev_line *line)
{
	vcoal_gate_close(&xnb_of_line(line)->gate);
}

static const struct xev_ops xnb_rx_ops = {
	.notify		= xnb_rx_notify,
	.eoi		= xnb_rx_eoi,
	.spurious	= xnb_rx_spurious,
	.gone		= xnb_rx_gone,
	.notify_passes	= xnb_rx_notify_passes,
	.eoi_passes	= xnb_rx_eoi,
};

/**
 * xnb_rx_hook() - count and hold
 * @queue: receive
 */
void xnb_rx_hook(struct xnb_queue *queue)
{
	vcoal_gate_open(&queue->gate, xnb_rx_deliver);
	xev_add(&queue->line, &xnb_rx_ops, queue->line.irq);
}

/**
 * xnb_rx_unhook() - deliver what is kept, keep nothing more
 * @queue: hooked
 */
void xnb_rx_unhook(struct xnb_queue *queue)
{
	/* In this order: while it may deliver, we must see the line go. */
	vcoal_gate_close(&queue->gate);
	xev_del(&queue->line);
}

/*
 * While an interrupt is kept the guest sleeps and the driver asks for no other:
 * it is here that enough frames may be seen to wait. That the thread did not
 * copy them yet does not matter: what the interrupt was kept for is there.
 */
static void xnb_rx_count(struct xnb_queue *queue, unsigned int len)
{
	u32 limit = READ_ONCE(queue->gate.q.hold.frames);
	u32 frames = atomic_inc_return(&queue->frames);

	atomic64_add(len, &queue->bytes);
	/* A console's packets may come from within our own lock. */
	if (limit && frames >= limit &&
	    vcoal_hold_running(&queue->gate.q.hold) && !irqs_disabled())
		vcoal_gate_work(&queue->gate, atomic_xchg(&queue->frames, 0));
}

/*
 * Who may run: start_xmit() runs under the transmit lock with BH off, which is
 * an RCU reader; the operations are restored before the grace period of
 * detach, and the key leaves the table after it. Without a key (a stale pointer
 * to our operations) the driver's function runs alone.
 */
static netdev_tx_t xnb_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vcoal_key *key = vcoal_key_find(dev);
	u16 index = skb_get_queue_mapping(skb);
	struct xnb_nic *xnic;

	if (likely(key)) {
		xnic = container_of(key, struct xnb_nic, key);
		if (likely(index < xnic->num))
			xnb_rx_count(xnic->rx[index], skb->len);
	}

	return xnb_driver_ops->ndo_start_xmit(skb, dev);
}

/**
 * xnb_xmit_hook() - run our start_xmit()
 * @nic: its queues are found
 *
 * Return: 0, or -EBUSY: the operations are not the driver's own
 */
int xnb_xmit_hook(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	if (!xnb_ops_users) {
		xnb_driver_ops = nic->dev->netdev_ops;
		xnb_ops = *xnb_driver_ops;
		xnb_ops.ndo_start_xmit = xnb_start_xmit;
	}
	if (nic->dev->netdev_ops != xnb_driver_ops)
		return -EBUSY;

	xnb_ops_users++;
	xnic->xmit_hooked = true;
	vcoal_key_add(&xnic->key, nic->dev);
	/* The copy and the key before the pointer; pairs with its readers. */
	smp_store_release(&nic->dev->netdev_ops, &xnb_ops);

	return 0;
}

/**
 * xnb_xmit_unhook() - run the driver's
 * @nic: hooked, or not
 */
void xnb_xmit_unhook(struct vcoal_nic *nic)
{
	if (nic->dev->netdev_ops == &xnb_ops)
		WRITE_ONCE(nic->dev->netdev_ops, xnb_driver_ops);
}

/**
 * xnb_xmit_forget() - nobody is in our start_xmit() any more
 * @xnic: unhooked, and a grace period has passed
 */
void xnb_xmit_forget(struct xnb_nic *xnic)
{
	if (!xnic->xmit_hooked)
		return;
	vcoal_key_del(&xnic->key);
	xnb_ops_users--;
}
