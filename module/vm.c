// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs: who owns a NIC, and what it was promised.
 */
#include "vm.h"

#include <linux/slab.h>
#include <linux/string.h>
#include "control.h"
#include "debugfs.h"
#include "queue.h"
#include "registry.h"
#include "stats.h"
#include "sysfs.h"

/* See vcoal.h. */
DEFINE_MUTEX(vcoal_mutex);

LIST_HEAD(vcoal_vms);

/* Bounds from Kuroda's classes A, B, C and E; every one may be rewritten. */
struct vcoal_class vcoal_classes[VCOAL_CLASSES] = {
	[VCOAL_CLASS_LATENCY]	 = { .name = "latency",	   .max_delay_ns = 16000 },
	[VCOAL_CLASS_BALANCED]	 = { .name = "balanced",   .max_delay_ns = 64000 },
	[VCOAL_CLASS_THROUGHPUT] = { .name = "throughput", .max_delay_ns = 256000 },
	[VCOAL_CLASS_NONE]	 = { .name = "none",	   .max_delay_ns = 1000000 },
};

/* Of VMs that come; under vcoal_mutex. */
static const struct vcoal_policy *vcoal_default_policy = &vcoal_policy_adaptive;
static enum vcoal_class_id vcoal_default_class = VCOAL_CLASS_BALANCED;

/**
 * vcoal_class_find() - latency class by name
 * @name: as sysfs writes it
 *
 * Return: enum vcoal_class_id, or -EINVAL
 */
int vcoal_class_find(const char *name)
{
	int i;

	for (i = 0; i < VCOAL_CLASSES; i++)
		if (sysfs_streq(vcoal_classes[i].name, name))
			return i;

	return -EINVAL;
}

/**
 * vcoal_default_policy_set() - policy of VMs that come
 * @name: of a registered policy
 */
int vcoal_default_policy_set(const char *name)
{
	const struct vcoal_policy *policy = vcoal_policy_find(name);

	if (!policy)
		return -EINVAL;

	mutex_lock(&vcoal_mutex);
	WRITE_ONCE(vcoal_default_policy, policy);
	mutex_unlock(&vcoal_mutex);

	return 0;
}

/**
 * vcoal_default_class_set() - latency class of VMs that come
 * @name: of a class
 */
int vcoal_default_class_set(const char *name)
{
	int id = vcoal_class_find(name);

	if (id < 0)
		return id;

	mutex_lock(&vcoal_mutex);
	WRITE_ONCE(vcoal_default_class, id);
	mutex_unlock(&vcoal_mutex);

	return 0;
}

/**
 * vcoal_default_policy_name() - what VMs that come will use
 */
const char *vcoal_default_policy_name(void)
{
	return READ_ONCE(vcoal_default_policy)->name;
}

/**
 * vcoal_default_class_name() - the class of VMs that come
 */
const char *vcoal_default_class_name(void)
{
	return vcoal_classes[READ_ONCE(vcoal_default_class)].name;
}

/**
 * vcoal_vm_bound() - longest hold the VM allows
 * @vm: the VM
 *
 * Return: ns; 0 is never
 */
u32 vcoal_vm_bound(const struct vcoal_vm *vm)
{
	/* All of these pair with WRITE_ONCE() in sysfs.c and sysfs_vm.c. */
	u32 own = READ_ONCE(vm->max_delay_ns);

	if (own != VCOAL_CLASS_BOUND)
		return own;

	return READ_ONCE(vcoal_classes[READ_ONCE(vm->class_id)].max_delay_ns);
}

/**
 * vcoal_vm_irq_share() - interrupts per second that one queue may take
 * @vm: the VM
 *
 * The budget is shared by the queues that are in use.
 *
 * Return: 0 is no ceiling
 */
u32 vcoal_vm_irq_share(const struct vcoal_vm *vm)
{
	/* Pair with WRITE_ONCE() in sysfs_vm.c and watch.c. */
	u32 budget = READ_ONCE(vm->irq_rate_max);
	u32 busy = READ_ONCE(vm->busy_queues);

	if (!budget)
		return 0;

	return max(budget / max(busy, 1U), 1U);
}

/* After a pause all find back to their holds before the next trial begins. */
#define VCOAL_VM_CALM_NS	(8 * NSEC_PER_MSEC)

/**
 * vcoal_vm_trial() - a queue of a VM tries something
 * @vm: the VM
 * @now: ktime ns
 * @ns: for how long
 * @pause: all of its queues are to let go
 *
 * Each of them hears of it when its window is over. Two that begin at once, on
 * two CPUs, are one trial: the later end counts, or nearly so.
 */
void vcoal_vm_trial(struct vcoal_vm *vm, u64 now, u32 ns, bool pause)
{
	u64 trial = pause ? (u64)ns + VCOAL_VM_CALM_NS : ns;

	/* Pair with READ_ONCE() in vcoal_vm_tries() and vcoal_vm_pauses(). */
	WRITE_ONCE(vm->trial_until,
		   max(READ_ONCE(vm->trial_until), now + trial));
	if (pause)
		WRITE_ONCE(vm->pause_until,
			   max(READ_ONCE(vm->pause_until), now + ns));
}

/**
 * vcoal_vm_tries() - does a queue try something?
 * @vm: the VM
 * @now: ktime ns
 */
bool vcoal_vm_tries(const struct vcoal_vm *vm, u64 now)
{
	/* Pairs with WRITE_ONCE() in vcoal_vm_trial(). */
	return now < READ_ONCE(vm->trial_until);
}

/**
 * vcoal_vm_pauses() - and must all of them let go?
 * @vm: the VM
 * @now: ktime ns
 */
bool vcoal_vm_pauses(const struct vcoal_vm *vm, u64 now)
{
	/* Pairs with WRITE_ONCE() in vcoal_vm_trial(). */
	return now < READ_ONCE(vm->pause_until);
}

/**
 * vcoal_vm_read() - totals of a VM
 * @vm: the VM
 * @sum: zeroed
 */
void vcoal_vm_read(struct vcoal_vm *vm, struct vcoal_counters *sum)
{
	struct vcoal_queue *queue;
	struct vcoal_nic *nic;

	lockdep_assert_held(&vcoal_mutex);

	vcoal_counters_add(sum, &vm->retired);
	list_for_each_entry(nic, &vm->nics, list)
		list_for_each_entry(queue, &nic->queues, list)
			vcoal_queue_read(queue, sum);
}

/**
 * vcoal_vm_apply() - the VM's settings changed
 * @vm: the VM
 */
void vcoal_vm_apply(struct vcoal_vm *vm)
{
	struct vcoal_queue *queue;
	struct vcoal_nic *nic;

	lockdep_assert_held(&vcoal_mutex);

	list_for_each_entry(nic, &vm->nics, list)
		list_for_each_entry(queue, &nic->queues, list)
			vcoal_control_apply(queue);
}

/**
 * vcoal_vm_free() - the last reference is gone
 * @vm: out of vcoal_vms
 */
void vcoal_vm_free(struct vcoal_vm *vm)
{
	kfree(vm);
}

static struct vcoal_vm *vcoal_vm_new(const char *id, bool permanent)
{
	struct vcoal_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	int err;

	if (!vm)
		return NULL;

	INIT_LIST_HEAD(&vm->nics);
	vm->policy = vcoal_default_policy;
	vm->class_id = vcoal_default_class;
	vm->max_delay_ns = VCOAL_CLASS_BOUND;
	vm->permanent = permanent;
	kobject_init(&vm->kobj, &vcoal_vm_ktype);

	err = kobject_add(&vm->kobj, vcoal_sysfs_vms, "%s", id);
	if (err)
		goto err_put_vm;

	vm->nics_kobj = kobject_create_and_add("nics", &vm->kobj);
	if (!vm->nics_kobj)
		goto err_put_vm;
	list_add_tail(&vm->list, &vcoal_vms);
	vcoal_debugfs_vm_add(vm);

	return vm;

err_put_vm:
	kobject_put(&vm->kobj);
	return NULL;
}

static void vcoal_vm_remove(struct vcoal_vm *vm)
{
	vcoal_debugfs_vm_del(vm);
	list_del(&vm->list);
	kobject_put(vm->nics_kobj);
	kobject_del(&vm->kobj);
	kobject_put(&vm->kobj);
}

/**
 * vcoal_vm_get() - the VM with this id, made when it is new
 * @id: unique name
 * @permanent: keep it when its last NIC leaves
 *
 * Return: the VM with one NIC more to come, or NULL without memory
 */
struct vcoal_vm *vcoal_vm_get(const char *id, bool permanent)
{
	struct vcoal_vm *vm;

	lockdep_assert_held(&vcoal_mutex);

	list_for_each_entry(vm, &vcoal_vms, list)
		if (!strcmp(kobject_name(&vm->kobj), id))
			goto found;

	vm = vcoal_vm_new(id, permanent);
	if (!vm)
		return NULL;
found:
	kobject_get(&vm->kobj);
	return vm;
}

/**
 * vcoal_vm_put() - a NIC left
 * @vm: from vcoal_vm_get()
 */
void vcoal_vm_put(struct vcoal_vm *vm)
{
	lockdep_assert_held(&vcoal_mutex);

	if (list_empty(&vm->nics) && !vm->permanent)
		vcoal_vm_remove(vm);
	kobject_put(&vm->kobj);
}

/**
 * vcoal_vms_init() - this machine's own frontends are a VM, too
 */
int vcoal_vms_init(void)
{
	struct vcoal_vm *vm;

	mutex_lock(&vcoal_mutex);
	vm = vcoal_vm_get("local", true);
	if (vm)
		vcoal_vm_put(vm);
	mutex_unlock(&vcoal_mutex);

	return vm ? 0 : -ENOMEM;
}

/**
 * vcoal_vms_exit() - remove those that stayed
 */
void vcoal_vms_exit(void)
{
	struct vcoal_vm *vm, *next;

	mutex_lock(&vcoal_mutex);
	list_for_each_entry_safe(vm, next, &vcoal_vms, list)
		vcoal_vm_remove(vm);
	mutex_unlock(&vcoal_mutex);
}
