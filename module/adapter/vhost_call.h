/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_CALL_H
#define _VCOAL_VHOST_CALL_H

#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <vcoal/gate.h>
#include <vcoal/hook_napi.h>
#include "vhost_kick.h"

struct eventfd_ctx;

/**
 * enum vhc_ctx_state - is it known which eventfd vhost signals?
 * @VHC_GUESS: no; it was not heard since that may have changed
 * @VHC_LEARN: no, but it was heard, so the next signal shall tell
 * @VHC_KNOWN: yes
 */
enum vhc_ctx_state {
	VHC_GUESS,
	VHC_LEARN,
	VHC_KNOWN,
};

/**
 * struct vhc_queue - one direction of a vhost device
 * @gate: where its interrupts wait, or kicks
 * @kick: of a transmit queue
 * @counting: who reported the last batch, if its signal is only to be counted;
 *	written by who reports a batch
 * @work: finds the queue by its work, while @kick.vq is set
 * @ctx: the eventfd that it signals; vhost_call.c says what may be done with
 *	it. Written by the queue's own signals while the gate keeps nothing.
 * @node: in vhc_ctxs
 * @gone: must not enter vhc_ctxs any more; under vhc_ctxs_lock
 * @ctx_state: what is known about @ctx
 *
 * From @work on, all is read by others who look for theirs, and seldom written: it
 * has a cache line of its own.
 */
struct vhc_queue {
	struct vcoal_gate gate;
	struct vhk_kick kick;
	const struct task_struct *counting;
	struct vcoal_key work ____cacheline_aligned;
	struct eventfd_ctx *ctx;
	struct hlist_node node;
	bool gone;
	enum vhc_ctx_state ctx_state;
};

static_assert(offsetof(struct vhc_queue, gate.q) == 0);

/* 128 KiB: of 2000 queue pairs a fourth of all other eventfds share a bucket. */
#define VHC_CTXS_BITS	14

extern struct hlist_head vhc_ctxs[BIT(VHC_CTXS_BITS)];

/**
 * vhc_bucket() - where queues are that may signal this
 * @ctx: an eventfd
 */
static __always_inline struct hlist_head *
vhc_bucket(const struct eventfd_ctx *ctx)
{
	return &vhc_ctxs[hash_ptr(ctx, VHC_CTXS_BITS)];
}

/**
 * vhc_perhaps() - may a queue signal this?
 * @ctx: an eventfd
 */
static __always_inline bool vhc_perhaps(const struct eventfd_ctx *ctx)
{
	return !hlist_empty(vhc_bucket(ctx));
}

/**
 * vhc_ctx_state() - is it known which eventfd vhost signals?
 * @queue: any
 */
static inline enum vhc_ctx_state vhc_ctx_state(const struct vhc_queue *queue)
{
	/* Pairs with WRITE_ONCE() in vhost_call.c. */
	return READ_ONCE(queue->ctx_state);
}

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
bool vhc_heard(const struct eventfd_ctx *ctx);
void vhc_guessed(struct vhc_queue *queue);
void vhc_ctx_put(const struct eventfd_ctx *ctx);

#endif /* _VCOAL_VHOST_CALL_H */
