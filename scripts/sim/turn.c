// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic that turns, on one queue: a stream becomes a ping-pong, and a
 * ping-pong becomes a stream, at once or after a pause; or it pauses often.
 */
#include "selftest.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <math.h>
#include <stdio.h>
#include "score.h"

#define TURN_NS		(2500 * NSEC_PER_MSEC)	/* enough to come to rest */
#define AFTER_NS	(500 * NSEC_PER_MSEC)
#define FIRST_NS	(250 * NSEC_PER_MSEC)	/* before OFF tries again */
#define REACTION_NS	(10 * NSEC_PER_MSEC)
#define RESONANT_NS	(600 * NSEC_PER_MSEC)
#define HOLD_NS		(40 * NSEC_PER_MSEC)
#define SHUT_NS		(8 * NSEC_PER_SEC)
#define LONGER_NS	(20 * NSEC_PER_SEC)	/* the next check at rest */
#define HIDES_NS	(9 * LONGER_NS)		/* or some more of them */
#define BEHIND_NS	(3 * NSEC_PER_SEC)
#define BEHIND_NR	6	/* of each family, half of them after a pause */
#define PAUSES_NS	(2 * NSEC_PER_SEC)
#define PAUSES_REGRET	0.15

struct turn {
	u32 max_us;
	u32 rate;
	u32 rtt_ns;
	u64 pause_ns;
};

static const u32 rates[] = { 1000, 2000, 4000, 5000, 10000, 20000, 50000 };
static const u32 rtts_ns[] = { 20000, 50000, 59000, 150000, 400000 };
static const u64 pauses_ns[] = { 0, 30 * NSEC_PER_MSEC, NSEC_PER_SEC };

#define TURNS	(CLASSES * ARRAY_SIZE(rates) * ARRAY_SIZE(rtts_ns) *	\
		 ARRAY_SIZE(pauses_ns))

static struct sim_scenario scen;
static struct sim_result off;
static struct sim_result res;

static struct turn turn_number(u32 i)
{
	struct turn turn = { .max_us = class_us[i % CLASSES] };

	i /= CLASSES;
	turn.rate = rates[i % ARRAY_SIZE(rates)];
	i /= ARRAY_SIZE(rates);
	turn.rtt_ns = rtts_ns[i % ARRAY_SIZE(rtts_ns)];
	turn.pause_ns = pauses_ns[i / ARRAY_SIZE(rtts_ns)];

	return turn;
}

static void turn_prepare(const struct turn *turn, bool closes)
{
	u64 turn_ns = TURN_NS + turn->pause_ns;
	struct sim_source *stream, *loop;

	one_source(&scen, SRC_PACED, turn->rate, turn->max_us, HELD_OUT_SEED);
	scen.duration_ns = turn_ns + AFTER_NS;
	stream = &scen.sources[0];
	loop = scenario_add(&scen, SRC_CLOSED);
	loop->clients = 1;
	loop->rtt_ns = turn->rtt_ns;
	*(closes ? &stream->stop_ns : &loop->stop_ns) = TURN_NS;
	*(closes ? &loop->start_ns : &stream->start_ns) = turn_ns;
}

/* For how long of @ns after the turn a hold was set. */
static u64 turn_held(const struct turn *turn, u64 ns)
{
	u64 from = TURN_NS + turn->pause_ns;
	u64 begin, end, held = 0;
	u32 i;

	for (i = 0; i < res.nr_steps && i < SIM_STEPS; i++) {
		begin = max(res.steps[i].when, from);
		end = i + 1 < res.nr_steps ? res.steps[i + 1].when : SIM_NEVER;
		end = min(end, from + ns);
		if (res.steps[i].hold_ns && begin < end)
			held += end - begin;
	}

	return held;
}

/* One frame a hold before and after the turn: nothing that shows it. */
static bool turn_resonates(const struct turn *turn)
{
	return fabs(turn->max_us * turn->rate / 1e6 - 1) < 0.1;
}

/*
 * A loop of one that is slowed down must be let go of soon, and end up with
 * nearly all its round trips.
 */
void adaptive_lets_go_when_a_loop_closes(void)
{
	u64 held, limit, worst = 0;
	double kept, least = 1;
	struct turn turn;
	u32 i;

	for (i = 0; i < TURNS; i++) {
		turn = turn_number(i);
		turn_prepare(&turn, true);
		limit = REACTION_NS;
		if (turn_resonates(&turn)) {
			limit = RESONANT_NS;
			scen.duration_ns += 2 * RESONANT_NS;
		}
		sim_run(&scen, &vcoal_policy_observe, &off);
		sim_run(&scen, &vcoal_policy_adaptive, &res);
		kept = (double)res.ops / off.ops;
		held = turn_held(&turn, max(FIRST_NS, 2 * limit));
		/* A hold shorter than the answer takes slows nobody down. */
		expect(held <= limit || kept > 0.985,
		       "%u us, %u/s, answer in %u us: held for %.1f ms",
		       turn.max_us, turn.rate, turn.rtt_ns / 1000, held / 1e6);
		if (turn_resonates(&turn))
			continue;
		expect(kept >= 0.97, "%u us, %u/s, answer in %u us: %.1f %%",
		       turn.max_us, turn.rate, turn.rtt_ns / 1000, 100 * kept);
		least = fmin(least, kept);
		if (kept <= 0.985)
			worst = max(worst, held);
	}
	printf("# %zu loops: held for %.1f ms at most, %.1f %% of the round trips at least\n",
	       TURNS, worst / 1e6, 100 * least);
}

/* Round trips of half a second, behind what came before them. */
static double ops_behind(const struct vcoal_policy *policy)
{
	u64 before;

	sim_run(&scen, policy, &res);
	before = res.ops;
	scen.duration_ns += AFTER_NS;
	sim_run(&scen, policy, &res);
	scen.duration_ns -= AFTER_NS;

	return res.ops - before;
}

/* A loop of one behind a load of any family: what it keeps of its round trips. */
static double kept_behind(const struct family *family, u32 nr, u32 max_us)
{
	u64 turn_ns = BEHIND_NS + nr % 2 * AFTER_NS;
	struct sim_source *src;
	double without;

	scenario_draw(&scen, family, HELD_OUT_SEED + nr, &cost_default);
	scen.limits.max_ns = max_us * NSEC_PER_USEC;
	scen.duration_ns = turn_ns;
	for (src = scen.sources; src < scen.sources + scen.nr; src++)
		if (!src->stop_ns)
			src->stop_ns = BEHIND_NS;
	src = scenario_add(&scen, SRC_CLOSED);
	src->clients = 1;
	src->rtt_ns = rtts_ns[nr % ARRAY_SIZE(rtts_ns)];
	src->start_ns = turn_ns;
	without = ops_behind(&vcoal_policy_observe);

	return ops_behind(&vcoal_policy_adaptive) / without;
}

/* What was learned of other traffic is soon forgotten, whatever that was. */
void adaptive_lets_go_behind_any_load(void)
{
	double kept, sum, least;
	u32 c, i, n = nr_families * BEHIND_NR;

	for (c = 0; c < CLASSES; c++) {
		sum = 0;
		least = 1;
		for (i = 0; i < n; i++) {
			kept = kept_behind(&families[i / BEHIND_NR], i,
					   class_us[c]);
			expect(kept > 0.7, "%u us, behind %s: kept %.1f %%",
			       class_us[c], scen.name, 100 * kept);
			sum += kept;
			least = fmin(least, kept);
		}
		expect(sum / n > 0.97, "%u us: kept %.1f %%", class_us[c],
		       100 * sum / n);
		printf("# %u us: a loop behind %u loads kept %.1f %%, %.1f %% at least\n",
		       class_us[c], n, 100 * sum / n, 100 * least);
	}
}

/* A stream much slower or faster than the loop, and well worth a hold. */
static bool turn_shows(const struct turn *turn)
{
	double loop, share;

	one_source(&scen, SRC_CLOSED, 0, turn->max_us, HELD_OUT_SEED);
	scen.sources[0].clients = 1;
	scen.sources[0].rtt_ns = turn->rtt_ns;
	sim_run(&scen, &vcoal_policy_observe, &off);
	loop = off.ops * 1e9 / scen.duration_ns;
	share = turn->rate / loop;

	return turn->rate * turn->max_us >= 1300000 &&
	       (share < 0.6 || share > 1.7);
}

void adaptive_holds_when_a_loop_opens(void)
{
	u64 idle, worst = 0;
	struct turn turn;
	u32 i, shown = 0;

	for (i = 0; i < TURNS; i++) {
		turn = turn_number(i);
		if (!turn_shows(&turn))
			continue;
		turn_prepare(&turn, false);
		sim_run(&scen, &vcoal_policy_adaptive, &res);
		idle = FIRST_NS - turn_held(&turn, FIRST_NS);
		expect(idle <= HOLD_NS,
		       "%u us, %u/s, answer in %u us: not held for %.1f ms",
		       turn.max_us, turn.rate, turn.rtt_ns / 1000, idle / 1e6);
		worst = max(worst, idle);
		shown++;
	}
	printf("# %u streams: not held for %.1f ms at most\n", shown,
	       worst / 1e6);
}

/* How long the stream behind a loop is held for less than the bound. */
static u64 shut_ns(void)
{
	u64 full = 0;
	u32 i;

	for (i = 0; i < res.nr_steps && i < SIM_STEPS; i++) {
		full = res.steps[i].when;
		if (full >= SHUT_NS && res.steps[i].hold_ns >= scen.limits.max_ns)
			return full - SHUT_NS;
	}

	return SIM_NEVER;
}

/* What is held before the turn. */
static u32 loop_hold_ns(void)
{
	u32 i, hold_ns = 0;

	for (i = 0; i < res.nr_steps && res.steps[i].when < SHUT_NS; i++)
		hold_ns = res.steps[i].hold_ns;

	return hold_ns;
}

/*
 * A loop that bears part of the bound becomes a stream that bears all of it, and a
 * short hold pays there, too.
 */
void adaptive_holds_longer_when_a_loop_opens(void)
{
	static const u32 clients[] = { 2, 4, 8, 16, 32, 64 };
	static const u32 answers_us[] = { 200, 400, 800 };
	struct sim_source *loop, *stream;
	u64 limit, took, worst = 0;
	u32 i, hold_ns, shown = 0;
	bool hides;

	for (i = 0; i < ARRAY_SIZE(clients) * ARRAY_SIZE(answers_us) * 2; i++) {
		one_source(&scen, SRC_WINDOW, 0, class_us[2 + i % 2],
			   HELD_OUT_SEED);
		loop = &scen.sources[0];
		loop->clients = clients[i / 2 % ARRAY_SIZE(clients)];
		loop->rtt_ns = 1000 *
			answers_us[i / 2 / ARRAY_SIZE(clients)];
		loop->intra_ns = 5000;
		loop->stop_ns = SHUT_NS;
		stream = scenario_add(&scen, SRC_PACED);
		stream->rate = 20000;
		stream->start_ns = SHUT_NS;
		/* Of the same rate: it could be the loop. */
		hides = fabs(stream->rate * loop->rtt_ns / 1e9 /
			     loop->clients - 1) < 0.3;
		limit = hides ? HIDES_NS : LONGER_NS;
		scen.duration_ns = SHUT_NS + limit;
		sim_run(&scen, &vcoal_policy_adaptive, &res);
		hold_ns = loop_hold_ns();
		if (!hold_ns || hold_ns == scen.limits.max_ns)
			continue;
		took = shut_ns();
		expect(took < limit, "%u us, %u frames in %u us: %.0f ms",
		       scen.limits.max_ns / 1000, loop->clients,
		       loop->rtt_ns / 1000, took / 1e6);
		if (!hides)
			worst = max(worst, took);
		shown++;
	}
	expect(shown > 10, "only %u loops bear part of the bound", shown);
	printf("# %u loops: held as long as a stream bears %.1f s later at most\n",
	       shown, worst / 1e9);
}

/* The worst regret of streams that pause beside a trickle, in a class. */
static double pauses_regret(u32 max_us)
{
	static const double streams[] = { 5e3, 1e4, 2e4, 5e4 };
	static const double trickles[] = { 20, 100, 500, 2000 };
	static const u32 offs_ms[] = { 10, 30, 60, 100 };
	static struct verdict verdict;
	struct sim_source *stream;
	double worst = 0;
	u32 i;

	for (i = 0; i < 64; i++) {
		one_source(&scen, SRC_PACED, streams[i / 16], max_us,
			   HELD_OUT_SEED + i);
		scen.duration_ns = PAUSES_NS;
		stream = &scen.sources[0];
		stream->on_ns = 50 * NSEC_PER_MSEC;
		stream->off_ns = offs_ms[i % 4] * NSEC_PER_MSEC;
		scenario_add(&scen, SRC_PACED)->rate = trickles[i / 4 % 4];
		score_scenario(&scen, 1U << (SCORE_POLICIES - 1), &verdict);
		worst = fmax(worst, verdict.scores[SCORE_POLICIES - 1].regret);
	}

	return worst;
}

/* A trickle is not the answer to a try or a check, whenever it comes. */
void adaptive_holds_what_pauses(void)
{
	double worst;
	u32 c;

	for (c = 0; c < CLASSES; c++) {
		worst = pauses_regret(class_us[c]);
		expect(worst <= PAUSES_REGRET, "%u us: regret %.1f %%",
		       class_us[c], 100 * worst);
		printf("# %u us: regret of a stream that pauses at most %.1f %%\n",
		       class_us[c], 100 * worst);
	}
}
