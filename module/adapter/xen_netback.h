/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_XEN_NETBACK_H
#define _VCOAL_XEN_NETBACK_H

#include <linux/spinlock.h>
#include <vcoal/gate.h>
#include <vcoal/hook_napi.h>
#include "xen_events.h"

/**
 * struct xnb_queue - one direction of a queue of a vif
 * @gate: where the interrupts of receive wait; transmit uses its queue only
 * @line: its event channel; that of receive when both directions share one
 * @frames: receive: given to the driver, not counted yet
 * @bytes: receive: the same
 * @hook: transmit: the driver's poll
 * @xbdev: transmit: counts penalties
 * @lock: transmit: protects all below and the hold. Taken with interrupts off.
 * @open: transmit: may keep events
 * @polling: transmit: the driver's poll runs, completions wait for its end
 * @completed: transmit: they do wait
 * @shut: transmit: the driver wants events again, and waits for the hold's end
 * @opened: transmit: when the last hold ended, ktime ns; 0 after the next poll
 * @kept: transmit: how long it was
 * @penalty: transmit: Xen's at the last look, jiffies
 * @wary: transmit: do not keep events before, ktime ns
 */
struct xnb_queue {
	struct vcoal_gate gate;
	struct xev_line line;
	atomic_t frames;
	atomic_t bytes;
	struct vcoal_napi_hook hook;
	const struct xenbus_device *xbdev;
	/* Protects all below and the hold. Taken with interrupts off. */
	spinlock_t lock;
	bool open;
	bool polling;
	bool completed;
	bool shut;
	u64 opened;
	u64 kept;
	int penalty;
	u64 wary;
};

static inline struct xnb_queue *to_xnb(struct vcoal_queue *queue)
{
	return container_of(queue, struct xnb_queue, gate.q);
}

static inline struct xnb_queue *xnb_of_line(struct xev_line *line)
{
	return container_of(line, struct xnb_queue, line);
}

void xnb_tx_init(struct xnb_queue *queue);
void xnb_tx_hook(struct xnb_queue *queue);
void xnb_tx_unhook(struct xnb_queue *queue);
void xnb_tx_kick(struct xnb_queue *queue);
bool xnb_tx_release(struct xnb_queue *queue);

#endif /* _VCOAL_XEN_NETBACK_H */
