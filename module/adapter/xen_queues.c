// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queues of a Xen network device, at either end.
 *
 * Nobody exports them. Both drivers keep a queue in a structure of their own,
 * an element of an array, that has the NAPI within its first few words, and
 * request its interrupts with that structure as argument.
 */
#include "xen_queues.h"

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>

/* In a driver's queue the NAPI comes after a name or two. */
#define XEN_NAPI_OFFSET	512

/**
 * xen_driver_is() - is this netdev one end of a Xen network device?
 * @dev: any netdev
 * @bus: which end
 *
 * Return: true when it is
 */
bool xen_driver_is(const struct net_device *dev, const char *bus)
{
	const struct device *parent = dev->dev.parent;

	return parent && parent->driver && parent->bus &&
	       !strcmp(parent->bus->name, bus) &&
	       !strcmp(parent->driver->name, "vif");
}

/**
 * xen_queues_ready() - are all queues there, and stay while rtnl is held?
 * @dev: one end
 *
 * Return: true when they may be scanned
 */
bool xen_queues_ready(const struct net_device *dev)
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

/* Their order in memory is that of their numbers. */
static unsigned int xen_queue_index(const struct napi_struct *napi)
{
	const struct napi_struct *other;
	unsigned int index = 0;

	list_for_each_entry(other, &napi->dev->napi_list, dev_list)
		index += other < napi;

	return index;
}

/* The name says the direction, or none where there is one for both. */
static void xen_queue_take(struct xen_irqs *irqs, unsigned int irq,
			   const char *name)
{
	size_t len = strlen(name);
	const char *tail = len > 3 ? name + len - 3 : name;

	if (strcmp(tail, "-tx"))
		irqs->irq[XEN_IRQ_RX] = irq;
	if (strcmp(tail, "-rx"))
		irqs->irq[XEN_IRQ_TX] = irq;
}

static void xen_queues_try(struct xen_irqs *irqs, unsigned int num,
			   unsigned int irq, const struct irqaction *action)
{
	unsigned int i;

	for (i = 0; i < num; i++) {
		long offset = (char *)irqs[i].napi - (char *)action->dev_id;

		if (offset <= 0 || offset >= XEN_NAPI_OFFSET)
			continue;
		if (irqs[i].offset && offset > irqs[i].offset)
			continue;
		/* What begins closer to the NAPI is what it is in. */
		if (offset != irqs[i].offset)
			irqs[i] = (struct xen_irqs){ .napi = irqs[i].napi,
						     .offset = offset };
		xen_queue_take(&irqs[i], irq, action->name);
	}
}

/* An action is freed only after it left its descriptor, under the lock. */
static void xen_queues_look(struct xen_irqs *irqs, unsigned int num,
			    unsigned int irq)
{
	struct irq_data *data;
	struct irq_desc *desc;
	unsigned long flags;

	rcu_read_lock();
	data = irq_get_irq_data(irq);
	if (data) {
		desc = irq_data_to_desc(data);
		raw_spin_lock_irqsave(&desc->lock, flags);
		if (desc->action && desc->action->name)
			xen_queues_try(irqs, num, irq, desc->action);
		raw_spin_unlock_irqrestore(&desc->lock, flags);
	}
	rcu_read_unlock();
}

/**
 * xen_queue_owns() - is this interrupt still that of the queue?
 * @napi: the queue's
 * @irq: it was
 *
 * Return: false when it was unbound, whosever it is now
 */
bool xen_queue_owns(struct napi_struct *napi, unsigned int irq)
{
	struct xen_irqs irqs = { .napi = napi };

	xen_queues_look(&irqs, 1, irq);

	return irqs.irq[XEN_IRQ_RX] || irqs.irq[XEN_IRQ_TX];
}

/**
 * xen_queues_find() - NAPIs and interrupts of a device
 * @dev: xen_queues_ready() was true, under the same rtnl
 * @irqs: zeroed, one for each of its transmit queues
 */
void xen_queues_find(const struct net_device *dev, struct xen_irqs *irqs)
{
	struct napi_struct *napi;
	int irq;

	list_for_each_entry(napi, &dev->napi_list, dev_list)
		irqs[xen_queue_index(napi)].napi = napi;
	for_each_irq_nr(irq)
		xen_queues_look(irqs, dev->real_num_tx_queues, irq);
}
