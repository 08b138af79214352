/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A gate: a hold for interrupts that go out to a guest.
 *
 * The backend says vcoal_gate_notify() when it is about to interrupt the
 * guest, and does so only when that returns true. An event that comes sooner
 * after the last interrupt than the hold is long is kept for all of the hold, or
 * until enough frames are waiting. The first event after idle finds the last interrupt
 * long past: it is never delayed, and needs no timer.
 *
 * Kept for what is left since the last interrupt, it would share it with fewer. But
 * so is one behind a hold that gathered nothing: events may come more rarely than a
 * hold is long, and an interrupt that was itself late by a hold would make each of
 * them look soon, for good.
 */
#ifndef _VCOAL_GATE_H
#define _VCOAL_GATE_H

#include <linux/spinlock.h>
#include <vcoal/vcoal.h>

/**
 * struct vcoal_gate - one queue whose interrupts go out
 * @q: the queue; its hold runs exactly while something is kept here
 * @lock: protects all below and the hold. Taken with BH off, outside q.lock.
 * @open: may hold; a closed gate lets everything pass and counts nothing
 * @last: the last interrupt that was timed, ktime ns
 * @lone: that one was held, and brought a single frame
 * @frames: waiting behind the running hold
 * @deliver: bring the interrupt that was kept; false when that is impossible
 *	here and now. Called under @lock, in softirq or process context. What
 *	was kept is no interrupt when this ends the hold: see gate.c
 *
 * An adapter's queue may begin with a gate instead of a vcoal_queue.
 */
struct vcoal_gate {
	struct vcoal_queue q;
	/* Protects all below and the hold. Taken with BH off. */
	spinlock_t lock;
	bool open;
	u64 last;
	bool lone;
	u32 frames;
	bool (*deliver)(struct vcoal_gate *gate);
};

void vcoal_gate_open(struct vcoal_gate *gate,
		     bool (*deliver)(struct vcoal_gate *gate));
void vcoal_gate_close(struct vcoal_gate *gate);
bool __must_check vcoal_gate_notify(struct vcoal_gate *gate, u32 frames);
void vcoal_gate_work(struct vcoal_gate *gate, u32 frames);
bool __must_check vcoal_gate_event(struct vcoal_gate *gate, u32 frames);
void vcoal_gate_served(struct vcoal_gate *gate, u32 frames);
u32 vcoal_gate_hold_ns(const struct vcoal_gate *gate);
void vcoal_gate_flush(struct vcoal_gate *gate);
bool vcoal_gate_release(struct vcoal_hold *hold);

/**
 * vcoal_gate_wait() - how long is an event kept that comes now?
 * @since_last: time since the last interrupt
 * @ns: the hold
 * @lone: that one was held and brought a single frame
 *
 * Return: so many ns, 0 to let it pass
 */
static inline u32 vcoal_gate_wait(u64 since_last, u32 ns, bool lone)
{
	if (since_last >= ns)
		return 0;

	return lone ? ns - since_last : ns;
}

#endif /* _VCOAL_GATE_H */
