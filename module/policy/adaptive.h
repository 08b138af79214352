/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `adaptive` keeps, and the numbers it goes by. Each was chosen in the
 * simulator; policies.rst has what other values cost.
 */
#ifndef _VCOAL_POLICY_ADAPTIVE_H
#define _VCOAL_POLICY_ADAPTIVE_H

#include <vcoal/policy.h>
#include "meter.h"

#define ADAPTIVE_TRIAL		4U	/* windows of a first comparison */
#define ADAPTIVE_AHEAD		2U	/* windows that a try is announced for */
#define ADAPTIVE_TRIAL_MAX	16U	/* of the last one */
#define ADAPTIVE_CHECK_MAX	64U	/* and of all after it */
#define ADAPTIVE_CHECK_FEW	8U	/* never halved */
#define ADAPTIVE_FRAMES		32U	/* frames that make a comparison */
#define ADAPTIVE_UNREST		24U	/* a window that jumps; a calm one takes 1 */
#define ADAPTIVE_RESTLESS	64U	/* so much, and windows are too short */
#define ADAPTIVE_UNREST_MAX	127U
#define ADAPTIVE_UNSTEADY	7U	/* windows that are compared all the same */
#define ADAPTIVE_RHYTHM_NS	8000000U /* what is longer is a pause */
#define ADAPTIVE_RISES		3U	/* times that a rising rate is waited for */
#define ADAPTIVE_SPACING	64U	/* a check takes 1/64 of the time */
#define ADAPTIVE_DOUBT		4U	/* 1/4 of it while in doubt */
#define ADAPTIVE_REST_NS	16384000000ULL /* between checks of what passed all */
#define ADAPTIVE_BACKOFF_NS	256000000ULL /* then 2 s, then 16 s */
#define ADAPTIVE_BACKOFFS	2U	/* times the backoff grows, by 8 */
#define ADAPTIVE_DARES		8U	/* of these before a longer hold is tried */
#define ADAPTIVE_SURGE		METER_RATE(12)	/* frames too many */
#define ADAPTIVE_LACK		METER_RATE(12)	/* frames too few */
#define ADAPTIVE_LASTS		256U	/* ms of all frames, missing to half of them */
#define ADAPTIVE_ALIKE		8U	/* holds that are no chance */
#define ADAPTIVE_LONE		16	/* holds of one frame: it sets the pace */
#define ADAPTIVE_STALL		4	/* these are enough while it is tried */
#define ADAPTIVE_VAIN		8	/* or so many that released none */
#define ADAPTIVE_STALL_SURE	12	/* and these if the rate may be chance */
#define ADAPTIVE_SILENCE_NS	64000000U /* in one window: traffic paused */
#define ADAPTIVE_WINDOW_MAX_NS	4000000U /* a pause waits for no longer one */
#define ADAPTIVE_WINDOW_NS	1500000U /* or than this, at rates above ... */
#define ADAPTIVE_WINDOW_FRAMES	METER_RATE(2)
#define ADAPTIVE_LONELIES	2U	/* times that four times as many are needed */
#define ADAPTIVE_LONELY_GATHER	4U	/* where messages gather meanwhile */
#define ADAPTIVE_LONE_MAX	8192
#define ADAPTIVE_REST		8U	/* polls between decisions while at rest */
#define ADAPTIVE_REST_MAX	32U
#define ADAPTIVE_ODD		METER_RATE(2)	/* frames too many or few */
#define ADAPTIVE_CHECKS		512U	/* no extra check beyond these, ... */
#define ADAPTIVE_CHECK_COST	384U	/* one adds this, a window takes 1 */
#define ADAPTIVE_CREDIT		160	/* about five windows that do not pay */
#define ADAPTIVE_BREAK_EVEN	(METER_NOT_HELD - 6U) /* overhead */
#define ADAPTIVE_CREDIT_STEP	40	/* most that one of them takes, ... */
#define ADAPTIVE_CREDIT_FRAMES	8U	/* and once more for so many that pay */
#define ADAPTIVE_WORTH		3U	/* saving per loss of rate */
#define ADAPTIVE_SIGMAS_SQ	6U	/* 2.4 standard deviations are sure */
#define ADAPTIVE_BATCH		40U	/* frames a hold: more saves nothing */
#define ADAPTIVE_SCOUT		5U	/* levels below ADAPTIVE_BATCH: 5/4 frames */
#define ADAPTIVE_HOLD_MIN_NS	12000U	/* a shorter hold is a timer wasted */
#define ADAPTIVE_BUSY		768U	/* 1/1024 of the CPU */
#define ADAPTIVE_LEVELS		10U	/* halvings of the class */
#define ADAPTIVE_LEVEL_MASK	15U

enum adaptive_phase {
	ADAPTIVE_OFF,		/* no hold */
	ADAPTIVE_TRY,		/* does a hold pay? */
	ADAPTIVE_HOLD,		/* it does */
	ADAPTIVE_CHECK,		/* would the rate be higher without? */
};

enum adaptive_verdict {
	ADAPTIVE_PAYS,		/* a hold saves more than it takes */
	ADAPTIVE_SPARSE,	/* it saves nothing worth a delay */
	ADAPTIVE_DOUBTFUL,	/* it saves, but the rate may be lower */
	ADAPTIVE_CLOSED,	/* the rate is lower: a closed loop */
};

/**
 * struct adaptive_state - private state
 * @meter: windows of this phase
 * @off: the last windows without a hold
 * @on: the last windows with one
 * @doubt: rate that checks which doubted in a row found lost, times their lengths
 * @doubt_var: variance of that
 * @wait_ns: until the next try or check
 * @max_ns: the latency class this state was learned for
 * @ref: rate of the load that was judged, 0 while unknown
 * @excess: how sure it is that the load rose
 * @lack: how sure it is that the load fell
 * @lone: how sure it is that a hold releases one frame; below 0, none
 * @credit: how sure it is that holding pays
 * @even: overhead of a frame below which it does
 * @rest: polls until the next decision
 * @fresh: the next window belongs half to the phase before
 * @phase: enum adaptive_phase
 * @reason: enum vcoal_reason
 * @batch: frames of every hold in the last window, 0 if they differ
 * @odd: sum of what the rate is off the judged one while they do not
 * @checks: extra checks and tries of late
 * @fails: tries in vain
 * @length: windows of the next check
 * @level: the hold is @max_ns >> @level
 * @shut: least level that a closed loop bears
 * @longer: levels by which it was the last time
 * @bore: its rate without a hold; 0 when a longer one is tried since
 * @alike: holds in a row with @batch frames
 * @lonelies: how often @lone let go and the rate did not rise
 * @stale: after silence: of a hold, until some frames were measured; of a try or a
 *	check, until the next window, which counts whatever it is
 * @anew: all was begun anew, and nothing has paid since
 * @faster: so it was as more came behind a check that paused
 * @rises: times that the next try or check has waited for the rate to rise no more,
 *	and silences behind the first of them
 * @dares: checks at rest that passed since
 * @last: rate of the last window
 * @unrest: how often that jumped of late
 * @scout: levels that the hold is shorter by than the one to be tried behind it
 */
struct adaptive_state {
	struct meter meter;
	struct meter_result off;
	struct meter_result on;
	u64 doubt;
	u64 doubt_var;
	u64 wait_ns;
	u32 max_ns;
	u32 ref;
	s32 excess;
	s32 lack;
	s16 lone;
	s16 credit;
	u8 rest;
	u8 fresh;
	u8 phase;
	u8 reason;
	u32 batch;
	u32 odd;
	u32 bore;
	u32 last;
	u16 checks;
	u16 even;
	u8 fails;
	u8 length;
	u8 level;
	u8 shut;
	u8 longer;
	u8 alike;
	u8 lonelies;
	u8 stale;
	u8 anew;
	u8 faster;
	u8 rises;
	u8 dares;
	u8 scout;
	u8 unrest;
};

#endif /* _VCOAL_POLICY_ADAPTIVE_H */
