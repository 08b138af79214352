// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/vcoal: one value a file, microseconds at the boundary.
 *
 * Objects leave sysfs under vcoal_mutex (and rtnl), and leaving waits for
 * whoever is inside a file. So no file of theirs waits for those locks: it tries,
 * and restarts the system call when it must.
 */
#include "sysfs.h"

#include <linux/kobject.h>
#include <linux/rtnetlink.h>
#include <linux/sched/signal.h>
#include "nics.h"
#include "registry.h"
#include "vm.h"

struct kobject *vcoal_sysfs_vms;
struct kset *vcoal_sysfs_root;
static struct kobject *vcoal_sysfs_classes;

/**
 * vcoal_sysfs_lock() - take vcoal_mutex without waiting for it
 *
 * Return: 0 with the lock, or what the file must return to be called again
 */
int vcoal_sysfs_lock(void)
{
	return mutex_trylock(&vcoal_mutex) ? 0 : restart_syscall();
}

/**
 * vcoal_sysfs_lock_rtnl() - take rtnl and vcoal_mutex without waiting
 *
 * Return: as vcoal_sysfs_lock()
 */
int vcoal_sysfs_lock_rtnl(void)
{
	int err;

	if (!rtnl_trylock())
		return restart_syscall();
	err = vcoal_sysfs_lock();
	if (err)
		rtnl_unlock();

	return err;
}

/**
 * vcoal_sysfs_unlock() - undo vcoal_sysfs_lock()
 */
void vcoal_sysfs_unlock(void)
{
	mutex_unlock(&vcoal_mutex);
}

/**
 * vcoal_sysfs_unlock_rtnl() - undo vcoal_sysfs_lock_rtnl()
 */
void vcoal_sysfs_unlock_rtnl(void)
{
	mutex_unlock(&vcoal_mutex);
	rtnl_unlock();
}

/**
 * vcoal_sysfs_parse() - read a number
 * @buf: what was written
 * @max: largest number allowed
 * @value: set when all is well, else left alone
 *
 * Return: 0 or -EINVAL
 */
int vcoal_sysfs_parse(const char *buf, u32 max, u32 *value)
{
	u32 parsed;

	if (kstrtou32(buf, 0, &parsed) || parsed > max)
		return -EINVAL;
	*value = parsed;

	return 0;
}

/* /sys/kernel/vcoal */

static ssize_t root_version_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", VCOAL_VERSION);
}
VCOAL_ATTR_RO(root, version);

static ssize_t root_policies_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return vcoal_policy_list(buf);
}
VCOAL_ATTR_RO(root, policies);

static ssize_t root_enabled_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", vcoal_nics_enabled());
}

static ssize_t root_enabled_store(struct kobject *kobj,
				  struct kobj_attribute *attr,
				  const char *buf, size_t len)
{
	bool enable;
	int err;

	if (kstrtobool(buf, &enable))
		return -EINVAL;

	err = vcoal_sysfs_lock_rtnl();
	if (err)
		return err;
	vcoal_nics_enable(enable);
	vcoal_sysfs_unlock_rtnl();

	return len;
}
VCOAL_ATTR_RW(root, enabled);

static ssize_t root_default_policy_show(struct kobject *kobj,
					struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", vcoal_default_policy_name());
}

static ssize_t root_default_policy_store(struct kobject *kobj,
					 struct kobj_attribute *attr,
					 const char *buf, size_t len)
{
	return vcoal_default_policy_set(buf) ?: len;
}
VCOAL_ATTR_RW(root, default_policy);

static ssize_t root_default_class_show(struct kobject *kobj,
				       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", vcoal_default_class_name());
}

static ssize_t root_default_class_store(struct kobject *kobj,
					struct kobj_attribute *attr,
					const char *buf, size_t len)
{
	return vcoal_default_class_set(buf) ?: len;
}
VCOAL_ATTR_RW(root, default_class);

static struct attribute *root_attrs[] = {
	&root_version_attr.attr,
	&root_policies_attr.attr,
	&root_enabled_attr.attr,
	&root_default_policy_attr.attr,
	&root_default_class_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(root);

/* /sys/kernel/vcoal/classes/<class> */

static struct vcoal_class *to_class(struct kobject *kobj)
{
	return container_of(kobj, struct vcoal_class, kobj);
}

static ssize_t class_max_delay_us_show(struct kobject *kobj,
				       struct kobj_attribute *attr, char *buf)
{
	u32 ns = READ_ONCE(to_class(kobj)->max_delay_ns);

	return sysfs_emit(buf, "%u\n", ns / (u32)NSEC_PER_USEC);
}

static ssize_t class_max_delay_us_store(struct kobject *kobj,
					struct kobj_attribute *attr,
					const char *buf, size_t len)
{
	struct vcoal_vm *vm;
	u32 usecs;
	int err;

	err = vcoal_sysfs_parse(buf, VCOAL_USECS_MAX, &usecs);
	if (err)
		return err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	/* Pairs with READ_ONCE() in vcoal_vm_bound(). */
	WRITE_ONCE(to_class(kobj)->max_delay_ns, usecs * NSEC_PER_USEC);
	list_for_each_entry(vm, &vcoal_vms, list)
		vcoal_vm_apply(vm);
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(class, max_delay_us);

static struct attribute *class_attrs[] = {
	&class_max_delay_us_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(class);

/* The classes are static: nothing to free. */
static void class_release(struct kobject *kobj)
{
}

static const struct kobj_type vcoal_class_ktype = {
	.release	= class_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= class_groups,
};

static void vcoal_classes_remove(int n)
{
	while (n--)
		kobject_put(&vcoal_classes[n].kobj);
}

static int vcoal_classes_add(void)
{
	int i, err;

	for (i = 0; i < VCOAL_CLASSES; i++) {
		err = kobject_init_and_add(&vcoal_classes[i].kobj,
					   &vcoal_class_ktype,
					   vcoal_sysfs_classes, "%s",
					   vcoal_classes[i].name);
		if (err) {
			vcoal_classes_remove(i + 1);
			return err;
		}
	}

	return 0;
}

/**
 * vcoal_sysfs_init() - the fixed part of the tree
 */
int vcoal_sysfs_init(void)
{
	int err = -ENOMEM;

	vcoal_sysfs_root = kset_create_and_add("vcoal", NULL, kernel_kobj);
	if (!vcoal_sysfs_root)
		return -ENOMEM;
	vcoal_sysfs_classes = kobject_create_and_add("classes",
						     &vcoal_sysfs_root->kobj);
	if (!vcoal_sysfs_classes)
		goto err_put_root;
	vcoal_sysfs_vms = kobject_create_and_add("vms",
						 &vcoal_sysfs_root->kobj);
	if (!vcoal_sysfs_vms)
		goto err_put_classes;
	err = vcoal_classes_add();
	if (err)
		goto err_put_vms;
	err = sysfs_create_groups(&vcoal_sysfs_root->kobj, root_groups);
	if (err)
		goto err_remove_classes;

	return 0;

err_remove_classes:
	vcoal_classes_remove(VCOAL_CLASSES);
err_put_vms:
	kobject_put(vcoal_sysfs_vms);
err_put_classes:
	kobject_put(vcoal_sysfs_classes);
err_put_root:
	kset_unregister(vcoal_sysfs_root);
	return err;
}

/**
 * vcoal_sysfs_exit() - remove it
 */
void vcoal_sysfs_exit(void)
{
	sysfs_remove_groups(&vcoal_sysfs_root->kobj, root_groups);
	vcoal_classes_remove(VCOAL_CLASSES);
	kobject_put(vcoal_sysfs_vms);
	kobject_put(vcoal_sysfs_classes);
	kset_unregister(vcoal_sysfs_root);
}
