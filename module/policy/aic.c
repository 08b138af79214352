// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: aic
 *
 * Idea: interrupt just often enough that no buffer overflows (Dong et al.):
 *
 *	frequency = max(pps / bufs * r, lowest acceptable frequency)
 *
 * Signals: frames over time, taken once a second as the authors did, the
 * first time after the first window. Steps: bufs is the smaller of the ring
 * and of what a default socket buffer holds in small frames; r = 1.2 is the
 * headroom. Limits: the lowest acceptable frequency is one interrupt per
 * latency class.
 *
 * The rule only asks what the buffers can bear, so below some hundred
 * thousand frames a second it always holds for as long as the class allows.
 */
#include <linux/build_bug.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

#define AIC_PERIOD_NS	NSEC_PER_SEC	/* between two decisions */
#define AIC_SOCKET_BUFS	256U		/* 212992 bytes at 768 a small frame */
#define AIC_R_NUM	6U		/* r = 6 / 5 */
#define AIC_R_DEN	5U

/**
 * struct aic_state - private state
 * @elapsed_ns: since the last decision
 * @frames: seen since then
 * @period_ns: between interrupts, as decided; 0 before the first decision
 */
struct aic_state {
	u64 elapsed_ns;
	u64 frames;
	u32 period_ns;
};

static_assert(sizeof(struct aic_state) <= VCOAL_POLICY_STATE);

static u32 aic_bufs(const struct vcoal_sample *sample)
{
	u32 ring = sample->ring_size ? sample->ring_size : AIC_SOCKET_BUFS;

	return min(ring, AIC_SOCKET_BUFS);
}

/* The time in which the load fills the buffers, less the headroom. */
static u32 aic_period_ns(const struct aic_state *aic, u32 bufs)
{
	u64 fill_ns;

	if (!aic->frames)
		return VCOAL_HOLD_NS_MAX;

	/* Two divisions: the product of all would not fit. */
	fill_ns = div64_u64(aic->elapsed_ns, aic->frames);
	fill_ns = min_t(u64, fill_ns, VCOAL_HOLD_NS_MAX) * bufs;

	return min_t(u64, div_u64(fill_ns * AIC_R_DEN, AIC_R_NUM),
		     VCOAL_HOLD_NS_MAX);
}

static void aic_measure(struct aic_state *aic,
			const struct vcoal_sample *sample)
{
	aic->elapsed_ns += sample->window_ns;
	aic->frames += sample->frames;
	if (aic->period_ns && aic->elapsed_ns < AIC_PERIOD_NS)
		return;
	aic->period_ns = aic_period_ns(aic, aic_bufs(sample));
	aic->elapsed_ns = 0;
	aic->frames = 0;
}

static struct vcoal_decision aic_decide(void *state,
					const struct vcoal_sample *sample,
					const struct vcoal_limits *limits)
{
	struct aic_state *aic = state;

	if (sample->window_ns)
		aic_measure(aic, sample);

	return (struct vcoal_decision) {
		.params.hold_ns = min(aic->period_ns, limits->max_ns),
		.reason = aic->period_ns > limits->max_ns ? VCOAL_REASON_BOUND :
							    VCOAL_REASON_RATE,
	};
}

const struct vcoal_policy vcoal_policy_aic = {
	.decide		= aic_decide,
	.state_size	= sizeof(struct aic_state),
	.name		= "aic",
};
