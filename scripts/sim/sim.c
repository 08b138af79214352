// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receiver: interrupt, poll, hold, window, decide - as the module does it.
 *
 * Idle: an arrival interrupts. A poll serves what is there and what comes
 * meanwhile, at most SIM_BUDGET frames at a time. After work the queue holds
 * (if the policy wants it to); when the hold ends the timer polls: with work
 * the queue holds again, without it goes idle. The first poll at least 1 ms
 * after the window began closes the window and asks the policy.
 */
#include "sim.h"

#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/math64.h>
#include <string.h>

#define CALM_NS		(8 * NSEC_PER_MSEC)
#define RETRY_NS	(5 * NSEC_PER_MSEC)	/* a lost frame is missed */
#define RING_MAX	4096

/*
 * From instruction counts of a paced 64-byte flow on one emulated CPU (guest
 * sender and receiver together, thousands of instructions per packet at a gap
 * of 50 us): no hold 36.6; 16 us 38.8; 64 us 29.2; 128 us 25.7; 256 us 23.8.
 * With n frames a release these are packet + (timer + poll) / n, packet + irq
 * + poll without a hold, and that + timer + empty when the hold is too short.
 */
const struct sim_cost cost_default = {
	.irq		= 6900,
	.timer		= 1500,
	.poll		= 7700,
	.empty		= 700,
	.packet		= 22000,
	.byte256	= 512,
	.decide		= 300,
};

struct frame {
	u64 when;
	u32 source;
};

struct window {
	u64 start;
	u64 last_work;
	u64 busy;
	struct vcoal_sample s;
};

struct sim {
	const struct sim_scenario *scen;
	const struct vcoal_policy *policy;
	struct sim_arrivals *arr;
	struct sim_result *res;
	struct frame ring[RING_MAX];
	u32 head;
	u32 fill;
	u64 now;
	u64 rng;
	u64 hold_since;		/* 0: none runs */
	u64 hold_until;
	struct vcoal_params params;
	enum vcoal_reason reason;
	u64 window_ns;		/* a window's least length */
	u32 rest;		/* polls of the window that end none */
	u64 pause_until;	/* the VM lets go; it has one queue */
	u64 trial_until;
	struct window win;
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)];
};

double sim_cost_per_frame(const struct sim_result *res)
{
	return res->frames ? (double)res->instr / res->frames : 0;
}

/* The receiver spends @instr: time passes, and all of it is paid. */
static void sim_spend(struct sim *sim, u32 instr)
{
	u64 ns = (u64)instr * sim->scen->ps_instr / 1000;

	sim->res->instr += instr;
	sim->res->busy_ns += ns;
	sim->win.busy += ns;
	sim->now += ns;
}

static void sim_admit_one(struct sim *sim)
{
	u64 when = arrivals_next(sim->arr);
	u32 source = arrivals_take(sim->arr);

	if (sim->fill == sim->scen->ring) {
		sim->res->drops++;
		arrivals_served(sim->arr, source, when + RETRY_NS);
		return;
	}
	sim->ring[(sim->head + sim->fill++) % RING_MAX] =
		(struct frame) { when, source };
	sim->res->peak = max(sim->res->peak, sim->fill);
}

static void sim_admit(struct sim *sim)
{
	while (arrivals_next(sim->arr) <= sim->now)
		sim_admit_one(sim);
}

static void sim_serve_one(struct sim *sim)
{
	const struct frame *frame = &sim->ring[sim->head];
	const struct sim_source *src = &sim->scen->sources[frame->source];
	u32 instr = sim->scen->cost.packet +
		    (u64)src->bytes * sim->scen->cost.byte256 / 256;
	u32 rx = (u64)instr * sim->scen->rx_share / 100;

	sim->head = (sim->head + 1) % RING_MAX;
	sim->fill--;
	sim->res->instr += instr - rx;
	sim_spend(sim, rx);
	sim->res->frames++;
	sim->win.s.bytes += src->bytes;
	if (src->kind == SRC_CLOSED) {
		sim->res->ops++;
		sim->res->rtt_sum += src->rtt_ns + sim->now - frame->when;
	}
	arrivals_served(sim->arr, frame->source, sim->now);
}

/* Account what waited for the hold that ends now. */
static void sim_waits(struct sim *sim, u64 released)
{
	u64 limit = (u64)sim->params.hold_ns + sim->scen->slack_ns;
	u64 wait;
	u32 i;

	for (i = 0; i < sim->fill; i++) {
		wait = released - max(sim->ring[(sim->head + i) % RING_MAX].when,
				      sim->hold_since);
		sim->res->wait_sum += wait;
		sim->res->wait_max = max(sim->res->wait_max, wait);
		if (wait > limit || (!sim->policy->unbounded &&
				     wait > (u64)sim->scen->limits.max_ns +
					    sim->scen->slack_ns))
			sim->res->over_bound++;
	}
}

static void sim_note(struct sim *sim, const struct vcoal_decision *decision)
{
	struct sim_result *res = sim->res;

	sim->reason = decision->reason;
	if (decision->params.hold_ns == sim->params.hold_ns && res->nr_steps)
		return;
	if (res->nr_steps < SIM_STEPS)
		res->steps[res->nr_steps] = (struct sim_step) {
			sim->now, decision->params.hold_ns, decision->reason
		};
	res->nr_steps++;
}

/* The VM's interrupt budget, as far as the class allows. */
static void sim_floor(const struct sim *sim, struct vcoal_decision *decision)
{
	const struct vcoal_limits *limits = &sim->scen->limits;
	u32 floor_ns;

	if (!limits->irq_rate_max || sim->policy->unbounded ||
	    sim->policy->passive)
		return;
	floor_ns = min((u32)NSEC_PER_SEC / limits->irq_rate_max,
		       limits->max_ns);
	decision->params.hold_ns = max(decision->params.hold_ns, floor_ns);
}

/* As the module's control does it. */
static void sim_clamp(struct sim *sim, struct vcoal_decision *decision)
{
	u32 guard = sim->scen->ring / 2;
	u64 fill_ns;

	if (!sim->policy->unbounded &&
	    decision->params.hold_ns > sim->scen->limits.max_ns) {
		sim->res->over_limit++;
		decision->params.hold_ns = sim->scen->limits.max_ns;
	}
	sim_floor(sim, decision);
	if (!sim->scen->frames_ok) {
		decision->params.frames = 0;
		if (!sim->win.s.frames || sim->policy->unbounded)
			return;
		fill_ns = sim->win.s.window_ns * guard / sim->win.s.frames;
		decision->params.hold_ns = min_t(u64, fill_ns,
						 decision->params.hold_ns);
	} else if (!decision->params.frames || decision->params.frames > guard) {
		decision->params.frames = guard;
	}
}

static void sim_trial(struct sim *sim, const struct vcoal_decision *decision)
{
	u64 until = sim->now + decision->trial_ns;

	if (!decision->trial_ns)
		return;
	if (decision->pause)
		sim->pause_until = max(sim->pause_until, until);
	sim->trial_until = max(sim->trial_until,
			       until + decision->pause * CALM_NS);
}

static void sim_decide(struct sim *sim)
{
	struct vcoal_limits limits = sim->scen->limits;
	struct vcoal_decision decision;

	limits.pause = sim->now < sim->pause_until;
	limits.trial = sim->now < sim->trial_until;
	decision = sim->policy->decide(sim->state, &sim->win.s, &limits);
	sim_trial(sim, &decision);
	sim_clamp(sim, &decision);
	sim_note(sim, &decision);
	sim->params = decision.params;
	sim->window_ns = vcoal_decision_window_ns(&decision);
	sim->rest = decision.params.hold_ns ? 0 : decision.rest;
}

static void sim_window(struct sim *sim)
{
	struct vcoal_sample *s = &sim->win.s;
	u64 window_ns = sim->now - sim->win.start;

	if (window_ns < sim->window_ns || s->polls <= sim->rest)
		return;
	s->window_ns = window_ns;
	s->nic_bytes = s->bytes;	/* it has one queue */
	s->ring_size = sim->scen->ring;
	s->cpu_busy = min_t(u64, 1024, sim->win.busy * 1024 / window_ns);
	s->timer_cost = sim->scen->cost.timer / 100;
	sim_decide(sim);
	sim->res->decisions++;
	if (!sim->policy->passive && sim->policy != &vcoal_policy_fixed)
		sim_spend(sim, sim->scen->cost.decide);
	memset(s, 0, sizeof(*s));
	sim->win.busy = 0;
	sim->win.start = sim->now;
}

static void sim_account(struct sim *sim, u32 frames, u64 held)
{
	struct vcoal_sample *s = &sim->win.s;

	s->polls++;
	s->full_polls += frames == SIM_BUDGET;
	s->frames += frames;
	s->ring_peak = max(s->ring_peak, frames);
	if (frames) {
		sim->res->served++;
		if (sim->win.last_work)
			s->gap_max_ns = max_t(u64, s->gap_max_ns,
					      min_t(u64, U32_MAX, sim->now -
						    sim->win.last_work));
		sim->win.last_work = sim->now;
	}
	if (held) {
		s->holds++;
		s->empty_holds += !frames;
		s->held_frames += frames;
		if (frames)
			s->delay_max_ns = max_t(u64, s->delay_max_ns, held);
	}
	sim_window(sim);
}

/* One round of NAPI: true when it used its budget and must come again. */
static bool sim_poll(struct sim *sim, u64 held)
{
	u32 frames = 0;

	sim_admit(sim);
	while (sim->fill && frames < SIM_BUDGET) {
		sim_serve_one(sim);
		sim_admit(sim);
		frames++;
	}
	sim_spend(sim, frames ? sim->scen->cost.poll : sim->scen->cost.empty);
	arrivals_polled(sim->arr, sim->now);
	sim_account(sim, frames, held);
	if (frames == SIM_BUDGET)
		return true;

	sim->hold_since = 0;
	if (frames && sim->params.hold_ns) {
		sim->hold_since = sim->now;
		sim->hold_until = sim->now + sim->params.hold_ns +
				  rng_range(&sim->rng, 0, sim->scen->slack_ns);
	}

	return false;
}

static void sim_polls(struct sim *sim, u64 held)
{
	while (sim_poll(sim, held) && sim->now < sim->scen->duration_ns)
		held = 0;
}

static void sim_irq(struct sim *sim)
{
	if (!sim->fill)
		sim->now = max(sim->now, arrivals_next(sim->arr));
	sim_admit(sim);
	sim->res->irqs++;
	sim->win.s.irqs++;
	sim_spend(sim, sim->scen->cost.irq);
	sim_polls(sim, 0);
}

static bool sim_threshold(const struct sim *sim)
{
	return sim->params.frames && sim->fill >= sim->params.frames;
}

static void sim_hold(struct sim *sim)
{
	u64 held;

	while (arrivals_next(sim->arr) <= sim->hold_until) {
		sim->now = max(sim->now, arrivals_next(sim->arr));
		sim_admit(sim);
		if (sim_threshold(sim))
			break;
	}
	if (!sim_threshold(sim))
		sim->now = max(sim->now, sim->hold_until);

	held = max_t(u64, sim->now - sim->hold_since, 1);
	sim->res->timers++;
	sim->res->empty += !sim->fill;
	sim_waits(sim, sim->now);
	sim_spend(sim, sim->scen->cost.timer);
	sim_polls(sim, held);
}

void sim_run(const struct sim_scenario *scen,
	     const struct vcoal_policy *policy, struct sim_result *res)
{
	static struct sim sim;

	sim = (struct sim) {
		.scen = scen,
		.policy = policy,
		.res = res,
		.arr = arrivals_new(scen),
		.rng = scen->seed ^ 0x5eed,
	};
	memset(res, 0, sizeof(*res));
	if (policy->init)
		policy->init(sim.state, &scen->limits);
	sim_decide(&sim);

	while (sim.now < scen->duration_ns) {
		if (sim.hold_since)
			sim_hold(&sim);
		else if (sim.fill || arrivals_next(sim.arr) < scen->duration_ns)
			sim_irq(&sim);
		else
			break;
	}
	arrivals_free(sim.arr);
}
