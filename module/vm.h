/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VM_H
#define _VCOAL_VM_H

#include <vcoal/vcoal.h>

/**
 * struct vcoal_class - a latency class
 * @kobj: /sys/kernel/vcoal/classes/<name>
 * @max_delay_ns: longest hold of a VM in this class
 * @name: what sysfs calls it
 */
struct vcoal_class {
	struct kobject kobj;
	u32 max_delay_ns;
	const char *name;
};

extern struct vcoal_class vcoal_classes[VCOAL_CLASSES];
extern struct list_head vcoal_vms;
extern const struct kobj_type vcoal_vm_ktype;

int vcoal_class_find(const char *name);
int __must_check vcoal_vms_init(void);
void vcoal_vms_exit(void);
struct vcoal_vm *__must_check vcoal_vm_get(const char *id, bool permanent);
void vcoal_vm_put(struct vcoal_vm *vm);
void vcoal_vm_free(struct vcoal_vm *vm);
void vcoal_vm_apply(struct vcoal_vm *vm);
void vcoal_vm_read(struct vcoal_vm *vm, struct vcoal_counters *sum);
u32 vcoal_vm_bound(const struct vcoal_vm *vm);
u32 vcoal_vm_irq_share(const struct vcoal_vm *vm);
void vcoal_vm_trial(struct vcoal_vm *vm, u64 now, u32 ns, bool pause);
bool vcoal_vm_tries(const struct vcoal_vm *vm, u64 now);
bool vcoal_vm_pauses(const struct vcoal_vm *vm, u64 now);

int __must_check vcoal_default_policy_set(const char *name);
int __must_check vcoal_default_class_set(const char *name);
const char *vcoal_default_policy_name(void);
const char *vcoal_default_class_name(void);

#endif /* _VCOAL_VM_H */
