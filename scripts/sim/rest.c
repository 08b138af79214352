// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic that does not change, and a policy that should not either.
 */
#include "selftest.h"

#include <linux/kernel.h>
#include <math.h>
#include <stdio.h>
#include "score.h"

#define REST_FROM_NS	(6 * NSEC_PER_SEC)
#define REST_NS		(10 * NSEC_PER_SEC)
#define MINUTES_NS	(120 * NSEC_PER_SEC)
#define CHECKS_MAX	(MINUTES_NS / (10 * NSEC_PER_SEC))

static struct sim_scenario scen;
static struct sim_result res;

static u32 changes_after(u64 when)
{
	u32 changes = 0;
	u32 i;

	for (i = 0; i < res.nr_steps && i < SIM_STEPS; i++)
		changes += res.steps[i].when > when;

	return changes;
}

/* One frame a hold: a stream whose gap is the hold, or a loop of one? */
static bool resonates(void)
{
	double gaps = scen.limits.max_ns * scen.sources[0].rate / 1e9;

	return scen.sources[0].kind != SRC_BURST && fabs(gaps - 1) < 0.1;
}

void adaptive_rests_when_steady(void)
{
	static const enum sim_kind kinds[] = {
		SRC_PACED, SRC_BURST, SRC_CLOSED, SRC_POISSON,
	};
	static const double rates[] = { 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5 };
	u32 k, r, c, changes, calm = 0, all = 0;

	for (k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (r = 0; r < ARRAY_SIZE(rates) * CLASSES; r++) {
			c = r % CLASSES;
			one_source(&scen, kinds[k], rates[r / CLASSES],
				   class_us[c], HELD_OUT_SEED + r);
			scen.duration_ns = REST_FROM_NS + REST_NS;
			scen.sources[0].clients = 1 + 3 * (c & 1);
			scen.sources[0].rtt_ns = 1e9 / rates[r / CLASSES] *
						 scen.sources[0].clients;
			sim_run(&scen, &vcoal_policy_adaptive, &res);
			changes = changes_after(REST_FROM_NS);
			expect(!changes || kinds[k] == SRC_POISSON ||
			       resonates(), "kind %u, %.0f/s, %u us: %u changes",
			       kinds[k], rates[r / CLASSES], class_us[c],
			       changes);
			calm += !changes;
			all++;
		}
	}
	/* Chance alone moves Poisson traffic that is near break-even. */
	expect(calm * 20 >= all * 19, "only %u of %u rest", calm, all);
	printf("# %u of %u rest for 10 s\n", calm, all);
}

/* Checks go on for as long as a queue does: rarely, each of two changes. */
void adaptive_rests_for_minutes(void)
{
	static const double rates[] = { 5e3, 2e4, 5e4 };
	u32 r, c, changes, most = 0;

	for (r = 0; r < ARRAY_SIZE(rates); r++) {
		for (c = 0; c < CLASSES; c++) {
			one_source(&scen, SRC_PACED, rates[r], class_us[c], r);
			scen.duration_ns = REST_FROM_NS + MINUTES_NS;
			sim_run(&scen, &vcoal_policy_adaptive, &res);
			changes = changes_after(REST_FROM_NS);
			expect(changes <= 2 * CHECKS_MAX,
			       "%.0f/s, %u us: %u changes in 2 minutes",
			       rates[r], class_us[c], changes);
			most = max(most, changes);
		}
	}
	printf("# at most %u changes in 2 minutes\n", most);
}
