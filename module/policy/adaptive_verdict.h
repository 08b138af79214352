/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `adaptive` makes of two measurements, with a hold and without.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_VERDICT_H
#define _VCOAL_POLICY_ADAPTIVE_VERDICT_H

#include <linux/minmax.h>
#include <vcoal/policy.h>
#include "adaptive.h"
#include "adaptive_pace.h"
#include "meter.h"

/* Saving that is worth a delay, in 1/1024: less where the CPU is short. */
static const u32 adaptive_margin[] = { [false] = 16, [true] = 8 };

/*
 * Did the NIC carry clearly more, by a third, while frames waited? Then messages
 * gather in them: fewer frames are no loss, and letting go is no gain. Shifted
 * so that 16 s at 100 Gbit/s do not overflow.
 */
static inline bool adaptive_gathers(u64 held_bytes, u64 held_ns,
				    u64 free_bytes, u64 free_ns)
{
	return 3 * (held_bytes >> 4) * (free_ns >> 10) >
	       4 * (free_bytes >> 4) * (held_ns >> 10);
}

/*
 * Could holds have made that difference? None makes a frame later by more than
 * its length, and a round trip passes four queues at most: what lost more than
 * half, and more than that, was another load. Unless it is seen twice, for whoever
 * waits may fall asleep. The product of two rates and a time of some microseconds
 * (four holds, and what timers are late) fits into 64 bits.
 */
static inline bool adaptive_explains(const struct adaptive_state *st, u32 on)
{
	u32 off = st->off.rate;
	u64 most_us = ((st->max_ns >> st->level) >> 8) + 64;

	return st->anew || 2 * on > off ||
	       METER_RATE(1000) * (u64)(off - on) <= most_us * on * off;
}

/*
 * Enough of how the hold does? Twice as much each time that the rate rose and was
 * measured anew: it may be chance, and so may the few windows behind it. But as little
 * as ever behind all the waits and a silence. Where no windows are alike, some will do.
 */
static inline bool adaptive_knows(const struct adaptive_state *st)
{
	u32 waits = st->rises % (ADAPTIVE_RISES + 1);

	return st->meter.steady >= METER_STEADY << waits ||
	       (adaptive_restless(st) &&
		st->meter.windows > ADAPTIVE_UNSTEADY);
}

/*
 * Is what was measured partly of another load? Not where windows always jump: there the
 * next check would be asked for, and this be forgotten, before it is enough for one.
 */
static inline bool adaptive_jumped(const struct adaptive_state *st)
{
	return st->meter.steady < st->meter.windows && !adaptive_restless(st);
}

static inline void adaptive_result(const struct adaptive_state *st,
				   struct meter_result *result)
{
	meter_result(&st->meter, result, adaptive_restless(st));
}

/* Is so much of the rate, lost to a hold, more than chance? */
static inline bool adaptive_sure(const struct adaptive_state *st, u64 lost,
				 u64 on_var)
{
	return lost * lost > ADAPTIVE_SIGMAS_SQ * (st->off.var + on_var);
}

/* Begin to doubt anew. */
static inline void adaptive_trust(struct adaptive_state *st)
{
	st->doubt = 0;
	st->doubt_var = 0;
}

/*
 * A check doubts, as those before it did, since one passed or was as short as the first:
 * are all of them together more than chance? Each counts as much as it is long.
 */
static inline bool adaptive_insists(struct adaptive_state *st, u64 lost)
{
	u32 length = st->length;

	st->doubt += lost * length;
	st->doubt_var += (st->off.var + st->on.var) * (length * length);

	return st->doubt * st->doubt > ADAPTIVE_SIGMAS_SQ * st->doubt_var;
}

/*
 * Of windows of which none are alike no variance is known. Where there are some, and
 * twice as much was lost as may be, that is believed.
 */
static inline bool adaptive_closed(struct adaptive_state *st, u64 lost,
				   u64 most)
{
	if (min(st->off.steady, st->on.steady) >= METER_STEADY)
		return adaptive_sure(st, lost, st->on.var) ||
		       (st->phase == ADAPTIVE_CHECK &&
			adaptive_insists(st, lost));

	return adaptive_restless(st) && lost > 2 * most &&
	       min(st->off.windows, st->on.windows) >= ADAPTIVE_UNSTEADY;
}

/* What was measured with the hold, against what was measured without; sums up doubts. */
static inline enum adaptive_verdict
adaptive_judge(struct adaptive_state *st, const struct meter_reading *now)
{
	u32 saved = st->off.cost - min(st->off.cost, st->on.cost);
	u32 share = div64_u64(saved * 1024ULL, meter_whole(now));
	u64 lost, most;

	if (share <= adaptive_margin[now->sample->cpu_busy > ADAPTIVE_BUSY])
		return ADAPTIVE_SPARSE;
	lost = st->off.rate - min(st->off.rate, st->on.rate);
	most = (u64)st->off.rate * share / (1024 * ADAPTIVE_WORTH);
	if (lost <= most)
		return ADAPTIVE_PAYS;

	return adaptive_closed(st, lost, most) ? ADAPTIVE_CLOSED :
						 ADAPTIVE_DOUBTFUL;
}

#endif /* _VCOAL_POLICY_ADAPTIVE_VERDICT_H */
