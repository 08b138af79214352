// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenarios: families drawn at random from a seed, and a fixed catalogue.
 */
#include "score.h"

#include <linux/kernel.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const u32 class_us[CLASSES] = { 16, 64, 256, 1000 };

static double log_range(u64 *rng, double lo, double hi)
{
	return lo * pow(hi / lo, rng_unit(rng));
}

static u32 pick(u64 *rng, const u32 *of, size_t n)
{
	return of[rng_next(rng) % n];
}

/* What the receiver can serve, frames a second, with headroom. */
static double capacity(const struct sim_scenario *scen)
{
	const struct sim_cost *cost = &scen->cost;
	double instr = cost->packet * scen->rx_share / 100.0 + cost->irq +
		       cost->poll;

	return 0.8e12 / (instr * scen->ps_instr);
}

static double open_rate(const struct sim_scenario *scen, u64 *rng)
{
	return log_range(rng, 500, fmin(150e3, capacity(scen)));
}

struct sim_source *scenario_add(struct sim_scenario *scen, enum sim_kind kind)
{
	struct sim_source *src = &scen->sources[scen->nr++];

	*src = (struct sim_source) { .kind = kind, .bytes = 64 };

	return src;
}

static void draw_paced(struct sim_scenario *scen, u64 *rng)
{
	static const u32 jitter[] = { 0, 2, 5, 20 };
	struct sim_source *src = scenario_add(scen, SRC_PACED);

	src->rate = open_rate(scen, rng);
	src->jitter = pick(rng, jitter, ARRAY_SIZE(jitter));
}

static void draw_poisson(struct sim_scenario *scen, u64 *rng)
{
	scenario_add(scen, SRC_POISSON)->rate = open_rate(scen, rng);
}

static void draw_burst(struct sim_scenario *scen, u64 *rng)
{
	static const u32 sizes[] = { 4, 16, 64 };
	struct sim_source *src = scenario_add(scen, SRC_BURST);

	src->burst = pick(rng, sizes, ARRAY_SIZE(sizes));
	src->intra_ns = log_range(rng, 500, 50e3);
	src->rate = fmin(open_rate(scen, rng), 0.5e9 / src->intra_ns);
	src->jitter = rng_range(rng, 0, 50);
}

static void draw_pareto(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, SRC_PARETO);

	src->rate = open_rate(scen, rng);
	src->shape = rng_range(rng, 120, 190);
}

static enum sim_kind paced_or_poisson(u64 *rng)
{
	return rng_next(rng) & 1 ? SRC_PACED : SRC_POISSON;
}

static void draw_onoff(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, paced_or_poisson(rng));

	src->rate = fmax(open_rate(scen, rng), 5000);
	src->on_ns = 50 * NSEC_PER_MSEC;
	src->off_ns = 50 * NSEC_PER_MSEC;
	scenario_add(scen, SRC_PACED)->rate = log_range(rng, 10, 5000);
}

static void draw_step(struct sim_scenario *scen, u64 *rng)
{
	enum sim_kind kind = paced_or_poisson(rng);
	struct sim_source *src = scenario_add(scen, kind);

	src->rate = open_rate(scen, rng);
	src->stop_ns = scen->duration_ns / 2;
	src = scenario_add(scen, kind);
	src->rate = open_rate(scen, rng);
	src->start_ns = scen->duration_ns / 2;
}

static void draw_pingpong(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, SRC_CLOSED);

	src->clients = 1;
	src->rtt_ns = log_range(rng, 15e3, 1e6);
	src->think_ns = rng_next(rng) & 1 ? 0 : src->rtt_ns / 4;
	src->bytes = log_range(rng, 1, 65536);
	scen->latency_bound = true;
}

static void draw_closed(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, SRC_CLOSED);

	src->clients = log_range(rng, 2, 65);
	src->rtt_ns = log_range(rng, 30e3, 2e6);
	src->think_ns = rng_next(rng) & 1 ? 0 : src->rtt_ns / 2;
	scen->latency_bound = true;
}

static void draw_window(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, SRC_WINDOW);

	src->clients = log_range(rng, 4, 200);
	src->rtt_ns = log_range(rng, 30e3, 2e6);
	src->bytes = rng_next(rng) & 1 ? 1448 : 65160;
	src->intra_ns = src->bytes == 1448 ? log_range(rng, 1200, 50e3) :
					     log_range(rng, 13e3, 500e3);
	scen->latency_bound = true;
}

/* Large messages, to and fro. */
static void draw_message(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, SRC_MESSAGE);

	src->burst = log_range(rng, 4, 65);
	src->intra_ns = log_range(rng, 1200, 30e3);
	src->rtt_ns = log_range(rng, 100e3, 4e6);
	src->bytes = 1448;
	scen->latency_bound = true;
}

/* Mostly bulk, and one that waits for answers. */
static void draw_mix(struct sim_scenario *scen, u64 *rng)
{
	struct sim_source *src = scenario_add(scen, paced_or_poisson(rng));

	src->rate = fmin(log_range(rng, 40e3, 150e3), capacity(scen));
	src->jitter = 5;
	src = scenario_add(scen, SRC_CLOSED);
	src->clients = 1;
	src->rtt_ns = log_range(rng, 50e3, 500e3);
}

const struct family families[] = {
	{ "paced",	draw_paced },
	{ "poisson",	draw_poisson },
	{ "burst",	draw_burst },
	{ "pareto",	draw_pareto },
	{ "onoff",	draw_onoff },
	{ "step",	draw_step },
	{ "pingpong",	draw_pingpong },
	{ "closed",	draw_closed },
	{ "window",	draw_window },
	{ "message",	draw_message },
	{ "mix",	draw_mix },
};

const size_t nr_families = ARRAY_SIZE(families);

/* A scenario with a receiver and limits, still without traffic. */
void scenario_init(struct sim_scenario *scen, u64 seed,
		   const struct sim_cost *cost)
{
	*scen = (struct sim_scenario) {
		.seed = seed,
		.duration_ns = NSEC_PER_SEC,
		.limits.max_ns = 64 * NSEC_PER_USEC,
		.ring = 256,
		.slack_ns = 2000,
		.ps_instr = 200,
		.rx_share = 50,
		.cost = *cost,
	};
}

void scenario_draw(struct sim_scenario *scen, const struct family *family,
		   u64 seed, const struct sim_cost *cost)
{
	static const u32 ps_instr[] = { 100, 200, 400 };
	static const u32 rings[] = { 256, 512, 1024 };
	u64 rng = seed;

	scenario_init(scen, seed, cost);
	scen->limits.max_ns = pick(&rng, class_us, CLASSES) * NSEC_PER_USEC;
	scen->ps_instr = pick(&rng, ps_instr, ARRAY_SIZE(ps_instr));
	scen->ring = pick(&rng, rings, ARRAY_SIZE(rings));
	scen->slack_ns = rng_range(&rng, 0, 5000);
	scen->duration_ns = log_range(&rng, 0.4e9, 2e9);
	family->draw(scen, &rng);
	snprintf(scen->name, sizeof(scen->name), "%s-%llu", family->name,
		 (unsigned long long)seed);
}

#define PACED(kpps)	{ .kind = SRC_PACED, .rate = (kpps) * 1000,	\
			  .jitter = 2, .bytes = 64 }
#define BURSTS(size)	{ .kind = SRC_BURST, .rate = 10000,		\
			  .burst = (size), .intra_ns = 12000,		\
			  .jitter = 5, .bytes = 64 }
#define PAIRS(nr)	{ .kind = SRC_CLOSED, .clients = (nr),		\
			  .rtt_ns = 53000, .bytes = 64 }
#define TCP(size, gap)	{ .kind = SRC_WINDOW, .clients = 64,		\
			  .rtt_ns = 100000, .intra_ns = (gap), .bytes = (size) }

/*
 * The lab's workloads. As there, sender and receiver share a slow CPU where
 * pairs or bulk are concerned; the others leave it room.
 */
const struct workload catalogue[] = {
	{ "paced-1k",	{ PACED(1) }, 1000 },
	{ "paced-2k",	{ PACED(2) }, 1000 },
	{ "paced-5k",	{ PACED(5) }, 1000 },
	{ "paced-8k",	{ PACED(8) }, 1000 },
	{ "paced-10k",	{ PACED(10) }, 1000 },
	{ "paced-20k",	{ PACED(20) }, 1000 },
	{ "paced-40k",	{ PACED(40) }, 200 },
	{ "burst-4",	{ BURSTS(4) }, 1000 },
	{ "burst-16",	{ BURSTS(16) }, 1000 },
	{ "burst-64",	{ BURSTS(64) }, 1000 },
	{ "saturation",	{ PACED(200) }, 1000 },
	{ "tcp-1448",	{ TCP(1448, 20000) }, 400 },
	{ "tcp-64k",	{ TCP(65160, 60000) }, 400 },
	{ "pingpong",	{ PAIRS(1) }, 200, true },
	{ "pairs-8",	{ PAIRS(8) }, 1000, true },
	{ "pairs-64",	{ PAIRS(64) }, 1000, true },
	{ "mix",	{ PACED(60), PAIRS(1) }, 200 },
	{ "onoff",	{ { .kind = SRC_PACED, .rate = 40000, .bytes = 64,
			    .on_ns = 50 * NSEC_PER_MSEC,
			    .off_ns = 50 * NSEC_PER_MSEC } }, 200 },
};

const size_t nr_catalogue = ARRAY_SIZE(catalogue);

void scenario_of(struct sim_scenario *scen, const struct workload *load,
		 u32 max_us, u64 seed, const struct sim_cost *cost)
{
	u32 i;

	scenario_init(scen, seed, cost);
	scen->duration_ns = 2 * NSEC_PER_SEC;
	scen->limits.max_ns = max_us * NSEC_PER_USEC;
	scen->ps_instr = load->ps_instr;
	scen->latency_bound = load->latency_bound;
	for (i = 0; i < WORKLOAD_SOURCES && load->sources[i].bytes; i++)
		scen->sources[scen->nr++] = load->sources[i];
	snprintf(scen->name, sizeof(scen->name), "%s@%u", load->name, max_us);
}
