// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two virtio NICs, joined, that coalesce their interrupts by themselves, as
 * the driver asks: for the lab, since no emulator at hand offers
 * VIRTIO_NET_F_NOTF_COAL. The kernel's own virtio_net drives them.
 *
 * There is no other side: a device does its work when it is notified, in the
 * context of who notifies, as one that traps into a hypervisor. An interrupt
 * is an hrtimer: at once, or when the time is over that was asked for. What
 * was asked and done is in /sys/kernel/debug/vnotf.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include "compat.h"

#define VNOTF_NUM	256
#define VNOTF_BUFFER	2048

static bool notf = true;
module_param(notf, bool, 0444);
MODULE_PARM_DESC(notf, "offer VIRTIO_NET_F_NOTF_COAL");

static bool vq_notf;
module_param(vq_notf, bool, 0444);
MODULE_PARM_DESC(vq_notf, "offer VIRTIO_NET_F_VQ_NOTF_COAL");

enum { VNOTF_RX, VNOTF_TX, VNOTF_CTRL, VNOTF_QUEUES };

static const char *const vnotf_names[VNOTF_QUEUES] = { "rx", "tx", "ctrl" };

/**
 * struct vnotf_queue - the device's side of a virtqueue
 * @vq: NULL while the driver has none
 * @avail: next buffer to take
 * @used: next place to return one
 * @told: @used when the driver was last told, or left alone
 * @armed: @timer is to come
 * @usecs: interrupts wait this long, as the driver asked
 * @frames: but not for more buffers than this, 0 is no limit
 * @irqs: interrupts that the driver took
 * @timer: the next one
 */
struct vnotf_queue {
	struct virtqueue *vq;
	u16 avail;
	u16 used;
	u16 told;
	bool armed;
	u32 usecs;
	u32 frames;
	u32 irqs;
	struct hrtimer timer;
};

struct vnotf {
	struct virtio_device vdev;
	struct completion gone;
	struct vnotf *peer;
	struct virtio_net_config config;
	struct vnotf_queue queues[VNOTF_QUEUES];
	u8 status;
	u32 commands;
};

static struct device *vnotf_root;
static struct dentry *vnotf_debugfs;
static struct vnotf vnotf_nics[2];
/* All rings, and what is asked of them; a timer in hard context takes it. */
static DEFINE_RAW_SPINLOCK(vnotf_lock);
/* What is on its way; under vnotf_lock. */
static u8 vnotf_buffer[VNOTF_BUFFER];

static struct vnotf *to_vnotf(struct virtio_device *vdev)
{
	return container_of(vdev, struct vnotf, vdev);
}

/* Rings. */

static const struct vring *vnotf_ring(const struct vnotf_queue *queue)
{
	return virtqueue_get_vring(queue->vq);
}

static u16 vnotf_u16(const struct vnotf_queue *queue, __virtio16 value)
{
	return virtio16_to_cpu(queue->vq->vdev, value);
}

static __virtio16 vnotf_v16(const struct vnotf_queue *queue, u16 value)
{
	return cpu_to_virtio16(queue->vq->vdev, value);
}

/* Is there a buffer? If not, its coming shall be told. */
static bool vnotf_more(struct vnotf_queue *queue)
{
	const struct vring *ring = vnotf_ring(queue);

	vring_avail_event(ring) = vnotf_v16(queue, queue->avail);
	/* Asked before the look; pairs with the driver, which adds first. */
	mb();

	return vnotf_u16(queue, READ_ONCE(ring->avail->idx)) != queue->avail;
}

static u16 vnotf_head(const struct vnotf_queue *queue)
{
	const struct vring *ring = vnotf_ring(queue);

	/* The index before what it says is there. */
	rmb();

	return vnotf_u16(queue, ring->avail->ring[queue->avail % ring->num]);
}

/* Copy between a chain's buffers, all of them @in or not, and @data. */
static u32 vnotf_copy(const struct vnotf_queue *queue, u8 *data, u32 room,
		      bool in)
{
	const struct vring *ring = vnotf_ring(queue);
	struct virtio_device *vdev = queue->vq->vdev;
	u16 id = vnotf_head(queue), flags;
	u32 done = 0;

	do {
		const struct vring_desc *desc = &ring->desc[id];
		void *buffer = phys_to_virt(virtio64_to_cpu(vdev, desc->addr));
		u32 len = min(virtio32_to_cpu(vdev, desc->len), room - done);

		flags = vnotf_u16(queue, desc->flags);
		id = vnotf_u16(queue, desc->next);
		if (in != !!(flags & VRING_DESC_F_WRITE))
			continue;
		if (in)
			memcpy(buffer, data + done, len);
		else
			memcpy(data + done, buffer, len);
		done += len;
	} while (flags & VRING_DESC_F_NEXT);

	return done;
}

static void vnotf_return(struct vnotf_queue *queue, u32 written)
{
	const struct vring *ring = vnotf_ring(queue);
	vring_used_elem_t *elem = &ring->used->ring[queue->used % ring->num];

	elem->id = cpu_to_virtio32(queue->vq->vdev, vnotf_head(queue));
	elem->len = cpu_to_virtio32(queue->vq->vdev, written);
	queue->avail++;
	queue->used++;
	/* The element before the index that shows it. */
	wmb();
	WRITE_ONCE(ring->used->idx, vnotf_v16(queue, queue->used));
}

/* Interrupts. */

/* Something was returned: when is the driver told? */
static void vnotf_signal(struct vnotf_queue *queue)
{
	u16 waiting = queue->used - queue->told;
	u64 ns = queue->usecs * (u64)NSEC_PER_USEC;

	if (queue->frames && waiting >= queue->frames)
		ns = 0;
	if (!waiting || (queue->armed && ns))
		return;
	queue->armed = true;
	hrtimer_start(&queue->timer, ns, HRTIMER_MODE_REL_HARD);
}

/* Does the driver want to be told of what was returned since? */
static bool vnotf_wanted(struct vnotf_queue *queue)
{
	const struct vring *ring = vnotf_ring(queue);
	u16 told = queue->told;

	queue->told = queue->used;
	/* What was returned before the look; pairs with the driver. */
	mb();

	return vring_need_event(vnotf_u16(queue, vring_used_event(ring)),
				queue->used, told);
}

static enum hrtimer_restart vnotf_interrupt(struct hrtimer *timer)
{
	struct vnotf_queue *queue = container_of(timer, struct vnotf_queue,
						 timer);
	struct virtqueue *vq;
	bool wanted;

	raw_spin_lock(&vnotf_lock);
	queue->armed = false;
	vq = queue->vq;
	wanted = vq && vnotf_wanted(queue);
	raw_spin_unlock(&vnotf_lock);

	/* Without the lock: who frees the queue waits for this timer. */
	if (wanted && vring_interrupt(0, vq) == IRQ_HANDLED)
		queue->irqs++;

	return HRTIMER_NORESTART;
}

/* Frames. */

static bool vnotf_running(const struct vnotf *nic)
{
	return nic->status & VIRTIO_CONFIG_S_DRIVER_OK;
}

/* What is sent waits for a buffer, or goes nowhere without a receiver. */
static void vnotf_move(struct vnotf *nic)
{
	struct vnotf_queue *tx = &nic->queues[VNOTF_TX];
	struct vnotf_queue *rx = &nic->peer->queues[VNOTF_RX];
	struct virtio_net_hdr_v1 *header = (void *)vnotf_buffer;
	bool running = vnotf_running(nic->peer);
	u32 len;

	if (!vnotf_running(nic))
		return;
	while (vnotf_more(tx) && !(running && !vnotf_more(rx))) {
		len = vnotf_copy(tx, vnotf_buffer, VNOTF_BUFFER, false);
		vnotf_return(tx, 0);
		if (!running)
			continue;
		header->num_buffers = vnotf_v16(tx, 1);
		vnotf_return(rx, vnotf_copy(rx, vnotf_buffer, len, true));
	}
	vnotf_signal(tx);
	if (running)
		vnotf_signal(rx);
}

/* Commands. */

struct vnotf_values {
	__le32 frames;
	__le32 usecs;
} __packed;

struct vnotf_request {
	struct virtio_net_ctrl_hdr header;
	union {
		struct vnotf_values all;
		struct {
			__le16 index;
			__le16 reserved;
			struct vnotf_values values;
		} __packed one;
	};
} __packed;

static void vnotf_ask(struct vnotf_queue *queue,
		      const struct vnotf_values *values)
{
	queue->frames = le32_to_cpu(values->frames);
	queue->usecs = le32_to_cpu(values->usecs);
}

static u8 vnotf_command(struct vnotf *nic, const struct vnotf_request *request)
{
	u16 index;

	if (request->header.class != VIRTIO_NET_CTRL_NOTF_COAL)
		return VIRTIO_NET_ERR;
	nic->commands++;
	switch (request->header.cmd) {
	case VIRTIO_NET_CTRL_NOTF_COAL_RX_SET:
		vnotf_ask(&nic->queues[VNOTF_RX], &request->all);
		return VIRTIO_NET_OK;
	case VIRTIO_NET_CTRL_NOTF_COAL_TX_SET:
		vnotf_ask(&nic->queues[VNOTF_TX], &request->all);
		return VIRTIO_NET_OK;
	case VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET:
		index = le16_to_cpu(request->one.index);
		if (index >= VNOTF_CTRL)
			return VIRTIO_NET_ERR;
		vnotf_ask(&nic->queues[index], &request->one.values);
		return VIRTIO_NET_OK;
	}

	return VIRTIO_NET_ERR;
}

/* The driver waits for the answer in a loop, so it needs no interrupt. */
static void vnotf_control(struct vnotf *nic)
{
	struct vnotf_queue *queue = &nic->queues[VNOTF_CTRL];
	u8 answer;

	while (vnotf_more(queue)) {
		vnotf_copy(queue, vnotf_buffer, VNOTF_BUFFER, false);
		answer = vnotf_command(nic, (void *)vnotf_buffer);
		vnotf_copy(queue, &answer, sizeof(answer), true);
		vnotf_return(queue, sizeof(answer));
	}
}

static bool vnotf_notify(struct virtqueue *vq)
{
	struct vnotf *nic = to_vnotf(vq->vdev);
	unsigned long flags;

	raw_spin_lock_irqsave(&vnotf_lock, flags);
	switch (vq->index) {
	case VNOTF_RX:
		vnotf_move(nic->peer);
		break;
	case VNOTF_TX:
		vnotf_move(nic);
		break;
	case VNOTF_CTRL:
		vnotf_control(nic);
		break;
	}
	raw_spin_unlock_irqrestore(&vnotf_lock, flags);

	return true;
}

/* The device as a transport shows it. */

static void vnotf_get(struct virtio_device *vdev, unsigned int offset,
		      void *buf, unsigned int len)
{
	memcpy(buf, (u8 *)&to_vnotf(vdev)->config + offset, len);
}

static u8 vnotf_get_status(struct virtio_device *vdev)
{
	return to_vnotf(vdev)->status;
}

static void vnotf_set_status(struct virtio_device *vdev, u8 status)
{
	struct vnotf *nic = to_vnotf(vdev);
	unsigned long flags;

	raw_spin_lock_irqsave(&vnotf_lock, flags);
	nic->status = status;
	raw_spin_unlock_irqrestore(&vnotf_lock, flags);
}

static void vnotf_reset(struct virtio_device *vdev)
{
	vnotf_set_status(vdev, 0);
}

static u64 vnotf_get_features(struct virtio_device *vdev)
{
	u64 features = BIT_ULL(VIRTIO_F_VERSION_1) |
		       BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
		       BIT_ULL(VIRTIO_NET_F_MAC) |
		       BIT_ULL(VIRTIO_NET_F_CTRL_VQ);

	if (notf)
		features |= BIT_ULL(VIRTIO_NET_F_NOTF_COAL);
	if (vq_notf)
		features |= BIT_ULL(VIRTIO_NET_F_VQ_NOTF_COAL);

	return features;
}

static int vnotf_finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);

	return virtio_has_feature(vdev, VIRTIO_F_VERSION_1) &&
	       virtio_has_feature(vdev, VIRTIO_RING_F_EVENT_IDX) ? 0 : -EINVAL;
}

static void vnotf_queue_set(struct vnotf_queue *queue, struct virtqueue *vq)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&vnotf_lock, flags);
	queue->vq = vq;
	queue->avail = 0;
	queue->used = 0;
	queue->told = 0;
	queue->usecs = 0;
	queue->frames = 0;
	raw_spin_unlock_irqrestore(&vnotf_lock, flags);
	hrtimer_cancel(&queue->timer);
}

/* Reset before: nobody but a last interrupt looks at the queues. */
static void vnotf_del_vqs(struct virtio_device *vdev)
{
	struct vnotf *nic = to_vnotf(vdev);
	struct virtqueue *vq, *next;

	list_for_each_entry_safe(vq, next, &vdev->vqs, list) {
		vnotf_queue_set(&nic->queues[vq->index], NULL);
		vring_del_virtqueue(vq);
	}
}

static int vnotf_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			  struct virtqueue *vqs[], struct virtqueue_info info[],
			  struct irq_affinity *desc)
{
	struct vnotf *nic = to_vnotf(vdev);
	unsigned int i;

	if (nvqs > VNOTF_QUEUES)
		return -EINVAL;
	for (i = 0; i < nvqs; i++) {
		vqs[i] = vring_create_virtqueue(i, VNOTF_NUM, SMP_CACHE_BYTES,
						vdev, true, false, info[i].ctx,
						vnotf_notify, info[i].callback,
						info[i].name);
		if (!vqs[i]) {
			vnotf_del_vqs(vdev);
			return -ENOMEM;
		}
		vqs[i]->num_max = VNOTF_NUM;
		vnotf_queue_set(&nic->queues[i], vqs[i]);
	}

	return 0;
}

static const char *vnotf_bus_name(struct virtio_device *vdev)
{
	return "vnotf";
}

static const struct virtio_config_ops vnotf_ops = {
	.get			= vnotf_get,
	.get_status		= vnotf_get_status,
	.set_status		= vnotf_set_status,
	.reset			= vnotf_reset,
	.find_vqs		= VNOTF_FIND_VQS,
	.del_vqs		= vnotf_del_vqs,
	.get_features		= vnotf_get_features,
	.finalize_features	= vnotf_finalize_features,
	.bus_name		= vnotf_bus_name,
};

/* Both devices. */

static void vnotf_show(struct vnotf *nic, const char *name)
{
	struct dentry *folder = debugfs_create_dir(name, vnotf_debugfs);
	struct vnotf_queue *queue;
	struct dentry *inside;
	int i;

	debugfs_create_u32("commands", 0444, folder, &nic->commands);
	for (i = 0; i < VNOTF_CTRL; i++) {
		queue = &nic->queues[i];
		inside = debugfs_create_dir(vnotf_names[i], folder);
		debugfs_create_u32("usecs", 0444, inside, &queue->usecs);
		debugfs_create_u32("frames", 0444, inside, &queue->frames);
		debugfs_create_u32("irqs", 0444, inside, &queue->irqs);
	}
}

static void vnotf_release(struct device *dev)
{
	complete(&to_vnotf(dev_to_virtio(dev))->gone);
}

static void vnotf_prepare(struct vnotf *nic, struct vnotf *peer, u8 number)
{
	u8 mac[ETH_ALEN] = { 0x52, 0x54, 0, 0, 0, number };
	int i;

	ether_addr_copy(nic->config.mac, mac);
	init_completion(&nic->gone);
	nic->peer = peer;
	nic->vdev.id.device = VIRTIO_ID_NET;
	nic->vdev.id.vendor = VIRTIO_DEV_ANY_ID;
	nic->vdev.config = &vnotf_ops;
	nic->vdev.dev.parent = vnotf_root;
	nic->vdev.dev.release = vnotf_release;
	for (i = 0; i < VNOTF_QUEUES; i++)
		hrtimer_setup(&nic->queues[i].timer, vnotf_interrupt,
			      CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
}

static int vnotf_add(struct vnotf *nic)
{
	int err = register_virtio_device(&nic->vdev);

	if (err) {
		put_device(&nic->vdev.dev);
		wait_for_completion(&nic->gone);
	}

	return err;
}

static void vnotf_remove(struct vnotf *nic)
{
	unregister_virtio_device(&nic->vdev);
	wait_for_completion(&nic->gone);
}

static int __init vnotf_init(void)
{
	int err;

	vnotf_root = root_device_register("vnotf");
	if (IS_ERR(vnotf_root))
		return PTR_ERR(vnotf_root);
	vnotf_prepare(&vnotf_nics[0], &vnotf_nics[1], 0);
	vnotf_prepare(&vnotf_nics[1], &vnotf_nics[0], 1);
	err = vnotf_add(&vnotf_nics[0]);
	if (err)
		goto err_unregister_root;
	err = vnotf_add(&vnotf_nics[1]);
	if (err)
		goto err_remove_first;

	vnotf_debugfs = debugfs_create_dir("vnotf", NULL);
	vnotf_show(&vnotf_nics[0], "0");
	vnotf_show(&vnotf_nics[1], "1");

	return 0;

err_remove_first:
	vnotf_remove(&vnotf_nics[0]);
err_unregister_root:
	root_device_unregister(vnotf_root);
	return err;
}
module_init(vnotf_init);

static void __exit vnotf_exit(void)
{
	debugfs_remove(vnotf_debugfs);
	vnotf_remove(&vnotf_nics[1]);
	vnotf_remove(&vnotf_nics[0]);
	root_device_unregister(vnotf_root);
}
module_exit(vnotf_exit);

MODULE_DESCRIPTION("Virtio NICs that coalesce, for vcoal's lab");
MODULE_LICENSE("GPL");
