/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_REGISTRY_H
#define _VCOAL_REGISTRY_H

#include <vcoal/adapter.h>
#include <vcoal/policy.h>

int __must_check vcoal_policy_register(const struct vcoal_policy *policy);
void vcoal_policy_unregister(const struct vcoal_policy *policy);
const struct vcoal_policy *vcoal_policy_find(const char *name);
ssize_t vcoal_policy_list(char *buf);
int __must_check vcoal_policies_init(void);
void vcoal_policies_exit(void);

int __must_check vcoal_adapter_register(const struct vcoal_adapter *adapter);
void vcoal_adapter_unregister(const struct vcoal_adapter *adapter);
const struct vcoal_adapter *vcoal_adapter_match(const struct net_device *dev);
int __must_check vcoal_adapters_start(void);
void vcoal_adapters_stop(void);
int __must_check vcoal_adapters_init(void);
void vcoal_adapters_exit(void);

#endif /* _VCOAL_REGISTRY_H */
