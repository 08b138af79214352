/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `adaptive` makes of two measurements, with a hold and without.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_VERDICT_H
#define _VCOAL_POLICY_ADAPTIVE_VERDICT_H

#include <linux/minmax.h>
#include <vcoal/policy.h>
#include "adaptive.h"
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
 * Is so much of the rate, lost to a hold, more than chance? After the last check that
 * doubts call for, what is more likely than not is believed.
 */
static inline bool adaptive_sure(const struct adaptive_state *st, u64 lost,
				 u64 on_var)
{
	u32 sigmas_sq = st->length < ADAPTIVE_TRIAL_MAX ? ADAPTIVE_SIGMAS_SQ :
							  ADAPTIVE_SIGMAS_LAST;

	return lost * lost > sigmas_sq * (st->off.var + on_var);
}

/* What was measured with the hold, against what was measured without. */
static inline enum adaptive_verdict
adaptive_judge(const struct adaptive_state *st,
	       const struct meter_reading *now)
{
	u32 saved = st->off.cost - min(st->off.cost, st->on.cost);
	u32 share = div64_u64(saved * 1024ULL, meter_whole(now));
	u64 lost;

	if (share <= adaptive_margin[now->sample->cpu_busy > ADAPTIVE_BUSY])
		return ADAPTIVE_SPARSE;
	lost = st->off.rate - min(st->off.rate, st->on.rate);
	share = max(share, ADAPTIVE_LOSS * ADAPTIVE_WORTH);
	if (lost * 1024 * ADAPTIVE_WORTH <= (u64)st->off.rate * share)
		return ADAPTIVE_PAYS;
	if (min(st->off.steady, st->on.steady) < ADAPTIVE_STEADY ||
	    !adaptive_sure(st, lost, st->on.var))
		return ADAPTIVE_DOUBTFUL;

	return ADAPTIVE_CLOSED;
}

#endif /* _VCOAL_POLICY_ADAPTIVE_VERDICT_H */
