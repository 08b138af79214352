// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions of decide(), counted by single-stepping the processor: with the
 * trap flag set every instruction ends in a SIGTRAP.
 */
#include "count.h"

#include <linux/kernel.h>
#include <signal.h>
#include <string.h>

#define COUNT_CALLS	1000	/* a step costs a microsecond */

static const struct vcoal_policy *counted;
static struct count *counting;
static volatile sig_atomic_t steps;

static void count_step(int sig)
{
	steps++;
}

#ifdef __x86_64__
/* 128 bytes below the stack pointer belong to the compiler. */
#define COUNT_FLAGS(op)							\
	asm volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\t" op		\
		     "\n\tpopfq\n\tlea 128(%%rsp), %%rsp" ::: "memory", "cc")
#define count_on()	COUNT_FLAGS("orl $0x100, (%%rsp)")
#define count_off()	COUNT_FLAGS("andl $~0x100, (%%rsp)")
#else
#define count_on()	do { } while (0)
#define count_off()	do { } while (0)
#endif

/* What calling and stepping itself takes: steps of a decision that is none. */
static struct vcoal_decision count_nothing(void *state,
					   const struct vcoal_sample *sample,
					   const struct vcoal_limits *limits)
{
	return (struct vcoal_decision) {};
}

static u32 count_steps(const struct vcoal_policy *policy, void *state,
		       const struct vcoal_sample *sample,
		       const struct vcoal_limits *limits,
		       struct vcoal_decision *decision)
{
	steps = 0;
	count_on();
	*decision = policy->decide(state, sample, limits);
	count_off();

	return steps;
}

static struct vcoal_decision count_decide(void *state,
					  const struct vcoal_sample *sample,
					  const struct vcoal_limits *limits)
{
	static const struct vcoal_policy nothing = { .decide = count_nothing };
	struct vcoal_decision decision;
	u32 taken;

	if (counting->calls >= COUNT_CALLS)
		return counted->decide(state, sample, limits);

	taken = count_steps(counted, state, sample, limits, &decision);
	taken -= min(taken, count_steps(&nothing, state, sample, limits,
					&(struct vcoal_decision) {}));
	counting->calls++;
	counting->sum += taken;
	counting->max = max_t(u64, counting->max, taken);

	return decision;
}

/**
 * count_run() - run a scenario and count what its decisions take
 * @scen: traffic
 * @policy: whose decisions
 * @count: added to
 *
 * Return: false where the processor does not single-step for us
 */
bool count_run(const struct sim_scenario *scen,
	       const struct vcoal_policy *policy, struct count *count)
{
	struct sigaction action = { .sa_handler = count_step };
	struct vcoal_policy wrapped = *policy;
	static struct sim_result res;
	struct sigaction old;

	counted = policy;
	counting = count;
	wrapped.decide = count_decide;
	sigaction(SIGTRAP, &action, &old);
	sim_run(scen, &wrapped, &res);
	sigaction(SIGTRAP, &old, NULL);

	return count->max;
}
