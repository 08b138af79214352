// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-netback, from dom0's side: what it sends to guests, and what guests send.
 *
 * A vif is a netdev whose queues come and go with the frontend's connection,
 * which the netdev does not tell: the driver allocates queues, NAPIs and
 * interrupts without rtnl, enables them under rtnl when all are there, disables
 * them under rtnl, and then frees them without. So under rtnl, queues whose
 * NAPIs are enabled are complete and stay: that is when they may be scanned.
 * What follows a connection that ended is safe although we notice late:
 *
 *  interrupts: xen_events.c takes a line back before it is freed;
 *  NAPIs: nothing is polled once they are disabled. They are freed a grace
 *	period after they left the netdev's list, and unhooking looks there,
 *	as an RCU reader, before it touches one.
 *
 * The carrier tells when to look: it goes on when the guest posted buffers in
 * all queues, and off when the connection ends.
 *
 * Directions are the guest's. Receive: frames are counted on their way into the
 * driver, whose thread copies them and interrupts the guest through the gate.
 * Transmit: see xen_netback_tx.c.
 */
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/irqflags.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <xen/xenbus.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"

/* Requests that fit into the one page of a ring, both directions. */
#define XNB_RING_SIZE	256
/* In the driver's queue the NAPI comes after two names and a few words. */
#define XNB_NAPI_OFFSET	512

struct xnb_nic {
	struct net_device_ops ops;
	const struct net_device_ops *driver_ops;
	bool events;
	unsigned int num;
	struct xnb_queue *rx[];
};

/* Receive. */

static bool xnb_rx_deliver(struct vcoal_gate *gate)
{
	struct xnb_queue *queue = container_of(gate, struct xnb_queue, gate);

	xev_send(queue->line.irq);

	return true;
}

static void xnb_rx_bytes(struct xnb_queue *queue)
{
	spin_lock_bh(&queue->gate.q.lock);
	queue->gate.q.count.bytes += atomic_xchg(&queue->bytes, 0);
	spin_unlock_bh(&queue->gate.q.lock);
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

static bool xnb_rx_eoi(struct xev_line *line)
{
	return true;
}

static void xnb_rx_gone(struct xev_line *line)
{
	vcoal_gate_close(&xnb_of_line(line)->gate);
}

static const struct xev_ops xnb_rx_ops = {
	.notify	= xnb_rx_notify,
	.eoi	= xnb_rx_eoi,
	.gone	= xnb_rx_gone,
};

/*
 * While an interrupt is kept the guest sleeps and the driver asks for no other:
 * it is here that enough frames may be seen to wait. That the thread did not
 * copy them yet does not matter: what the interrupt was kept for is there.
 */
static void xnb_rx_count(struct xnb_queue *queue, unsigned int len)
{
	u32 limit = READ_ONCE(queue->gate.q.hold.frames);
	u32 frames = atomic_inc_return(&queue->frames);

	atomic_add(len, &queue->bytes);
	if (limit && frames >= limit &&
	    vcoal_hold_running(&queue->gate.q.hold))
		vcoal_gate_work(&queue->gate, atomic_xchg(&queue->frames, 0));
}

/*
 * Entered through the copy of the driver's operations. Who may run: as an RCU
 * reader under the transmit lock; the operations are restored before the grace
 * period of detach and the copy is freed after it. One that was entered through
 * the copy may find the driver's restored.
 */
static netdev_tx_t xnb_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	const struct net_device_ops *ops = READ_ONCE(dev->netdev_ops);
	u16 index = skb_get_queue_mapping(skb);
	unsigned int len = skb->len;
	struct xnb_nic *xnic;

	if (unlikely(ops->ndo_start_xmit != xnb_start_xmit))
		return ops->ndo_start_xmit(skb, dev);

	xnic = container_of(ops, struct xnb_nic, ops);
	if (index < xnic->num)
		xnb_rx_count(xnic->rx[index], len);

	return xnic->driver_ops->ndo_start_xmit(skb, dev);
}

static void xnb_xmit_hook(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	xnic->driver_ops = nic->dev->netdev_ops;
	xnic->ops = *xnic->driver_ops;
	xnic->ops.ndo_start_xmit = xnb_start_xmit;
	/* The copy before the pointer; pairs with READ_ONCE() above. */
	smp_store_release(&nic->dev->netdev_ops, &xnic->ops);
}

static void xnb_xmit_unhook(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	if (nic->dev->netdev_ops == &xnic->ops)
		WRITE_ONCE(nic->dev->netdev_ops, xnic->driver_ops);
}

/* Finding queues. */

static bool xnb_match(const struct net_device *dev)
{
	const struct device *parent = dev->dev.parent;

	return parent && parent->driver && parent->bus &&
	       !strcmp(parent->bus->name, "xen-backend") &&
	       !strcmp(parent->driver->name, "vif");
}

static void xnb_owner(const struct net_device *dev, char *id, size_t size)
{
	snprintf(id, size, "dom%d",
		 to_xenbus_device(dev->dev.parent)->otherend_id);
}

/* Are all queues there, and stay while rtnl is held? */
static bool xnb_ready(const struct net_device *dev)
{
	const struct napi_struct *napi;
	unsigned int enabled = 0;
	bool ready = true;

	ASSERT_RTNL();

	rcu_read_lock();
	list_for_each_entry_rcu(napi, &dev->napi_list, dev_list) {
		enabled++;
		/* Set from when it is added or disabled until it is enabled. */
		if (test_bit(NAPI_STATE_NPSVC, &napi->state))
			ready = false;
	}
	rcu_read_unlock();

	return ready && enabled && enabled == dev->real_num_tx_queues;
}

/* Did the queues that were hooked go? */
static bool xnb_stale(const struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;

	list_for_each_entry(queue, &nic->queues, list)
		if (queue->dir == VCOAL_TX &&
		    !vcoal_napi_hooked(&to_xnb(queue)->hook))
			return true;

	return !xnb_ready(nic->dev);
}

/* The driver's queues are an array: the order of addresses is theirs. */
static unsigned int xnb_index(const struct napi_struct *napi)
{
	const struct napi_struct *other;
	unsigned int index = 0;

	list_for_each_entry(other, &napi->dev->napi_list, dev_list)
		index += other < napi;

	return index;
}

static int xnb_add_queue(struct vcoal_nic *nic, struct napi_struct *napi)
{
	unsigned int index = xnb_index(napi);
	struct xnb_nic *xnic = nic->priv;
	struct vcoal_queue *rx, *tx;

	rx = vcoal_queue_new(nic, VCOAL_RX, index);
	tx = vcoal_queue_new(nic, VCOAL_TX, index);
	if (!rx || !tx)
		return -ENOMEM;

	rx->ring_size = XNB_RING_SIZE;
	tx->ring_size = XNB_RING_SIZE;
	xnic->rx[index] = to_xnb(rx);
	to_xnb(rx)->hook.napi = napi;
	to_xnb(tx)->hook.napi = napi;
	to_xnb(tx)->hook.dev = nic->dev;
	xnb_tx_init(to_xnb(tx));

	return 0;
}

/*
 * Whose interrupt is it? The driver requests it for its own queue, which the
 * NAPI is a part of, and says in the name which direction it is.
 */
static void xnb_try_irq(struct vcoal_nic *nic, unsigned int irq,
			const struct irqaction *action)
{
	size_t len = strlen(action->name);
	struct vcoal_queue *queue;
	enum vcoal_dir dir;

	dir = len > 3 && !strcmp(action->name + len - 3, "-tx") ? VCOAL_TX :
								  VCOAL_RX;
	list_for_each_entry(queue, &nic->queues, list) {
		struct xnb_queue *xnb = to_xnb(queue);
		long offset = (char *)xnb->hook.napi - (char *)action->dev_id;

		if (queue->dir == dir && offset > 0 && offset < XNB_NAPI_OFFSET)
			xnb->line.irq = irq;
	}
}

/* An action is freed only after it left the list, under the lock. */
static void xnb_look_at_irq(struct vcoal_nic *nic, unsigned int irq)
{
	struct irq_data *data;
	struct irq_desc *desc;
	unsigned long flags;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (!data)
		goto out;
	desc = irq_data_to_desc(data);
	raw_spin_lock_irqsave(&desc->lock, flags);
	if (desc->action && desc->action->name)
		xnb_try_irq(nic, irq, desc->action);
	raw_spin_unlock_irqrestore(&desc->lock, flags);
out:
	rcu_read_unlock();
}

/* Receive has a line in any case; transmit, when the frontend can split. */
static bool xnb_find_lines(struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;
	bool split = true;
	int irq;

	for_each_irq_nr(irq)
		xnb_look_at_irq(nic, irq);
	list_for_each_entry(queue, &nic->queues, list)
		if (!to_xnb(queue)->line.irq)
			split = false;

	return split;
}

static int xnb_find_events(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;
	bool split;
	int i;

	nic->caps = VCOAL_CAP(COUNT_TX);
	if (xev_get()) {
		nic->why = "event functions cannot be redirected, see dmesg";
		return 0;
	}
	xnic->events = true;
	split = xnb_find_lines(nic);
	for (i = 0; i < xnic->num; i++)
		if (!xnic->rx[i]->line.irq)
			return -ENXIO;

	nic->caps |= VCOAL_CAP(COUNT_RX);
	if (!vcoal_hold_supported()) {
		nic->why = "no high-resolution timers";
		return 0;
	}
	nic->caps |= VCOAL_CAP(RX_USECS) | VCOAL_CAP(RX_FRAMES);
	if (split)
		nic->caps |= VCOAL_CAP(TX_USECS);
	else
		nic->why = "one event channel for both directions";

	return 0;
}

static int xnb_scan(struct vcoal_nic *nic)
{
	unsigned int num = nic->dev->real_num_tx_queues;
	struct napi_struct *napi;
	struct xnb_nic *xnic;
	int err;

	xnic = kzalloc(struct_size(xnic, rx, num), GFP_KERNEL);
	if (!xnic)
		return -ENOMEM;
	nic->priv = xnic;

	list_for_each_entry(napi, &nic->dev->napi_list, dev_list) {
		err = xnb_add_queue(nic, napi);
		if (err)
			return err;
	}
	xnic->num = num;

	return xnb_find_events(nic);
}

static void xnb_drop(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	if (!xnic)
		return;
	if (xnic->events)
		xev_put();
	kfree(xnic);
	nic->priv = NULL;
}

/* The adapter. */

static bool xnb_release(struct vcoal_hold *hold)
{
	struct vcoal_queue *queue = container_of(hold, struct vcoal_queue, hold);

	if (queue->dir == VCOAL_RX)
		return vcoal_gate_release(hold);

	return xnb_tx_release(to_xnb(queue));
}

static int xnb_hook(struct vcoal_queue *base)
{
	struct xnb_queue *queue = to_xnb(base);
	struct xnb_nic *xnic = base->nic->priv;

	if (base->dir == VCOAL_TX) {
		xnb_tx_hook(queue);
		return 0;
	}
	if (!xnic->events)
		return 0;

	vcoal_gate_open(&queue->gate, xnb_rx_deliver);
	xev_add(&queue->line, &xnb_rx_ops, queue->line.irq);
	if (!base->index)
		xnb_xmit_hook(base->nic);

	return 0;
}

static void xnb_unhook(struct vcoal_queue *base)
{
	struct xnb_queue *queue = to_xnb(base);
	struct xnb_nic *xnic = base->nic->priv;

	if (base->dir == VCOAL_TX) {
		xnb_tx_unhook(queue);
		return;
	}
	if (!xnic->events)
		return;

	if (!base->index)
		xnb_xmit_unhook(base->nic);
	xev_del(&queue->line);
	vcoal_gate_close(&queue->gate);
}

static void xnb_kick(struct vcoal_queue *base)
{
	if (base->dir == VCOAL_TX)
		xnb_tx_kick(to_xnb(base));
}

const struct vcoal_adapter vcoal_xen_netback = {
	.release	= xnb_release,
	.match		= xnb_match,
	.owner		= xnb_owner,
	.ready		= xnb_ready,
	.stale		= xnb_stale,
	.scan		= xnb_scan,
	.hook		= xnb_hook,
	.unhook		= xnb_unhook,
	.kick		= xnb_kick,
	.drop		= xnb_drop,
	.exit		= xev_exit,
	.queue_size	= sizeof(struct xnb_queue),
	.name		= "xen_netback",
};
