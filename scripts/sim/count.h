/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many instructions does a decision take?
 */
#ifndef _COUNT_H
#define _COUNT_H

#include "sim.h"

/**
 * struct count - instructions of decide()
 * @calls: decisions counted
 * @sum: of all of them
 * @max: of the longest
 */
struct count {
	u64 calls;
	u64 sum;
	u64 max;
};

bool count_run(const struct sim_scenario *scen,
	       const struct vcoal_policy *policy, struct count *count);

#endif /* _COUNT_H */
