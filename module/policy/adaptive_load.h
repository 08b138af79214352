/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is the load still the one that `adaptive` judged? Most of these functions take
 * one window and say how sure it is by now: sums that begin anew at 0.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_LOAD_H
#define _VCOAL_POLICY_ADAPTIVE_LOAD_H

#include <linux/minmax.h>
#include <vcoal/policy.h>
#include "adaptive.h"
#include "adaptive_verdict.h"
#include "meter.h"

/* Maybe a loop of one: then no hold gathers more. */
static inline bool adaptive_alone(const struct adaptive_state *st)
{
	return st->batch == 1 && st->alike >= ADAPTIVE_ALIKE / 2;
}

/* Did all holds release a frame, and no more? */
static inline bool adaptive_single(const struct vcoal_sample *s)
{
	return s->holds && !s->empty_holds && s->held_frames == s->holds;
}

/* Did one of them release more? */
static inline bool adaptive_gathered(const struct vcoal_sample *s)
{
	return s->held_frames > s->holds - s->empty_holds;
}

/* Most of the window was silence: it says nothing about a pace. */
static inline bool adaptive_silent(const struct vcoal_sample *s)
{
	return s->window_ns > ADAPTIVE_SILENCE_NS;
}

/* Just now: nothing is compared with that, unless silence is what there is. */
static inline bool adaptive_hushed(const struct adaptive_state *st,
				   const struct vcoal_sample *s)
{
	return adaptive_silent(s) && st->meter.steady < 2;
}

/* Silence ends what is measured under a hold. */
static inline void adaptive_hush(struct adaptive_state *st)
{
	meter_clear(&st->meter);
	/* What comes between silences may be shorter than what is waited for. */
	if (st->rises && st->rises <= ADAPTIVE_RISES)
		st->rises++;
	/* Nothing but rare frames: they may be others, and no check comes. */
	if (st->stale)
		st->even = ADAPTIVE_BREAK_EVEN;
	st->stale = 1;
}

/* Are windows so full that half as many of a check tell as much? */
static inline bool adaptive_floods(const struct adaptive_state *st,
				   const struct vcoal_sample *s)
{
	return st->length > ADAPTIVE_CHECK_FEW &&
	       s->frames >= 2 * ADAPTIVE_FRAMES;
}

/*
 * The rate that a try or a check is compared with. A silence is no answer to these,
 * unless it is 0, less than a frame in 16 ms: then silence is the load.
 */
static inline u32 adaptive_known(const struct adaptive_state *st)
{
	switch (st->phase) {
	case ADAPTIVE_TRY:
		return st->off.rate;
	case ADAPTIVE_CHECK:
		return st->on.rate;
	default:
		return 0;
	}
}

/* Is what comes after a pause another load than before? */
static inline bool adaptive_other(const struct adaptive_state *st,
				  const struct meter_reading *now)
{
	u32 known = adaptive_known(st);

	return known && meter_differs(now->rate, known);
}

/* More than that by a quarter, and by a frame a millisecond, which may be chance. */
static inline bool adaptive_exceeds(u32 rate, u32 known)
{
	return rate > known + known / 4 + METER_RATE(1);
}

static inline bool adaptive_more(const struct meter_reading *now, u32 known)
{
	return adaptive_exceeds(now->rate, known);
}

/*
 * The load itself rises, or another queue let go of a loop: measure that before a try
 * or a check compares with it, but not for ever.
 */
static inline bool adaptive_rises(struct adaptive_state *st,
				  const struct meter_reading *now, u32 known)
{
	if (st->rises >= ADAPTIVE_RISES || !adaptive_more(now, known))
		return false;

	st->rises++;
	meter_clear(&st->meter);

	return true;
}

/*
 * When all let go, a higher rate would pass for that of a loop that was held up: so
 * behind a pause a quarter more is another load. But once, until a hold pays: a loop
 * that pauses again and again is faster without a hold, too.
 */
static inline bool adaptive_faster(const struct adaptive_state *st,
				   const struct meter_reading *now)
{
	return st->phase == ADAPTIVE_CHECK && !st->faster && !st->anew &&
	       adaptive_more(now, adaptive_known(st));
}

/* Frames of a window that are more than a rate brings: a step of a CUSUM. */
static inline s32 adaptive_beyond(const struct meter_reading *now, u32 rate)
{
	s32 by = now->rate - min_t(u32, rate, METER_RATE_MAX);
	s32 ms = clamp_t(u64, now->sample->window_ns >> 20, 1, 16);

	return by * ms;
}

/* Which stays within its bounds, whatever it was before. */
static inline s32 adaptive_sum(s32 sum, s32 step, s32 most)
{
	return clamp((s32)((u32)sum + step), 0, most);
}

/* What did the holds of a try release so far: a frame each, none, or this and that? */
static inline void adaptive_release(struct adaptive_state *st,
				    const struct vcoal_sample *s)
{
	s32 holds = min_t(u32, s->holds, ADAPTIVE_LONE_MAX);
	s32 lone = st->lone;

	if (adaptive_single(s))
		st->lone = min(max(lone, 0) + holds, ADAPTIVE_LONE_MAX);
	else if (s->holds == s->empty_holds)
		st->lone = max(min(lone, 0) - holds, -ADAPTIVE_LONE_MAX);
	else
		st->lone = 0;
}

/* Does a frame take more than twice what one needs: several interrupts? */
static inline bool adaptive_has_parts(const struct adaptive_state *st)
{
	return st->off.cost > 2 * METER_NOT_HELD;
}

/*
 * So many released none, and none was to be expected: less than a frame comes while
 * one lasts. Where more should come, something else may have gone wrong. And where
 * frames have parts, there is more to gather than frames.
 */
static inline bool adaptive_vain(const struct adaptive_state *st)
{
	u64 come = (u64)st->max_ns * st->off.rate >> 20 >> st->level;

	return st->lone <= -ADAPTIVE_VAIN && come < METER_RATE(1) &&
	       !adaptive_has_parts(st);
}

/*
 * Fewer frames than without a hold, by more than chance, and each hold releases
 * one: it sets the pace of a loop, and a try need not wait for many. Of some more
 * holds chance would have filled one with two.
 */
static inline bool adaptive_stalls(const struct adaptive_state *st)
{
	const struct meter *on = &st->meter;
	u64 lost = st->off.rate - min(st->off.rate, meter_mean(on));

	return st->lone >= ADAPTIVE_STALL && on->steady >= METER_STEADY &&
	       lost > st->off.rate / 4 &&
	       (st->lone >= ADAPTIVE_STALL_SURE ||
		adaptive_sure(st, lost, meter_var(on))) &&
	       !adaptive_gathers(on->bytes, on->ns, st->off.bytes, st->off.ns);
}

/* Much more load than the one that was judged: a one-sided CUSUM. */
static inline bool adaptive_surges(struct adaptive_state *st,
				   const struct meter_reading *now)
{
	if (!st->ref)
		return false;

	st->excess = adaptive_sum(st->excess,
				  adaptive_beyond(now, st->ref + st->ref / 2),
				  2 * (s32)ADAPTIVE_SURGE);

	return st->excess > (s32)ADAPTIVE_SURGE;
}

/*
 * Much less load than the one that was judged: by a quarter of a loop, or half. Until
 * a hold pays the latter is believed once, and then if it lasts: longer than another
 * VM, which may be the one that slows a loop of both, takes to check what it holds.
 */
static inline bool adaptive_sinks(struct adaptive_state *st,
				  const struct meter_reading *now)
{
	u32 by = st->reason == VCOAL_REASON_CLOSED_LOOP ? 4 : 2;
	u32 ref = min(st->ref, METER_RATE_MAX);
	s32 most = 2 * ADAPTIVE_LACK;

	if (!ref || adaptive_silent(now->sample))
		return false;

	if (st->anew && by == 2)
		most += ADAPTIVE_LASTS * ref;
	/* Nothing is less than the least load. */
	st->lack = adaptive_sum(st->lack,
				-adaptive_beyond(now, ref / by * (by - 1)),
				2 * most);

	return st->lack > most;
}

/* How many frames each of the last holds released, while these are alike. */
static inline void adaptive_match(struct adaptive_state *st,
				  const struct meter_reading *now)
{
	u32 batch = meter_batch(now);

	if (batch != st->batch)
		st->alike = 0;
	st->batch = batch;
	st->alike = min(st->alike + now->sample->holds, ADAPTIVE_ALIKE);
}

/* Holds that release one frame each may set the pace of a loop. */
static inline bool adaptive_lonely(struct adaptive_state *st,
				   const struct vcoal_sample *s)
{
	s32 full = min(s->holds - s->empty_holds, ADAPTIVE_FRAMES);
	s32 empty = min(s->empty_holds, ADAPTIVE_FRAMES);

	if (s->held_frames > 2 * full)
		st->lonelies = 0;
	if (s->held_frames > full)
		st->lone = 0;
	else
		st->lone = clamp(st->lone + full - 3 * empty, 0,
				 ADAPTIVE_LONE_MAX);

	return st->lone >= ADAPTIVE_LONE << 2 * (st->lonelies & 7);
}

/*
 * Another load than the one that was judged? Far fewer frames, or just as many
 * in every hold: both are what a loop does that has closed.
 */
static inline bool adaptive_turns(struct adaptive_state *st,
				  const struct meter_reading *now)
{
	u32 judged = st->on.rate;
	u32 by = max(judged, now->rate) - min(judged, now->rate);
	bool other = st->batch == 1 || (st->batch && by > judged / 16);
	bool same = !st->odd;

	st->odd = other ? min(st->odd + by, METER_RATE_MAX) : 0;
	st->lack += judged / 2 - now->rate;
	st->lack = max(st->lack, 0);
	/* What is measured from now on is the new load alone. */
	if (same && st->odd)
		meter_clear(&st->meter);
	if (st->checks >= ADAPTIVE_CHECKS)
		return false;

	return st->lack > max(judged, ADAPTIVE_LACK) ||
	       (st->odd > ADAPTIVE_ODD &&
		(st->alike >= ADAPTIVE_ALIKE || adaptive_alone(st)));
}

/* Faster since others let go: part of a loop that they had held up. */
static inline bool adaptive_was_held_up(const struct adaptive_state *st,
					const struct meter_reading *now)
{
	const struct vcoal_sample *s = now->sample;
	const struct meter *held = &st->meter;

	return now->limits->pause && held->steady >= METER_STEADY &&
	       now->rate > meter_mean(held) + meter_mean(held) / 2 &&
	       !adaptive_gathers(held->bytes, held->ns,
				 s->nic_bytes, s->window_ns);
}

#endif /* _VCOAL_POLICY_ADAPTIVE_LOAD_H */
