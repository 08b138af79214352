// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that go out to a guest.
 *
 * Who may run, under the gate's lock with BH off:
 *
 *  notify, work: the backend of this queue, whose notify does not overlap
 *	itself; process or softirq context, never with interrupts off;
 *  release: the hold's timer (softirq), or the watchdog (process);
 *  flush, close: whoever is about to take away what deliver() needs.
 *
 * Without it, the backend may count what it knows that no gate would keep.
 *
 * An interrupt is kept exactly while the hold runs, so whoever finds it running
 * under the lock and ends it owns the interrupt, and delivers it before the
 * lock is left. Hence
 *
 *  - it is delivered once: the others find no hold;
 *  - it is not lost: the hold ends nowhere else, and its timer was started
 *	with it, under the same lock. A timer of an earlier hold may fire late:
 *	it finds no hold, or one that is not due and has a timer of its own;
 *  - when flush() or close() returns, no deliver() is under way, as those wait
 *	for the lock that it is called under. After close() none begins: a
 *	closed gate keeps nothing.
 *
 * What is kept may be no interrupt but something else that deliver() brings; it
 * then ends the hold itself, and accounts for it. Who keeps it takes the lock
 * himself, and asks event() and served() while this hold does not run.
 *
 * notify() says true without the lock's protection for what its caller then
 * does: that is the backend's own interrupt in the backend's own context, as
 * if no gate were there.
 */
#include <vcoal/gate.h>

#include <linux/ktime.h>
#include <vcoal/adapter.h>
#include "trace.h"

/* deliver() was impossible: try again soon. */
#define VCOAL_GATE_RETRY_NS	20000U

static struct vcoal_gate *to_gate(struct vcoal_hold *hold)
{
	return container_of(hold, struct vcoal_gate, q.hold);
}

/**
 * vcoal_gate_hold_ns() - how long to hold, if at all
 * @gate: the queue's
 *
 * Settings change without the gate's lock, and who looked twice could begin a
 * hold for which it had not asked the time: one that began at 0 is none, what
 * it keeps would be lost. So each event looks once.
 */
u32 vcoal_gate_hold_ns(const struct vcoal_gate *gate)
{
	/* Pairs with WRITE_ONCE() in vcoal_hold_set(); 0 by now is an answer, too. */
	return vcoal_hold_wanted(&gate->q.hold) ? READ_ONCE(gate->q.hold.ns) : 0;
}

/*
 * Nothing is held nor shall be, and nobody asks for the time: no frames wait. A
 * hold that is set meanwhile begins with the next event.
 */
static bool gate_only_counts(struct vcoal_gate *gate, u32 frames, bool irq)
{
	if (!vcoal_queue_only_counts(&gate->q))
		return false;
	if (irq)
		vcoal_queue_irq(&gate->q);
	vcoal_queue_count(&gate->q, frames, false);

	return true;
}

/* Do enough frames wait to end the hold early? */
static bool gate_full(const struct vcoal_gate *gate)
{
	u32 limit = READ_ONCE(gate->q.hold.frames);

	return limit && gate->frames >= limit;
}

/* Frames were served; with an interrupt, that ends the hold if one runs. */
static void gate_account(struct vcoal_gate *gate, u64 now, bool irq)
{
	struct vcoal_served served = {
		.now = now,
		.frames = gate->frames,
	};

	if (irq) {
		/* While the hold runs nobody counts without the lock. */
		vcoal_queue_irq(&gate->q);
		served.held = vcoal_hold_end(&gate->q.hold, now);
		gate->last = now;
		gate->lone = served.held && gate->frames <= 1;
	}
	gate->frames = 0;
	vcoal_queue_served(&gate->q, &served);
}

static bool gate_deliver(struct vcoal_gate *gate, u64 now)
{
	if (!gate->deliver(gate))
		return false;
	if (vcoal_hold_running(&gate->q.hold))
		gate_account(gate, now, true);

	return true;
}

/**
 * vcoal_gate_open() - begin to hold
 * @gate: zeroed but for its queue
 * @deliver: see struct vcoal_gate
 */
void vcoal_gate_open(struct vcoal_gate *gate,
		     bool (*deliver)(struct vcoal_gate *gate))
{
	spin_lock_init(&gate->lock);
	vcoal_hold_soften(&gate->q.hold);
	gate->deliver = deliver;
	/* Here and in _close(): pairs with READ_ONCE() in vhost_batch.c. */
	WRITE_ONCE(gate->open, true);
}

/**
 * vcoal_gate_close() - deliver what is kept, keep nothing more
 * @gate: open
 */
void vcoal_gate_close(struct vcoal_gate *gate)
{
	spin_lock_bh(&gate->lock);
	WRITE_ONCE(gate->open, false);
	if (vcoal_hold_running(&gate->q.hold))
		gate_deliver(gate, ktime_get_ns());
	spin_unlock_bh(&gate->lock);
}

/**
 * vcoal_gate_event() - vcoal_gate_notify() for who has the lock
 * @gate: locked
 * @frames: see there
 *
 * Return: see there
 */
bool vcoal_gate_event(struct vcoal_gate *gate, u32 frames)
{
	struct vcoal_hold *hold = &gate->q.hold;
	u32 ns, wait;
	u64 now;

	lockdep_assert_held(&gate->lock);

	if (!gate->open || gate_only_counts(gate, frames, true))
		return true;

	ns = vcoal_gate_hold_ns(gate);
	now = vcoal_queue_clock_to_hold(&gate->q, ns);
	gate->frames += frames;
	if (!gate_full(gate)) {
		if (vcoal_hold_running(hold))
			return false;
		wait = vcoal_gate_wait(now - gate->last, ns, gate->lone);
		if (wait) {
			vcoal_queue_begin(&gate->q, now, wait);
			return false;
		}
	}
	gate_account(gate, now, true);

	return true;
}

/**
 * vcoal_gate_notify() - the backend is about to interrupt the guest
 * @gate: the queue's
 * @frames: since the last call of this or of vcoal_gate_work()
 *
 * Return: true when the caller shall do so, false when it must not: the
 * interrupt is kept and will be delivered
 */
bool vcoal_gate_notify(struct vcoal_gate *gate, u32 frames)
{
	bool pass;

	spin_lock_bh(&gate->lock);
	pass = vcoal_gate_event(gate, frames);
	spin_unlock_bh(&gate->lock);

	return pass;
}

/**
 * vcoal_gate_served() - vcoal_gate_work() for who has the lock
 * @gate: locked
 * @frames: see there
 */
void vcoal_gate_served(struct vcoal_gate *gate, u32 frames)
{
	lockdep_assert_held(&gate->lock);

	if (!gate->open || gate_only_counts(gate, frames, false))
		return;

	gate->frames += frames;
	if (!vcoal_hold_running(&gate->q.hold))
		gate_account(gate,
			     vcoal_queue_clock_to_hold(&gate->q, vcoal_gate_hold_ns(gate)),
			     false);
	else if (gate_full(gate))
		gate_deliver(gate, ktime_get_ns());
}

/**
 * vcoal_gate_work() - the backend served frames and needs no interrupt
 * @gate: the queue's
 * @frames: since the last call of this or of vcoal_gate_notify()
 *
 * They wait for the interrupt that is kept, if one is.
 */
void vcoal_gate_work(struct vcoal_gate *gate, u32 frames)
{
	spin_lock_bh(&gate->lock);
	vcoal_gate_served(gate, frames);
	spin_unlock_bh(&gate->lock);
}

/**
 * vcoal_gate_flush() - deliver what is kept, now
 * @gate: the queue's
 */
void vcoal_gate_flush(struct vcoal_gate *gate)
{
	spin_lock_bh(&gate->lock);
	if (vcoal_hold_running(&gate->q.hold))
		gate_deliver(gate, ktime_get_ns());
	spin_unlock_bh(&gate->lock);
}

/**
 * vcoal_gate_release() - the time has come; an adapter's release()
 * @hold: of a gate
 *
 * Return: true when an interrupt was delivered
 */
bool vcoal_gate_release(struct vcoal_hold *hold)
{
	struct vcoal_gate *gate = to_gate(hold);
	bool delivered = false;
	u64 now;

	spin_lock_bh(&gate->lock);
	now = ktime_get_ns();
	if (vcoal_hold_due(hold, now)) {
		delivered = gate_deliver(gate, now);
		if (!delivered)
			vcoal_hold_extend(hold, now, VCOAL_GATE_RETRY_NS);
	}
	spin_unlock_bh(&gate->lock);

	return delivered;
}
