// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle: every fixed hold is tried on the same traffic, the cheapest
 * that is allowed is what hindsight would have set.
 */
#include "score.h"

#include <linux/kernel.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const u32 oracle_us[] = { 0, 16, 32, 64, 128, 256, 512, 1000 };

const struct vcoal_policy *const score_policies[SCORE_POLICIES] = {
	&vcoal_policy_observe,
	&vcoal_policy_fixed,
	&vcoal_policy_rate,
	&vcoal_policy_dim,
	&vcoal_policy_aic,
	&vcoal_policy_adaptive,
};

/* Of a latency-bound load: how much of it a hold may cost. */
#define SLOWER_MAX	0.02

static double slower(const struct sim_result *res, const struct sim_result *off)
{
	return off->frames ? 1 - (double)res->frames / off->frames : 0;
}

static void run_fixed(struct sim_scenario scen, u32 us, struct sim_result *res)
{
	scen.limits.fixed.hold_ns = us * NSEC_PER_USEC;
	sim_run(&scen, &vcoal_policy_fixed, res);
}

static void find_best(const struct sim_scenario *scen,
		      const struct sim_result *off, struct verdict *verdict)
{
	static struct sim_result res;
	double cost;
	size_t i;

	verdict->off_cost = sim_cost_per_frame(off);
	verdict->best_cost = verdict->off_cost;
	for (i = 1; i < ARRAY_SIZE(oracle_us); i++) {
		if (oracle_us[i] * NSEC_PER_USEC > scen->limits.max_ns)
			break;
		run_fixed(*scen, oracle_us[i], &res);
		cost = sim_cost_per_frame(&res);
		if (scen->latency_bound && slower(&res, off) > SLOWER_MAX)
			continue;
		if (res.drops > off->drops || cost >= verdict->best_cost)
			continue;
		verdict->best_cost = cost;
		verdict->best_us = oracle_us[i];
	}
}

static void score_one(const struct sim_result *res,
		      const struct sim_result *off,
		      const struct verdict *verdict, struct score *score)
{
	double frames = fmax(res->frames, 1);

	score->cost = sim_cost_per_frame(res);
	score->regret = score->cost / verdict->best_cost - 1;
	if (verdict->latency_bound)
		score->regret = fmax(score->regret, slower(res, off));
	score->slower = slower(res, off);
	score->irqs = 1000 * res->irqs / frames;
	score->batch = frames / fmax(res->served, 1);
	score->wait_us = res->wait_sum / frames / 1000;
	score->changes = res->nr_steps - 1;
	score->bad = res->over_limit + res->over_bound;
	score->drops = res->drops - min(res->drops, off->drops);
}

/* The operator who sets the class's bound and leaves it there. */
static void score_policy(const struct sim_scenario *scen,
			 const struct vcoal_policy *policy,
			 struct sim_result *res)
{
	if (policy == &vcoal_policy_fixed)
		run_fixed(*scen, scen->limits.max_ns / NSEC_PER_USEC, res);
	else
		sim_run(scen, policy, res);
}

void score_scenario(const struct sim_scenario *scen, u32 policies,
		    struct verdict *verdict)
{
	static struct sim_result off, res;
	u32 i;

	memset(verdict, 0, sizeof(*verdict));
	memcpy(verdict->name, scen->name, sizeof(verdict->name));
	verdict->max_us = scen->limits.max_ns / NSEC_PER_USEC;
	verdict->latency_bound = scen->latency_bound;

	sim_run(scen, &vcoal_policy_observe, &off);
	find_best(scen, &off, verdict);
	score_one(&off, &off, verdict, &verdict->scores[0]);
	for (i = 1; i < SCORE_POLICIES; i++) {
		if (!(policies & 1U << i))
			continue;
		score_policy(scen, score_policies[i], &res);
		score_one(&res, &off, verdict, &verdict->scores[i]);
	}
}

static size_t score_bytes(const struct job *job)
{
	return max_t(size_t, job->nr, 1) * sizeof(*job->verdicts);
}

static void score_share(const struct job *job, u32 worker)
{
	static struct sim_scenario scen;
	size_t i;

	for (i = worker; i < job->nr; i += job->jobs) {
		job->draw(job, i, &scen);
		score_scenario(&scen, job->policies, &job->verdicts[i]);
	}
}

/* Every process takes its share and leaves it in shared memory. */
void score_all(struct job *job)
{
	int status = 0;
	u32 worker;
	pid_t pid;

	job->verdicts = mmap(NULL, score_bytes(job), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job->verdicts == MAP_FAILED)
		abort();
	for (worker = 1; worker < job->jobs; worker++) {
		pid = fork();
		if (pid < 0)
			abort();
		if (pid)
			continue;
		score_share(job, worker);
		_exit(0);
	}
	score_share(job, 0);
	for (worker = 1; worker < job->jobs; worker++)
		if (wait(&status) < 0 || status)
			abort();
}

void score_free(struct job *job)
{
	munmap(job->verdicts, score_bytes(job));
}
