// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of policies.
 */
#include "registry.h"

#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#define VCOAL_POLICIES	16

/* Written only by module init and exit (and KUnit), read under no lock. */
static const struct vcoal_policy *vcoal_policies[VCOAL_POLICIES];

/* In the order `policies` shows them: the plain ones first. */
static const struct vcoal_policy *const vcoal_policies_builtin[] = {
	&vcoal_policy_observe,
	&vcoal_policy_fixed,
	&vcoal_policy_rate,
	&vcoal_policy_dim,
	&vcoal_policy_aic,
	&vcoal_policy_adaptive,
};

/**
 * vcoal_policy_find() - policy by name
 * @name: as sysfs writes it
 */
const struct vcoal_policy *vcoal_policy_find(const char *name)
{
	int i;

	for (i = 0; i < VCOAL_POLICIES; i++)
		if (vcoal_policies[i] && sysfs_streq(vcoal_policies[i]->name, name))
			return vcoal_policies[i];

	return NULL;
}

/**
 * vcoal_policy_list() - the names, in one line
 * @buf: a sysfs page
 */
ssize_t vcoal_policy_list(char *buf)
{
	ssize_t len = 0;
	int i;

	for (i = 0; i < VCOAL_POLICIES; i++)
		if (vcoal_policies[i])
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     vcoal_policies[i]->name);

	return len + sysfs_emit_at(buf, len, "\n");
}

/**
 * vcoal_policy_register() - make a policy known
 * @policy: what is required must be there
 *
 * Return: 0, -EINVAL (incomplete), -EEXIST (name taken) or -ENOSPC
 */
int vcoal_policy_register(const struct vcoal_policy *policy)
{
	int i;

	if (!policy->name || !policy->decide ||
	    policy->state_size > VCOAL_POLICY_STATE)
		return -EINVAL;
	if (vcoal_policy_find(policy->name))
		return -EEXIST;

	for (i = 0; i < VCOAL_POLICIES; i++) {
		if (vcoal_policies[i])
			continue;
		vcoal_policies[i] = policy;
		return 0;
	}

	return -ENOSPC;
}

/**
 * vcoal_policy_unregister() - forget a policy that no queue uses
 * @policy: registered
 */
void vcoal_policy_unregister(const struct vcoal_policy *policy)
{
	int i;

	for (i = 0; i < VCOAL_POLICIES; i++)
		if (vcoal_policies[i] == policy)
			vcoal_policies[i] = NULL;
}

/**
 * vcoal_policies_init() - register what is built in
 */
int vcoal_policies_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(vcoal_policies_builtin); i++) {
		err = vcoal_policy_register(vcoal_policies_builtin[i]);
		if (err)
			goto err_unregister;
	}

	return 0;

err_unregister:
	vcoal_policies_exit();
	return err;
}

/**
 * vcoal_policies_exit() - forget them all
 */
void vcoal_policies_exit(void)
{
	memset(vcoal_policies, 0, sizeof(vcoal_policies));
}
