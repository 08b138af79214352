// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcoal - dynamic coalescing of virtual network interrupts
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <vcoal/vcoal.h>
#include "debugfs.h"
#include "nics.h"
#include "registry.h"
#include "sysfs.h"
#include "vm.h"
#include "watch.h"

static char *policy = "adaptive";
module_param(policy, charp, 0444);
MODULE_PARM_DESC(policy, "policy of VMs that come (see /sys/kernel/vcoal/policies)");

static char *class = "balanced";
module_param(class, charp, 0444);
MODULE_PARM_DESC(class, "latency class of VMs that come: latency, balanced, throughput or none");

static int __init vcoal_params_init(void)
{
	if (vcoal_default_policy_set(policy)) {
		pr_err("no such policy: %s\n", policy);
		return -EINVAL;
	}
	if (vcoal_default_class_set(class)) {
		pr_err("no such class: %s\n", class);
		return -EINVAL;
	}

	return 0;
}

static int __init vcoal_init(void)
{
	int err;

	err = vcoal_policies_init();
	if (err)
		return err;
	err = vcoal_params_init();
	if (err)
		goto err_policies;
	err = vcoal_adapters_init();
	if (err)
		goto err_policies;
	err = vcoal_sysfs_init();
	if (err)
		goto err_adapters;
	vcoal_debugfs_init();
	err = vcoal_vms_init();
	if (err)
		goto err_debugfs;
	err = vcoal_nics_init();
	if (err)
		goto err_vms;

	return 0;

err_vms:
	vcoal_watch_stop();
	vcoal_vms_exit();
err_debugfs:
	vcoal_debugfs_exit();
	vcoal_sysfs_exit();
err_adapters:
	vcoal_adapters_exit();
err_policies:
	vcoal_policies_exit();
	return err;
}

static void __exit vcoal_exit(void)
{
	vcoal_nics_exit();
	vcoal_watch_stop();
	vcoal_vms_exit();
	vcoal_debugfs_exit();
	vcoal_sysfs_exit();
	vcoal_adapters_exit();
	vcoal_policies_exit();
}

module_init(vcoal_init);
module_exit(vcoal_exit);

MODULE_DESCRIPTION("Dynamic coalescing of virtual network interrupts");
MODULE_AUTHOR("The vcoal maintainers");
MODULE_VERSION(VCOAL_VERSION);
MODULE_LICENSE("GPL");
