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
 * Directions are the guest's: see xen_netback_rx.c and xen_netback_tx.c.
 */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <xen/xenbus.h>
#include <vcoal/adapter.h>
#include "xen_netback.h"
#include "xen_queues.h"

static bool xnb_match(const struct net_device *dev)
{
	return xen_driver_is(dev, "xen-backend");
}

static void xnb_owner(const struct net_device *dev, char *id, size_t size)
{
	snprintf(id, size, "dom%d",
		 to_xenbus_device(dev->dev.parent)->otherend_id);
}

/* Did the queues that were hooked go? */
static bool xnb_stale(const struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;

	list_for_each_entry(queue, &nic->queues, list)
		if (queue->dir == VCOAL_TX &&
		    !vcoal_napi_hooked(&to_xnb(queue)->hook))
			return true;

	return !xen_queues_ready(nic->dev);
}

/* What the driver calls transmit is what the guest does. */
static int xnb_add_queue(struct vcoal_nic *nic, unsigned int index,
			 const struct xen_irqs *irqs)
{
	unsigned int irq_rx = irqs->irq[XEN_IRQ_RX];
	unsigned int irq_tx = irqs->irq[XEN_IRQ_TX];
	struct xnb_nic *xnic = nic->priv;
	struct vcoal_queue *rx, *tx;

	rx = vcoal_queue_new(nic, VCOAL_RX, index);
	tx = vcoal_queue_new(nic, VCOAL_TX, index);
	if (!rx || !tx)
		return -ENOMEM;

	rx->ring_size = XEN_RING_SIZE;
	tx->ring_size = XEN_RING_SIZE;
	xnic->rx[index] = to_xnb(rx);
	to_xnb(rx)->line.irq = irq_rx;
	to_xnb(tx)->hook.napi = irqs->napi;
	xen_door_init(&to_xnb(tx)->door, tx);
	xnic->split &= irq_tx != irq_rx;
	if (xnic->events && xnic->split)
		to_xnb(tx)->door.line.irq = irq_tx;

	return irq_rx && irq_tx ? 0 : -ENXIO;
}

static void xnb_capabilities(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	nic->caps = VCOAL_CAP(COUNT_TX);
	if (!xnic->events) {
		nic->why = "event functions cannot be redirected, see dmesg";
		return;
	}
	nic->caps |= VCOAL_CAP(COUNT_RX);
	if (!vcoal_hold_supported()) {
		nic->why = "no high-resolution timers";
		return;
	}
	nic->caps |= VCOAL_CAP(RX_USECS) | VCOAL_CAP(RX_FRAMES);
	if (xnic->split)
		nic->caps |= VCOAL_CAP(TX_USECS);
	else
		nic->why = "one event channel for both directions";
}

static int xnb_add_queues(struct vcoal_nic *nic, struct xen_irqs *irqs)
{
	struct xnb_nic *xnic = nic->priv;
	unsigned int i;
	int err;

	xen_queues_find(nic->dev, irqs);
	for (i = 0; i < xnic->num; i++) {
		err = xnb_add_queue(nic, i, &irqs[i]);
		if (err)
			return err;
	}

	return 0;
}

static int xnb_scan(struct vcoal_nic *nic)
{
	unsigned int num = nic->dev->real_num_tx_queues;
	struct xen_irqs *irqs;
	struct xnb_nic *xnic;
	int err;

	xnic = kzalloc(struct_size(xnic, rx, num), GFP_KERNEL);
	irqs = kcalloc(num, sizeof(*irqs), GFP_KERNEL);
	err = -ENOMEM;
	if (!xnic || !irqs)
		goto err_free_xnic;

	xnic->num = num;
	xnic->split = true;
	nic->priv = xnic;
	/* Without events there is still something to count. */
	xnic->events = !xev_get();
	err = xnb_add_queues(nic, irqs);
	kfree(irqs);
	if (!err)
		xnb_capabilities(nic);

	return err;

err_free_xnic:
	kfree(irqs);
	kfree(xnic);
	return err;
}

static void xnb_drop(struct vcoal_nic *nic)
{
	struct xnb_nic *xnic = nic->priv;

	if (!xnic)
		return;
	xnb_xmit_forget(xnic);
	/* Lines were forgotten last. */
	synchronize_net();
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
	int err;

	if (base->dir == VCOAL_TX) {
		xnb_tx_hook(queue);
		return 0;
	}
	if (!xnic->events)
		return 0;

	/* What may fail first: a queue that fails is not unhooked. */
	err = base->index ? 0 : xnb_xmit_hook(base->nic);
	if (!err)
		xnb_rx_hook(queue);

	return err;
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
	xnb_rx_unhook(queue);
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
	.ready		= xen_queues_ready,
	.stale		= xnb_stale,
	.scan		= xnb_scan,
	.hook		= xnb_hook,
	.unhook		= xnb_unhook,
	.kick		= xnb_kick,
	.drop		= xnb_drop,
	.exit		= xev_exit,
	.queue_size	= sizeof(struct xnb_queue),
	.timer_cost	= VCOAL_TIMER_COST,
	.name		= "xen_netback",
};
