// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the scores say, as text or JSON.
 */
#include "report.h"

#include <math.h>

static const char *const reasons[] = {
#define REPORT_REASON(id, word)	word,
	VCOAL_REASONS(REPORT_REASON)
#undef REPORT_REASON
};

static void text_policy(const char *name, const struct score *score)
{
	printf("    %-9s %7.0f %7.1f%% %7.1f%% %7.0f %7.2f %8.1f %7.0f %5llu %5llu\n",
	       name, score->cost, 100 * score->regret, 100 * score->slower,
	       score->irqs, score->batch, score->wait_us, score->changes,
	       (unsigned long long)score->drops,
	       (unsigned long long)score->bad);
}

static void text_verdict(const struct verdict *v, u32 policies)
{
	u32 i;

	printf("%s: bound %u us, instructions a frame: %.0f without a hold, ",
	       v->name, v->max_us, v->off_cost);
	printf("%.0f with the best fixed one (%u us)\n", v->best_cost,
	       v->best_us);
	printf("    %-9s %7s %8s %8s %7s %7s %8s %7s %5s %5s\n", "policy",
	       "instr", "regret", "slower", "irq/1k", "batch", "wait us",
	       "changes", "drops", "bad");
	for (i = 0; i < SCORE_POLICIES; i++)
		if (policies & 1U << i)
			text_policy(score_policies[i]->name, &v->scores[i]);
}

void report_text(const struct job *job)
{
	size_t i;

	for (i = 0; i < job->nr; i++)
		text_verdict(&job->verdicts[i], job->policies);
}

static void json_policy(const char *name, const struct score *s, bool first)
{
	printf("%s\"%s\": {\"instructions_per_frame\": %.1f, \"regret\": %.5f, ",
	       first ? "" : ", ", name, s->cost, s->regret);
	printf("\"slower\": %.5f, \"irqs_per_1000\": %.1f, \"batch\": %.3f, ",
	       s->slower, s->irqs, s->batch);
	printf("\"wait_us\": %.2f, \"changes\": %.0f, \"drops\": %llu, \"violations\": %llu}",
	       s->wait_us, s->changes, (unsigned long long)s->drops,
	       (unsigned long long)s->bad);
}

static void json_verdict(const struct verdict *v, u32 policies)
{
	bool first = true;
	u32 i;

	printf("{\"scenario\": \"%s\", \"max_us\": %u, \"best_us\": %u, ",
	       v->name, v->max_us, v->best_us);
	printf("\"best\": %.1f, \"off\": %.1f, \"policies\": {", v->best_cost,
	       v->off_cost);
	for (i = 0; i < SCORE_POLICIES; i++) {
		if (!(policies & 1U << i))
			continue;
		json_policy(score_policies[i]->name, &v->scores[i], first);
		first = false;
	}
	printf("}}");
}

void report_json(const struct job *job)
{
	size_t i;

	printf("[");
	for (i = 0; i < job->nr; i++) {
		printf(i ? ",\n " : "");
		json_verdict(&job->verdicts[i], job->policies);
	}
	printf("]\n");
}

double report_regret(const struct job *job, size_t from, size_t to, u32 policy)
{
	double sum = 0;
	size_t i;

	for (i = from; i < to; i++)
		sum += fmax(job->verdicts[i].scores[policy].regret, 0);

	return to > from ? sum / (to - from) : 0;
}

static double worst_regret(const struct job *job, size_t from, size_t to,
			   u32 policy)
{
	double worst = 0;
	size_t i;

	for (i = from; i < to; i++)
		worst = fmax(worst, job->verdicts[i].scores[policy].regret);

	return worst;
}

static void family_row(const struct job *job, const char *name, size_t from,
		       size_t to)
{
	u32 i;

	printf("%-10s", name);
	for (i = 0; i < SCORE_POLICIES; i++)
		if (job->policies & 1U << i)
			printf(" %7.2f /%5.1f",
			       100 * report_regret(job, from, to, i),
			       100 * worst_regret(job, from, to, i));
	printf("\n");
}

/* One row a family: mean and worst regret in percent. */
void report_families(const struct job *job, const size_t *family, u32 max_us)
{
	size_t f;
	u32 i;

	printf("regret against the best fixed hold, mean / worst, percent%s\n%-10s",
	       max_us ? "" : " (all classes)", "family");
	for (i = 0; i < SCORE_POLICIES; i++)
		if (job->policies & 1U << i)
			printf(" %14s", score_policies[i]->name);
	printf("\n");
	for (f = 0; f < nr_families; f++)
		if (family[f + 1] > family[f])
			family_row(job, families[f].name, family[f],
				   family[f + 1]);
	family_row(job, "all", 0, job->nr);
}

void report_steps(const struct sim_result *res)
{
	u32 i;

	for (i = 0; i < res->nr_steps && i < SIM_STEPS; i++)
		printf("%12.3f ms  hold %8.3f us  %s\n",
		       res->steps[i].when / 1e6, res->steps[i].hold_ns / 1e3,
		       reasons[res->steps[i].reason]);
	printf("%llu frames, %llu interrupts, %llu timers (%llu in vain), ",
	       (unsigned long long)res->frames, (unsigned long long)res->irqs,
	       (unsigned long long)res->timers,
	       (unsigned long long)res->empty);
	printf("%.0f instructions a frame, at most %.1f us held\n",
	       sim_cost_per_frame(res), res->wait_max / 1e3);
}
