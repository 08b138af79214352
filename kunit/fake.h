/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM with one NIC with one queue, of which sysfs knows nothing.
 */
#ifndef _VCOAL_KUNIT_FAKE_H
#define _VCOAL_KUNIT_FAKE_H

#include <kunit/test.h>
#include <vcoal/adapter.h>
#include <vcoal/vcoal.h>
#include "../module/control.h"

#define FAKE_CAPS_ALL	(BIT(VCOAL_CAP_BITS) - 1)

struct vcoal_fake {
	struct vcoal_vm vm;
	struct vcoal_nic nic;
	struct vcoal_queue queue;
};

static inline bool vcoal_fake_release(struct vcoal_hold *hold)
{
	return true;
}

static const struct vcoal_adapter vcoal_fake_adapter = {
	.timer_cost	= VCOAL_TIMER_COST,
	.name		= "fake",
};

static inline struct vcoal_fake *
vcoal_fake_new(struct kunit *test, const struct vcoal_policy *policy)
{
	struct vcoal_fake *fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->vm.policy = policy;
	fake->vm.class_id = VCOAL_CLASS_BALANCED;
	fake->vm.max_delay_ns = VCOAL_CLASS_BOUND;
	fake->nic.vm = &fake->vm;
	fake->nic.adapter = &vcoal_fake_adapter;
	fake->nic.caps = FAKE_CAPS_ALL;
	INIT_LIST_HEAD(&fake->nic.queues);
	list_add(&fake->queue.list, &fake->nic.queues);
	fake->queue.nic = &fake->nic;
	fake->queue.policy = policy;
	fake->queue.ring_size = 256;
	fake->queue.guard_ns = VCOAL_WINDOW_NS;
	fake->queue.window_ns = VCOAL_WINDOW_NS;
	spin_lock_init(&fake->queue.lock);
	vcoal_hold_init(&fake->queue.hold, vcoal_fake_release);

	return fake;
}

#endif /* _VCOAL_KUNIT_FAKE_H */
