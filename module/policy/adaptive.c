// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: adaptive
 *
 * Idea: ask the traffic. Whether holding pays cannot be seen from a rate: the
 * same frames per second are a paced stream that batches well, a burst that
 * batches by itself, or a ping-pong that a hold only slows down. So measure
 * both: the queue without a hold and with one, and keep what was better.
 */
#include <linux/build_bug.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

/* What events cost, in units of 100 instructions (see policies.rst). */
#define ADAPTIVE_IRQ		69U
#define ADAPTIVE_TIMER		15U
#define ADAPTIVE_POLL		77U
#define ADAPTIVE_EMPTY		7U
#define ADAPTIVE_FRAME		220U	/* sender and receiver, without bytes */
#define ADAPTIVE_BYTES		50U	/* payload bytes that cost one unit */

#define ADAPTIVE_NOT_HELD	(ADAPTIVE_IRQ + ADAPTIVE_POLL)

#define ADAPTIVE_TRIAL		4U	/* windows of a first comparison */
#define ADAPTIVE_CHECK_MAX	64U	/* windows of the last comparison */
#define ADAPTIVE_ENOUGH		16U	/* frames that make a measurement */
#define ADAPTIVE_SPACING	32U	/* a check costs 1/32 of the time at most */
#define ADAPTIVE_REST_NS	(16 * NSEC_PER_SEC)
#define ADAPTIVE_BACKOFF_NS	(64 * NSEC_PER_MSEC)
#define ADAPTIVE_BACKOFFS	4U	/* 64 ms, 256 ms, 1 s, 4 s, 16 s */
#define ADAPTIVE_CREDIT		80	/* three bad windows */
#define ADAPTIVE_CREDIT_STEP	40
#define ADAPTIVE_SURGE		(12 * 16)
#define ADAPTIVE_LOSS		40U	/* 1/1024: throughput a hold may cost */

enum adaptive_phase {
	ADAPTIVE_OFF,		/* no hold */
	ADAPTIVE_TRY,		/* does a hold pay? */
	ADAPTIVE_HOLD,		/* it does */
	ADAPTIVE_CHECK,		/* would the rate be higher without? */
};

/* Some windows: their overhead, and the mean and spread of their rate. */
struct adaptive_meter {
	u32 windows;
	u32 frames;
	u64 work;
	u64 rate;
	u64 rate_sq;
};

struct adaptive_state {
	struct adaptive_meter on;
	struct adaptive_meter off;
	u64 wait_ns;
	u32 max_ns;
	u32 rate;	/* of the last window, 1/16 frames per ms */
	u32 work;	/* overhead of the last window */
	u32 frames;	/* of the last window */
	u32 frame_cost;
	u32 margin;
	u32 ref;
	s32 credit;
	s32 excess;
	u8 phase;
	u8 reason;
	u8 fails;
	u8 length;
	bool surge;
};

static_assert(sizeof(struct adaptive_state) <= VCOAL_POLICY_STATE);

static void meter_reset(struct adaptive_meter *meter)
{
	*meter = (struct adaptive_meter) {};
}

static void meter_add(struct adaptive_meter *meter,
		      const struct adaptive_state *st, u32 keep)
{
	meter->windows++;
	meter->frames += st->frames;
	meter->work += st->work;
	meter->rate += st->rate;
	meter->rate_sq += (u64)st->rate * st->rate;
	if (meter->windows < 2 * keep)
		return;
	meter->windows /= 2;
	meter->frames /= 2;
	meter->work /= 2;
	meter->rate /= 2;
	meter->rate_sq /= 2;
}

static u32 meter_cost(const struct adaptive_meter *meter)
{
	return meter->frames ? div_u64(meter->work, meter->frames) : 0;
}

static u32 meter_rate(const struct adaptive_meter *meter)
{
	return meter->windows ? div_u64(meter->rate, meter->windows) : 0;
}

/* Variance of the mean; never below a quarter of Poisson's. */
static u64 meter_var(const struct adaptive_meter *meter)
{
	u64 mean = meter_rate(meter);
	u64 floor = mean * 4 + 64;
	u64 sq;

	if (meter->windows < 2)
		return mean * 16 + 256;
	sq = div_u64(meter->rate_sq, meter->windows);
	sq = sq > mean * mean ? sq - mean * mean : 0;

	return div_u64(max(sq, floor), meter->windows - 1);
}

static bool meter_enough(const struct adaptive_meter *meter, u32 length)
{
	return (meter->windows >= length &&
		meter->frames >= ADAPTIVE_ENOUGH) ||
	       meter->windows >= 8 * length;
}

/* Does the traffic answer a hold with fewer frames? */
static bool adaptive_loses(const struct adaptive_state *st, bool sure)
{
	u32 with = meter_rate(&st->on);
	u32 without = meter_rate(&st->off);
	u32 cost = meter_cost(&st->off);
	u32 saved = cost - min(cost, meter_cost(&st->on));
	u64 allowed, lost;

	if (with >= without)
		return false;
	lost = without - with;
	allowed = max_t(u64, ADAPTIVE_LOSS,
			div_u64((u64)saved * 1024, st->frame_cost + cost) / 3);
	if (lost * 1024 <= allowed * without)
		return false;

	return !sure ||
	       lost * lost > 4 * (meter_var(&st->on) + meter_var(&st->off));
}

static bool adaptive_pays(const struct adaptive_state *st)
{
	return meter_cost(&st->on) + st->margin < meter_cost(&st->off);
}

static void adaptive_enter(struct adaptive_state *st,
			   enum adaptive_phase phase, enum vcoal_reason reason)
{
	st->phase = phase;
	st->reason = reason;
	switch (phase) {
	case ADAPTIVE_TRY:
		meter_reset(&st->on);
		st->length = ADAPTIVE_TRIAL;
		break;
	case ADAPTIVE_HOLD:
		meter_reset(&st->on);
		st->credit = ADAPTIVE_CREDIT;
		break;
	default:
		meter_reset(&st->off);
		st->surge = false;
		st->excess = 0;
	}
}

static void adaptive_fail(struct adaptive_state *st, enum vcoal_reason reason)
{
	st->wait_ns = (u64)ADAPTIVE_BACKOFF_NS << (2 * st->fails);
	st->fails = min_t(u32, st->fails + 1, ADAPTIVE_BACKOFFS);
	st->ref = max3(st->ref, st->rate, meter_rate(&st->off));
	adaptive_enter(st, ADAPTIVE_OFF, reason);
}

static void adaptive_rest(struct adaptive_state *st)
{
	adaptive_enter(st, ADAPTIVE_HOLD, VCOAL_REASON_GROW);
	if (st->length >= ADAPTIVE_CHECK_MAX) {
		st->wait_ns = ADAPTIVE_REST_NS;
	} else {
		st->length *= 4;
		st->wait_ns = (u64)st->length * ADAPTIVE_SPACING * NSEC_PER_MSEC;
	}
}

/* Much more load than when holding was found not to pay: a one-sided CUSUM. */
static bool adaptive_surges(struct adaptive_state *st)
{
	s32 excess = st->rate - (st->ref + st->ref / 2);

	st->excess = max(st->excess + excess, 0);

	return st->excess > ADAPTIVE_SURGE;
}

static void adaptive_off(struct adaptive_state *st)
{
	bool surge = adaptive_surges(st);

	/* The first window of a new load is part of the old one. */
	if (surge && !st->surge) {
		meter_reset(&st->off);
		st->surge = true;
		return;
	}
	meter_add(&st->off, st, ADAPTIVE_TRIAL);
	if (surge) {
		st->ref = st->rate;
		adaptive_enter(st, ADAPTIVE_TRY, VCOAL_REASON_PROBE);
	} else if (!st->wait_ns && meter_enough(&st->off, ADAPTIVE_TRIAL)) {
		st->ref = 0;
		adaptive_enter(st, ADAPTIVE_TRY, VCOAL_REASON_PROBE);
	}
}

static void adaptive_try(struct adaptive_state *st)
{
	meter_add(&st->on, st, U8_MAX);
	if (st->on.windows > 1 && 2 * meter_rate(&st->on) < meter_rate(&st->off)) {
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
		return;
	}
	if (!meter_enough(&st->on, ADAPTIVE_TRIAL))
		return;
	if (!adaptive_pays(st))
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	else if (adaptive_loses(st, false))
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	else
		adaptive_rest(st);
}

static void adaptive_check(struct adaptive_state *st)
{
	meter_add(&st->off, st, U8_MAX);
	if (!meter_enough(&st->off, st->length))
		return;
	if (adaptive_loses(st, true))
		adaptive_fail(st, VCOAL_REASON_CLOSED_LOOP);
	else if (!adaptive_pays(st))
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	else
		adaptive_rest(st);
}

static void adaptive_hold(struct adaptive_state *st)
{
	s32 gain = (s32)(ADAPTIVE_NOT_HELD - st->margin) -
		   (s32)(st->work / st->frames);

	meter_add(&st->on, st, st->length);
	st->reason = VCOAL_REASON_STAY;
	st->credit += clamp(gain, -ADAPTIVE_CREDIT_STEP, ADAPTIVE_CREDIT_STEP);
	st->credit = min(st->credit, ADAPTIVE_CREDIT);
	if (st->credit < 0) {
		st->ref = 0;
		meter_reset(&st->off);
		adaptive_fail(st, VCOAL_REASON_SPARSE);
	} else if (!st->wait_ns) {
		adaptive_enter(st, ADAPTIVE_CHECK, VCOAL_REASON_PROBE);
	}
}

static void adaptive_measure(struct adaptive_state *st,
			     const struct vcoal_sample *s)
{
	u32 empty = min(s->empty_holds, s->polls);

	st->frames = s->frames;
	st->rate = min_t(u64, div64_u64((u64)s->frames * 16 * NSEC_PER_MSEC,
					s->window_ns), 1U << 20);
	st->work = s->irqs * ADAPTIVE_IRQ + s->holds * ADAPTIVE_TIMER +
		   (s->polls - empty) * ADAPTIVE_POLL + empty * ADAPTIVE_EMPTY;
	st->frame_cost = ADAPTIVE_FRAME +
			 min_t(u64, div64_u64(s->bytes, (u64)s->frames *
					      ADAPTIVE_BYTES), 10000);
	st->margin = (st->frame_cost + ADAPTIVE_NOT_HELD) /
		     (s->cpu_busy > 768 ? 128 : 64);
	st->wait_ns -= min(st->wait_ns, s->window_ns);
}

static void adaptive_step(struct adaptive_state *st)
{
	switch (st->phase) {
	case ADAPTIVE_TRY:
		adaptive_try(st);
		break;
	case ADAPTIVE_HOLD:
		adaptive_hold(st);
		break;
	case ADAPTIVE_CHECK:
		adaptive_check(st);
		break;
	default:
		adaptive_off(st);
	}
}

static struct vcoal_decision adaptive_answer(const struct adaptive_state *st,
					     const struct vcoal_limits *limits)
{
	bool holds = st->phase == ADAPTIVE_TRY || st->phase == ADAPTIVE_HOLD;
	u32 budget_ns = limits->irq_rate_max ?
			(u32)NSEC_PER_SEC / limits->irq_rate_max : 0;
	struct vcoal_decision decision = {
		.params.hold_ns = holds ? limits->max_ns : 0,
		.reason = st->reason,
	};

	if (decision.params.hold_ns < min(budget_ns, limits->max_ns)) {
		decision.params.hold_ns = min(budget_ns, limits->max_ns);
		decision.reason = VCOAL_REASON_BUDGET;
	}

	return decision;
}

static struct vcoal_decision adaptive_decide(void *state,
					     const struct vcoal_sample *sample,
					     const struct vcoal_limits *limits)
{
	struct adaptive_state *st = state;

	if (st->max_ns != limits->max_ns) {
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
