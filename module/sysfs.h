/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_SYSFS_H
#define _VCOAL_SYSFS_H

#include <linux/sysfs.h>
#include <vcoal/vcoal.h>

#define VCOAL_USECS_MAX	(VCOAL_HOLD_NS_MAX / (u32)NSEC_PER_USEC)

/* One file: <prefix>_<name>_show() and, when it may be written, _store(). */
#define VCOAL_ATTR_RO(prefix, name)					\
	static struct kobj_attribute prefix##_##name##_attr =		\
		__ATTR(name, 0444, prefix##_##name##_show, NULL)
#define VCOAL_ATTR_RW(prefix, name)					\
	static struct kobj_attribute prefix##_##name##_attr =		\
		__ATTR(name, 0644, prefix##_##name##_show,		\
		       prefix##_##name##_store)

/* /sys/kernel/vcoal/vms */
extern struct kobject *vcoal_sysfs_vms;
/* /sys/kernel/vcoal: who is in this set sends uevents of a subsystem "vcoal" */
extern struct kset *vcoal_sysfs_root;

int __must_check vcoal_sysfs_lock(void);
int __must_check vcoal_sysfs_lock_rtnl(void);
void vcoal_sysfs_unlock(void);
void vcoal_sysfs_unlock_rtnl(void);
int __must_check vcoal_sysfs_parse(const char *buf, u32 max, u32 *value);
void vcoal_sysfs_link(struct vcoal_nic *nic);
void vcoal_sysfs_unlink(struct vcoal_nic *nic);
int __must_check vcoal_sysfs_init(void);
void vcoal_sysfs_exit(void);

#endif /* _VCOAL_SYSFS_H */
