// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: rate
 *
 * Idea: never more than so many interrupts a second, whatever the load. This
 * is the rate-based coalescing (RBC) of VMware's vmxnet3: usecs = 10^6 / rate,
 * 4000/s unless the VM's irq_rate_max says otherwise, 100..100000.
 *
 * Signals: none. Steps: one division a window. Limits: the latency class; a
 * class shorter than the period (250 us at 4000/s) wins, and the reason says
 * so. Like RBC it delays senders that wait for completions: it knows nothing
 * of closed loops.
 */
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

#define RATE_DEFAULT	4000U	/* what RBC starts with */
#define RATE_MIN	100U	/* RBC's range, interrupts per second */
#define RATE_MAX	100000U

static u32 rate_period_ns(u32 rate)
{
	rate = rate ? clamp(rate, RATE_MIN, RATE_MAX) : RATE_DEFAULT;

	return (u32)NSEC_PER_SEC / rate;
}

static struct vcoal_decision rate_decide(void *state,
					 const struct vcoal_sample *sample,
					 const struct vcoal_limits *limits)
{
	u32 period_ns = rate_period_ns(limits->irq_rate_max);

	return (struct vcoal_decision) {
		.params.hold_ns = min(period_ns, limits->max_ns),
		.reason = period_ns > limits->max_ns ? VCOAL_REASON_BOUND :
						       VCOAL_REASON_RATE,
	};
}

const struct vcoal_policy vcoal_policy_rate = {
	.decide	= rate_decide,
	.name	= "rate",
};
