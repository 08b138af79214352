// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any load behind any other one, on one queue: what was learned of the first must
 * not cost the second much.
 */
#include "selftest.h"

#include <linux/kernel.h>
#include <math.h>
#include <stdio.h>
#include "score.h"

#define FIRST_NS	NSEC_PER_SEC
#define SECOND_NS	(500 * NSEC_PER_MSEC)

static const u64 pauses_ns[] = { 0, 60 * NSEC_PER_MSEC, 500 * NSEC_PER_MSEC };

/* Of classes: half a second is short, and longer holds take more of it to learn. */
static const double mean_max[CLASSES] = { 0.025, 0.026, 0.04, 0.068 };

/* The second load begins when the first one, and a pause, are over. */
static u64 chain(struct sim_scenario *scen, const struct sim_scenario *second,
		 u64 pause_ns)
{
	u64 turn_ns = FIRST_NS + pause_ns;
	struct sim_source *src;
	u32 i;

	for (src = scen->sources; src < scen->sources + scen->nr; src++)
		if (!src->stop_ns || src->stop_ns > FIRST_NS)
			src->stop_ns = FIRST_NS;
	for (i = 0; i < second->nr; i++) {
		src = scenario_add(scen, second->sources[i].kind);
		*src = second->sources[i];
		src->start_ns += turn_ns;
		if (src->stop_ns)
			src->stop_ns += turn_ns;
	}

	return turn_ns;
}

/* Regret of the second load, against the best fixed hold of it alone. */
static double regret_behind(const struct family *first,
			    const struct family *second, u32 nr, u32 max_us)
{
	static struct sim_result before, after, off;
	static struct sim_scenario scen, alone;
	static struct verdict verdict;
	double frames, cost, slower;

	scenario_draw(&alone, second, HELD_OUT_SEED + 2 * nr, &cost_default);
	alone.limits.max_ns = max_us * NSEC_PER_USEC;
	alone.duration_ns = SECOND_NS;
	score_scenario(&alone, 0, &verdict);
	sim_run(&alone, &vcoal_policy_observe, &off);

	scenario_draw(&scen, first, HELD_OUT_SEED + 2 * nr + 1, &cost_default);
	scen.limits.max_ns = alone.limits.max_ns;
	scen.duration_ns = chain(&scen, &alone,
				 pauses_ns[nr % ARRAY_SIZE(pauses_ns)]);
	sim_run(&scen, &vcoal_policy_adaptive, &before);
	scen.duration_ns += SECOND_NS;
	sim_run(&scen, &vcoal_policy_adaptive, &after);

	frames = fmax(after.frames - before.frames, 1);
	cost = (after.instr - before.instr) / frames;
	slower = 1 - frames / fmax(off.frames, 1);

	return fmax(cost / verdict.best_cost - 1,
		    alone.latency_bound ? slower : 0);
}

void adaptive_serves_any_load_behind_any(void)
{
	u32 c, i, pairs = nr_families * nr_families;
	double sum;

	for (c = 0; c < CLASSES; c++) {
		for (i = 0, sum = 0; i < pairs; i++)
			sum += regret_behind(&families[i / nr_families],
					     &families[i % nr_families], i,
					     class_us[c]);
		expect(sum / pairs <= mean_max[c], "%u us: regret %.1f %%",
		       class_us[c], 100 * sum / pairs);
		printf("# %u us: regret of %u loads, each behind each, %.1f %%\n",
		       class_us[c], pairs, 100 * sum / pairs);
	}
}
