/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What some windows of a queue cost, and at which rate its traffic ran.
 */
#ifndef _VCOAL_POLICY_METER_H
#define _VCOAL_POLICY_METER_H

#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

/* What events cost, in hundreds of instructions: see policies.rst. */
#define METER_IRQ	69U
#define METER_POLL	77U	/* that finds work, with the wake-up behind it */
#define METER_EMPTY	7U	/* that finds none */
#define METER_FRAME	220U	/* sender and receiver, without payload */
#define METER_BYTES	50U	/* payload bytes that cost one unit */
/* The overhead of a frame that is not held, unless it has several interrupts. */
#define METER_NOT_HELD	(METER_IRQ + METER_POLL)

/* Rates are counted in sixteenths of a frame per millisecond. */
#define METER_RATE(frames)	((frames) * 16U)
#define METER_RATE_MAX	1000000U
#define METER_COST_MAX	10000U
#define METER_STEADY	3U	/* windows without a jump of the rate */

/**
 * struct meter_reading - one window
 * @work: overhead of all of them: interrupts, timers, polls
 * @rate: METER_RATE() a millisecond
 * @jumps: that is far from the last window's
 * @sample: all of it
 * @limits: and within what
 */
struct meter_reading {
	u32 work;
	u32 rate;
	bool jumps;
	const struct vcoal_sample *sample;
	const struct vcoal_limits *limits;
};

/**
 * struct meter - the sum of some windows
 * @ns: length of all windows
 * @bytes: what the NIC carried meanwhile
 * @work: their overhead
 * @rate: sum of the rates of the steady windows
 * @rate_sq: and of the squares
 * @windows: how many
 * @frames: frames in them
 * @steady: windows since the rate last jumped
 */
struct meter {
	u64 ns;
	u64 bytes;
	u64 work;
	u64 rate;
	u64 rate_sq;
	u32 windows;
	u32 frames;
	u32 steady;
};

/**
 * struct meter_result - what a meter said in the end
 * @ns: length of all windows
 * @bytes: what the NIC carried meanwhile
 * @var: variance of @rate
 * @rate: mean rate
 * @cost: overhead of a frame
 * @steady: windows without a jump of the rate
 * @windows: all of them
 */
struct meter_result {
	u64 ns;
	u64 bytes;
	u64 var;
	u32 rate;
	u32 cost;
	u32 steady;
	u32 windows;
};

/* Field by field: a string instruction takes longer. */
static inline void meter_clear(struct meter *m)
{
	m->ns = 0;
	m->bytes = 0;
	m->work = 0;
	m->rate = 0;
	m->rate_sq = 0;
	m->windows = 0;
	m->frames = 0;
	m->steady = 0;
}

static inline u32 meter_rate(u32 frames, u64 ns)
{
	return min_t(u64, METER_RATE_MAX,
		     div64_u64((u64)frames * METER_RATE(NSEC_PER_MSEC), ns));
}

static inline void meter_read(struct meter_reading *r,
			      const struct vcoal_sample *s,
			      const struct vcoal_limits *limits)
{
	r->work = s->irqs * METER_IRQ + s->holds * s->timer_cost +
		  s->polls * METER_POLL -
		  s->empty_holds * (METER_POLL - METER_EMPTY);
	r->rate = meter_rate(s->frames, s->window_ns);
	r->sample = s;
	r->limits = limits;
}

/* Frames of every poll, when all ended a hold and found as many; else 0. */
static inline u32 meter_batch(const struct meter_reading *r)
{
	const struct vcoal_sample *s = r->sample;

	return s->polls == s->holds && s->frames == s->holds * s->ring_peak ?
	       s->ring_peak : 0;
}

/* All that a frame like these costs when it is not held. */
static inline u64 meter_whole(const struct meter_reading *r)
{
	const struct vcoal_sample *s = r->sample;

	return METER_FRAME + METER_NOT_HELD +
	       div64_u64(s->bytes, (u64)s->frames * METER_BYTES);
}

/* A load that doubled or halved is another load. */
static inline bool meter_differs(u32 rate, u32 before)
{
	return rate > 2 * before + METER_RATE(8) ||
	       2 * rate + METER_RATE(8) < before;
}

/* The mean rate of the steady windows. */
static inline u32 meter_mean(const struct meter *m)
{
	return m->steady > 1 ? div_u64(m->rate, m->steady) : m->rate;
}

static inline bool meter_jumps(const struct meter *m, u32 rate)
{
	return m->steady && meter_differs(rate, meter_mean(m));
}

/* Old windows fade: between @keep and twice as many count. */
static inline void meter_fade(struct meter *m, u32 keep)
{
	if (m->windows >= 2 * keep) {
		m->windows /= 2;
		m->ns /= 2;
		m->bytes /= 2;
		m->frames /= 2;
		m->work /= 2;
	}
	if (m->steady >= 2 * keep) {
		m->steady /= 2;
		m->rate /= 2;
		m->rate_sq /= 2;
	}
}

/* One more window of the same load. */
static inline void meter_grow(struct meter *m, const struct meter_reading *r)
{
	m->windows++;
	m->ns += r->sample->window_ns;
	m->frames += r->sample->frames;
	m->work += r->work;
	m->bytes += r->sample->nic_bytes;
	m->steady++;
	m->rate += r->rate;
	m->rate_sq += (u64)r->rate * r->rate;
}

/* The same, unless it @jumps. */
static inline void meter_add(struct meter *m, const struct meter_reading *r,
			     bool jumps)
{
	if (jumps) {
		m->steady = 0;
		m->rate = 0;
		m->rate_sq = 0;
	}
	meter_grow(m, r);
}

/* @length windows with @frames frames, or many windows with few. */
static inline bool meter_full(const struct meter *m, u32 length, u32 frames)
{
	return m->windows >= (m->frames >= frames ? length : 8 * length);
}

/* Variance of the mean, never taken for less than a sixteenth of Poisson's. */
static inline u64 meter_var(const struct meter *m)
{
	u64 mean = meter_mean(m);
	u64 sq;

	if (m->steady < 2)
		return 16 * mean + METER_RATE(16);
	sq = div_u64(m->rate_sq, m->steady);
	sq -= min(sq, mean * mean);

	return div_u64(max(sq, mean + METER_RATE(1)), m->steady - 1);
}

/* With @all, the rate is that of all windows, when no few are alike. */
static inline void meter_result(const struct meter *m,
				struct meter_result *result, bool all)
{
	result->ns = m->ns;
	result->bytes = m->bytes;
	result->var = meter_var(m);
	result->rate = all && m->steady < METER_STEADY && m->ns ?
		       meter_rate(m->frames, m->ns) : meter_mean(m);
	result->cost = m->frames ? min_t(u64, METER_COST_MAX,
					 div_u64(m->work, m->frames)) : 0;
	result->steady = m->steady;
	result->windows = m->windows;
}

#endif /* _VCOAL_POLICY_METER_H */
