// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/vcoal/vms/<vm>/nics/<nic> and its queues
 */
#include "sysfs.h"

#include <linux/netdevice.h>
#include <linux/string.h>
#include <vcoal/adapter.h>
#include "nic.h"
#include "queue.h"
#include "stats.h"
#include "trace.h"

static struct vcoal_nic *to_nic(struct kobject *kobj)
{
	return container_of(kobj, struct vcoal_nic, kobj);
}

/* The driver behind a netdev, as ethtool -i would call it. */
static ssize_t nic_driver_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	const struct net_device *dev = to_nic(kobj)->dev;

	if (!dev || !dev->dev.parent || !dev->dev.parent->driver)
		return sysfs_emit(buf, "%s\n", to_nic(kobj)->adapter->name);

	return sysfs_emit(buf, "%s\n", dev->dev.parent->driver->name);
}
VCOAL_ATTR_RO(nic, driver);

static ssize_t nic_adapter_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_nic(kobj)->adapter->name);
}
VCOAL_ATTR_RO(nic, adapter);

#define VCOAL_CAP_NAME(id, word)	[VCOAL_CAP_BIT_##id] = word,
static const char *const vcoal_cap_names[VCOAL_CAP_BITS] = {
	VCOAL_CAPS(VCOAL_CAP_NAME)
};

#undef VCOAL_CAP_NAME

static ssize_t nic_capabilities_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	unsigned long caps = READ_ONCE(to_nic(kobj)->caps);
	ssize_t len = 0;
	int i;

	for (i = 0; i < VCOAL_CAP_BITS; i++)
		if (caps & BIT(i))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     vcoal_cap_names[i]);

	return len + sysfs_emit_at(buf, len, "\n");
}
VCOAL_ATTR_RO(nic, capabilities);

static ssize_t nic_remark_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	const char *why = READ_ONCE(to_nic(kobj)->why);

	return sysfs_emit(buf, "%s\n", why ?: "");
}
VCOAL_ATTR_RO(nic, remark);

static const char *const vcoal_mode_names[VCOAL_MODES] = {
	[VCOAL_MODE_AUTO]	= "auto",
	[VCOAL_MODE_FIXED]	= "fixed",
	[VCOAL_MODE_OBSERVE]	= "observe",
	[VCOAL_MODE_OFF]	= "off",
};

static ssize_t nic_mode_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  vcoal_mode_names[READ_ONCE(to_nic(kobj)->mode)]);
}

static ssize_t nic_mode_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t len)
{
	int mode = sysfs_match_string(vcoal_mode_names, buf);
	int err;

	if (mode < 0)
		return -EINVAL;

	err = vcoal_sysfs_lock_rtnl();
	if (err)
		return err;
	err = vcoal_nic_set_mode(to_nic(kobj), mode);
	vcoal_sysfs_unlock_rtnl();

	return err ?: len;
}
VCOAL_ATTR_RW(nic, mode);

/*
 * Only a NIC that is up knows what it can do. What is written before that is
 * kept; a queue that cannot do it says so in its reason.
 */
static bool nic_can(const struct vcoal_nic *nic, unsigned long cap)
{
	return list_empty(&nic->queues) || (nic->caps & cap);
}

static ssize_t nic_set_fixed(struct vcoal_nic *nic, u32 *field, u32 value,
			     unsigned long cap, size_t len)
{
	int err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	if (value && !nic_can(nic, cap)) {
		vcoal_sysfs_unlock();
		return -EOPNOTSUPP;
	}
	/* Pairs with READ_ONCE() in vcoal_control_limits(). */
	WRITE_ONCE(*field, value);
	vcoal_nic_apply(nic);
	vcoal_sysfs_unlock();

	return len;
}

/* rx_usecs, rx_frames, tx_usecs, tx_frames: as ethtool -C calls them. */
#define NIC_FIXED(name, dir, field, cap, max, unit)			\
	static ssize_t nic_##name##_show(struct kobject *kobj,		\
					 struct kobj_attribute *attr,	\
					 char *buf)			\
	{								\
		struct vcoal_params *fixed = &to_nic(kobj)->fixed[dir];	\
									\
		return sysfs_emit(buf, "%u\n",				\
				  READ_ONCE(fixed->field) / (u32)(unit)); \
	}								\
									\
	static ssize_t nic_##name##_store(struct kobject *kobj,		\
					  struct kobj_attribute *attr,	\
					  const char *buf, size_t len)	\
	{								\
		struct vcoal_nic *nic = to_nic(kobj);			\
		u32 value;						\
									\
		if (vcoal_sysfs_parse(buf, max, &value))		\
			return -EINVAL;					\
		return nic_set_fixed(nic, &nic->fixed[dir].field,	\
				     value * (u32)(unit),		\
				     VCOAL_CAP(cap), len);		\
	}								\
	VCOAL_ATTR_RW(nic, name)

NIC_FIXED(rx_usecs, VCOAL_RX, hold_ns, RX_USECS, VCOAL_USECS_MAX,
	  NSEC_PER_USEC);
NIC_FIXED(rx_frames, VCOAL_RX, frames, RX_FRAMES, VCOAL_FRAMES_MAX, 1);
NIC_FIXED(tx_usecs, VCOAL_TX, hold_ns, TX_USECS, VCOAL_USECS_MAX,
	  NSEC_PER_USEC);
NIC_FIXED(tx_frames, VCOAL_TX, frames, TX_FRAMES, VCOAL_FRAMES_MAX, 1);

#undef NIC_FIXED

static struct attribute *nic_attrs[] = {
	&nic_driver_attr.attr,
	&nic_adapter_attr.attr,
	&nic_capabilities_attr.attr,
	&nic_remark_attr.attr,
	&nic_mode_attr.attr,
	&nic_rx_usecs_attr.attr,
	&nic_rx_frames_attr.attr,
	&nic_tx_usecs_attr.attr,
	&nic_tx_frames_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(nic);

static void nic_release(struct kobject *kobj)
{
	vcoal_nic_free(to_nic(kobj));
}

const struct kobj_type vcoal_nic_ktype = {
	.release	= nic_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= nic_groups,
};

/**
 * vcoal_sysfs_link() - /sys/class/net/<if>/vcoal
 * @nic: in sysfs
 */
void vcoal_sysfs_link(struct vcoal_nic *nic)
{
	if (nic->dev && sysfs_create_link(&nic->dev->dev.kobj, &nic->kobj, "vcoal"))
		netdev_warn(nic->dev, "vcoal: no link in sysfs\n");
}

/**
 * vcoal_sysfs_unlink() - remove the link
 * @nic: leaving sysfs
 */
void vcoal_sysfs_unlink(struct vcoal_nic *nic)
{
	if (nic->dev)
		sysfs_remove_link(&nic->dev->dev.kobj, "vcoal");
}

/* queues/<rx|tx>-<index> */

static struct vcoal_queue *to_queue(struct kobject *kobj)
{
	return container_of(kobj, struct vcoal_queue, kobj);
}

static ssize_t queue_usecs_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	const struct vcoal_hold *hold = &to_queue(kobj)->hold;
	u32 ns = vcoal_hold_wanted(hold) ? READ_ONCE(hold->ns) : 0;

	return sysfs_emit(buf, "%u\n", ns / (u32)NSEC_PER_USEC);
}
VCOAL_ATTR_RO(queue, usecs);

static ssize_t queue_frames_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_queue(kobj)->hold.frames));
}
VCOAL_ATTR_RO(queue, frames);

static ssize_t queue_reason_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	struct vcoal_queue *queue = to_queue(kobj);

	return sysfs_emit(buf, "%s\n",
			  vcoal_reason_name(READ_ONCE(queue->reason)));
}
VCOAL_ATTR_RO(queue, reason);

static ssize_t queue_counter_show(struct kobject *kobj, char *buf,
				  size_t offset)
{
	struct vcoal_counters sum = {};

	vcoal_queue_read(to_queue(kobj), &sum);

	return sysfs_emit(buf, "%llu\n", vcoal_counter(&sum, offset));
}

#define QUEUE_COUNTER(name)						\
	static ssize_t queue_##name##_show(struct kobject *kobj,	\
					   struct kobj_attribute *attr,	\
					   char *buf)			\
	{								\
		return queue_counter_show(kobj, buf,			\
				offsetof(struct vcoal_counters, name));	\
	}								\
	VCOAL_ATTR_RO(queue, name);
VCOAL_COUNTERS(QUEUE_COUNTER)
#undef QUEUE_COUNTER

#define QUEUE_COUNTER_ATTR(name)	&queue_##name##_attr.attr,
static struct attribute *queue_attrs[] = {
	&queue_usecs_attr.attr,
	&queue_frames_attr.attr,
	&queue_reason_attr.attr,
	VCOAL_COUNTERS(QUEUE_COUNTER_ATTR)
	NULL
};
ATTRIBUTE_GROUPS(queue);

#undef QUEUE_COUNTER_ATTR

static void queue_release(struct kobject *kobj)
{
	vcoal_queue_free(to_queue(kobj));
}

const struct kobj_type vcoal_queue_ktype = {
	.release	= queue_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= queue_groups,
};
