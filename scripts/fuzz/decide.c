// SPDX-License-Identifier: GPL-2.0-only
/*
 * decide() of one policy (number POLICY), for libFuzzer.
 *
 * The input is a program: limits, then steps. A step gives the policy a sample
 * (a plausible one or any bits whatsoever), pokes bytes into its private state,
 * changes the limits, or starts anew. After each step the answer must be within
 * the limits, be the same again for the same state, and the policy must have
 * kept to its own state; the sanitizers see the rest.
 */
#include <linux/kernel.h>
#include <linux/time64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcoal/policy.h>

#define CANARY	0xa5

/* With room behind what the policy may use. */
union state {
	u64 words[2 * VCOAL_POLICY_STATE / sizeof(u64)];
	u8 bytes[2 * VCOAL_POLICY_STATE];
};

struct input {
	const u8 *data;
	size_t left;
};

static void take(struct input *in, void *to, size_t size)
{
	size_t has = min(size, in->left);

	memset(to, 0, size);
	memcpy(to, in->data, has);
	in->data += has;
	in->left -= has;
}

static u32 take_u8(struct input *in)
{
	u8 byte;

	take(in, &byte, sizeof(byte));

	return byte;
}

/* Small and large numbers alike: eight bits, shifted. */
static u32 take_number(struct input *in)
{
	u32 shift = take_u8(in) % 25;

	return take_u8(in) << shift;
}

static void take_limits(struct input *in, struct vcoal_limits *limits)
{
	limits->max_ns = take_number(in);
	limits->irq_rate_max = take_number(in);
	limits->fixed.hold_ns = take_number(in) % (VCOAL_HOLD_NS_MAX + 1);
	limits->fixed.frames = take_number(in) % (VCOAL_FRAMES_MAX + 1);
	limits->trial = take_u8(in) & 1;
	limits->pause = take_u8(in) & 1;
}

/* What a queue could have seen: no more empty holds than holds, and so on. */
static void take_sample(struct input *in, struct vcoal_sample *s)
{
	*s = (struct vcoal_sample) {
		.window_ns = NSEC_PER_MSEC + take_number(in),
		.frames = take_number(in),
		.irqs = take_u8(in),
		.holds = take_u8(in),
		.ring_size = 1U << take_u8(in) % 13,
		.cpu_busy = take_u8(in) * 4,
		.timer_cost = take_u8(in),
	};
	s->empty_holds = min(s->holds, take_u8(in));
	s->held_frames = s->frames / 2;
	s->polls = s->irqs + s->holds;
	s->bytes = (u64)s->frames * take_number(in);
	s->ring_peak = min(s->ring_size, s->frames);
}

static void poke(struct input *in, union state *state)
{
	u32 at = take_u8(in) % VCOAL_POLICY_STATE;
	u32 size = take_u8(in) % 33;

	/* Nothing writes behind the state in use: a poke does not either. */
	if (at < POLICY.state_size)
		take(in, state->bytes + at, min(size, POLICY.state_size - at));
}

static void start(union state *state, const struct vcoal_limits *limits)
{
	memset(state, CANARY, sizeof(*state));
	memset(state, 0, POLICY.state_size);
	if (POLICY.init)
		POLICY.init(state, limits);
}

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s: %s\n", POLICY.name, what);
	abort();
}

static void judge(const struct vcoal_decision *d, const union state *state,
		  const struct vcoal_limits *limits)
{
	size_t i;

	must(d->reason < VCOAL_REASON_COUNT, "a reason without a word");
	must(d->params.frames <= VCOAL_FRAMES_MAX, "frames out of range");
	must(d->params.hold_ns <= VCOAL_HOLD_NS_MAX || !POLICY.unbounded,
	     "hold out of range");
	must(POLICY.unbounded || d->params.hold_ns <= limits->max_ns,
	     "hold beyond the class");
	for (i = POLICY.state_size; i < sizeof(*state); i++)
		must(state->bytes[i] == CANARY, "wrote behind its state");
}

static void decide(union state *state, const struct vcoal_sample *sample,
		   const struct vcoal_limits *limits)
{
	struct vcoal_decision first, second;
	union state copy = *state;

	first = POLICY.decide(state, sample, limits);
	second = POLICY.decide(&copy, sample, limits);
	judge(&first, state, limits);
	must(first.params.hold_ns == second.params.hold_ns &&
	     first.params.frames == second.params.frames &&
	     first.reason == second.reason &&
	     !memcmp(state, &copy, sizeof(copy)), "not a pure function");
}

/* The name that libFuzzer calls. */
int fuzz_one(const u8 *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

int fuzz_one(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct vcoal_limits limits;
	struct vcoal_sample sample;
	union state state;

	take_limits(&in, &limits);
	start(&state, &limits);
	while (in.left) {
		memset(&sample, 0, sizeof(sample));
		switch (take_u8(&in) % 8) {
		case 0:
			take(&in, &sample, sizeof(sample));
			break;
		case 1:
			poke(&in, &state);
			break;
		case 2:
			take_limits(&in, &limits);
			break;
		case 3:
			start(&state, &limits);
			break;
		default:
			take_sample(&in, &sample);
		}
		decide(&state, &sample, &limits);
	}

	return 0;
}
