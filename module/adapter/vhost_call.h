/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_CALL_H
#define _VCOAL_VHOST_CALL_H

#include <vcoal/gate.h>
#include "vhost_kick.h"

struct eventfd_ctx;

/**
 * struct vhc_queue - one direction of a vhost device
 * @gate: where its interrupts wait, or kicks
 * @kick: of a transmit queue
 * @ctx: the eventfd that it signals; vhost_call.c says what may be done with
 *	it. Written by the queue's own signals while the gate keeps nothing.
 * @node: in vhc_ctxs
 * @gone: must not enter vhc_ctxs any more; under vhc_ctxs_lock
 */
struct vhc_queue {
	struct vcoal_gate gate;
	struct vhk_kick kick;
	struct eventfd_ctx *ctx;
	struct hlist_node node;
	bool gone;
};

static_assert(offsetof(struct vhc_queue, gate.q) == 0);

/**
 * vhk_active() - does it matter when a transmit queue runs?
 * @queue: any
 *
 * Return: true while kicks are to be held, or one was
 */
static __always_inline bool vhk_active(const struct vhc_queue *queue)
{
	const struct vcoal_hold *hold = &queue->gate.q.hold;

	return vcoal_hold_wanted(hold) || vcoal_hold_running(hold) ||
	       READ_ONCE(queue->kick.due);
}

void vhc_open(struct vhc_queue *queue);
void vhc_close(struct vhc_queue *queue);
bool __must_check vhc_signal(struct vhc_queue *queue, struct eventfd_ctx *ctx,
			     u32 frames);
void vhc_ctx_put(const struct eventfd_ctx *ctx);

#endif /* _VCOAL_VHOST_CALL_H */
