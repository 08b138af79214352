/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_XEN_QUEUES_H
#define _VCOAL_XEN_QUEUES_H

#include <linux/netdevice.h>

/**
 * struct xen_irqs - the interrupts of one queue pair
 * @napi: its NAPI
 * @offset: from the start of the driver's queue to it, as far as is known
 * @irq: by direction as the driver sees it; both are the same where the two
 *	ends share one event channel, 0 was not found
 */
struct xen_irqs {
	struct napi_struct *napi;
	long offset;
	unsigned int irq[2];
};

#define XEN_IRQ_RX	0
#define XEN_IRQ_TX	1

/* Requests that fit into the one page of a ring, both directions. */
#define XEN_RING_SIZE	256

bool xen_queues_ready(const struct net_device *dev);
bool xen_queue_owns(struct napi_struct *napi, unsigned int irq);
void xen_queues_find(const struct net_device *dev, struct xen_irqs *irqs);
bool xen_driver_is(const struct net_device *dev, const char *bus);

#endif /* _VCOAL_XEN_QUEUES_H */
