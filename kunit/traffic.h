/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows of idealised traffic: what a queue would see of it under a hold.
 */
#ifndef _VCOAL_KUNIT_TRAFFIC_H
#define _VCOAL_KUNIT_TRAFFIC_H

#include <kunit/test.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <linux/time64.h>
#include "../module/registry.h"

/**
 * struct traffic - a load
 * @name: of the test case
 * @gap_ns: between frames, or bursts
 * @closed: the next frame comes @gap_ns after the last one was served
 * @gathers: what waits shares frames, and the NIC carries twice as much
 * @timer_cost: of a hold, beyond what a timer of this kernel costs
 * @burst: frames that come at once, if not one
 * @parts: interrupts of a frame, if not one; of one that is held there is one
 */
struct traffic {
	const char *name;
	u32 gap_ns;
	bool closed;
	bool gathers;
	u32 timer_cost;
	u32 burst;
	u32 parts;
};

static inline void traffic_desc(const struct traffic *load, char *desc)
{
	strscpy(desc, load->name, KUNIT_PARAM_DESC_SIZE);
}

/**
 * struct asked - a policy and all that it is asked with
 * @policy: who decides
 * @limits: within what
 * @state: its private state
 * @last: its last answer
 * @announces: what it announces comes back as limits, as from its VM
 * @now_ns: sum of all windows
 * @trial_ns: until when it announced a trial
 * @pause_ns: and that all are to let go
 */
struct asked {
	const struct vcoal_policy *policy;
	struct vcoal_limits limits;
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)];
	struct vcoal_decision last;
	bool announces;
	u64 now_ns;
	u64 trial_ns;
	u64 pause_ns;
};

/* The load under this hold; paced, or one request after the other. */
static inline void traffic_window(const struct traffic *load, u32 hold_ns,
				  struct vcoal_sample *s)
{
	u32 window_ns = max_t(u32, NSEC_PER_MSEC, load->gap_ns);
	u32 gap_ns = load->gap_ns;
	bool gathers = hold_ns >= gap_ns;
	u32 burst = max(load->burst, 1U);

	if (load->closed)
		gap_ns = max(gap_ns, hold_ns);

	*s = (struct vcoal_sample) {
		.window_ns = max(window_ns, hold_ns),
		.frames = max(window_ns, hold_ns) / gap_ns * burst,
		.ring_size = 256,
		.timer_cost = VCOAL_TIMER_COST + load->timer_cost,
	};
	s->bytes = 64 * s->frames;
	s->nic_bytes = s->bytes;
	if (load->gathers && hold_ns)
		s->nic_bytes = 2 * 64 * s->window_ns / load->gap_ns;
	if (!hold_ns || !gathers)
		s->irqs = s->frames / burst;
	if (gathers) {
		s->holds = (u32)s->window_ns / hold_ns;
		s->held_frames = s->frames;
	} else if (hold_ns) {
		s->holds = s->irqs;
		s->empty_holds = s->irqs;
	}
	s->polls = s->irqs + s->holds;
	if (!hold_ns)
		s->irqs *= max(load->parts, 1U);
	s->ring_peak = max(hold_ns / gap_ns, 1U) * burst;
}

static inline void traffic_ask(struct asked *asked,
			       const struct vcoal_sample *sample)
{
	asked->now_ns += sample->window_ns;
	if (asked->announces) {
		asked->limits.trial = asked->now_ns < asked->trial_ns;
		asked->limits.pause = asked->now_ns < asked->pause_ns;
	}
	asked->last = asked->policy->decide(asked->state, sample,
					    &asked->limits);
	if (!asked->last.trial_ns)
		return;
	asked->trial_ns = asked->now_ns + asked->last.trial_ns;
	if (asked->last.pause)
		asked->pause_ns = asked->trial_ns;
}

/* So many windows of this load; returns how many of them were held. */
static inline u32 traffic_run(struct asked *asked, const struct traffic *load,
			      u32 windows)
{
	struct vcoal_sample sample;
	u32 held = 0;

	while (windows--) {
		held += asked->last.params.hold_ns > 0;
		traffic_window(load, asked->last.params.hold_ns, &sample);
		traffic_ask(asked, &sample);
	}

	return held;
}

/* A fresh policy under this bound; the case is skipped where it is not built in. */
static inline void traffic_start(struct kunit *test, struct asked *asked,
				 const char *policy, u32 max_ns)
{
	const struct vcoal_sample no_data = {};

	memset(asked, 0, sizeof(*asked));
	asked->policy = vcoal_policy_find(policy);
	if (!asked->policy)
		kunit_skip(test, "not built in");
	asked->limits.max_ns = max_ns;
	if (asked->policy->init)
		asked->policy->init(asked->state, &asked->limits);
	traffic_ask(asked, &no_data);
}

#endif /* _VCOAL_KUNIT_TRAFFIC_H */
