// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsim: the module's policies in simulated time.
 */
#include "report.h"
#include "selftest.h"

#include <linux/kernel.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct options {
	u64 seed;
	u32 nr;
	u32 jobs;
	u32 max_us;
	bool json;
	bool verbose;
	const char *family;
	const char *policy;
	struct sim_cost cost;
	size_t from[16];	/* first scenario of each family */
};

static int usage(FILE *to, int status)
{
	fprintf(to,
		"vsim - what would this policy have cost?\n"
		"\n"
		"  vsim random              many scenarios of all families, held against\n"
		"                           the best fixed hold in hindsight\n"
		"  vsim catalogue           the lab's workloads, each in every class\n"
		"  vsim show NAME           how the hold changes in one of these, as\n"
		"                           the tables name it (paced-10k, mix-1000453)\n"
		"  vsim replay FILE         the same for recorded arrivals: lines of\n"
		"                           \"ns frames [bytes]\", \"-\" is stdin (see vrecord)\n"
		"  vsim selftest            KTAP\n"
		"\n"
		"  -n NR      scenarios a family (20)      -s SEED    (1)\n"
		"  -f FAMILY  only this one                -j JOBS    processes (2)\n"
		"  -c US      bound of the class           -p POLICY  only this one\n"
		"  -C irq=6900,timer=1500,poll=7700,empty=700,packet=22000,byte256=512,decide=300\n"
		"             instructions that events cost\n"
		"  -J         JSON                         -v         every scenario\n");

	return status;
}

static const struct cost_field {
	const char *name;
	size_t offset;
} cost_fields[] = {
	{ "irq",	offsetof(struct sim_cost, irq) },
	{ "timer",	offsetof(struct sim_cost, timer) },
	{ "poll",	offsetof(struct sim_cost, poll) },
	{ "empty",	offsetof(struct sim_cost, empty) },
	{ "packet",	offsetof(struct sim_cost, packet) },
	{ "byte256",	offsetof(struct sim_cost, byte256) },
	{ "decide",	offsetof(struct sim_cost, decide) },
};

static bool parse_one_cost(char *word, struct sim_cost *cost)
{
	char *value = strchr(word, '=');
	size_t i;

	if (!value)
		return false;
	*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(cost_fields); i++) {
		if (strcmp(word, cost_fields[i].name))
			continue;
		*(u32 *)((char *)cost + cost_fields[i].offset) =
			strtoul(value, NULL, 0);
		return true;
	}

	return false;
}

static bool parse_cost(char *list, struct sim_cost *cost)
{
	char *word;

	for (word = strtok(list, ","); word; word = strtok(NULL, ","))
		if (!parse_one_cost(word, cost))
			return false;

	return true;
}

static bool parse(int argc, char **argv, struct options *opt)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:f:j:c:p:C:Jv")) != -1) {
		switch (c) {
		case 'n':
			opt->nr = max(atoi(optarg), 1);
			break;
		case 's':
			opt->seed = strtoull(optarg, NULL, 0);
			break;
		case 'f':
			opt->family = optarg;
			break;
		case 'j':
			opt->jobs = clamp(atoi(optarg), 1, 64);
			break;
		case 'c':
			opt->max_us = clamp(atoi(optarg), 1, 10000);
			break;
		case 'p':
			opt->policy = optarg;
			break;
		case 'C':
			if (!parse_cost(optarg, &opt->cost))
				return false;
			break;
		case 'J':
			opt->json = true;
			break;
		case 'v':
			opt->verbose = true;
			break;
		default:
			return false;
		}
	}

	return true;
}

static u32 wanted_policies(const struct options *opt)
{
	u32 i;

	if (!opt->policy)
		return SCORE_ALL;
	for (i = 0; i < SCORE_POLICIES; i++)
		if (!strcmp(score_policies[i]->name, opt->policy))
			return 1U << i;

	return 0;
}

static void draw_random(const struct job *job, size_t index,
			struct sim_scenario *scen)
{
	const struct options *opt = job->arg;
	size_t f = 0;

	while (index >= opt->from[f + 1])
		f++;
	scenario_draw(scen, &families[f],
		      opt->seed * 1000003 + f * opt->nr + index - opt->from[f],
		      &opt->cost);
	if (opt->max_us)
		scen->limits.max_ns = opt->max_us * NSEC_PER_USEC;
}

static int run_random(struct options *opt)
{
	struct job job = {
		.draw = draw_random,
		.arg = opt,
		.policies = wanted_policies(opt),
		.jobs = opt->jobs,
	};
	size_t f;

	for (f = 0; f < nr_families; f++) {
		opt->from[f] = job.nr;
		if (!opt->family || !strcmp(opt->family, families[f].name))
			job.nr += opt->nr;
	}
	opt->from[f] = job.nr;
	if (!job.nr || !job.policies)
		return usage(stderr, 2);

	score_all(&job);
	if (opt->json)
		report_json(&job);
	else if (opt->verbose)
		report_text(&job);
	if (!opt->json)
		report_families(&job, opt->from, opt->max_us);
	score_free(&job);

	return 0;
}

static void draw_catalogue(const struct job *job, size_t index,
			   struct sim_scenario *scen)
{
	const struct options *opt = job->arg;
	u32 max_us = class_us[index / nr_catalogue % CLASSES];

	scenario_of(scen, &catalogue[index % nr_catalogue],
		    opt->max_us ? opt->max_us : max_us, opt->seed, &opt->cost);
}

static int run_and_report(struct job *job, const struct options *opt)
{
	score_all(job);
	if (opt->json)
		report_json(job);
	else
		report_text(job);
	score_free(job);

	return 0;
}

static int run_catalogue(const struct options *opt)
{
	struct job job = {
		.draw = draw_catalogue,
		.arg = opt,
		.nr = nr_catalogue * (opt->max_us ? 1 : CLASSES),
		.policies = wanted_policies(opt),
		.jobs = opt->jobs,
	};

	if (!job.policies)
		return usage(stderr, 2);
	return run_and_report(&job, opt);
}

static bool find_scenario(const struct options *opt, const char *name,
			  struct sim_scenario *scen)
{
	const char *dash = strrchr(name, '-');
	u32 max_us = opt->max_us ? opt->max_us : 64;
	size_t i;

	for (i = 0; i < nr_catalogue; i++) {
		if (strcmp(name, catalogue[i].name))
			continue;
		scenario_of(scen, &catalogue[i], max_us, opt->seed, &opt->cost);
		return true;
	}
	for (i = 0; dash && i < nr_families; i++) {
		if (strncmp(name, families[i].name, dash - name) ||
		    families[i].name[dash - name])
			continue;
		scenario_draw(scen, &families[i], strtoull(dash + 1, NULL, 10),
			      &opt->cost);
		if (opt->max_us)
			scen->limits.max_ns = max_us * NSEC_PER_USEC;
		return true;
	}

	return false;
}

static int run_show(const struct options *opt, const char *name)
{
	static struct sim_scenario scen;
	static struct sim_result res;
	u32 policies = wanted_policies(opt);
	u32 i;

	if (!name || !policies || !find_scenario(opt, name, &scen))
		return usage(stderr, 2);
	for (i = 0; i < SCORE_POLICIES; i++) {
		if (!(policies & 1U << i) || !i)
			continue;
		printf("%s under %s, bound %llu us\n", scen.name,
		       score_policies[i]->name, (unsigned long long)
		       scen.limits.max_ns / NSEC_PER_USEC);
		sim_run(&scen, score_policies[i], &res);
		report_steps(&res);
	}

	return 0;
}

static void draw_replay(const struct job *job, size_t index,
			struct sim_scenario *scen)
{
	*scen = *(const struct sim_scenario *)job->arg;
}

static int run_replay(const struct options *opt, const char *path)
{
	static struct sim_scenario scen;
	struct job job = {
		.draw = draw_replay,
		.arg = &scen,
		.nr = 1,
		.policies = wanted_policies(opt),
		.jobs = 1,
	};

	if (!path || !job.policies)
		return usage(stderr, 2);
	scenario_init(&scen, opt->seed, &opt->cost);
	scen.limits.max_ns = (opt->max_us ? opt->max_us : 64) * NSEC_PER_USEC;
	if (!replay_load(&scen, path))
		return 1;
	return run_and_report(&job, opt);
}

int main(int argc, char **argv)
{
	struct options opt = {
		.seed = 1,
		.nr = 20,
		.jobs = 2,
		.cost = cost_default,
	};
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "help") || !strcmp(verb, "-h"))
		return usage(stdout, 0);
	if (argc < 2 || !parse(argc - 1, argv + 1, &opt))
		return usage(stderr, 2);
	argv += 1 + optind;

	if (!strcmp(verb, "random"))
		return run_random(&opt);
	if (!strcmp(verb, "catalogue"))
		return run_catalogue(&opt);
	if (!strcmp(verb, "show"))
		return run_show(&opt, *argv);
	if (!strcmp(verb, "replay"))
		return run_replay(&opt, *argv);
	if (!strcmp(verb, "selftest") || !strcmp(verb, "--selftest"))
		return selftest(opt.jobs);

	return usage(stderr, 2);
}
