/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows kernel versions. The code is written to the
 * newest interface; what older kernels lack is supplied here.
 */
#ifndef _VCOAL_COMPAT_H
#define _VCOAL_COMPAT_H

#include <linux/eventfd.h>
#include <linux/ftrace.h>
#include <linux/hrtimer.h>
#include <linux/llist.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "vcoal needs Linux 6.1 or newer"
#endif

#ifndef CONFIG_64BIT
#error "vcoal counts in 64-bit words that are read without a lock: 64-bit kernels only"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void
vcoal_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*function)(struct hrtimer *),
		    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#define hrtimer_setup vcoal_hrtimer_setup
#endif

/* The getters of virtio_ring take a const virtqueue since 6.6. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define vcoal_vq_const
#else
#define vcoal_vq_const const
#endif

/* A driver that does not know the feature does not negotiate it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define VIRTIO_NET_F_VQ_NOTF_COAL 52
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define ftrace_regs_set_instruction_pointer ftrace_instruction_pointer_set
#define ftrace_regs_get_argument(fregs, n) \
	regs_get_kernel_argument(&(fregs)->regs, n)
#endif

/* Is this an address of our own code? */
static __always_inline bool vcoal_own_text(unsigned long ip)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	const struct module_layout *text = &THIS_MODULE->core_layout;
#else
	const struct module_memory *text = &THIS_MODULE->mem[MOD_TEXT];
#endif

	return ip - (unsigned long)text->base < text->size;
}

/* The function behind eventfd_signal(), and its plainest call. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define VCOAL_EVENTFD_SIGNAL		"eventfd_signal"
#define vcoal_eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#else
#define VCOAL_EVENTFD_SIGNAL		"eventfd_signal_mask"
#define vcoal_eventfd_signal(ctx)	eventfd_signal(ctx)
#endif

/*
 * Used elements that vhost_add_used_and_signal_n() is called with: its fourth
 * argument, or since 6.17 the fifth, behind the number of buffers of each.
 */
static inline u32 vcoal_vhost_count(unsigned long arg4, unsigned long arg5)
{
	return LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0) ? arg4 : arg5;
}

/*
 * The beginning of struct vhost_work, which is private to drivers/vhost; the
 * same in all kernels from 6.1 to 7.2. Who uses it looks first whether @fn is
 * what it should be.
 */
struct vcoal_vhost_work {
	struct llist_node node;
	void (*fn)(struct vcoal_vhost_work *work);
};

/* Under RCU; NULL where the kernel does not keep it. */
static inline struct task_struct *vcoal_mm_owner(struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	return mm ? rcu_dereference(mm->owner) : NULL;
#else
	return NULL;
#endif
}

#endif /* _VCOAL_COMPAT_H */
