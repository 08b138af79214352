/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTEST_H
#define _SELFTEST_H

#include <stdbool.h>
#include "sim.h"

#define HELD_OUT_SEED	20261

int selftest(u32 jobs);

/* What cases are made of. */
void expect(bool good, const char *format, ...);
void one_source(struct sim_scenario *to, enum sim_kind kind, double rate,
		u32 max_us, u64 seed);

/* Cases; rest.c */
void adaptive_rests_when_steady(void);
void adaptive_rests_for_minutes(void);

/* behind.c */
void adaptive_serves_any_load_behind_any(void);

/* turn.c */
void adaptive_lets_go_when_a_loop_closes(void);
void adaptive_lets_go_behind_any_load(void);
void adaptive_holds_when_a_loop_opens(void);
void adaptive_holds_longer_when_a_loop_opens(void);
void adaptive_holds_what_pauses(void);

#endif /* _SELFTEST_H */
