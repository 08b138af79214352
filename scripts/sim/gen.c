// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traffic: open sources that know their next arrival, closed ones that answer
 * what was served, merged in one heap of arrivals to come.
 */
#include "sim.h"

#include <linux/minmax.h>
#include <math.h>
#include <stdlib.h>

struct arrival {
	u64 when;
	u32 source;
};

/* The running state of one source. */
struct running {
	u64 rng;
	double next;	/* open: last planned arrival */
	u32 left;	/* frames left of the burst or message */
	bool answer;	/* message: the next is an answer of one frame */
	u32 unacked;	/* window: served, not yet acknowledged */
	u64 link_free;	/* window: when the link can send again */
	size_t pos;	/* trace */
};

struct sim_arrivals {
	const struct sim_scenario *scen;
	struct running run[SIM_SOURCES];
	struct arrival *heap;
	size_t len;
	size_t room;
};

static void heap_push(struct sim_arrivals *arr, u64 when, u32 source)
{
	size_t i;

	if (arr->len == arr->room) {
		arr->room = arr->room ? 2 * arr->room : 64;
		arr->heap = realloc(arr->heap, arr->room * sizeof(*arr->heap));
		if (!arr->heap)
			abort();
	}
	for (i = arr->len++; i; i = (i - 1) / 2) {
		if (arr->heap[(i - 1) / 2].when <= when)
			break;
		arr->heap[i] = arr->heap[(i - 1) / 2];
	}
	arr->heap[i] = (struct arrival) { when, source };
}

static struct arrival heap_pop(struct sim_arrivals *arr)
{
	struct arrival top = arr->heap[0];
	struct arrival last = arr->heap[--arr->len];
	size_t child;
	size_t i = 0;

	for (child = 1; child < arr->len; child = 2 * i + 1) {
		if (child + 1 < arr->len &&
		    arr->heap[child + 1].when < arr->heap[child].when)
			child++;
		if (last.when <= arr->heap[child].when)
			break;
		arr->heap[i] = arr->heap[child];
		i = child;
	}
	arr->heap[i] = last;

	return top;
}

static double jittered(struct running *run, double gap, u32 percent)
{
	if (!percent)
		return gap;

	return gap * (1 + (2 * rng_unit(&run->rng) - 1) * percent / 100);
}

static double burst_gap(const struct sim_source *src, struct running *run)
{
	double period = 1e9 * src->burst / src->rate;

	if (run->left) {
		run->left--;
		return src->intra_ns;
	}
	run->left = src->burst - 1;

	return fmax(jittered(run, period, src->jitter) -
		    (double)src->intra_ns * (src->burst - 1), 1);
}

static double pareto_gap(const struct sim_source *src, struct running *run)
{
	double alpha = src->shape / 100.0;
	double mean = 1e9 / src->rate;

	return mean * (alpha - 1) / alpha / pow(rng_unit(&run->rng), 1 / alpha);
}

static double open_gap(const struct sim_source *src, struct running *run)
{
	double gap = 1e9 / src->rate;

	switch (src->kind) {
	case SRC_PACED:
		return jittered(run, gap, src->jitter);
	case SRC_BURST:
		return burst_gap(src, run);
	case SRC_PARETO:
		return pareto_gap(src, run);
	default:
		return rng_exp(&run->rng, gap);
	}
}

/* Behind a closed gate the arrival waits for the next opening. */
static double gated(const struct sim_source *src, double when)
{
	double cycle = src->on_ns + src->off_ns;
	double phase;

	if (!src->off_ns)
		return when;
	phase = fmod(when - src->start_ns, cycle);

	return phase < src->on_ns ? when : when + cycle - phase;
}

static bool stopped(const struct sim_source *src, double when)
{
	return src->stop_ns && when >= src->stop_ns;
}

static void open_plan(struct sim_arrivals *arr, u32 i)
{
	const struct sim_source *src = &arr->scen->sources[i];
	struct running *run = &arr->run[i];

	if (src->kind == SRC_TRACE) {
		if (run->pos < src->trace_len)
			heap_push(arr, src->trace[run->pos++], i);
		return;
	}
	run->next = gated(src, run->next + open_gap(src, run));
	if (!stopped(src, run->next))
		heap_push(arr, run->next, i);
}

/* A request, or a credit of the window, comes back. */
static void closed_plan(struct sim_arrivals *arr, u32 i, u64 now)
{
	const struct sim_source *src = &arr->scen->sources[i];
	struct running *run = &arr->run[i];
	u64 when = now + src->rtt_ns;

	if (src->think_ns)
		when += rng_exp(&run->rng, src->think_ns);
	if (src->kind == SRC_WINDOW) {
		when = max(when, run->link_free);
		run->link_free = when + src->intra_ns;
	}
	when = gated(src, when);
	if (!stopped(src, when))
		heap_push(arr, when, i);
}

/* To and fro: a message comes, and what acknowledges ours; each waits for the other. */
static void message_plan(struct sim_arrivals *arr, u32 i, u64 now)
{
	const struct sim_source *src = &arr->scen->sources[i];
	struct running *run = &arr->run[i];
	u64 when = gated(src, now + src->rtt_ns / 2);
	u32 frame;

	if (stopped(src, when))
		return;
	run->left = run->answer ? 1 : src->burst;
	run->answer = !run->answer;
	for (frame = 0; frame < run->left; frame++)
		heap_push(arr, when + (u64)frame * src->intra_ns, i);
}

static bool is_open(const struct sim_source *src)
{
	return src->kind != SRC_CLOSED && src->kind != SRC_WINDOW &&
	       src->kind != SRC_MESSAGE;
}

static void closed_begin(struct sim_arrivals *arr, u32 i)
{
	const struct sim_source *src = &arr->scen->sources[i];
	u32 client;

	for (client = 0; client < src->clients; client++)
		closed_plan(arr, i, src->start_ns +
			    rng_range(&arr->run[i].rng, 0, src->rtt_ns));
}

struct sim_arrivals *arrivals_new(const struct sim_scenario *scen)
{
	struct sim_arrivals *arr = calloc(1, sizeof(*arr));
	const struct sim_source *src;
	u64 seed = scen->seed;
	u32 i;

	if (!arr)
		abort();
	arr->scen = scen;
	for (i = 0; i < scen->nr; i++) {
		src = &scen->sources[i];
		arr->run[i].rng = rng_next(&seed);
		arr->run[i].next = src->start_ns;
		if (is_open(src))
			open_plan(arr, i);
		else if (src->kind == SRC_MESSAGE)
			message_plan(arr, i, src->start_ns);
		else
			closed_begin(arr, i);
	}

	return arr;
}

void arrivals_free(struct sim_arrivals *arr)
{
	free(arr->heap);
	free(arr);
}

u64 arrivals_next(const struct sim_arrivals *arr)
{
	return arr->len ? arr->heap[0].when : SIM_NEVER;
}

/* Take the next arrival; open sources plan the one after it. */
u32 arrivals_take(struct sim_arrivals *arr)
{
	u32 source = heap_pop(arr).source;

	if (is_open(&arr->scen->sources[source]))
		open_plan(arr, source);

	return source;
}

/* A frame was served (or lost, at the time its sender notices). */
void arrivals_served(struct sim_arrivals *arr, u32 source, u64 now)
{
	switch (arr->scen->sources[source].kind) {
	case SRC_CLOSED:
		closed_plan(arr, source, now);
		break;
	case SRC_WINDOW:
		arr->run[source].unacked++;
		break;
	case SRC_MESSAGE:
		if (!--arr->run[source].left)
			message_plan(arr, source, now);
		break;
	default:
		break;
	}
}

/* A poll is over: what it served of a window is acknowledged at once. */
void arrivals_polled(struct sim_arrivals *arr, u64 now)
{
	u32 i;

	for (i = 0; i < arr->scen->nr; i++)
		for (; arr->run[i].unacked; arr->run[i].unacked--)
			closed_plan(arr, i, now);
}
