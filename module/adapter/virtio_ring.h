/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VIRTIO_RING_H
#define _VCOAL_VIRTIO_RING_H

#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <vcoal/compat.h>

/*
 * virtio_ring's functions while a NIC needs them. Not linked: vcoal must load
 * where virtio does not exist.
 */
struct vnet_vq_ops {
	unsigned int (*enable_cb_prepare)(struct virtqueue *vq);
	void (*disable_cb)(struct virtqueue *vq);
	bool (*poll)(struct virtqueue *vq, unsigned int opaque);
	const struct vring *(*vring)(vcoal_vq_const struct virtqueue *vq);
	unsigned int (*ring_size)(vcoal_vq_const struct virtqueue *vq);
};

extern struct vnet_vq_ops vnet_vq;

/**
 * struct vnet_ring - a virtqueue, and what vcoal does to it
 * @vq: the virtqueue
 * @vring: its ring; says something for a split ring only. Constant: a ring
 *	that is replaced changes what this points to.
 * @split: a split ring
 * @event_idx: a split ring whose device interrupts at an index
 */
struct vnet_ring {
	struct virtqueue *vq;
	const struct vring *vring;
	bool split;
	bool event_idx;
};

int __must_check vnet_vq_get(void);
void vnet_vq_put(void);
void vnet_ring_init(struct vnet_ring *ring, struct virtqueue *vq);
u16 vnet_ring_last_used(const struct vnet_ring *ring);
bool vnet_ring_threshold(const struct vnet_ring *ring, u16 base, u32 frames,
			 u16 *event);
void vnet_ring_suppress(const struct vnet_ring *ring, u16 event);

/**
 * vnet_ring_used() - how many buffers the device has used
 * @ring: a split ring that the caller may touch
 */
static inline u16 vnet_ring_used(const struct vnet_ring *ring)
{
	return virtio16_to_cpu(ring->vq->vdev,
			       READ_ONCE(ring->vring->used->idx));
}

/**
 * vnet_ring_reached() - did the device use the buffer with this index?
 * @ring: a split ring that interrupts, hence is not being replaced
 * @event: used index
 */
static inline bool vnet_ring_reached(const struct vnet_ring *ring, u16 event)
{
	return (s16)(vnet_ring_used(ring) - event) > 0;
}

#endif /* _VCOAL_VIRTIO_RING_H */
