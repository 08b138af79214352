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
 * what they cost) and frames per millisecond, both per window, and whether
 * holds release more than one frame each. (Large frames of a Xen guest are completed
 * part by part: there a hold saves interrupts though it releases no frame.)
 *
 * Steps: OFF measures the queue without a hold. TRY holds for some windows: did it
 * pay? HOLD keeps what paid for as long as it pays. CHECK lets go for some windows
 * to see whether the rate rises: then the loop is closed, and a quarter of the
 * hold is tried, unless each hold released a single frame, and a longer one again
 * when another load passes. What does not pay goes back to OFF and backs off
 * exponentially, unless the load rises well above the one that was judged, or
 * falls well below it. A loop of one shows while it is tried: each hold releases a
 * frame, and far fewer come. So where a poll finds one frame, a try begins with a
 * short hold, which slows such a loop least, and goes on with the long one when a
 * hold releases more than one. CHECKs are rarer and longer the more of them were
 * passed, so that a queue at rest is left alone; but a load that is not the one
 * that was judged is checked at once.
 *
 * A round trip passes several queues of a VM, and while one holds it up, none
 * of the others gets faster when it lets go. So a CHECK is one of all queues
 * of the VM (they let go together), and while one tries or checks the others
 * begin nothing. Who gets faster while all let go was held up: a closed loop.
 * Unless the NIC carried clearly more bytes while frames waited: then messages
 * gather in them, fewer frames are no loss, and the hold stays.
 *
 * A pause of the traffic is no answer to a TRY or a CHECK: it is left out, and if
 * the rate is another one behind it, all begins anew; behind a CHECK a quarter more
 * is enough. So it does where frames came later than holds can make them.
 *
 * At rest, OFF asks for windows of some polls that need not be timed. Where each window
 * differs from the one before, as with large messages to and fro, longer ones are asked
 * for.
 *
 * Limits: the latency class is where the search for a hold begins; a queue so
 * busy that a shorter hold batches as well gets the shorter one, which keeps
 * it far from half a ring.
 */
#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>
#include "adaptive.h"
#include "adaptive_fit.h"
#include "adaptive_load.h"
#include "adaptive_pace.h"
#include "adaptive_verdict.h"

static_assert(sizeof(struct adaptive_state) <= VCOAL_POLICY_STATE);

static void adaptive_enter(struct adaptive_state *st, enum adaptive_phase phase,
			   enum vcoal_reason reason)
{
	meter_clear(&st->meter);
	st->excess = 0;
	st->lack = 0;
	st->lone = 0;
	st->rest = 0;
	st->rises = 0;
	st->fresh = phase == ADAPTIVE_TRY || phase == ADAPTIVE_CHECK;
	st->credit = ADAPTIVE_CREDIT;
	st->phase = phase;
	st->reason = reason;
}

static void adaptive_try(struct adaptive_state *st, u8 level,
			 enum vcoal_reason reason)
{
	st->level = level;
	st->scout = 0;
	st->length = ADAPTIVE_TRIAL;
	adaptive_enter(st, ADAPTIVE_TRY, reason);
}

/* Maybe a loop of one: a shorter hold comes before the one that would be enough. */
static void adaptive_probe(struct adaptive_state *st,
			   const struct vcoal_sample *s)
{
	bool one = s->frames <= s->polls;
	u8 level = one ? adaptive_scout(st) : adaptive_enough(st);

	adaptive_try(st, level, VCOAL_REASON_PROBE);
	st->scout = one ? min(level, ADAPTIVE_SCOUT) : 0;
	st->shut = 0;
	st->lonelies = 0;
}

/* It is no loop of one. Both holds are one try. */
static void adaptive_go_on(struct adaptive_state *st)
{
	st->checks -= min_t(u16, st->checks, ADAPTIVE_CHECK_COST);
	adaptive_try(st, st->level - min(st->scout, st->level),
		     VCOAL_REASON_PROBE);
}

static void adaptive_fail(struct adaptive_state *st, u32 rate,
			  enum vcoal_reason reason)
{
	st->ref = max3(st->ref, rate, 1U);
	st->fails = min_t(u8, st->fails, ADAPTIVE_BACKOFFS);
	st->wait_ns = ADAPTIVE_BACKOFF_NS << (3 * st->fails);
	st->fails++;
	adaptive_enter(st, ADAPTIVE_OFF, reason);
}

/* What was measured is of a load that is over. */
static void adaptive_begin(struct adaptive_state *st, bool faster)
{
	st->ref = 0;
	st->wait_ns = 0;
	st->faster |= faster;
	st->anew |= !faster;
	adaptive_enter(st, ADAPTIVE_OFF, VCOAL_REASON_PROBE);
}

/* It does not pay, unless that was another load. */
static void adaptive_reject(struct adaptive_state *st, enum vcoal_reason reason)
{
	if (adaptive_explains(st, st->on.rate))
		adaptive_fail(st, st->off.rate, reason);
	else
		adaptive_begin(st, false);
}

static void adaptive_check(struct adaptive_state *st,
			   const struct meter_reading *now)
{
	if (st->length == ADAPTIVE_TRIAL)
		adaptive_trust(st);
	if (adaptive_floods(st, now->sample))
		st->length /= 2;
	st->batch = now->sample->held_frames <= now->sample->holds;
	adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
}

/* Hold, and look again after so many windows. */
static void adaptive_keep(struct adaptive_state *st,
			  const struct meter_reading *now, u32 windows)
{
	st->wait_ns = windows * min_t(u64, now->sample->window_ns, NSEC_PER_SEC);
	st->anew = 0;
	st->faster = 0;
	st->even = adaptive_has_parts(st) ? st->off.cost : ADAPTIVE_BREAK_EVEN;
	adaptive_enter(st, ADAPTIVE_HOLD, VCOAL_REASON_GROW);
}

/* It passed a check: the next one is longer, and comes soon if in doubt. */
static void adaptive_pass(struct adaptive_state *st,
			  const struct meter_reading *now, bool doubt)
{
	if (!doubt)
		adaptive_trust(st);
	st->length = min(st->length * (doubt ? 2U : 4U), ADAPTIVE_CHECK_MAX);
	adaptive_keep(st, now, st->length *
			       (doubt ? ADAPTIVE_DOUBT : ADAPTIVE_SPACING));
	if (st->length > ADAPTIVE_TRIAL_MAX)
		st->wait_ns = ADAPTIVE_REST_NS;
}

/* A closed loop: a shorter hold may still do, as it did before a longer one. */
static void adaptive_shorten(struct adaptive_state *st)
{
	u8 back = !st->bore && st->longer ? st->longer : 2;
	u8 level = st->level + back;

	/* One frame a hold: a shorter one releases no more. */
	if (st->batch == 1 || st->max_ns >> level < ADAPTIVE_HOLD_MIN_NS) {
		adaptive_reject(st, VCOAL_REASON_CLOSED_LOOP);
		return;
	}
	st->shut = level;
	st->bore = st->off.rate;
	adaptive_try(st, level, VCOAL_REASON_SHRINK);
}

/* Who bears this is another load, and may bear more: see the next check. */
static void adaptive_lengthen(struct adaptive_state *st)
{
	u8 level = max_t(u8, st->level - min_t(u8, st->level, 2),
			 adaptive_enough(st));

	st->longer = st->level - level;
	st->shut = level;
	st->bore = 0;
	st->dares = 0;
	adaptive_try(st, level, VCOAL_REASON_GROW);
}

static void adaptive_in_off(struct adaptive_state *st,
			    const struct meter_reading *now)
{
	bool surges, surged = st->excess > (s32)ADAPTIVE_SURGE;

	if (adaptive_was_held_up(st, now)) {
		adaptive_fail(st, now->rate, VCOAL_REASON_CLOSED_LOOP);
		return;
	}
	surges = !now->limits->trial && adaptive_surges(st, now);
	if (!surges && !now->limits->trial && adaptive_sinks(st, now)) {
		adaptive_begin(st, false);
		return;
	}
	/* The first window of a new load is half of the old one. */
	if (surges && !surged) {
		meter_clear(&st->meter);
		st->rest = 0;
		return;
	}
	meter_add(&st->meter, now, now->jumps);
	meter_fade(&st->meter, ADAPTIVE_FRAMES);
	if (!surges && (st->wait_ns || now->limits->trial ||
			adaptive_hushed(st, now->sample) ||
			!meter_full(&st->meter, 2, ADAPTIVE_FRAMES))) {
		adaptive_rest(st, now->sample);
		return;
	}
	adaptive_result(st, &st->off);
	if (!surges && adaptive_rises(st, now, st->off.rate)) {
		st->rest = 0;
		return;
	}
	st->ref = surges ? now->rate : 0;
	st->fails = surges ? 0 : st->fails;
	adaptive_probe(st, now->sample);
}

static void adaptive_in_try(struct adaptive_state *st,
			    const struct meter_reading *now)
{
	enum adaptive_verdict verdict;

	meter_add(&st->meter, now, now->jumps);
	if (!meter_full(&st->meter, ADAPTIVE_TRIAL, ADAPTIVE_FRAMES)) {
		adaptive_release(st, now->sample);
		if (st->scout && adaptive_gathered(now->sample)) {
			adaptive_go_on(st);
		} else if (adaptive_vain(st)) {
			adaptive_fail(st, st->off.rate, VCOAL_REASON_SPARSE);
		} else if (adaptive_stalls(st)) {
			adaptive_fail(st, st->off.rate,
				      VCOAL_REASON_CLOSED_LOOP);
			/* Seldom by chance: ask much later. */
			st->wait_ns = ADAPTIVE_REST_NS;
		}
		return;
	}

	adaptive_result(st, &st->on);
	verdict = adaptive_judge(st, now);
	if (verdict >= ADAPTIVE_DOUBTFUL)
		adaptive_check(st, now);
	else if (verdict == ADAPTIVE_SPARSE)
		adaptive_reject(st, VCOAL_REASON_SPARSE);
	else
		adaptive_keep(st, now, ADAPTIVE_TRIAL * ADAPTIVE_SPACING);
}

static void adaptive_in_check(struct adaptive_state *st,
			      const struct meter_reading *now)
{
	enum adaptive_verdict verdict;

	if (now->limits->pause ||
	    !meter_full(&st->meter, st->length - 1, ADAPTIVE_FRAMES)) {
		meter_add(&st->meter, now, now->jumps);
		return;
	}

	adaptive_result(st, &st->off);
	verdict = adaptive_judge(st, now);
	if (verdict == ADAPTIVE_CLOSED &&
	    adaptive_gathers(st->on.bytes, st->on.ns,
			     st->off.bytes, st->off.ns)) {
		st->lonelies = ADAPTIVE_LONELY_GATHER;
		verdict = ADAPTIVE_PAYS;
	}
	if (verdict == ADAPTIVE_CLOSED)
		adaptive_shorten(st);
	else if (verdict == ADAPTIVE_SPARSE)
		adaptive_reject(st, VCOAL_REASON_SPARSE);
	else if (verdict == ADAPTIVE_PAYS && adaptive_bears_more(st))
		adaptive_lengthen(st);
	else
		adaptive_pass(st, now, verdict == ADAPTIVE_DOUBTFUL);
}

/* What was judged may be another load now: check, when that was measured. */
static void adaptive_recheck(struct adaptive_state *st, u8 length)
{
	st->length = length;
	st->wait_ns = 0;
	st->lone = 0;
	st->stale = 0;
	if (st->lack || adaptive_jumped(st))
		meter_clear(&st->meter);
}

/*
 * Bad windows use credit up, thrice as fast when the load collapsed. Good ones earn
 * more the more frames they have: a pause between bursts ends in a window of one.
 */
static bool adaptive_pays(struct adaptive_state *st,
			  const struct meter_reading *now)
{
	s32 cost = min(now->work / now->sample->frames, METER_COST_MAX);
	s32 gain = clamp(st->even - cost, -ADAPTIVE_CREDIT_STEP,
			 ADAPTIVE_CREDIT_STEP);

	if (gain >= 0) {
		gain *= 1 + min(now->sample->frames, 64U) /
			    ADAPTIVE_CREDIT_FRAMES;
		st->credit = min(st->credit + gain, ADAPTIVE_CREDIT);
		st->ref = 0;
		meter_add(&st->meter, now, now->jumps &&
			  meter_jumps(&st->meter, now->rate));
		return true;
	}
	st->ref = max(st->ref, now->rate);
	if (meter_jumps(&st->meter, now->rate))
		gain *= 3;
	else
		meter_grow(&st->meter, now);
	st->credit += gain;

	return false;
}

static void adaptive_in_hold(struct adaptive_state *st,
			     const struct meter_reading *now)
{
	bool pays;

	if (adaptive_silent(now->sample))
		adaptive_hush(st);
	/* The first few frames after silence are not what a check compares with. */
	if (st->stale && st->meter.frames >= ADAPTIVE_FRAMES)
		st->stale = 0;
	if (!st->wait_ns && adaptive_knows(st) &&
	    !st->stale && !now->limits->trial &&
	    !adaptive_rises(st, now, meter_mean(&st->meter))) {
		adaptive_result(st, &st->on);
		adaptive_check(st, now);
		return;
	}
	pays = adaptive_pays(st, now);
	meter_fade(&st->meter, ADAPTIVE_TRIAL_MAX);
	adaptive_match(st, now);

	if (st->credit < 0) {
		adaptive_fail(st, 0, VCOAL_REASON_SPARSE);
		return;
	}
	if (adaptive_lonely(st, now->sample)) {
		st->lonelies = min(st->lonelies + 1U, ADAPTIVE_LONELIES);
		adaptive_recheck(st, ADAPTIVE_TRIAL_MAX);
	} else if (pays && st->wait_ns && !now->limits->trial &&
		   adaptive_turns(st, now)) {
		adaptive_recheck(st, ADAPTIVE_TRIAL);
	}
	adaptive_fit(st, now->sample);
}

/* Another queue checks: so does this one, or it tries later. */
static bool adaptive_follows(struct adaptive_state *st,
			     const struct meter_reading *now)
{
	if (!now->limits->pause ||
	    (st->phase != ADAPTIVE_HOLD && st->phase != ADAPTIVE_TRY))
		return false;

	if (st->phase == ADAPTIVE_HOLD || st->meter.windows) {
		st->length = ADAPTIVE_TRIAL;
		adaptive_result(st, &st->on);
		adaptive_check(st, now);
	} else {
		adaptive_enter(st, ADAPTIVE_OFF, VCOAL_REASON_PROBE);
	}

	return true;
}

static void adaptive_step(struct adaptive_state *st,
			  const struct meter_reading *now)
{
	if (adaptive_follows(st, now))
		return;
	if (st->checks)
		st->checks--;
	if (st->stale && st->phase != ADAPTIVE_HOLD) {
		bool faster = adaptive_faster(st, now);

		st->stale = 0;
		if (faster || adaptive_other(st, now)) {
			adaptive_begin(st, faster);
			return;
		}
	}
	if (st->fresh) {
		st->fresh = 0;
		st->checks = min(st->checks + ADAPTIVE_CHECK_COST,
				 2 * ADAPTIVE_CHECKS);
		return;
	}

	switch (st->phase) {
	case ADAPTIVE_TRY:
		adaptive_in_try(st, now);
		break;
	case ADAPTIVE_HOLD:
		adaptive_in_hold(st, now);
		break;
	case ADAPTIVE_CHECK:
		adaptive_in_check(st, now);
		break;
	default:
		adaptive_in_off(st, now);
	}
}

static void adaptive_learn(struct adaptive_state *st,
			   const struct vcoal_sample *s,
			   const struct vcoal_limits *limits)
{
	struct meter_reading now;

	if (adaptive_silent(s) && !st->stale && adaptive_known(st)) {
		st->stale = 1;
		return;
	}
	meter_read(&now, s, limits);
	adaptive_listen(st, &now);
	st->wait_ns -= min(st->wait_ns, s->window_ns);
	adaptive_step(st, &now);
}

/* Whatever the state says: a shift must be one, a reason must have a word. */
static void adaptive_sanitise(struct adaptive_state *st)
{
	if (st->level > ADAPTIVE_LEVEL_MASK)
		st->level = 0;
	if (st->reason >= VCOAL_REASON_COUNT)
		st->reason = VCOAL_REASON_INIT;
}

static struct vcoal_decision adaptive_answer(const struct adaptive_state *st,
					     const struct vcoal_sample *s,
					     const struct vcoal_limits *limits)
{
	bool tries = st->phase == ADAPTIVE_TRY;
	bool holds = tries || st->phase == ADAPTIVE_HOLD;

	return (struct vcoal_decision) {
		.params.hold_ns = holds ? limits->max_ns >> st->level : 0,
		.trial_ns = tries || st->fresh ? adaptive_trial(st, s) : 0,
		.rest = st->rest,
		.long_windows = adaptive_restless(st),
		.reason = st->reason,
		.pause = st->phase == ADAPTIVE_CHECK,
	};
}

static struct vcoal_decision adaptive_decide(void *state,
					     const struct vcoal_sample *sample,
					     const struct vcoal_limits *limits)
{
	const struct vcoal_decision never = {
		.rest = ADAPTIVE_REST_MAX,
		.reason = VCOAL_REASON_BOUND,
	};
	struct adaptive_state *st = state;

	if (st->max_ns != limits->max_ns)
		*st = (struct adaptive_state) { .max_ns = limits->max_ns };
	if (!limits->max_ns)
		return never;

	adaptive_sanitise(st);
	if (sample->window_ns && sample->frames)
		adaptive_learn(st, sample, limits);

	return adaptive_answer(st, sample, limits);
}

const struct vcoal_policy vcoal_policy_adaptive = {
	.decide		= adaptive_decide,
	.state_size	= sizeof(struct adaptive_state),
	.name		= "adaptive",
};
