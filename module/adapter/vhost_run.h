/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_RUN_H
#define _VCOAL_VHOST_RUN_H

struct vhc_queue;

void vhr_up(void);
void vhr_down(void);
void vhr_learn(struct vhc_queue *queue, void *vq);
void vhr_again(void *vq);

#endif /* _VCOAL_VHOST_RUN_H */
