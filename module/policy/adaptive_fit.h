/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which hold fits: to begin with, and where one is kept.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_FIT_H
#define _VCOAL_POLICY_ADAPTIVE_FIT_H

#include <linux/bitops.h>
#include <linux/minmax.h>
#include <vcoal/policy.h>
#include "adaptive.h"
#include "adaptive_load.h"
#include "meter.h"

/* The shortest part of the bound in which so many frames come: METER_RATE(). */
static inline u8 adaptive_level(const struct adaptive_state *st, u32 frames)
{
	/* A millisecond is 2^20 ns, but for 5 %. */
	u32 come = min_t(u64, (u64)st->max_ns * st->off.rate >> 20,
			 METER_RATE(ADAPTIVE_BATCH) << ADAPTIVE_LEVELS);

	return fls(come / frames | 1) - 1;
}

/* The shortest part that gathers as many as save something. */
static inline u8 adaptive_enough(const struct adaptive_state *st)
{
	return adaptive_level(st, METER_RATE(ADAPTIVE_BATCH));
}

/*
 * The shortest part in which a second one comes now and then, even if they come
 * evenly. A loop of one shows under it, and is not slowed as much as under a longer
 * one.
 */
static inline u8 adaptive_scout(const struct adaptive_state *st)
{
	return adaptive_level(st, METER_RATE(ADAPTIVE_BATCH) >> ADAPTIVE_SCOUT);
}

/*
 * May a longer hold do by now, where a loop bore this one and no more? The rate is
 * another one; or it may be another load for all that the rate says, which is asked at
 * some checks. Only of a check at rest: a loop that is fast now and slow then bears
 * more half of the time.
 */
static inline bool adaptive_bears_more(struct adaptive_state *st)
{
	/* Or is it short because so many come? */
	if (!st->shut || st->level != st->shut ||
	    st->level <= adaptive_enough(st))
		return false;
	if (!st->bore)
		return true;
	if (st->length <= ADAPTIVE_TRIAL_MAX)
		return false;

	return adaptive_exceeds(st->off.rate, st->bore) ||
	       adaptive_exceeds(st->bore, st->off.rate) ||
	       ++st->dares >= ADAPTIVE_DARES;
}

/* As short as batches well, but not longer than a closed loop bears. */
static inline void adaptive_fit(struct adaptive_state *st,
				const struct vcoal_sample *s)
{
	u32 batch = ADAPTIVE_BATCH * s->holds;

	st->reason = VCOAL_REASON_STAY;
	if (s->ring_size && s->ring_peak > s->ring_size / 2 &&
	    st->level < ADAPTIVE_LEVELS) {
		st->level++;
		st->shut = st->level;
		st->bore = st->off.rate;
		st->reason = VCOAL_REASON_RING;
	} else if (s->held_frames > 2 * batch && st->level < ADAPTIVE_LEVELS) {
		st->level++;
		st->reason = VCOAL_REASON_SHRINK;
	} else if (st->level > st->shut && s->held_frames < batch * 3 / 4) {
		st->level--;
		st->reason = VCOAL_REASON_GROW;
	}
}

#endif /* _VCOAL_POLICY_ADAPTIVE_FIT_H */
