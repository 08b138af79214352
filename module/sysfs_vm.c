// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/vcoal/vms/<vm>
 */
#include "sysfs.h"

#include <linux/string.h>
#include "registry.h"
#include "stats.h"
#include "vm.h"

/* A budget beyond this limits nothing. */
#define VCOAL_IRQ_RATE_MAX	10000000

static struct vcoal_vm *to_vm(struct kobject *kobj)
{
	return container_of(kobj, struct vcoal_vm, kobj);
}

static ssize_t vm_label_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	ssize_t len;
	int err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	len = sysfs_emit(buf, "%s\n", to_vm(kobj)->label);
	vcoal_sysfs_unlock();

	return len;
}

static ssize_t vm_label_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t len)
{
	struct vcoal_vm *vm = to_vm(kobj);
	size_t n = strcspn(buf, "\n");
	int err;

	if (n >= sizeof(vm->label))
		return -EINVAL;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	memcpy(vm->label, buf, n);
	vm->label[n] = '\0';
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(vm, label);

static ssize_t vm_class_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	enum vcoal_class_id id = READ_ONCE(to_vm(kobj)->class_id);

	return sysfs_emit(buf, "%s\n", vcoal_classes[id].name);
}

static ssize_t vm_class_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t len)
{
	struct vcoal_vm *vm = to_vm(kobj);
	int id = vcoal_class_find(buf);
	int err;

	if (id < 0)
		return id;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	/* Both pair with READ_ONCE() in vcoal_vm_bound(). */
	WRITE_ONCE(vm->class_id, id);
	WRITE_ONCE(vm->max_delay_ns, VCOAL_CLASS_BOUND);
	vcoal_vm_apply(vm);
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(vm, class);

static ssize_t vm_max_delay_us_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n",
			  vcoal_vm_bound(to_vm(kobj)) / (u32)NSEC_PER_USEC);
}

static ssize_t vm_max_delay_us_store(struct kobject *kobj,
				     struct kobj_attribute *attr,
				     const char *buf, size_t len)
{
	struct vcoal_vm *vm = to_vm(kobj);
	u32 usecs;
	int err;

	err = vcoal_sysfs_parse(buf, VCOAL_USECS_MAX, &usecs);
	if (err)
		return err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	/* Pairs with READ_ONCE() in vcoal_vm_bound(). */
	WRITE_ONCE(vm->max_delay_ns, usecs * NSEC_PER_USEC);
	vcoal_vm_apply(vm);
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(vm, max_delay_us);

static ssize_t vm_irq_rate_max_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(to_vm(kobj)->irq_rate_max));
}

static ssize_t vm_irq_rate_max_store(struct kobject *kobj,
				     struct kobj_attribute *attr,
				     const char *buf, size_t len)
{
	struct vcoal_vm *vm = to_vm(kobj);
	u32 rate;
	int err;

	err = vcoal_sysfs_parse(buf, VCOAL_IRQ_RATE_MAX, &rate);
	if (err)
		return err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	/* Pairs with READ_ONCE() in vcoal_vm_irq_share(). */
	WRITE_ONCE(vm->irq_rate_max, rate);
	vcoal_vm_apply(vm);
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(vm, irq_rate_max);

static ssize_t vm_policy_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	return sysfs_emit(buf, "%s\n", READ_ONCE(to_vm(kobj)->policy)->name);
}

static ssize_t vm_policy_store(struct kobject *kobj,
			       struct kobj_attribute *attr,
			       const char *buf, size_t len)
{
	const struct vcoal_policy *policy = vcoal_policy_find(buf);
	struct vcoal_vm *vm = to_vm(kobj);
	int err;

	if (!policy)
		return -EINVAL;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	WRITE_ONCE(vm->policy, policy);
	vcoal_vm_apply(vm);
	vcoal_sysfs_unlock();

	return len;
}
VCOAL_ATTR_RW(vm, policy);

static struct attribute *vm_attrs[] = {
	&vm_label_attr.attr,
	&vm_class_attr.attr,
	&vm_max_delay_us_attr.attr,
	&vm_irq_rate_max_attr.attr,
	&vm_policy_attr.attr,
	NULL
};

static const struct attribute_group vm_group = {
	.attrs = vm_attrs,
};

static ssize_t vm_counter_show(struct kobject *kobj, char *buf, size_t offset)
{
	struct vcoal_counters sum = {};
	int err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	vcoal_vm_read(to_vm(kobj), &sum);
	vcoal_sysfs_unlock();

	return sysfs_emit(buf, "%llu\n", vcoal_counter(&sum, offset));
}

#define VM_COUNTER(name)						\
	static ssize_t vm_stat_##name##_show(struct kobject *kobj,	\
					     struct kobj_attribute *attr, \
					     char *buf)			\
	{								\
		return vm_counter_show(kobj, buf,			\
				offsetof(struct vcoal_counters, name));	\
	}								\
	VCOAL_ATTR_RO(vm_stat, name);
VCOAL_COUNTERS(VM_COUNTER)
#undef VM_COUNTER

#define VM_COUNTER_ATTR(name)	&vm_stat_##name##_attr.attr,
static struct attribute *vm_stat_attrs[] = {
	VCOAL_COUNTERS(VM_COUNTER_ATTR)
	NULL
};

#undef VM_COUNTER_ATTR

static const struct attribute_group vm_stat_group = {
	.name = "stats",
	.attrs = vm_stat_attrs,
};

static const struct attribute_group *vm_groups[] = {
	&vm_group,
	&vm_stat_group,
	NULL
};

static void vm_release(struct kobject *kobj)
{
	vcoal_vm_free(to_vm(kobj));
}

const struct kobj_type vcoal_vm_ktype = {
	.release	= vm_release,
	.sysfs_ops	= &kobj_sysfs_ops,
	.default_groups	= vm_groups,
};
