// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random numbers that are the same everywhere: splitmix64.
 */
#include "sim.h"

#include <math.h>

u64 rng_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;

	return z ^ (z >> 31);
}

/* In (0, 1]: a logarithm may be taken of it. */
double rng_unit(u64 *state)
{
	return ((rng_next(state) >> 11) + 1) / 9007199254740992.0;
}

double rng_exp(u64 *state, double mean)
{
	return -mean * log(rng_unit(state));
}

u64 rng_range(u64 *state, u64 lo, u64 hi)
{
	return lo + rng_next(state) % (hi - lo + 1);
}
