// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: adaptive
 *
 * Idea: ask the traffic. The same rate can be a paced stream that a hold
 * batches well, a burst that batches by itself, or a ping-pong that a hold
 * only slows down. So measure the queue without a hold and with one, and keep
 * what is better: a hold must save overhead per frame, and more than three
 * times what it takes from the rate.
 *
 * Signals: overhead per frame (interrupts, timers and polls, weighted with
 * what they cost) and frames per millisecond, both per window.
 *
 * Steps: OFF measures the queue without a hold. TRY holds for some windows:
 * did it pay? HOLD keeps what paid for as long as it pays. CHECK lets go for
 * some windows to see whether the rate rises: then the loop is closed, and a
 * quarter of the hold is tried. What does not pay goes back to OFF and backs
 * off exponentially, unless the load rises well above the one that was judged.
 * CHECKs are rarer and longer the more of them were passed, so that a queue
 * at rest is left alone.
 *
 * Limits: the latency class is where the search for a hold begins; a queue so
 * busy that a shorter hold batches as well gets the shorter one, which keeps
 * it far from half a ring. A VM's interrupt budget is a floor under the hold.
 */
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>
#include "meter.h"

#define ADAPTIVE_TRIAL		4U	/* windows of a first comparison */
#define ADAPTIVE_TRIAL_MAX	16U	/* of the last one */
#define ADAPTIVE_FRAMES		32U	/* frames that make a comparison */
#define ADAPTIVE_STEADY		3U	/* windows without a jump of the rate */
#define ADAPTIVE_SPACING	64U	/* a check takes 1/64 of the time */
#define ADAPTIVE_DOUBT		4U	/* 1/4 of it while in doubt */
#define ADAPTIVE_REST_MS	16384U	/* between checks of what passed all */
#define ADAPTIVE_BACKOFF_MS	256U	/* then 2 s, then 16 s */
#define ADAPTIVE_BACKOFFS	2U	/* times the backoff grows, by 8 */
#define ADAPTIVE_SURGE		METER_RATE(12, 1)	/* frames too many */
#define ADAPTIVE_CREDIT		160	/* six windows that do not pay */
#define ADAPTIVE_CREDIT_STEP	40	/* most that one window moves it */
#define ADAPTIVE_WORTH		3U	/* saving per loss of rate */
#define ADAPTIVE_LOSS		20U	/* 1/1024: loss that nobody feels */
#define ADAPTIVE_SIGMAS_SQ	6U	/* 2.4 standard deviations are sure */
#define ADAPTIVE_BATCH		40U	/* frames a hold: more saves nothing */
#define ADAPTIVE_HOLD_MIN_NS	12000U	/* a shorter hold is a timer wasted */
#define ADAPTIVE_LEVELS		10U	/* halvings of the class */

enum adaptive_phase {
	ADAPTIVE_OFF,		/* no hold */
	ADAPTIVE_TRY,		/* does a hold pay? */
	ADAPTIVE_HOLD,		/* it does */
	ADAPTIVE_CHECK,		/* would the rate be higher without? */
};

/**
 * struct adaptive_state - private state
 * @now: the window that just ended
 * @off: windows without a hold
 * @on: windows with one
 * @wait_ns: until the next try or check
 * @max_ns: the latency class this state was learned for
 * @base: cost of a frame beside the overhead
 * @margin: saving that is worth a delay
 * @ref: rate of the load that was judged, 0 while unknown
 * @credit: how sure it is that holding pays
 * @excess: how sure it is that the load rose
 * @phase: enum adaptive_phase
 * @reason: enum vcoal_reason
 * @fails: tries in vain
 * @length: windows of the next check
 * @level: the hold is @max_ns >> @level
 * @shut: least level that a closed loop bears
 * @fresh: the next window belongs half to the phase before
 * @crowded: more than half of the ring was full
 */
struct adaptive_state {
	struct meter_reading now;
	struct meter off;
	struct meter on;
	u64 wait_ns;
	u32 max_ns;
	u32 base;
	u32 margin;
	u32 ref;
	s32 credit;
	s32 excess;
	u8 phase;
	u8 reason;
	u8 fails;
	u8 length;
	u8 level;
	u8 shut;
	bool fresh;
	bool crowded;
};

static_assert(sizeof(struct adaptive_state) <= VCOAL_POLICY_STATE);

static bool adaptive_pays(const struct adaptive_state *st)
{
	return meter_cost(&st->on) + st->margin < meter_cost(&st->off);
}

/* Does the traffic answer the hold with a lower rate? Perhaps, or surely? */
static bool adaptive_loses(const struct adaptive_state *st, bool surely)
{
	u32 worth = meter_saved(&st->off, &st->on, st->base) / ADAPTIVE_WORTH;

	if (!meter_loses(&st->off, &st->on, max(worth, ADAPTIVE_LOSS)))
		return false;
	if (!surely)
		return true;

	return min(st->on.steady, st->off.steady) >= ADAPTIVE_STEADY &&
	       meter_differs(&st->off, &st->on, ADAPTIVE_SIGMAS_SQ);
}

/* Frames that a hold of this level gathers, going by what @meter saw. */
static u32 adaptive_batch(const struct adaptive_state *st, u32 level,
			  const struct meter *meter)
{
	u64 gap_ns = meter->frames ? div_u64(meter->ns, meter->frames) : 0;

	return (st->max_ns >> level) / clamp_t(u64, gap_ns, 1, U32_MAX);
}

static void adaptive_wait(struct adaptive_state *st, u32 windows,
			  const struct meter *meter)
{
	u64 ns = meter->windows ? div_u64(meter->ns, meter->windows) : 0;

	st->wait_ns = min_t(u64, ns, NSEC_PER_SEC) * windows;
}

static void adaptive_enter(struct adaptive_state *st, enum adaptive_phase phase,
			   enum vcoal_reason reason)
{
	st->phase = phase;
	st->reason = reason;
	st->credit = ADAPTIVE_CREDIT;
	st->excess = 0;
	st->fresh = phase == ADAPTIVE_TRY || phase == ADAPTIVE_CHECK;
	if (phase == ADAPTIVE_TRY || phase == ADAPTIVE_HOLD)
		meter_reset(&st->on);
	else
		meter_reset(&st->off);
}

static void adaptive_try(struct adaptive_state *st, u8 level,
			 enum vcoal_reason reason)
{
	st->level = level;
	st->shut = level;
	st->length = ADAPTIVE_TRIAL;
	adaptive_enter(st, ADAPTIVE_TRY, reason);
}

static void adaptive_fail(struct adaptive_state *st, enum vcoal_reason reason)
{
	st->ref = max(st->ref, meter_rate(&st->off));
	st->wait_ns = (ADAPTIVE_BACKOFF_MS * NSEC_PER_MSEC) << (3 * st->fails);
	st->fails = min(st->fails + 1U, ADAPTIVE_BACKOFFS);
	adaptive_enter(st, ADAPTIVE_OFF, reason);
}

/* Hold, and look again: soon and longer in doubt, else much later. */
static void adaptive_keep(struct adaptive_state *st, const struct meter *meter,
			  bool doubt)
{
	if (st->length > ADAPTIVE_TRIAL_MAX)
		st->wait_ns = ADAPTIVE_REST_MS * NSEC_PER_MSEC;
	else if (doubt)
		adaptive_wait(st, ADAPTIVE_DOUBT * st->length, meter);
	else
		adaptive_wait(st, ADAPTIVE_SPACING * st->length, meter);
	adaptive_enter(st, ADAPTIVE_HOLD, VCOAL_REASON_GROW);
}

/* A closed loop: a shorter hold may still do. */
static void adaptive_shorten(struct adaptive_state *st)
{
	u8 level = st->level + 2;

	if (st->max_ns >> level >= ADAPTIVE_HOLD_MIN_NS)
		adaptive_try(st, level, VCOAL_REASON_SHRINK);
	else
		adaptive_fail(st, VCOAL_REASON_CLOSED_LOOP);
}

/* Much more load than the one that was judged: a one-sided CUSUM. */
static bool adaptive_surges(struct adaptive_state *st)
{
	st->excess += st->now.rate - (st->ref + st->ref / 2);
	st->excess = max(st->excess, 0);

	return st->excess > ADAPTIVE_SURGE;
}

static void adaptive_in_off(struct adaptive_state *st)
{
	bool surged = st->excess > ADAPTIVE_SURGE;
	bool surges = adaptive_surges(st);
	u32 level = 0;

	/* The first window of a new load is half of the old one. */
	if (surges && !surged) {
		meter_reset(&st->off);
		return;
	}
	meter_add(&st->off, &st->now, ADAPTIVE_FRAMES);
	if (!(surges && st->fails) &&
	    (st->wait_ns || !meter_full(&st->off, 2, ADAPTIVE_FRAMES)))
		return;

	st->ref = surges ? st->now.rate : 0;
	while (level < ADAPTIVE_LEVELS &&
	       adaptive_batch(st, level + 1, &st->off) >= ADAPTIVE_BATCH)
		level++;
	adaptive_try(st, level, VCOAL_REASON_PROBE);
	st->shut = 0;
}

static void adaptive_in_try(struct adaptive_state *st)
{
	bool full, stalls;

	meter_add(&st->on, &st->now, U8_MAX);
	full = meter_full(&st->on, ADAPTIVE_TRIAL, ADAPTIVE_FRAMES);
	stalls = 2 * meter_rate(&st->on) < meter_rate(&st->off);
	if (!full && !(stalls && adaptive_loses(st, true)))
		return;

	if (full && !adaptive_pays(st))
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	else if (adaptive_loses(st, false))
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	else
		adaptive_keep(st, &st->on, false);
}

static void adaptive_in_check(struct adaptive_state *st)
{
	bool doubt;

	meter_add(&st->off, &st->now, U8_MAX);
	if (!meter_full(&st->off, st->length, ADAPTIVE_FRAMES))
		return;

	doubt = adaptive_loses(st, false);
	st->length *= doubt ? 2 : 4;
	if (adaptive_loses(st, true))
		adaptive_shorten(st);
	else if (!adaptive_pays(st))
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	else
		adaptive_keep(st, &st->off, doubt);
}

/* As short as batches well, but not longer than a closed loop bears. */
static void adaptive_fit(struct adaptive_state *st)
{
	u32 batch = adaptive_batch(st, st->level, &st->on);

	st->reason = VCOAL_REASON_STAY;
	if (st->crowded && st->level < ADAPTIVE_LEVELS) {
		st->level++;
		st->shut = st->level;
		st->reason = VCOAL_REASON_RING;
	} else if (batch >= 2 * ADAPTIVE_BATCH && st->level < ADAPTIVE_LEVELS) {
		st->level++;
		st->reason = VCOAL_REASON_SHRINK;
	} else if (batch < ADAPTIVE_BATCH * 3 / 4 && st->level > st->shut) {
		st->level--;
		st->reason = VCOAL_REASON_GROW;
	}
}

/* Bad windows use credit up, thrice as fast when the load collapsed. */
static void adaptive_credit(struct adaptive_state *st)
{
	s32 cost = min(st->now.work / st->now.frames, METER_COST_MAX);
	s32 gain = clamp((s32)(METER_NOT_HELD - st->margin) - cost,
			 -ADAPTIVE_CREDIT_STEP, ADAPTIVE_CREDIT_STEP);

	if (gain < 0 && meter_jumps(&st->on, st->now.rate))
		gain *= 3;
	st->credit = min(st->credit + gain, ADAPTIVE_CREDIT);
	st->ref = gain < 0 ? max(st->ref, st->now.rate) : 0;
}

static void adaptive_in_hold(struct adaptive_state *st)
{
	adaptive_credit(st);
	meter_add(&st->on, &st->now, ADAPTIVE_TRIAL_MAX);
	adaptive_fit(st);

	if (st->credit < 0) {
		meter_reset(&st->off);
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	} else if (!st->wait_ns && st->on.steady >= ADAPTIVE_STEADY) {
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	}
}

static void adaptive_measure(struct adaptive_state *st,
			     const struct vcoal_sample *s)
{
	u64 payload = div64_u64(s->bytes, (u64)s->frames * METER_BYTES);

	meter_read(&st->now, s);
	st->crowded = s->ring_size && s->ring_peak > s->ring_size / 2;
	st->base = METER_FRAME + min_t(u64, payload, METER_COST_MAX);
	st->margin = (st->base + METER_NOT_HELD) / (s->cpu_busy > 768 ? 128 : 64);
	st->wait_ns -= min(st->wait_ns, s->window_ns);
}

static void adaptive_step(struct adaptive_state *st)
{
	if (st->fresh) {
		st->fresh = false;
		return;
	}
	switch (st->phase) {
	case ADAPTIVE_TRY:
		adaptive_in_try(st);
		break;
	case ADAPTIVE_HOLD:
		adaptive_in_hold(st);
		break;
	case ADAPTIVE_CHECK:
		adaptive_in_check(st);
		break;
	default:
		adaptive_in_off(st);
	}
}

/* State that no decision leaves behind: start anew. */
static bool adaptive_broken(const struct adaptive_state *st)
{
	return st->phase > ADAPTIVE_CHECK || st->level > ADAPTIVE_LEVELS ||
	       st->fails > ADAPTIVE_BACKOFFS ||
	       st->credit > ADAPTIVE_CREDIT || st->credit < 0 ||
	       st->reason >= VCOAL_REASON_COUNT;
}

static struct vcoal_decision adaptive_answer(const struct adaptive_state *st,
					     const struct vcoal_limits *limits)
{
	bool holds = st->phase == ADAPTIVE_TRY || st->phase == ADAPTIVE_HOLD;
	u32 floor_ns = limits->irq_rate_max ?
		       (u32)NSEC_PER_SEC / limits->irq_rate_max : 0;
	struct vcoal_decision decision = {
		.params.hold_ns = holds ? limits->max_ns >> st->level : 0,
		.reason = limits->max_ns ? st->reason : VCOAL_REASON_BOUND,
	};

	floor_ns = min(floor_ns, limits->max_ns);
	if (decision.params.hold_ns < floor_ns) {
		decision.params.hold_ns = floor_ns;
		decision.reason = VCOAL_REASON_BUDGET;
	}

	return decision;
}

static struct vcoal_decision adaptive_decide(void *state,
					     const struct vcoal_sample *sample,
					     const struct vcoal_limits *limits)
{
	struct adaptive_state *st = state;

	if (st->max_ns != limits->max_ns || adaptive_broken(st)) {
		*st = (struct adaptive_state) { .max_ns = limits->max_ns };
	} else if (sample->window_ns && sample->frames) {
		adaptive_measure(st, sample);
		adaptive_step(st);
	}

	return adaptive_answer(st, limits);
}

const struct vcoal_policy vcoal_policy_adaptive = {
	.decide		= adaptive_decide,
	.state_size	= sizeof(struct adaptive_state),
	.name		= "adaptive",
};
