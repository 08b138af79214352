/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_CONTROL_H
#define _VCOAL_CONTROL_H

#include <vcoal/vcoal.h>

void vcoal_control_window(struct vcoal_queue *queue, u64 now);
void vcoal_control_apply(struct vcoal_queue *queue);
struct vcoal_decision
vcoal_control_clamp(const struct vcoal_queue *queue,
		    const struct vcoal_limits *limits,
		    const struct vcoal_sample *sample,
		    struct vcoal_decision decision);

#endif /* _VCOAL_CONTROL_H */
