/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_DEBUGFS_H
#define _VCOAL_DEBUGFS_H

#include <vcoal/vcoal.h>

void vcoal_debugfs_init(void);
void vcoal_debugfs_exit(void);
void vcoal_debugfs_vm_add(struct vcoal_vm *vm);
void vcoal_debugfs_vm_del(struct vcoal_vm *vm);
void vcoal_debugfs_nic_add(struct vcoal_nic *nic);
void vcoal_debugfs_nic_del(struct vcoal_nic *nic);

#endif /* _VCOAL_DEBUGFS_H */
