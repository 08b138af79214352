// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policies that do not think, and what holds for every policy.
 */
#include <kunit/test.h>
#include <linux/string.h>
#include <linux/time64.h>
#include "../module/registry.h"

static const struct vcoal_sample busy_sample = {
	.window_ns	= NSEC_PER_MSEC,
	.bytes		= 1500000,
	.irqs		= 100,
	.polls		= 100,
	.frames		= 1000,
	.ring_size	= 256,
	.ring_peak	= 64,
	.gap_max_ns	= 20000,
	.cpu_busy	= 1024,
	.timer_cost	= VCOAL_TIMER_COST,
};

static const struct vcoal_sample idle_sample = {
	.window_ns	= NSEC_PER_SEC,
	.irqs		= 1,
	.polls		= 1,
	.frames		= 1,
	.ring_size	= 256,
	.ring_peak	= 1,
	.timer_cost	= VCOAL_TIMER_COST,
};

static const struct vcoal_sample no_data = {};

static const struct vcoal_sample *const samples[] = {
	&no_data, &idle_sample, &busy_sample,
};

static struct vcoal_decision ask(const struct vcoal_policy *policy,
				 void *state,
				 const struct vcoal_sample *sample,
				 const struct vcoal_limits *limits)
{
	return policy->decide(state, sample, limits);
}

static void observe_never_holds(struct kunit *test)
{
	struct vcoal_limits limits = {
		.max_ns	= VCOAL_HOLD_NS_MAX,
		.fixed	= { .hold_ns = 64000, .frames = 8 },
	};
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)] = {};
	struct vcoal_decision decision;
	int i;

	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		decision = ask(&vcoal_policy_observe, state, samples[i],
			       &limits);
		KUNIT_EXPECT_EQ(test, decision.params.hold_ns, 0);
		KUNIT_EXPECT_EQ(test, decision.params.frames, 0);
	}
}

static void fixed_holds_what_was_written(struct kunit *test)
{
	struct vcoal_limits limits = {
		.max_ns	= 16000,
		.fixed	= { .hold_ns = 640000, .frames = 8 },
	};
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)] = {};
	struct vcoal_decision decision;
	int i;

	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		decision = ask(&vcoal_policy_fixed, state, samples[i],
			       &limits);
		KUNIT_EXPECT_EQ(test, decision.params.hold_ns, 640000);
		KUNIT_EXPECT_EQ(test, decision.params.frames, 8);
	}
}

/* A rest is heeded only while nothing is held: see control_test.c. */
static void fixed_that_holds_nothing_asks_nothing(struct kunit *test)
{
	const struct vcoal_limits limits = { .max_ns = 16000 };
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)] = {};
	struct vcoal_decision decision;

	decision = ask(&vcoal_policy_fixed, state, samples[0], &limits);
	KUNIT_EXPECT_EQ(test, decision.params.hold_ns, 0);
	KUNIT_EXPECT_GT(test, decision.rest, 1000);
}

/* What every policy promises, whatever it thinks. */
static const char *const policy_names[] = {
	"observe", "fixed", "rate", "dim", "aic", "adaptive",
};

static void policy_name_desc(const char *const *name, char *desc)
{
	strscpy(desc, *name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(policy_name, policy_names, policy_name_desc);

static const struct vcoal_policy *policy_of(struct kunit *test)
{
	const char *name = *(const char *const *)test->param_value;
	const struct vcoal_policy *policy = vcoal_policy_find(name);

	if (!policy)
		kunit_skip(test, "not built in");

	return policy;
}

static void start(const struct vcoal_policy *policy, void *state,
		  const struct vcoal_limits *limits)
{
	memset(state, 0, VCOAL_POLICY_STATE);
	if (policy->init)
		policy->init(state, limits);
}

static void policy_stays_inside_its_bound(struct kunit *test)
{
	static const u32 bounds[] = { 0, 1, 16000, 64000, VCOAL_HOLD_NS_MAX };
	const struct vcoal_policy *policy = policy_of(test);
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)];
	int i, j;

	if (policy->unbounded)
		kunit_skip(test, "the operator's own word");

	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		struct vcoal_limits limits = { .max_ns = bounds[i] };

		start(policy, state, &limits);
		for (j = 0; j < 300; j++) {
			struct vcoal_decision decision;

			decision = ask(policy, state,
				       samples[j % ARRAY_SIZE(samples)],
				       &limits);
			KUNIT_EXPECT_LE(test, decision.params.hold_ns,
					bounds[i]);
			KUNIT_EXPECT_LT(test, decision.reason,
					VCOAL_REASON_COUNT);
		}
	}
}

static void policy_is_a_function_of_what_it_saw(struct kunit *test)
{
	const struct vcoal_policy *policy = policy_of(test);
	u64 one[VCOAL_POLICY_STATE / sizeof(u64)];
	u64 two[VCOAL_POLICY_STATE / sizeof(u64)];
	struct vcoal_limits limits = { .max_ns = 256000 };
	struct vcoal_decision a, b;
	int i;

	start(policy, one, &limits);
	start(policy, two, &limits);
	for (i = 0; i < 300; i++) {
		const struct vcoal_sample *sample = samples[i * i % 3];

		a = ask(policy, one, sample, &limits);
		b = ask(policy, two, sample, &limits);
		KUNIT_EXPECT_EQ(test, a.params.hold_ns, b.params.hold_ns);
		KUNIT_EXPECT_EQ(test, a.params.frames, b.params.frames);
		KUNIT_EXPECT_EQ(test, a.reason, b.reason);
	}
	KUNIT_EXPECT_MEMEQ(test, one, two, sizeof(one));
}

static void policy_keeps_to_its_state(struct kunit *test)
{
	const struct vcoal_policy *policy = policy_of(test);
	struct vcoal_limits limits = { .max_ns = 256000 };
	u8 *state;
	int i;

	state = kunit_kzalloc(test, 2 * VCOAL_POLICY_STATE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, state);
	KUNIT_ASSERT_LE(test, policy->state_size, VCOAL_POLICY_STATE);
	start(policy, state, &limits);
	for (i = 0; i < 300; i++)
		ask(policy, state, samples[i % ARRAY_SIZE(samples)], &limits);
	KUNIT_EXPECT_NULL(test, memchr_inv(state + policy->state_size, 0,
					   2 * VCOAL_POLICY_STATE -
					   policy->state_size));
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE(observe_never_holds),
	KUNIT_CASE(fixed_holds_what_was_written),
	KUNIT_CASE(fixed_that_holds_nothing_asks_nothing),
	KUNIT_CASE_PARAM(policy_stays_inside_its_bound, policy_name_gen_params),
	KUNIT_CASE_PARAM(policy_is_a_function_of_what_it_saw,
			 policy_name_gen_params),
	KUNIT_CASE_PARAM(policy_keeps_to_its_state, policy_name_gen_params),
	{}
};

static struct kunit_suite policy_suite = {
	.name		= "vcoal_policy",
	.test_cases	= policy_cases,
};

kunit_test_suite(policy_suite);
