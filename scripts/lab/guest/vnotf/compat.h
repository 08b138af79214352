/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What older kernels lack. Included behind the linux headers; vnotf_find_vqs()
 * is written to the newest interface.
 */
#ifndef _VNOTF_COMPAT_H
#define _VNOTF_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/version.h>
#include <linux/virtio_config.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void
vnotf_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*function)(struct hrtimer *),
		    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#define hrtimer_setup vnotf_hrtimer_setup
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define VIRTIO_NET_F_VQ_NOTF_COAL		52
#define VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET	2
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define VNOTF_VQS_MAX	8

struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
	bool ctx;
};

static int vnotf_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			  struct virtqueue *vqs[], struct virtqueue_info info[],
			  struct irq_affinity *desc);

static inline int
vnotf_find_vqs_old(struct virtio_device *vdev, unsigned int nvqs,
		   struct virtqueue *vqs[], vq_callback_t *callbacks[],
		   const char * const names[], const bool *ctx,
		   struct irq_affinity *desc)
{
	struct virtqueue_info info[VNOTF_VQS_MAX];
	unsigned int i;

	if (nvqs > VNOTF_VQS_MAX)
		return -EINVAL;
	for (i = 0; i < nvqs; i++)
		info[i] = (struct virtqueue_info) {
			names[i], callbacks[i], ctx && ctx[i]
		};

	return vnotf_find_vqs(vdev, nvqs, vqs, info, desc);
}

#define VNOTF_FIND_VQS vnotf_find_vqs_old
#else
#define VNOTF_FIND_VQS vnotf_find_vqs
#endif

#endif /* _VNOTF_COMPAT_H */
