// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: observe and fixed
 *
 * `observe` counts and changes nothing. `fixed` holds for what the operator
 * wrote (rx_usecs, rx_frames, tx_usecs, tx_frames); it is the operator's own
 * word, so the latency class does not bound it. Both ignore the sample; who holds
 * nothing asks for none.
 */
#include <vcoal/policy.h>

/* Polls for which nothing is asked; a window of so many is still countable. */
#define FIXED_REST	65536U

static struct vcoal_decision observe_decide(void *state,
					    const struct vcoal_sample *sample,
					    const struct vcoal_limits *limits)
{
	return (struct vcoal_decision) { .reason = VCOAL_REASON_OBSERVE };
}

const struct vcoal_policy vcoal_policy_observe = {
	.decide		= observe_decide,
	.passive	= true,
	.name		= "observe",
};

static struct vcoal_decision fixed_decide(void *state,
					  const struct vcoal_sample *sample,
					  const struct vcoal_limits *limits)
{
	return (struct vcoal_decision) {
		.params = limits->fixed,
		.rest = FIXED_REST,
		.reason = VCOAL_REASON_FIXED,
	};
}

const struct vcoal_policy vcoal_policy_fixed = {
	.decide		= fixed_decide,
	.unbounded	= true,
	.name		= "fixed",
};
