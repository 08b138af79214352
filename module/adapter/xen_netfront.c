// SPDX-License-Identifier: GPL-2.0-only
/*
 * xen-netfront, inside a Linux guest.
 *
 * The driver's poll ignores what napi_complete_done() says and asks for the
 * next event in the ring, whatever anybody wants; so what is held is the event
 * channel, see xen_door.c. Only the event makes the driver look at its rings:
 * receive by NAPI, transmit completions in the interrupt itself. (A driver
 * whose start_xmit() reaps completions as well was mended because of the
 * spurious events of that; it went out of all kernels that vcoal serves.)
 *
 * Queues go and come under the same netdev when the backend reconnects or the
 * guest is saved and restored, which tells no notifier of suspend. As with
 * xen-netback the carrier says when to look, NAPIs that are enabled stay while
 * rtnl is held, and one that goes is not touched. But here event channels are
 * bound and unbound without rtnl. One that is unbound while it is being hooked
 * is found by xen_events.c or by xnf_hang(), and either way the queue is held
 * no more until the next look.
 *
 * Transmit has no poll: its events are counted in the interrupt, and what they
 * completed is accounted when the next packet is sent.
 */
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <vcoal/adapter.h>
#include <vcoal/hook_napi.h>
#include "xen_door.h"
#include "xen_queues.h"

/**
 * struct xnf_queue - one direction of a netfront queue
 * @q: the core's
 * @door: its event channel
 * @hook: receive: the driver's poll; transmit: only names the NAPI
 * @events: transmit: interrupts so far
 * @held: transmit: how long the last one was held
 * @seen: transmit: those that are accounted
 * @frames: transmit: sent since
 * @bytes: transmit: the same
 */
struct xnf_queue {
	struct vcoal_queue q;
	struct xen_door door;
	struct vcoal_napi_hook hook;
	u32 events;
	u64 held;
	u32 seen;
	u32 frames;
	u32 bytes;
};

static_assert(offsetof(struct xnf_queue, q) == 0);

/**
 * struct xnf_nic - a netfront whose queues are known
 * @key: found by the netdev, while its start_xmit() is ours
 * @xmit_hooked: it is
 * @events: event channels may be held
 * @split: each direction has its own
 * @num: queue pairs
 * @tx: transmit queues
 */
struct xnf_nic {
	struct vcoal_key key;
	bool xmit_hooked;
	bool events;
	bool split;
	unsigned int num;
	struct xnf_queue *tx[];
};

/* As in xen_netback_rx.c: one copy, never freed; users under vcoal_mutex. */
static struct net_device_ops xnf_ops;
static const struct net_device_ops *xnf_driver_ops;
static unsigned int xnf_ops_users;

static struct xnf_queue *to_xnf(struct vcoal_queue *queue)
{
	return container_of(queue, struct xnf_queue, q);
}

static struct xnf_queue *xnf_of_line(struct xev_line *line)
{
	return container_of(xen_door_of(line), struct xnf_queue, door);
}

/* What the driver sends to its backend is the backend's business. */
static bool xnf_notify(struct xev_line *line)
{
	return true;
}

/* The driver's interrupt, after it looked at the ring. */
static bool xnf_eoi(struct xev_line *line)
{
	struct xnf_queue *queue = xnf_of_line(line);

	vcoal_queue_irq(&queue->q);
	if (queue->q.dir == VCOAL_TX) {
		/* Both pair with READ_ONCE() in xnf_tx_account(). */
		WRITE_ONCE(queue->held, xen_door_held(&queue->door,
						      ktime_get_ns()));
		WRITE_ONCE(queue->events, queue->events + 1);
	}

	return xen_door_eoi(line);
}

static void xnf_spurious(struct xev_line *line)
{
	vcoal_queue_irq(&xnf_of_line(line)->q);
	xen_door_spurious(line);
}

static const struct xev_ops xnf_line_ops = {
	.notify		= xnf_notify,
	.eoi		= xnf_eoi,
	.spurious	= xnf_spurious,
	.gone		= xen_door_gone,
	.notify_passes	= xnf_notify,
};

static int xnf_poll(struct vcoal_napi_hook *hook, int budget)
{
	struct xnf_queue *queue = container_of(hook, struct xnf_queue, hook);
	struct vcoal_served served = { .now = ktime_get_ns() };
	int work;

	served.held = xen_door_enter(&queue->door, served.now);
	work = hook->driver_poll(hook->napi, budget);
	served.frames = work;
	served.full = work >= budget;
	vcoal_queue_served(&queue->q, &served);

	return work;
}

/*
 * Under the transmit lock, which this queue's packets are counted under; not
 * for a console's packets, which may come from within our own lock.
 */
static void xnf_tx_account(struct xnf_queue *queue)
{
	u32 events = READ_ONCE(queue->events);
	struct vcoal_served served;

	if (events == queue->seen || irqs_disabled())
		return;
	served = (struct vcoal_served) {
		.now = ktime_get_ns(),
		.frames = queue->frames,
		.bytes = queue->bytes,
	};
	/* Holds that brought nothing. */
	xen_door_enter(&queue->door, served.now);
	served.held = READ_ONCE(queue->held);
	queue->seen = events;
	queue->frames = 0;
	queue->bytes = 0;
	vcoal_queue_served(&queue->q, &served);
}

/* Who may run: see xnb_start_xmit(). */
static netdev_tx_t xnf_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vcoal_key *key = vcoal_key_find(dev);
	u16 index = skb_get_queue_mapping(skb);
	struct xnf_queue *queue;
	struct xnf_nic *xnic;

	if (likely(key)) {
		xnic = container_of(key, struct xnf_nic, key);
		if (likely(index < xnic->num)) {
			queue = xnic->tx[index];
			xnf_tx_account(queue);
			queue->frames++;
			queue->bytes += skb->len;
		}
	}

	return xnf_driver_ops->ndo_start_xmit(skb, dev);
}

static int xnf_xmit_hook(struct vcoal_nic *nic)
{
	struct xnf_nic *xnic = nic->priv;

	if (!xnf_ops_users) {
		xnf_driver_ops = nic->dev->netdev_ops;
		xnf_ops = *xnf_driver_ops;
		xnf_ops.ndo_start_xmit = xnf_start_xmit;
	}
	if (nic->dev->netdev_ops != xnf_driver_ops)
		return -EBUSY;

	xnf_ops_users++;
	xnic->xmit_hooked = true;
	vcoal_key_add(&xnic->key, nic->dev);
	/* The copy and the key before the pointer; pairs with its readers. */
	smp_store_release(&nic->dev->netdev_ops, &xnf_ops);

	return 0;
}

static void xnf_xmit_unhook(struct vcoal_nic *nic)
{
	if (nic->dev->netdev_ops == &xnf_ops)
		WRITE_ONCE(nic->dev->netdev_ops, xnf_driver_ops);
}

static void xnf_xmit_forget(struct xnf_nic *xnic)
{
	if (!xnic->xmit_hooked)
		return;
	vcoal_key_del(&xnic->key);
	xnf_ops_users--;
}

/* Finding queues. */

static bool xnf_match(const struct net_device *dev)
{
	return xen_driver_is(dev, "xen");
}

/* Event channels are bound before the carrier comes. */
static bool xnf_ready(const struct net_device *dev)
{
	return netif_carrier_ok(dev) && xen_queues_ready(dev);
}

static bool xnf_stale(const struct vcoal_nic *nic)
{
	struct vcoal_queue *queue;

	list_for_each_entry(queue, &nic->queues, list)
		if (queue->dir == VCOAL_RX &&
		    !vcoal_napi_hooked(&to_xnf(queue)->hook))
			return true;

	return !xnf_ready(nic->dev);
}

static struct xnf_queue *xnf_queue_new(struct vcoal_nic *nic,
				       enum vcoal_dir dir, unsigned int index)
{
	struct vcoal_queue *base = vcoal_queue_new(nic, dir, index);

	if (!base)
		return NULL;
	base->ring_size = XEN_RING_SIZE;
	xen_door_init(&to_xnf(base)->door, base);

	return to_xnf(base);
}

static int xnf_add_queue(struct vcoal_nic *nic, unsigned int index,
			 const struct xen_irqs *irqs)
{
	struct xnf_nic *xnic = nic->priv;
	struct xnf_queue *rx, *tx;

	rx = xnf_queue_new(nic, VCOAL_RX, index);
	tx = xnf_queue_new(nic, VCOAL_TX, index);
	if (!rx || !tx)
		return -ENOMEM;

	rx->hook.napi = irqs->napi;
	tx->hook.napi = irqs->napi;
	rx->door.line.irq = irqs->irq[XEN_IRQ_RX];
	tx->door.line.irq = irqs->irq[XEN_IRQ_TX];
	xnic->tx[index] = tx;
	xnic->split &= rx->door.line.irq != tx->door.line.irq;

	return rx->door.line.irq && tx->door.line.irq ? 0 : -ENXIO;
}

static void xnf_capabilities(struct vcoal_nic *nic)
{
	struct xnf_nic *xnic = nic->priv;

	nic->caps = VCOAL_CAP(COUNT_RX);
	if (!xnic->events)
		nic->why = "event functions cannot be redirected, see dmesg";
	else if (!xnic->split)
		nic->why = "one event channel for both directions";
	else if (!vcoal_hold_supported())
		nic->why = "no high-resolution timers";
	else
		nic->caps |= VCOAL_CAP(RX_USECS) | VCOAL_CAP(TX_USECS);
	if (xnic->events && xnic->split)
		nic->caps |= VCOAL_CAP(COUNT_TX);
}

static int xnf_add_queues(struct vcoal_nic *nic, struct xen_irqs *irqs)
{
	struct xnf_nic *xnic = nic->priv;
	unsigned int i;
	int err;

	xen_queues_find(nic->dev, irqs);
	for (i = 0; i < xnic->num; i++) {
		err = xnf_add_queue(nic, i, &irqs[i]);
		if (err)
			return err;
	}

	return 0;
}

static int xnf_scan(struct vcoal_nic *nic)
{
	unsigned int num = nic->dev->real_num_tx_queues;
	struct xen_irqs *irqs;
	struct xnf_nic *xnic;
	int err;

	xnic = kzalloc(struct_size(xnic, tx, num), GFP_KERNEL);
	irqs = kcalloc(num, sizeof(*irqs), GFP_KERNEL);
	err = -ENOMEM;
	if (!xnic || !irqs)
		goto err_free_xnic;

	xnic->num = num;
	xnic->split = true;
	nic->priv = xnic;
	/* Without events there is still something to count. */
	xnic->events = !xev_get();
	err = xnf_add_queues(nic, irqs);
	kfree(irqs);
	if (!err)
		xnf_capabilities(nic);

	return err;

err_free_xnic:
	kfree(irqs);
	kfree(xnic);
	return err;
}

static void xnf_drop(struct vcoal_nic *nic)
{
	struct xnf_nic *xnic = nic->priv;

	if (!xnic)
		return;
	xnf_xmit_forget(xnic);
	/* Lines were forgotten last. */
	synchronize_net();
	if (xnic->events)
		xev_put();
	kfree(xnic);
	nic->priv = NULL;
}

/* The adapter. */

static bool xnf_release(struct vcoal_hold *hold)
{
	struct vcoal_queue *queue = container_of(hold, struct vcoal_queue, hold);

	return xen_door_release(&to_xnf(queue)->door);
}

/*
 * An event channel that was unbound meanwhile was not seen to go, and its number
 * may be another driver's by now: keep nothing before we know.
 */
static void xnf_hang(struct xnf_queue *queue)
{
	struct xen_door *door = &queue->door;

	xen_door_hang(door, &xnf_line_ops);
	if (xen_queue_owns(queue->hook.napi, door->line.irq))
		xen_door_allow(door);
	else
		xen_door_remove(door);
}

static int xnf_hook(struct vcoal_queue *base)
{
	struct xnf_nic *xnic = base->nic->priv;
	struct xnf_queue *queue = to_xnf(base);
	int err = 0;

	/* What may fail first: a queue that fails is not unhooked. */
	if (base->dir == VCOAL_TX && !base->index)
		err = xnf_xmit_hook(base->nic);
	if (err)
		return err;

	if (xnic->events && xnic->split)
		xnf_hang(queue);
	if (base->dir == VCOAL_RX)
		vcoal_napi_hook(&queue->hook, queue->hook.napi, xnf_poll);

	return 0;
}

static void xnf_unhook(struct vcoal_queue *base)
{
	struct xnf_queue *queue = to_xnf(base);

	if (base->dir == VCOAL_RX)
		vcoal_napi_unhook(&queue->hook);
	else if (!base->index)
		xnf_xmit_unhook(base->nic);
	xen_door_keep_open(&queue->door);
}

/* Do not poll: an event that is pending would find nothing. */
static void xnf_kick(struct vcoal_queue *base)
{
	struct xnf_queue *queue = to_xnf(base);

	vcoal_key_del(&queue->hook.key);
	xen_door_remove(&queue->door);
}

const struct vcoal_adapter vcoal_xen_netfront = {
	.release	= xnf_release,
	.match		= xnf_match,
	.ready		= xnf_ready,
	.stale		= xnf_stale,
	.scan		= xnf_scan,
	.hook		= xnf_hook,
	.unhook		= xnf_unhook,
	.kick		= xnf_kick,
	.drop		= xnf_drop,
	.queue_size	= sizeof(struct xnf_queue),
	.timer_cost	= VCOAL_TIMER_COST,
	.name		= "xen_netfront",
};
