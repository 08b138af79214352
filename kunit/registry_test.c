// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registries of policies and adapters.
 */
#include "../module/registry.h"

#include <kunit/test.h>

static const struct vcoal_policy undecided = {
	.name	= "kunit",
};

static void policy_names_are_unique(struct kunit *test)
{
	struct vcoal_policy twin = vcoal_policy_observe;

	KUNIT_EXPECT_EQ(test, vcoal_policy_register(&twin), -EEXIST);
	KUNIT_EXPECT_PTR_EQ(test, vcoal_policy_find("observe"),
			    &vcoal_policy_observe);
}

static void policy_must_be_complete(struct kunit *test)
{
	struct vcoal_policy policy = vcoal_policy_observe;

	policy.name = NULL;
	KUNIT_EXPECT_EQ(test, vcoal_policy_register(&policy), -EINVAL);
	policy.name = "kunit";
	policy.state_size = VCOAL_POLICY_STATE + 1;
	KUNIT_EXPECT_EQ(test, vcoal_policy_register(&policy), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcoal_policy_register(&undecided), -EINVAL);
	KUNIT_EXPECT_NULL(test, vcoal_policy_find("kunit"));
}

static void policy_is_found_as_sysfs_writes_it(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, vcoal_policy_find("fixed\n"),
			    &vcoal_policy_fixed);
	KUNIT_EXPECT_NULL(test, vcoal_policy_find("fixe"));
	KUNIT_EXPECT_NULL(test, vcoal_policy_find("fixed2"));
	KUNIT_EXPECT_NULL(test, vcoal_policy_find(""));
}

static void policy_comes_and_goes(struct kunit *test)
{
	struct vcoal_policy policy = vcoal_policy_observe;

	policy.name = "kunit";
	KUNIT_ASSERT_EQ(test, vcoal_policy_register(&policy), 0);
	KUNIT_EXPECT_PTR_EQ(test, vcoal_policy_find("kunit"), &policy);
	vcoal_policy_unregister(&policy);
	KUNIT_EXPECT_NULL(test, vcoal_policy_find("kunit"));
}

static void policies_fill_the_registry_and_no_more(struct kunit *test)
{
	struct vcoal_policy *policies;
	int err, n = 0, i;
	char *names;

	policies = kunit_kcalloc(test, 64, sizeof(*policies), GFP_KERNEL);
	names = kunit_kcalloc(test, 64, 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, policies);
	KUNIT_ASSERT_NOT_NULL(test, names);
	for (n = 0; n < 64; n++) {
		snprintf(names + n * 8, 8, "k%d", n);
		policies[n] = vcoal_policy_observe;
		policies[n].name = names + n * 8;
		err = vcoal_policy_register(&policies[n]);
		if (err)
			break;
	}
	KUNIT_EXPECT_EQ(test, err, -ENOSPC);
	for (i = 0; i < n; i++)
		vcoal_policy_unregister(&policies[i]);
	KUNIT_EXPECT_NOT_NULL(test, vcoal_policy_find("observe"));
	KUNIT_EXPECT_NULL(test, vcoal_policy_find("k0"));
}

static bool test_release(struct vcoal_hold *hold)
{
	return true;
}

static int test_scan(struct vcoal_nic *nic)
{
	return 0;
}

static int test_hook(struct vcoal_queue *queue)
{
	return 0;
}

static void test_unhook(struct vcoal_queue *queue)
{
}

static const struct vcoal_adapter test_adapter = {
	.release	= test_release,
	.scan		= test_scan,
	.hook		= test_hook,
	.unhook		= test_unhook,
	.kick		= test_unhook,
	.queue_size	= sizeof(struct vcoal_queue),
	.timer_cost	= VCOAL_TIMER_COST,
	.name		= "kunit",
};

static void adapter_names_are_unique(struct kunit *test)
{
	struct vcoal_adapter twin = test_adapter;

	KUNIT_ASSERT_EQ(test, vcoal_adapter_register(&test_adapter), 0);
	KUNIT_EXPECT_EQ(test, vcoal_adapter_register(&twin), -EEXIST);
	vcoal_adapter_unregister(&test_adapter);
	KUNIT_EXPECT_EQ(test, vcoal_adapter_register(&twin), 0);
	vcoal_adapter_unregister(&twin);
}

#define WITHOUT(member) \
	({ \
		struct vcoal_adapter adapter = test_adapter; \
		adapter.member = 0; \
		vcoal_adapter_register(&adapter); \
	})

static void adapter_must_be_complete(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, WITHOUT(release), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(scan), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(hook), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(unhook), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(kick), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(name), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(queue_size), -EINVAL);
	KUNIT_EXPECT_EQ(test, WITHOUT(timer_cost), -EINVAL);
}

#undef WITHOUT

static struct kunit_case registry_cases[] = {
	KUNIT_CASE(policy_names_are_unique),
	KUNIT_CASE(policy_must_be_complete),
	KUNIT_CASE(policy_is_found_as_sysfs_writes_it),
	KUNIT_CASE(policy_comes_and_goes),
	KUNIT_CASE(policies_fill_the_registry_and_no_more),
	KUNIT_CASE(adapter_names_are_unique),
	KUNIT_CASE(adapter_must_be_complete),
	{}
};

static struct kunit_suite registry_suite = {
	.name		= "vcoal_registry",
	.test_cases	= registry_cases,
};

kunit_test_suite(registry_suite);
