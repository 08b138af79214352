/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_QUEUE_H
#define _VCOAL_QUEUE_H

#include <vcoal/vcoal.h>

extern const struct kobj_type vcoal_queue_ktype;

void vcoal_queue_free(struct vcoal_queue *queue);
void vcoal_queue_retire(struct vcoal_queue *queue);
void vcoal_queue_read(struct vcoal_queue *queue, struct vcoal_counters *sum);
const char *vcoal_dir_name(enum vcoal_dir dir);

#endif /* _VCOAL_QUEUE_H */
