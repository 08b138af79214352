// SPDX-License-Identifier: GPL-2.0-only
/*
 * What vcoal does to a virtqueue beyond what its driver does: read how far the
 * device is, and say from where on it shall interrupt.
 */
#include "virtio_ring.h"

#include <linux/module.h>

struct vnet_vq_ops vnet_vq;

/* Under vcoal_mutex. */
static unsigned int vnet_vq_users;

#define vnet_vq_symbol_put(member, symbol)			\
	do {							\
		if (vnet_vq.member)				\
			symbol_put(symbol);			\
		vnet_vq.member = NULL;				\
	} while (0)

static void vnet_vq_forget(void)
{
	vnet_vq_symbol_put(enable_cb_prepare, virtqueue_enable_cb_prepare);
	vnet_vq_symbol_put(disable_cb, virtqueue_disable_cb);
	vnet_vq_symbol_put(poll, virtqueue_poll);
	vnet_vq_symbol_put(vring, virtqueue_get_vring);
	vnet_vq_symbol_put(ring_size, virtqueue_get_vring_size);
}

/**
 * vnet_vq_get() - resolve virtio_ring's functions; a NIC needs them
 *
 * The references pin virtio_ring, which the NIC's driver pins anyway.
 */
int vnet_vq_get(void)
{
	if (vnet_vq_users++)
		return 0;

	vnet_vq.enable_cb_prepare = symbol_get(virtqueue_enable_cb_prepare);
	vnet_vq.disable_cb = symbol_get(virtqueue_disable_cb);
	vnet_vq.poll = symbol_get(virtqueue_poll);
	vnet_vq.vring = symbol_get(virtqueue_get_vring);
	vnet_vq.ring_size = symbol_get(virtqueue_get_vring_size);
	if (vnet_vq.enable_cb_prepare && vnet_vq.disable_cb && vnet_vq.poll &&
	    vnet_vq.vring && vnet_vq.ring_size)
		return 0;

	vnet_vq_put();
	return -ENOENT;
}

/**
 * vnet_vq_put() - a NIC needs them no more
 */
void vnet_vq_put(void)
{
	if (!--vnet_vq_users)
		vnet_vq_forget();
}

/**
 * vnet_ring_init() - what kind of ring is it?
 * @ring: filled
 * @vq: a virtqueue whose features are negotiated
 */
void vnet_ring_init(struct vnet_ring *ring, struct virtqueue *vq)
{
	ring->vq = vq;
	ring->vring = vnet_vq.vring(vq);
	ring->split = !virtio_has_feature(vq->vdev, VIRTIO_F_RING_PACKED);
	ring->event_idx = ring->split &&
			  virtio_has_feature(vq->vdev, VIRTIO_RING_F_EVENT_IDX);
}

/**
 * vnet_ring_last_used() - how far the driver is
 * @ring: a split ring that the caller may touch; its interrupt is off but for a
 *	moment, in which one may come: the NAPI is owned, and polled once more
 */
u16 vnet_ring_last_used(const struct vnet_ring *ring)
{
	u16 used = vnet_vq.enable_cb_prepare(ring->vq);

	vnet_vq.disable_cb(ring->vq);

	return used;
}

/**
 * vnet_ring_suppress() - no interrupt before the device reached an index
 * @ring: the caller may touch it
 * @event: used index; ignored where the device has no event index
 *
 * The driver believes its interrupt to be off; should it come, the driver's
 * callback copes, as with any interrupt that was under way.
 */
void vnet_ring_suppress(const struct vnet_ring *ring, u16 event)
{
	vnet_vq.disable_cb(ring->vq);
	if (ring->event_idx)
		vring_used_event(ring->vring) =
			cpu_to_virtio16(ring->vq->vdev, event);
}

/**
 * vnet_ring_threshold() - ask for an interrupt after a number of frames
 * @ring: the caller may touch it; its interrupt is off
 * @base: used index that was served
 * @frames: frames from there, 0 is no threshold
 * @event: where the index is kept for vnet_ring_suppress()
 *
 * Return: true when the device is past it already, and will not interrupt
 */
bool vnet_ring_threshold(const struct vnet_ring *ring, u16 base, u32 frames,
			 u16 *event)
{
	/* Half the index range away is as good as never. */
	u16 index = base + (frames ? frames - 1 : 0x7fff);

	WRITE_ONCE(*event, index);
	if (!frames || !ring->event_idx)
		return false;

	vring_used_event(ring->vring) = cpu_to_virtio16(ring->vq->vdev, index);
	/*
	 * The threshold before the look: pairs with the device, which writes
	 * its index before it looks at the threshold.
	 */
	mb();

	return (u16)(vnet_ring_used(ring) - base) >= frames;
}
