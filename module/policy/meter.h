/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What some windows of a queue cost, and at which rate its traffic ran.
 */
#ifndef _VCOAL_POLICY_METER_H
#define _VCOAL_POLICY_METER_H

#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/time64.h>
#include <vcoal/policy.h>

/* What events cost, in hundreds of instructions: see policies.rst. */
#define METER_IRQ	69U
#define METER_TIMER	15U
#define METER_POLL	77U	/* that finds work, with the wake-up behind it */
#define METER_EMPTY	7U	/* that finds none */
#define METER_FRAME	220U	/* sender and receiver, without payload */
#define METER_BYTES	50U	/* payload bytes that cost one unit */
/* The overhead of a frame that is not held: nothing is dearer that pays. */
#define METER_NOT_HELD	(METER_IRQ + METER_POLL)

#define METER_RATE(frames, ms)	((frames) * 16U / (ms))
#define METER_RATE_MAX	1000000U
#define METER_COST_MAX	10000U

/**
 * struct meter_reading - one window
 * @window_ns: its length
 * @frames: its frames
 * @work: overhead of all of them: interrupts, timers, polls
 * @rate: METER_RATE() units: sixteenths of a frame per ms
 */
struct meter_reading {
	u64 window_ns;
	u32 frames;
	u32 work;
	u32 rate;
};

/**
 * struct meter - the sum of some windows
 * @ns: length of all windows
 * @work: their overhead
 * @rate: sum of the rates of the steady windows
 * @rate_sq: and of the squares
 * @windows: how many
 * @frames: frames in them
 * @steady: windows since the rate last jumped
 */
struct meter {
	u64 ns;
	u64 work;
	u64 rate;
	u64 rate_sq;
	u32 windows;
	u32 frames;
	u32 steady;
};

static inline void meter_read(struct meter_reading *r,
			      const struct vcoal_sample *s)
{
	u32 empty = min(s->empty_holds, s->polls);

	r->window_ns = s->window_ns;
	r->frames = s->frames;
	r->work = s->irqs * METER_IRQ + s->holds * METER_TIMER +
		  (s->polls - empty) * METER_POLL + empty * METER_EMPTY;
	r->rate = min_t(u64, METER_RATE_MAX,
			div64_u64((u64)s->frames * METER_RATE(NSEC_PER_MSEC, 1),
				  s->window_ns));
}

static inline void meter_reset(struct meter *m)
{
	*m = (struct meter) {};
}

/* Overhead of a frame. */
static inline u32 meter_cost(const struct meter *m)
{
	return m->frames ? min_t(u64, METER_COST_MAX,
				 div_u64(m->work, m->frames)) : 0;
}

static inline u32 meter_rate(const struct meter *m)
{
	return m->steady ? min_t(u64, METER_RATE_MAX,
				 div_u64(m->rate, m->steady)) : 0;
}

/* Variance of the mean rate, never taken for less than a sixteenth of Poisson's. */
static inline u64 meter_var(const struct meter *m)
{
	u64 mean = meter_rate(m);
	u64 sq;

	if (m->steady < 2)
		return 16 * mean + METER_RATE(16, 1);
	sq = div_u64(m->rate_sq, m->steady);
	sq -= min(sq, mean * mean);

	return div_u64(max(sq, mean + METER_RATE(1, 1)), m->steady - 1);
}

/* Share of all cost that @on saves against @off, in 1/1024. */
static inline u32 meter_saved(const struct meter *off, const struct meter *on,
			      u32 base)
{
	u32 cost = meter_cost(off);

	return (cost - min(cost, meter_cost(on))) * 1024 / (base + cost);
}

/* Does @on lose more than @share (1/1024) of the rate of @off? */
static inline bool meter_loses(const struct meter *off, const struct meter *on,
			       u32 share)
{
	u32 rate = meter_rate(off);

	return (rate - min(rate, meter_rate(on))) * 1024ULL >
	       (u64)rate * share;
}

/* Is the difference of the rates more than @sigmas_sq of chance? */
static inline bool meter_differs(const struct meter *off,
				 const struct meter *on, u32 sigmas_sq)
{
	u64 a = meter_rate(off);
	u64 b = meter_rate(on);
	u64 diff = max(a, b) - min(a, b);

	return diff * diff > sigmas_sq * (meter_var(off) + meter_var(on));
}

/* A load that doubled or halved is another load. */
static inline bool meter_jumps(const struct meter *m, u32 rate)
{
	u32 mean = meter_rate(m);

	return m->steady && (rate > 2 * mean + METER_RATE(8, 1) ||
			     2 * rate + METER_RATE(8, 1) < mean);
}

/* Old windows fade: between @keep and twice as many count. */
static inline void meter_fade(struct meter *m, u32 keep)
{
	if (m->windows >= 2 * keep) {
		m->windows /= 2;
		m->ns /= 2;
		m->frames /= 2;
		m->work /= 2;
	}
	if (m->steady >= 2 * keep) {
		m->steady /= 2;
		m->rate /= 2;
		m->rate_sq /= 2;
	}
}

static inline void meter_add(struct meter *m, const struct meter_reading *r,
			     u32 keep)
{
	if (meter_jumps(m, r->rate)) {
		m->steady = 0;
		m->rate = 0;
		m->rate_sq = 0;
	}
	m->windows++;
	m->ns += r->window_ns;
	m->frames += r->frames;
	m->work += r->work;
	m->steady++;
	m->rate += r->rate;
	m->rate_sq += (u64)r->rate * r->rate;
	meter_fade(m, keep);
}

/* @length windows with @frames frames, or many windows with few. */
static inline bool meter_full(const struct meter *m, u32 length, u32 frames)
{
	return m->windows >= (m->frames >= frames ? length : 8 * length);
}

#endif /* _VCOAL_POLICY_METER_H */
