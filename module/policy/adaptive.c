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
 * quarter of the hold is tried, unless each hold released a single frame. What
 * does not pay goes back to OFF and backs off exponentially, unless the load
 * rises well above the one that was judged, or falls well below a closed loop.
 * CHECKs are rarer and longer the more of them were passed, so that a queue
 * at rest is left alone; but a load that is not the one that was judged is
 * checked at once.
 *
 * Limits: the latency class is where the search for a hold begins; a queue so
 * busy that a shorter hold batches as well gets the shorter one, which keeps
 * it far from half a ring.
 */
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>
#include "adaptive.h"

/* Saving that is worth a delay, in 1/1024: less where the CPU is short. */
static const u32 adaptive_margin[] = { [false] = 16, [true] = 8 };

static_assert(sizeof(struct adaptive_state) <= VCOAL_POLICY_STATE);

/* What was measured with the hold, against what was measured without. */
static enum adaptive_verdict adaptive_judge(const struct adaptive_state *st,
					    const struct meter_reading *now)
{
	u32 saved = st->off.cost - min(st->off.cost, st->on.cost);
	u64 lost = st->off.rate - min(st->off.rate, st->on.rate);
	u32 share = saved * 1024 / meter_whole(now);

	if (share <= adaptive_margin[now->sample->cpu_busy > ADAPTIVE_BUSY])
		return ADAPTIVE_SPARSE;
	share = max(share / ADAPTIVE_WORTH, ADAPTIVE_LOSS);
	if (lost * 1024 <= (u64)st->off.rate * share)
		return ADAPTIVE_PAYS;
	if (min(st->off.steady, st->on.steady) < ADAPTIVE_STEADY ||
	    lost * lost <= ADAPTIVE_SIGMAS_SQ * (st->off.var + st->on.var))
		return ADAPTIVE_DOUBTFUL;

	return ADAPTIVE_CLOSED;
}

/* Frames that a hold of this level gathers. */
static u32 adaptive_batch(const struct adaptive_state *st, u32 level)
{
	const struct meter *meter = &st->meter;
	u64 gap_ns = meter->frames ? div_u64(meter->ns, meter->frames) : 0;

	return (st->max_ns >> level) / clamp_t(u64, gap_ns, 1, U32_MAX);
}

static void adaptive_enter(struct adaptive_state *st, enum adaptive_phase phase,
			   enum vcoal_reason reason)
{
	st->phase = phase;
	st->reason = reason;
	st->credit = ADAPTIVE_CREDIT;
	st->excess = 0;
	st->lack = 0;
	st->fresh = phase == ADAPTIVE_TRY || phase == ADAPTIVE_CHECK;
	st->meter = (struct meter) {};
}

static void adaptive_try(struct adaptive_state *st, u8 level,
			 enum vcoal_reason reason)
{
	st->level = level;
	st->shut = level;
	st->length = ADAPTIVE_TRIAL;
	adaptive_enter(st, ADAPTIVE_TRY, reason);
}

static void adaptive_fail(struct adaptive_state *st, u32 rate,
			  enum vcoal_reason reason)
{
	st->ref = max3(st->ref, rate, 1U);
	st->fails = min_t(u8, st->fails, ADAPTIVE_BACKOFFS);
	st->wait_ns = (ADAPTIVE_BACKOFF_MS * NSEC_PER_MSEC) << (3 * st->fails);
	st->fails++;
	adaptive_enter(st, ADAPTIVE_OFF, reason);
}

/* Maybe a loop of one: then no hold gathers more. */
static bool adaptive_alone(const struct adaptive_state *st)
{
	return st->batch == 1 && st->alike >= ADAPTIVE_ALIKE / 2;
}

/* Hold, and look again: soon and longer in doubt, else much later. */
static void adaptive_keep(struct adaptive_state *st,
			  const struct meter_reading *now, bool doubt)
{
	if (st->phase == ADAPTIVE_CHECK)
		st->length = min(st->length * (doubt ? 2U : 4U),
				 ADAPTIVE_CHECK_MAX);
	if (st->length > ADAPTIVE_TRIAL_MAX)
		st->wait_ns = ADAPTIVE_REST_MS * NSEC_PER_MSEC;
	else
		st->wait_ns = min_t(u64, now->sample->window_ns, NSEC_PER_SEC) *
			      st->length *
			      (doubt ? ADAPTIVE_DOUBT : ADAPTIVE_SPACING);
	adaptive_enter(st, ADAPTIVE_HOLD, VCOAL_REASON_GROW);
}

/* A closed loop: a shorter hold may still do. */
static void adaptive_shorten(struct adaptive_state *st)
{
	u8 level = st->level + 2;

	if (!adaptive_alone(st) &&
	    st->max_ns >> level >= ADAPTIVE_HOLD_MIN_NS)
		adaptive_try(st, level, VCOAL_REASON_SHRINK);
	else
		adaptive_fail(st, st->off.rate, VCOAL_REASON_CLOSED_LOOP);
}

/* Much more load than the one that was judged: a one-sided CUSUM. */
static bool adaptive_surges(struct adaptive_state *st,
			    const struct meter_reading *now)
{
	if (!st->ref)
		return false;

	st->excess += now->rate - (st->ref + st->ref / 2);
	st->excess = max(st->excess, 0);

	return st->excess > ADAPTIVE_SURGE;
}

/* Much less load than the closed loop that was judged. */
static bool adaptive_sinks(struct adaptive_state *st,
			   const struct meter_reading *now)
{
	if (st->reason != VCOAL_REASON_CLOSED_LOOP)
		return false;

	st->lack += st->ref - st->ref / 4 - now->rate;
	st->lack = max(st->lack, 0);

	return st->lack > ADAPTIVE_LACK;
}

/* How many frames each of the last holds released, while these are alike. */
static void adaptive_match(struct adaptive_state *st,
			   const struct meter_reading *now)
{
	u32 batch = meter_batch(now);

	if (batch != st->batch)
		st->alike = 0;
	st->batch = batch;
	st->alike = min(st->alike + min(now->sample->holds, ADAPTIVE_LOCKED),
			ADAPTIVE_LOCKED);
}

/*
 * Another load than the one that was judged? Far fewer frames, or just as many
 * in every hold: both are what a loop does that has closed.
 */
static bool adaptive_turns(struct adaptive_state *st,
			   const struct meter_reading *now)
{
	u32 judged = st->on.rate;
	u32 by = max(judged, now->rate) - min(judged, now->rate);
	bool other = st->batch == 1 || (st->batch && by > judged / 16);

	st->odd = other ? min(st->odd + by, METER_RATE_MAX) : 0;
	st->lack += judged / 2 - now->rate;
	st->lack = max(st->lack, 0);
	if (st->checks >= ADAPTIVE_CHECKS)
		return false;

	return st->lack > max(judged, ADAPTIVE_LACK) ||
	       (st->odd > ADAPTIVE_ODD &&
		(st->alike >= ADAPTIVE_ALIKE || adaptive_alone(st)));
}

static void adaptive_in_off(struct adaptive_state *st,
			    const struct meter_reading *now)
{
	bool surged = st->excess > ADAPTIVE_SURGE;
	bool surges = adaptive_surges(st, now);
	bool sinks = adaptive_sinks(st, now);
	u32 level = 0;

	/* The first window of a new load is half of the old one. */
	if (surges && !surged) {
		st->meter = (struct meter) {};
		return;
	}
	meter_add(&st->meter, now);
	meter_fade(&st->meter, ADAPTIVE_FRAMES);
	if (!surges && !sinks &&
	    (st->wait_ns || !meter_full(&st->meter, 2, ADAPTIVE_FRAMES)))
		return;

	st->ref = surges ? now->rate : 0;
	st->fails = surges ? 0 : st->fails;
	while (level < ADAPTIVE_LEVELS &&
	       adaptive_batch(st, level + 1) >= ADAPTIVE_BATCH)
		level++;
	meter_result(&st->meter, &st->off);
	adaptive_try(st, level, VCOAL_REASON_PROBE);
	st->shut = 0;
}

static void adaptive_in_try(struct adaptive_state *st,
			    const struct meter_reading *now)
{
	enum adaptive_verdict verdict;
	bool full;

	adaptive_match(st, now);
	meter_add(&st->meter, now);
	full = meter_full(&st->meter, ADAPTIVE_TRIAL, ADAPTIVE_FRAMES);
	/* A queue that stalls must not wait for many frames. */
	if (!full && (st->meter.steady < ADAPTIVE_STEADY ||
		      2 * st->meter.mean >= st->off.rate))
		return;

	meter_result(&st->meter, &st->on);
	verdict = adaptive_judge(st, now);
	if (verdict >= ADAPTIVE_DOUBTFUL)
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	else if (full && verdict == ADAPTIVE_SPARSE)
		adaptive_fail(st, st->off.rate, VCOAL_REASON_SPARSE);
	else if (full)
		adaptive_keep(st, now, false);
}

static void adaptive_in_check(struct adaptive_state *st,
			      const struct meter_reading *now)
{
	enum adaptive_verdict verdict;

	meter_add(&st->meter, now);
	if (!meter_full(&st->meter, st->length, ADAPTIVE_FRAMES))
		return;

	meter_result(&st->meter, &st->off);
	verdict = adaptive_judge(st, now);
	if (verdict == ADAPTIVE_CLOSED)
		adaptive_shorten(st);
	else if (verdict == ADAPTIVE_SPARSE)
		adaptive_fail(st, st->off.rate, VCOAL_REASON_SPARSE);
	else
		adaptive_keep(st, now, verdict == ADAPTIVE_DOUBTFUL);
}

/* As short as batches well, but not longer than a closed loop bears. */
static void adaptive_fit(struct adaptive_state *st,
			 const struct vcoal_sample *s)
{
	bool crowded = s->ring_size && s->ring_peak > s->ring_size / 2;
	u32 batch = adaptive_batch(st, st->level);

	st->reason = VCOAL_REASON_STAY;
	if (crowded && st->level < ADAPTIVE_LEVELS) {
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
static void adaptive_in_hold(struct adaptive_state *st,
			     const struct meter_reading *now)
{
	s32 cost = min(now->work / now->sample->frames, METER_COST_MAX);
	s32 gain = clamp(ADAPTIVE_BREAK_EVEN - cost, -ADAPTIVE_CREDIT_STEP,
			 ADAPTIVE_CREDIT_STEP);
	bool fell = gain < 0 && meter_jumps(&st->meter, now->rate);

	st->credit = min(st->credit + (fell ? 3 * gain : gain),
			 ADAPTIVE_CREDIT);
	st->ref = gain < 0 ? max(st->ref, now->rate) : 0;
	if (!fell)
		meter_add(&st->meter, now);
	meter_fade(&st->meter, ADAPTIVE_TRIAL_MAX);
	adaptive_match(st, now);
	adaptive_fit(st, now->sample);

	if (st->credit < 0) {
		adaptive_fail(st, 0, VCOAL_REASON_SPARSE);
	} else if (st->batch == 1 && st->alike >= ADAPTIVE_LOCKED) {
		/* A check is no proof: its other end may hold it as well. */
		adaptive_fail(st, 2 * st->on.rate, VCOAL_REASON_BACKOFF);
	} else if (gain >= 0 && st->wait_ns && adaptive_turns(st, now)) {
		st->length = ADAPTIVE_TRIAL;
		st->wait_ns = 0;
		st->meter = (struct meter) {};
	} else if (gain >= 0 && !st->wait_ns &&
		   st->meter.steady >= ADAPTIVE_STEADY) {
		meter_result(&st->meter, &st->on);
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	}
}

static void adaptive_step(struct adaptive_state *st,
			  const struct meter_reading *now)
{
	if (st->checks)
		st->checks--;
	if (st->fresh) {
		st->fresh = false;
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
			   const struct vcoal_sample *s)
{
	struct meter_reading now;

	meter_read(&now, s);
	st->wait_ns -= min(st->wait_ns, s->window_ns);
	adaptive_step(st, &now);
}

/* Whatever the state says: a shift must be one, a reason must have a word. */
static void adaptive_sanitise(struct adaptive_state *st)
{
	st->level &= ADAPTIVE_LEVEL_MASK;
	st->reason = min_t(u8, st->reason, VCOAL_REASON_COUNT - 1);
}

static struct vcoal_decision adaptive_answer(const struct adaptive_state *st,
					     const struct vcoal_limits *limits)
{
	bool holds = st->phase == ADAPTIVE_TRY || st->phase == ADAPTIVE_HOLD;

	return (struct vcoal_decision) {
		.params.hold_ns = holds ? limits->max_ns >> st->level : 0,
		.reason = limits->max_ns ? st->reason : VCOAL_REASON_BOUND,
	};
}

static struct vcoal_decision adaptive_decide(void *state,
					     const struct vcoal_sample *sample,
					     const struct vcoal_limits *limits)
{
	struct adaptive_state *st = state;

	adaptive_sanitise(st);
	if (st->max_ns != limits->max_ns)
		*st = (struct adaptive_state) { .max_ns = limits->max_ns };
	else if (sample->window_ns && sample->frames)
		adaptive_learn(st, sample);

	return adaptive_answer(st, limits);
}

const struct vcoal_policy vcoal_policy_adaptive = {
	.decide		= adaptive_decide,
	.state_size	= sizeof(struct adaptive_state),
	.name		= "adaptive",
};
