// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: dim
 *
 * Idea: the fair peer. The kernel's dynamic interrupt moderation, net_dim(),
 * drives our holds with the profiles that virtio-net would use (receive, EQE
 * mode: 1, 8, 64, 128, 256 us, 256 frames).
 *
 * Signals: bytes, frames and events per millisecond, measured over 64 events.
 * Steps: a hill climb. The first of the three that differs by more than 10 %
 * from the last measurement says better or worse (fewer events are better);
 * not better turns around, two passes over the same profile park there until
 * the load changes, ten steps without a summit park for ten measurements.
 * Limits: the latency class cuts the upper profiles off.
 *
 * Why it is stated again here instead of called: net_dim() ends in
 * schedule_work(), so it is no pure function; its helpers live in a module
 * (CONFIG_DIMLIB) that not every kernel has and on which vcoal.ko must not
 * depend; and the simulator needs the same object code in user space.
 * Two differences follow from where it runs: an event is a serving that found
 * work, and there is at most one decision a window. The 1 us of the lowest
 * profile means "none" to a NIC; a timer of 1 us would only cost, so it is 0.
 */
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

#define DIM_EVENTS	64U	/* events that make one measurement */
#define DIM_FRAMES	256U	/* frames threshold of every profile */

static const u32 dim_profile_us[] = { 0, 8, 64, 128, 256 };

#define DIM_TOP		(ARRAY_SIZE(dim_profile_us) - 1)
#define DIM_TIRED	(2 * ARRAY_SIZE(dim_profile_us))

enum dim_tune {
	DIM_ON_TOP,
	DIM_RESTING,
	DIM_RIGHT,
	DIM_LEFT,
};

enum dim_verdict {
	DIM_WORSE,
	DIM_SAME,
	DIM_BETTER,
};

/* What one measurement saw per millisecond. */
struct dim_speed {
	u32 bytes;
	u32 frames;
	u32 events;
};

/**
 * struct dim_state - private state
 * @elapsed_ns: running measurement: time
 * @bytes: running measurement: bytes
 * @frames: running measurement: frames
 * @events: running measurement: servings that found work
 * @prev: the last measurement
 * @profile: index into dim_profile_us
 * @right: steps to the right since the last turn to the right
 * @left: steps to the left since the last turn to the left
 * @tired: steps since the last summit
 * @tune: where it is going
 */
struct dim_state {
	u64 elapsed_ns;
	u64 bytes;
	u64 frames;
	u64 events;
	struct dim_speed prev;
	u8 profile;
	u8 right;
	u8 left;
	u8 tired;
	u8 tune;
};

static_assert(sizeof(struct dim_state) <= VCOAL_POLICY_STATE);

static bool dim_differs(u32 val, u32 ref)
{
	u64 diff = val > ref ? val - ref : ref - val;

	/* 100 * diff / ref > 10 in whole numbers */
	return 100 * diff >= 11 * (u64)ref;
}

static enum dim_verdict dim_more(u32 val, u32 ref)
{
	return val > ref ? DIM_BETTER : DIM_WORSE;
}

static enum dim_verdict dim_compare(const struct dim_speed *curr,
				    const struct dim_speed *prev)
{
	if (!prev->bytes)
		return curr->bytes ? DIM_BETTER : DIM_SAME;
	if (dim_differs(curr->bytes, prev->bytes))
		return dim_more(curr->bytes, prev->bytes);
	if (!prev->frames)
		return curr->frames ? DIM_BETTER : DIM_SAME;
	if (dim_differs(curr->frames, prev->frames))
		return dim_more(curr->frames, prev->frames);
	if (prev->events && dim_differs(curr->events, prev->events))
		return dim_more(prev->events, curr->events);

	return DIM_SAME;
}

static void dim_park(struct dim_state *dim, enum dim_tune where)
{
	dim->right = 0;
	dim->left = 0;
	dim->tune = where;
	if (where == DIM_ON_TOP)
		dim->tired = 0;
}

static void dim_turn(struct dim_state *dim)
{
	if (dim->tune == DIM_RIGHT) {
		dim->tune = DIM_LEFT;
		dim->left = 0;
	} else {
		dim->tune = DIM_RIGHT;
		dim->right = 0;
	}
}

static bool dim_on_top(const struct dim_state *dim)
{
	if (dim->tune == DIM_RIGHT)
		return dim->left > 1 && dim->right == 1;

	return dim->right > 1 && dim->left == 1;
}

static void dim_step(struct dim_state *dim)
{
	if (dim->tired >= DIM_TIRED) {
		dim_park(dim, DIM_RESTING);
	} else if (dim->tune == DIM_RIGHT && dim->profile < DIM_TOP) {
		dim->profile++;
		dim->right++;
		dim->tired++;
	} else if (dim->tune == DIM_LEFT && dim->profile) {
		dim->profile--;
		dim->left++;
		dim->tired++;
	} else {
		dim_park(dim, DIM_ON_TOP);
	}
}

static void dim_leave(struct dim_state *dim)
{
	dim->tune = dim->profile ? DIM_LEFT : DIM_RIGHT;
	dim_step(dim);
}

static void dim_climb(struct dim_state *dim, enum dim_verdict verdict)
{
	if (verdict != DIM_BETTER)
		dim_turn(dim);
	if (dim_on_top(dim))
		dim_park(dim, DIM_ON_TOP);
	else
		dim_step(dim);
}

static void dim_move(struct dim_state *dim, const struct dim_speed *curr)
{
	enum dim_verdict verdict = dim_compare(curr, &dim->prev);
	bool parked = dim->tune == DIM_ON_TOP;

	switch (dim->tune) {
	case DIM_RIGHT:
	case DIM_LEFT:
		dim_climb(dim, verdict);
		break;
	case DIM_RESTING:
		if (!dim->tired || !--dim->tired)
			dim_leave(dim);
		break;
	default:
		if (verdict != DIM_SAME)
			dim_leave(dim);
	}

	/* While parked the summit stays the reference. */
	if (!parked || dim->tune != DIM_ON_TOP)
		dim->prev = *curr;
}

static u32 dim_per_ms(u64 count, u64 elapsed_us)
{
	return min_t(u64, U32_MAX,
		     div64_u64(count * 1000 + elapsed_us - 1, elapsed_us));
}

static void dim_measure(struct dim_state *dim,
			const struct vcoal_sample *sample)
{
	u64 elapsed_us;

	dim->elapsed_ns += sample->window_ns;
	dim->frames += sample->frames;
	/* An adapter that cannot tell bytes must not stop the climb. */
	dim->bytes += sample->bytes ? sample->bytes : sample->frames;
	dim->events += sample->polls - min(sample->polls, sample->empty_holds);
	elapsed_us = div_u64(dim->elapsed_ns, NSEC_PER_USEC);
	if (dim->events < DIM_EVENTS || !elapsed_us)
		return;

	dim_move(dim, &(struct dim_speed) {
		.bytes = dim_per_ms(dim->bytes, elapsed_us),
		.frames = dim_per_ms(dim->frames, elapsed_us),
		.events = dim_per_ms(dim->events, elapsed_us),
	});
	dim->elapsed_ns = 0;
	dim->bytes = 0;
	dim->frames = 0;
	dim->events = 0;
}

static struct vcoal_decision dim_decide(void *state,
					const struct vcoal_sample *sample,
					const struct vcoal_limits *limits)
{
	struct dim_state *dim = state;
	u8 was = dim->profile;
	u32 hold_ns;

	if (sample->window_ns)
		dim_measure(dim, sample);

	dim->profile = min_t(u8, dim->profile, DIM_TOP);
	hold_ns = dim_profile_us[dim->profile] * NSEC_PER_USEC;

	return (struct vcoal_decision) {
		.params.hold_ns = min(hold_ns, limits->max_ns),
		.params.frames = DIM_FRAMES,
		.reason = hold_ns > limits->max_ns ? VCOAL_REASON_BOUND :
			  dim->profile > was ? VCOAL_REASON_GROW :
			  dim->profile < was ? VCOAL_REASON_SHRINK :
					       VCOAL_REASON_STAY,
	};
}

const struct vcoal_policy vcoal_policy_dim = {
	.decide		= dim_decide,
	.state_size	= sizeof(struct dim_state),
	.name		= "dim",
};
