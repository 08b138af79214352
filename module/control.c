// SPDX-License-Identifier: GPL-2.0-only
/*
 * Window over -> decide -> clamp -> set -> trace.
 */
#include "control.h"

#include <linux/math64.h>
#include <linux/string.h>
#include <vcoal/adapter.h>
#include "cpu.h"
#include "nic.h"
#include "queue.h"
#include "stats.h"
#include "trace.h"
#include "vm.h"
#include "watch.h"

static void vcoal_control_sample(struct vcoal_queue *queue, u64 now,
				 u64 nic_bytes, struct vcoal_sample *sample)
{
	const struct vcoal_counters *count = &queue->count;
	const struct vcoal_window *win = &queue->win;

	/* Counters of a window are small: the casts cut nothing off. */
	*sample = (struct vcoal_sample) {
		.window_ns = now - win->start,
		.bytes = count->bytes - win->base.bytes,
		/* Two CPUs may have looked at the NIC in the other order. */
		.nic_bytes = nic_bytes - min(nic_bytes, win->nic_bytes),
		.irqs = READ_ONCE(count->irqs) - win->base.irqs,
		.polls = count->polls - win->base.polls,
		.full_polls = count->full_polls - win->base.full_polls,
		.frames = count->packets - win->base.packets,
		.holds = count->holds - win->base.holds,
		.empty_holds = count->empty_holds - win->base.empty_holds,
		.held_frames = count->held_packets - win->base.held_packets,
		.gap_max_ns = win->gap_max,
		.delay_max_ns = win->delay_max,
		.ring_size = queue->ring_size,
		.ring_peak = win->peak,
		.cpu_busy = vcoal_cpu_busy(now),
		.timer_cost = queue->nic->adapter->timer_cost,
	};
}

/* What came since the sample was taken belongs to the next window. */
static void vcoal_control_next_window(struct vcoal_queue *queue, u64 now,
				      u64 irqs, u64 nic_bytes)
{
	struct vcoal_window *win = &queue->win;

	win->start = now;
	win->base = queue->count;
	win->base.irqs = irqs;
	win->nic_bytes = nic_bytes;
	win->gap_max = 0;
	win->delay_max = 0;
	win->peak = 0;
}

static void vcoal_control_limits(const struct vcoal_queue *queue, u64 now,
				 struct vcoal_limits *limits)
{
	const struct vcoal_params *fixed = &queue->nic->fixed[queue->dir];
	const struct vcoal_vm *vm = queue->nic->vm;

	/* These pair with WRITE_ONCE() in sysfs_nic.c. */
	limits->max_ns = vcoal_vm_bound(vm);
	limits->irq_rate_max = vcoal_vm_irq_share(vm);
	limits->fixed.hold_ns = READ_ONCE(fixed->hold_ns);
	limits->fixed.frames = READ_ONCE(fixed->frames);
	limits->trial = vcoal_vm_tries(vm, now);
	limits->pause = vcoal_vm_pauses(vm, now);
}

static const struct vcoal_policy *
vcoal_control_policy(const struct vcoal_queue *queue)
{
	switch (queue->nic->mode) {
	case VCOAL_MODE_AUTO:
		return READ_ONCE(queue->nic->vm->policy);
	case VCOAL_MODE_FIXED:
		return &vcoal_policy_fixed;
	default:
		return &vcoal_policy_observe;
	}
}

static bool vcoal_control_can(const struct vcoal_queue *queue,
			      unsigned long rx, unsigned long tx)
{
	return queue->nic->caps & (queue->dir == VCOAL_RX ? rx : tx);
}

/*
 * The longest hold in which half the ring cannot fill at the rate seen. Between
 * two windows, when settings change, that is the rate of the last one.
 */
static u32 vcoal_control_ring_ns(const struct vcoal_queue *queue,
				 const struct vcoal_sample *sample)
{
	u64 window_ns = min_t(u64, sample->window_ns, NSEC_PER_SEC);

	if (!window_ns)
		return queue->guard_ns;
	if (!sample->frames)
		return VCOAL_HOLD_NS_MAX;

	return min_t(u64, VCOAL_HOLD_NS_MAX,
		     div_u64(window_ns * (queue->ring_size / 2),
			     sample->frames));
}

/* A VM's interrupt budget is a floor: at most one interrupt a hold. */
static u32 vcoal_control_floor_ns(const struct vcoal_limits *limits)
{
	if (!limits->irq_rate_max)
		return 0;

	return min((u32)NSEC_PER_SEC / limits->irq_rate_max, limits->max_ns);
}

static void vcoal_control_clamp_ns(struct vcoal_decision *decision, u32 max,
				   enum vcoal_reason reason)
{
	if (decision->params.hold_ns <= max)
		return;
	decision->params.hold_ns = max;
	decision->reason = reason;
}

/**
 * vcoal_control_clamp() - keep a decision within what is allowed and possible
 * @queue: whose
 * @limits: what the operator allows
 * @sample: what was seen, for the ring guard
 * @decision: the policy's
 *
 * Half the ring always ends a hold: by the frames threshold where the device
 * offers one, else by a shorter hold.
 *
 * Return: the decision that is set
 */
struct vcoal_decision
vcoal_control_clamp(const struct vcoal_queue *queue,
		    const struct vcoal_limits *limits,
		    const struct vcoal_sample *sample,
		    struct vcoal_decision decision)
{
	u32 guard = queue->ring_size / 2;

	vcoal_control_clamp_ns(&decision, VCOAL_HOLD_NS_MAX,
			       VCOAL_REASON_BOUND);
	if (!queue->policy->unbounded && !queue->policy->passive) {
		u32 floor = vcoal_control_floor_ns(limits);

		vcoal_control_clamp_ns(&decision, limits->max_ns,
				       VCOAL_REASON_BOUND);
		if (decision.params.hold_ns < floor) {
			decision.params.hold_ns = floor;
			decision.reason = VCOAL_REASON_BUDGET;
		}
	}
	if (!vcoal_control_can(queue, VCOAL_CAP(RX_USECS), VCOAL_CAP(TX_USECS)))
		vcoal_control_clamp_ns(&decision, 0, VCOAL_REASON_UNSUPPORTED);

	if (!vcoal_control_can(queue, VCOAL_CAP(RX_FRAMES),
			       VCOAL_CAP(TX_FRAMES))) {
		decision.params.frames = 0;
		if (guard)
			vcoal_control_clamp_ns(&decision,
					       vcoal_control_ring_ns(queue, sample),
					       VCOAL_REASON_RING);
	} else if (guard && (!decision.params.frames ||
			     decision.params.frames > guard)) {
		decision.params.frames = guard;
	}
	if (!decision.params.hold_ns)
		decision.params.frames = 0;

	return decision;
}

static void vcoal_control_set(struct vcoal_queue *queue,
			      const struct vcoal_sample *sample,
			      struct vcoal_decision decision)
{
	struct vcoal_verdict *verdict;

	if (decision.params.hold_ns == queue->params.hold_ns &&
	    decision.params.frames == queue->params.frames &&
	    decision.reason == queue->reason)
		return;

	queue->params = decision.params;
	queue->reason = decision.reason;
	vcoal_hold_set(&queue->hold, decision.params);

	verdict = &queue->verdicts[queue->verdict_next++ % VCOAL_VERDICTS];
	verdict->when = ktime_get_ns();
	verdict->params = decision.params;
	verdict->reason = decision.reason;
	verdict->frames = sample->frames;
	verdict->irqs = sample->irqs;
	trace_vcoal_decide(queue, sample, &decision);
}

/* For some polls, or for good, nobody needs to know the time. */
static void vcoal_control_rest(struct vcoal_queue *queue, u32 polls)
{
	bool timed = !queue->policy->passive && !polls;

	queue->wake = polls ? queue->count.polls + polls : 0;
	/* A gap is between two polls that were timed. */
	if (!timed)
		queue->win.last_work = 0;
	/* Pairs with READ_ONCE() in vcoal_queue_clock(). */
	WRITE_ONCE(queue->timed, timed);
}

static void vcoal_control_decide(struct vcoal_queue *queue, u64 now,
				 const struct vcoal_sample *sample)
{
	struct vcoal_decision decision;
	struct vcoal_limits limits;

	vcoal_control_limits(queue, now, &limits);
	decision = queue->policy->decide(queue->state, sample, &limits);
	if (decision.trial_ns)
		vcoal_vm_trial(queue->nic->vm, now, decision.trial_ns,
			       decision.pause);
	decision = vcoal_control_clamp(queue, &limits, sample, decision);
	/* Pairs with READ_ONCE() in vhost_kick.c. */
	WRITE_ONCE(queue->guard_ns, vcoal_control_ring_ns(queue, sample));
	queue->window_ns = vcoal_decision_window_ns(&decision);
	vcoal_control_set(queue, sample, decision);
	vcoal_control_rest(queue, decision.params.hold_ns ? 0 : decision.rest);
}

/**
 * vcoal_control_window() - a window is over
 * @queue: the queue, locked
 * @now: ktime ns
 */
void vcoal_control_window(struct vcoal_queue *queue, u64 now)
{
	struct vcoal_sample sample;
	u64 irqs, nic_bytes;

	lockdep_assert_held(&queue->lock);

	vcoal_watch_wake();
	queue->count.decisions++;
	nic_bytes = vcoal_nic_bytes(queue->nic, now);
	vcoal_control_sample(queue, now, nic_bytes, &sample);
	irqs = queue->win.base.irqs + sample.irqs;
	if (!queue->policy->passive)
		vcoal_control_decide(queue, now, &sample);
	vcoal_control_next_window(queue, now, irqs, nic_bytes);
}

/**
 * vcoal_control_apply() - settings changed: pick the policy, set its params
 * @queue: a queue whose nic->mode, vm or limits may have changed
 */
void vcoal_control_apply(struct vcoal_queue *queue)
{
	const struct vcoal_policy *policy = vcoal_control_policy(queue);
	const struct vcoal_sample no_data = {};
	u64 now = ktime_get_ns();
	struct vcoal_limits limits;
	bool other;

	lockdep_assert_held(&vcoal_mutex);

	spin_lock_bh(&queue->lock);
	other = policy != queue->policy;
	if (other) {
		vcoal_control_limits(queue, now, &limits);
		memset(queue->state, 0, sizeof(queue->state));
		if (policy->init)
			policy->init(queue->state, &limits);
		queue->policy = policy;
		queue->win.last_work = 0;
	}
	/* What came while nobody asked for the time is no window. */
	if (other || !queue->timed)
		vcoal_control_next_window(queue, now,
					  READ_ONCE(queue->count.irqs),
					  vcoal_nic_bytes(queue->nic, now));
	vcoal_control_decide(queue, now, &no_data);
	spin_unlock_bh(&queue->lock);
}
