/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the scores say, as text or JSON.
 */
#ifndef _REPORT_H
#define _REPORT_H

#include <stdio.h>
#include "score.h"

void report_text(const struct job *job);
void report_json(const struct job *job);
void report_families(const struct job *job, const size_t *family, u32 max_us);
void report_steps(const struct sim_result *res);

/* Mean over the verdicts of [from, to) of a policy's regret, never below 0. */
double report_regret(const struct job *job, size_t from, size_t to, u32 policy);

#endif /* _REPORT_H */
