/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_KICK_H
#define _VCOAL_VHOST_KICK_H

#include <linux/atomic.h>
#include <linux/types.h>

struct task_struct;
struct vhc_queue;

/* Queues whose work is still to be learned. */
extern atomic_t vhk_wanted;

/**
 * struct vhk_kick - the guest's kicks of one transmit queue
 * @vq: vhost's virtqueue, NULL while it is not known or not to be used. Set
 *	under the gate's lock, which protects all below as well
 * @wanted: it is to be learned, and counted in vhk_wanted
 * @kept: the running hold keeps a kick; else it keeps a signal
 * @due: a kick was released, the run that follows passes
 * @asked: the last run ended because the ring was empty, and the guest was
 *	asked to kick. Written by who runs the queue, without the lock
 * @runner: who is in a run
 * @now: when that began, or 0 where nobody needs to know
 * @last: the last run's beginning, or the last release, ktime ns
 * @lone: a run that was released served a single frame, see vcoal_gate_wait()
 * @held: how long the kick was kept whose run is due, or under way
 * @frames: that were served and not accounted for yet
 */
struct vhk_kick {
	void *vq;
	bool wanted;
	bool kept;
	bool due;
	bool asked;
	const struct task_struct *runner;
	u64 now;
	u64 last;
	bool lone;
	u64 held;
	u32 frames;
};

void vhk_want(struct vhc_queue *queue);
void vhk_know(struct vhc_queue *queue, void *vq, const void *work);
void vhk_forget(struct vhc_queue *queue);
void vhk_bury(struct vhc_queue *queue);
bool __must_check vhk_notify(struct vhc_queue *queue, u32 frames);
void vhk_work(struct vhc_queue *queue, u32 frames);
bool vhk_deliver(struct vhc_queue *queue);
bool __must_check vhk_begin(struct vhc_queue *queue);
void vhk_end(struct vhc_queue *queue);

/**
 * vhk_known() - was vhk_know() called?
 * @kick: a queue's
 */
static inline bool vhk_known(const struct vhk_kick *kick)
{
	/* Pairs with WRITE_ONCE() in vhk_know(); old news are harmless. */
	return READ_ONCE(kick->vq);
}

#endif /* _VCOAL_VHOST_KICK_H */
