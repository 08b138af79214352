/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_XEN_NETBACK_H
#define _VCOAL_XEN_NETBACK_H

#include <vcoal/gate.h>
#include <vcoal/hook_napi.h>
#include "xen_door.h"
#include "xen_events.h"

/**
 * struct xnb_queue - one direction of a queue of a vif
 * @gate: receive: where interrupts wait; transmit uses its queue only
 * @line: receive: the event channel, also when both directions share one
 * @frames: receive: given to the driver, not counted yet
 * @bytes: receive: the same
 * @hook: transmit: the driver's poll
 * @door: transmit: the event channel
 * @polling: transmit: the driver's poll runs, completions wait for its end;
 *	under the door's lock
 * @completed: transmit: they do wait; under the door's lock
 * @waited: transmit: since an earlier poll, or since none was under way: the next
 *	end tells; under the door's lock
 */
struct xnb_queue {
	struct vcoal_gate gate;
	struct xev_line line;
	atomic_t frames;
	atomic64_t bytes;
	struct vcoal_napi_hook hook;
	struct xen_door door;
	bool polling;
	bool completed;
	bool waited;
};

/**
 * struct xnb_nic - a vif whose queues are known
 * @key: found by the netdev, while its start_xmit() is ours
 * @xmit_hooked: it is
 * @events: event channels may be held
 * @split: each direction has its own
 * @num: queue pairs
 * @rx: the guest's receive queues
 */
struct xnb_nic {
	struct vcoal_key key;
	bool xmit_hooked;
	bool events;
	bool split;
	unsigned int num;
	struct xnb_queue *rx[];
};

static inline struct xnb_queue *to_xnb(struct vcoal_queue *queue)
{
	return container_of(queue, struct xnb_queue, gate.q);
}

void xnb_rx_hook(struct xnb_queue *queue);
void xnb_rx_unhook(struct xnb_queue *queue);
int __must_check xnb_xmit_hook(struct vcoal_nic *nic);
void xnb_xmit_unhook(struct vcoal_nic *nic);
void xnb_xmit_forget(struct xnb_nic *xnic);
void xnb_tx_hook(struct xnb_queue *queue);
void xnb_tx_unhook(struct xnb_queue *queue);
bool xnb_tx_release(struct xnb_queue *queue);
void xnb_tx_kick(struct xnb_queue *queue);

#endif /* _VCOAL_XEN_NETBACK_H */
