/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long should the next interrupt of a queue wait?
 *
 * A policy is a pure function of its own state, of one sample and of the
 * limits: no clock, lock, allocation, printk or sysfs. The same object code
 * runs in the kernel, under KUnit, in the user-space simulator and under the
 * fuzzer, so this header and the policies include nothing else of vcoal.
 */
#ifndef _VCOAL_POLICY_H
#define _VCOAL_POLICY_H

#include <linux/time64.h>
#include <linux/types.h>

/* The longest hold any operator or policy may ask for: 10 ms. */
#define VCOAL_HOLD_NS_MAX	10000000U
/* The largest frames threshold: every event counts one frame at least. */
#define VCOAL_FRAMES_MAX	65535U
/* What a timer of this kernel costs, armed and run: see sample.timer_cost. */
#define VCOAL_TIMER_COST	15U
/* Room for the private state of a policy: switching never allocates. */
#define VCOAL_POLICY_STATE	256

/*
 * Why a decision was taken. One line a reason: the identifier, and the word
 * that the tracepoint and debugfs print.
 */
#define VCOAL_REASONS(R)			\
	R(INIT,		"init")			\
	R(OBSERVE,	"observe")		\
	R(FIXED,	"fixed")		\
	R(STAY,		"stay")			\
	R(SPARSE,	"sparse")		\
	R(GROW,		"grow")			\
	R(SHRINK,	"shrink")		\
	R(PROBE,	"probe")		\
	R(CLOSED_LOOP,	"closed-loop")		\
	R(RATE,		"rate")			\
	R(RING,		"ring")			\
	R(BOUND,	"bound")		\
	R(BUDGET,	"budget")		\
	R(UNSUPPORTED,	"unsupported")

#define VCOAL_REASON_ENUM(id, word)	VCOAL_REASON_##id,
enum vcoal_reason {
	VCOAL_REASONS(VCOAL_REASON_ENUM)
	VCOAL_REASON_COUNT
};

#undef VCOAL_REASON_ENUM

/**
 * struct vcoal_params - the hold: whichever comes first releases
 * @hold_ns: the next interrupt waits at most this long; 0 holds nothing
 * @frames: this many frames end the hold early; 0 is no threshold
 */
struct vcoal_params {
	u32 hold_ns;
	u32 frames;
};

/**
 * struct vcoal_sample - what one queue saw in one window
 * @window_ns: time covered; 0 says that there is no data (settings changed)
 * @bytes: payload seen, 0 where the adapter cannot tell
 * @nic_bytes: what its NIC carried meanwhile, both ways, 0 where unknown
 * @irqs: interrupts delivered
 * @polls: times the queue was served
 * @full_polls: polls that used their whole budget
 * @frames: frames served
 * @holds: holds that ended in this window
 * @empty_holds: those of @holds that released nothing
 * @held_frames: frames that @holds released
 * @gap_max_ns: longest time between two polls that found work
 * @delay_max_ns: longest time a frame was held
 * @ring_size: descriptors of the ring, 0 where unknown
 * @ring_peak: most frames ever found at once in this window
 * @cpu_busy: busy share of the CPU that serves the queue, in 1/1024
 * @timer_cost: what ending a hold costs beside the interrupt, in hundreds of
 *	instructions
 */
struct vcoal_sample {
	u64 window_ns;
	u64 bytes;
	u64 nic_bytes;
	u32 irqs;
	u32 polls;
	u32 full_polls;
	u32 frames;
	u32 holds;
	u32 empty_holds;
	u32 held_frames;
	u32 gap_max_ns;
	u32 delay_max_ns;
	u32 ring_size;
	u32 ring_peak;
	u32 cpu_busy;
	u32 timer_cost;
};

/**
 * struct vcoal_limits - what a decision must stay within
 * @max_ns: the latency class (or the VM's own bound); 0 forbids holding
 * @irq_rate_max: this queue's fair share of the VM's interrupts per second,
 *	0 is no ceiling
 * @fixed: what the operator wrote, for the policy that obeys it
 * @trial: a queue of this VM tries something: begin nothing, conclude nothing
 * @pause: and asked all of them to let go
 */
struct vcoal_limits {
	u32 max_ns;
	u32 irq_rate_max;
	struct vcoal_params fixed;
	bool trial;
	bool pause;
};

/**
 * struct vcoal_decision - a verdict
 * @params: the hold from now on
 * @trial_ns: something is tried for so long, and no other queue of the VM
 *	should begin to
 * @pause: all of them should let go meanwhile: a round trip passes several
 *	queues, and shows its pace when none holds it
 * @rest: the window may go on for as many polls, which are counted but not
 *	timed; heeded while nothing is held
 * @long_windows: until the next decision windows are twice as long as else; see
 *	vcoal_decision_window_ns()
 * @reason: why
 */
struct vcoal_decision {
	struct vcoal_params params;
	u32 trial_ns;
	u32 rest;
	enum vcoal_reason reason;
	bool pause;
	bool long_windows;
};

/* Least length of a window: reaction within a few of them, cost spread over all. */
#define VCOAL_WINDOW_NS		(1 * NSEC_PER_MSEC)

/**
 * vcoal_decision_window_ns() - least length of the next window
 * @decision: in force
 *
 * What is tried is compared window by window, and one with a single hold says as much
 * of when it began as of the traffic. So while a trial is announced (which it is for as
 * long as it lasts unless frames are rare) each has two holds of up to a millisecond.
 *
 * Return: ns
 */
static inline u32
vcoal_decision_window_ns(const struct vcoal_decision *decision)
{
	bool few = decision->trial_ns &&
		   decision->params.hold_ns > VCOAL_WINDOW_NS / 2;

	return VCOAL_WINDOW_NS << (decision->long_windows || few);
}

/**
 * struct vcoal_policy - how long to hold
 * @decide: one window is over (required). Called for one queue at a time,
 *	in atomic context. A sample with a zero window_ns asks for the params
 *	that fit changed limits.
 * @init: prepare zeroed private state (optional)
 * @state_size: bytes of private state in use, at most VCOAL_POLICY_STATE
 * @unbounded: the latency class does not apply: the operator's own word
 * @passive: never hold, never decide: polls are counted but not timed
 * @name: what sysfs calls it (required)
 */
struct vcoal_policy {
	struct vcoal_decision (*decide)(void *state,
					const struct vcoal_sample *sample,
					const struct vcoal_limits *limits);
	void (*init)(void *state, const struct vcoal_limits *limits);
	u32 state_size;
	bool unbounded;
	bool passive;
	const char *name;
};

extern const struct vcoal_policy vcoal_policy_observe;
extern const struct vcoal_policy vcoal_policy_fixed;
extern const struct vcoal_policy vcoal_policy_rate;
extern const struct vcoal_policy vcoal_policy_dim;
extern const struct vcoal_policy vcoal_policy_aic;
extern const struct vcoal_policy vcoal_policy_adaptive;

#endif /* _VCOAL_POLICY_H */
