/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One queue, its traffic and its receiver, in simulated time.
 */
#ifndef _SIM_H
#define _SIM_H

#include <linux/time64.h>
#include <linux/types.h>
#include <vcoal/policy.h>

#define SIM_NEVER	UINT64_MAX
#define SIM_SOURCES	8
#define SIM_BUDGET	64	/* NAPI's */
#define SIM_STEPS	4096	/* changes of the hold that are remembered */

/* Instructions an event costs; see cost_default for where they come from. */
struct sim_cost {
	u32 irq;
	u32 timer;
	u32 poll;	/* a poll that found work, with the wake-up behind it */
	u32 empty;	/* a poll that found none */
	u32 packet;	/* sender and receiver */
	u32 byte256;	/* per 256 bytes of payload */
	u32 decide;
};

enum sim_kind {
	SRC_PACED,
	SRC_POISSON,
	SRC_BURST,
	SRC_PARETO,
	SRC_CLOSED,
	SRC_WINDOW,
	SRC_MESSAGE,
	SRC_TRACE,
};

/**
 * struct sim_source - where frames come from
 * @kind: arrival process
 * @rate: frames per second (open kinds)
 * @jitter: percent of the gap (paced, bursts)
 * @burst: frames a burst, or a message
 * @intra_ns: gap within these, or on the link (window)
 * @on_ns: gate: open for so long
 * @off_ns: gate: then closed for so long; 0 is no gate
 * @start_ns: first arrival not before
 * @stop_ns: none from here on; 0 is never
 * @clients: outstanding requests (closed) or frames (window)
 * @rtt_ns: from service to the next arrival (of a message: half of it)
 * @think_ns: mean of an exponential pause on top
 * @bytes: payload of a frame
 * @shape: Pareto's alpha, in hundredths
 * @trace: arrival times
 * @trace_len: how many
 */
struct sim_source {
	enum sim_kind kind;
	double rate;
	u32 jitter;
	u32 burst;
	u32 intra_ns;
	u64 on_ns;
	u64 off_ns;
	u64 start_ns;
	u64 stop_ns;
	u32 clients;
	u32 rtt_ns;
	u32 think_ns;
	u32 bytes;
	u32 shape;
	const u64 *trace;
	size_t trace_len;
};

/**
 * struct sim_scenario - everything but the policy
 * @name: what tables call it
 * @seed: of all its random numbers
 * @duration_ns: end
 * @limits: of the queue
 * @ring: descriptors
 * @frames_ok: the device has a frames threshold
 * @slack_ns: a timer is late by 0..slack
 * @ps_instr: picoseconds per instruction of the receiver
 * @rx_share: percent of a packet's cost that the receiver pays
 * @latency_bound: only holds that keep 98 % of the throughput count as good
 * @sources: traffic
 * @nr: how many
 */
struct sim_scenario {
	char name[40];
	u64 seed;
	u64 duration_ns;
	struct vcoal_limits limits;
	u32 ring;
	bool frames_ok;
	u32 slack_ns;
	u32 ps_instr;
	u32 rx_share;
	bool latency_bound;
	struct sim_source sources[SIM_SOURCES];
	u32 nr;
	struct sim_cost cost;
};

/* The hold from @when on. */
struct sim_step {
	u64 when;
	u32 hold_ns;
	enum vcoal_reason reason;
};

/**
 * struct sim_result - what a policy made of a scenario
 * @irqs: interrupts
 * @timers: holds that ended
 * @empty: of these, with nothing to release
 * @served: polls that found work
 * @frames: frames served
 * @drops: frames lost in a full ring
 * @decisions: windows
 * @over_limit: decisions beyond the limits
 * @over_bound: frames that waited beyond bound and slack
 * @instr: all instructions
 * @busy_ns: receiver's
 * @wait_sum: ns that frames waited in holds
 * @wait_max: longest of them
 * @peak: most frames in the ring
 * @ops: round trips of closed sources
 * @rtt_sum: their sum in ns
 * @steps: how the hold changed
 * @nr_steps: how often; only the first SIM_STEPS are kept
 */
struct sim_result {
	u64 irqs;
	u64 timers;
	u64 empty;
	u64 served;
	u64 frames;
	u64 drops;
	u64 decisions;
	u64 over_limit;
	u64 over_bound;
	u64 instr;
	u64 busy_ns;
	u64 wait_sum;
	u64 wait_max;
	u64 peak;
	u64 ops;
	u64 rtt_sum;
	struct sim_step steps[SIM_STEPS];
	u32 nr_steps;
};

/* gen.c */
struct sim_arrivals;

struct sim_arrivals *arrivals_new(const struct sim_scenario *scen);
void arrivals_free(struct sim_arrivals *arr);
u64 arrivals_next(const struct sim_arrivals *arr);
u32 arrivals_take(struct sim_arrivals *arr);
void arrivals_served(struct sim_arrivals *arr, u32 source, u64 now);
void arrivals_polled(struct sim_arrivals *arr, u64 now);

/* sim.c */
extern const struct sim_cost cost_default;

void sim_run(const struct sim_scenario *scen,
	     const struct vcoal_policy *policy, struct sim_result *res);
double sim_cost_per_frame(const struct sim_result *res);

/* rng.c: splitmix64 */
u64 rng_next(u64 *state);
double rng_unit(u64 *state);
double rng_exp(u64 *state, double mean);
u64 rng_range(u64 *state, u64 lo, u64 hi);

#endif /* _SIM_H */
