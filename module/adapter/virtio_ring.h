/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VIRTIO_RING_H
#define _VCOAL_VIRTIO_RING_H

#include <linux/virtio.h>
#include <vcoal/compat.h>

/**
 * struct vnet_vq_ops - virtio_ring's functions, while it is needed
 *
 * Not linked: vcoal must load where virtio does not exist.
 */
struct vnet_vq_ops {
	unsigned int (*enable_cb_prepare)(struct virtqueue *vq);
	void (*disable_cb)(struct virtqueue *vq);
	bool (*poll)(struct virtqueue *vq, unsigned int opaque);
	const struct vring *(*vring)(vcoal_vq_const struct virtqueue *vq);
	unsigned int (*ring_size)(vcoal_vq_const struct virtqueue *vq);
};

extern struct vnet_vq_ops vnet_vq;

int __must_check vnet_vq_get(void);
void vnet_vq_put(void);
const void *vnet_ring_id(struct virtqueue *vq);
u16 vnet_ring_used(struct virtqueue *vq);
u16 vnet_ring_last_used(struct virtqueue *vq);
bool vnet_ring_reached(struct virtqueue *vq, u16 event);
bool vnet_ring_threshold(struct virtqueue *vq, bool event_idx, u16 base,
			 u32 frames, u16 *event);
void vnet_ring_suppress(struct virtqueue *vq, bool event_idx, u16 event);

#endif /* _VCOAL_VIRTIO_RING_H */
