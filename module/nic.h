/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_NIC_H
#define _VCOAL_NIC_H

#include <vcoal/vcoal.h>

extern const struct kobj_type vcoal_nic_ktype;

struct vcoal_nic *__must_check
vcoal_nic_new(const char *name, const char *vm_id, bool vm_permanent,
	      const struct vcoal_adapter *adapter, struct net_device *dev);
void vcoal_nic_remove(struct vcoal_nic *nic);
int vcoal_nic_open(struct vcoal_nic *nic);
void vcoal_nic_close(struct vcoal_nic *nic);
void vcoal_nic_free(struct vcoal_nic *nic);
void vcoal_nic_rename(struct vcoal_nic *nic);
u64 vcoal_nic_bytes(struct vcoal_nic *nic, u64 now);
void vcoal_nic_apply(struct vcoal_nic *nic);
int __must_check vcoal_nic_set_mode(struct vcoal_nic *nic, enum vcoal_mode mode);

#endif /* _VCOAL_NIC_H */
