/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When `adaptive` decides again, and how long others are to wait for it.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_PACE_H
#define _VCOAL_POLICY_ADAPTIVE_PACE_H

#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>
#include "adaptive.h"

/*
 * Where window after window has another rate, they are shorter than the traffic's own
 * rhythm, as with large messages to and fro, and none says how fast that runs. Longer
 * ones do.
 */
static inline void adaptive_listen(struct adaptive_state *st,
				   struct meter_reading *now)
{
	bool pause = now->sample->window_ns > ADAPTIVE_RHYTHM_NS;

	now->jumps = meter_differs(now->rate, st->last);
	if (now->jumps && st->last && !pause)
		st->unrest = min(st->unrest + ADAPTIVE_UNREST,
				 ADAPTIVE_UNREST_MAX);
	else if (st->unrest)
		st->unrest--;
	st->last = pause ? 0 : now->rate;
}

static inline bool adaptive_restless(const struct adaptive_state *st)
{
	return st->unrest >= ADAPTIVE_RESTLESS;
}

/* At rest a decision about every two to six milliseconds will do. */
static inline void adaptive_rest(struct adaptive_state *st,
				 const struct vcoal_sample *s)
{
	if (!st->wait_ns || st->excess || st->lack)
		st->rest = 0;
	else if (s->window_ns < 2 * NSEC_PER_MSEC << adaptive_restless(st))
		st->rest = clamp(2U * st->rest, ADAPTIVE_REST,
				 ADAPTIVE_REST_MAX);
	else if (s->window_ns > 6 * NSEC_PER_MSEC)
		st->rest = max(st->rest / 2U, ADAPTIVE_REST);
}

/*
 * How long are others to wait? The last window may have been a pause. Holds make
 * the windows of a dense loop longer: its try goes on saying so. In a sparse one
 * they would all wait for longer than it is worth.
 */
static inline u32 adaptive_trial(const struct adaptive_state *st,
				 const struct vcoal_sample *s)
{
	bool dense = st->phase == ADAPTIVE_CHECK &&
		     st->on.rate > ADAPTIVE_WINDOW_FRAMES;
	u32 most = dense ? ADAPTIVE_WINDOW_NS << adaptive_restless(st) :
			   ADAPTIVE_WINDOW_MAX_NS;
	u32 windows = st->fresh ? st->length + 1U : ADAPTIVE_AHEAD;

	if (!s->frames ||
	    (!st->fresh && st->off.rate <= ADAPTIVE_WINDOW_FRAMES))
		return 0;

	return min_t(u64, s->window_ns, most) * windows;
}

#endif /* _VCOAL_POLICY_ADAPTIVE_PACE_H */
