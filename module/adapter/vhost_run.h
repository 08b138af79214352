/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_RUN_H
#define _VCOAL_VHOST_RUN_H

#include "vhost_call.h"

/* Both functions are redirected: queues may be learned. */
extern bool vhr_ready;

/**
 * vhr_learns() - is the work of a queue still to be learned?
 * @queue: any
 */
static inline bool vhr_learns(const struct vhc_queue *queue)
{
	return queue->gate.q.dir == VCOAL_TX && !vhk_known(&queue->kick) &&
	       READ_ONCE(vhr_ready);
}

void vhr_up(void);
void vhr_down(void);
void vhr_learn(struct vhc_queue *queue, void *vq);
void vhr_again(void *vq);

#endif /* _VCOAL_VHOST_RUN_H */
