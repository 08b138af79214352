/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scenarios, and what policies lose in them against the best fixed hold.
 */
#ifndef _SCORE_H
#define _SCORE_H

#include "sim.h"

#define SCORE_POLICIES	6
#define CLASSES		4
#define WORKLOAD_SOURCES	2

struct family {
	const char *name;
	void (*draw)(struct sim_scenario *scen, u64 *rng);
};

extern const struct family families[];
extern const size_t nr_families;

/**
 * struct workload - a scenario with a name
 * @name: what tables call it
 * @sources: traffic
 * @ps_instr: picoseconds per instruction of the receiver
 * @latency_bound: see struct sim_scenario
 */
struct workload {
	const char *name;
	struct sim_source sources[WORKLOAD_SOURCES];
	u32 ps_instr;
	bool latency_bound;
};

extern const struct workload catalogue[];
extern const size_t nr_catalogue;
extern const u32 class_us[CLASSES];

struct sim_source *scenario_add(struct sim_scenario *scen, enum sim_kind kind);
void scenario_of(struct sim_scenario *scen, const struct workload *load,
		 u32 max_us, u64 seed, const struct sim_cost *cost);
void scenario_init(struct sim_scenario *scen, u64 seed,
		   const struct sim_cost *cost);
bool replay_load(struct sim_scenario *scen, const char *path);
void scenario_draw(struct sim_scenario *scen, const struct family *family,
		   u64 seed, const struct sim_cost *cost);

/**
 * struct score - one policy in one scenario
 * @cost: instructions per frame
 * @regret: cost beyond the best fixed hold's, as a share of it
 * @slower: throughput lost against no hold, as a share
 * @irqs: interrupts per 1000 frames
 * @batch: frames per poll that found work
 * @wait_us: mean wait in holds of all frames
 * @changes: how often the hold changed
 * @bad: decisions beyond the limits and frames beyond bound and slack
 * @drops: frames lost, beyond those lost without a hold
 */
struct score {
	double cost;
	double regret;
	double slower;
	double irqs;
	double batch;
	double wait_us;
	double changes;
	u64 bad;
	u64 drops;
};

/**
 * struct verdict - all policies in one scenario
 * @name: the scenario's
 * @max_us: its bound
 * @best_us: the best fixed hold in hindsight
 * @best_cost: its cost per frame
 * @off_cost: cost per frame without a hold
 * @latency_bound: the scenario's
 * @scores: one a policy
 */
struct verdict {
	char name[40];
	u32 max_us;
	u32 best_us;
	double best_cost;
	double off_cost;
	bool latency_bound;
	struct score scores[SCORE_POLICIES];
};

/* In the order of the tables; the last one is ours. */
extern const struct vcoal_policy *const score_policies[SCORE_POLICIES];

#define SCORE_ALL	((1U << SCORE_POLICIES) - 1)
#define SCORE_OURS	(SCORE_POLICIES - 1)

/**
 * struct job - many scenarios, spread over processes
 * @draw: make scenario @index
 * @arg: for @draw
 * @nr: how many
 * @policies: bit mask, see score_policies
 * @jobs: processes
 * @verdicts: one a scenario, once score_all() is through
 */
struct job {
	void (*draw)(const struct job *job, size_t index,
		     struct sim_scenario *scen);
	const void *arg;
	size_t nr;
	u32 policies;
	u32 jobs;
	struct verdict *verdicts;
};

void score_all(struct job *job);
void score_free(struct job *job);

void score_scenario(const struct sim_scenario *scen, u32 policies,
		    struct verdict *verdict);

#endif /* _SCORE_H */
