/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_XEN_DOOR_H
#define _VCOAL_XEN_DOOR_H

#include <linux/spinlock.h>
#include <vcoal/vcoal.h>
#include "xen_events.h"

/**
 * struct xen_door - an event channel that stays shut while a hold runs
 * @line: the channel
 * @queue: whose hold it is
 * @lock: protects all below and the hold. Taken with interrupts off.
 * @over: the channel is
 * @open: may be shut
 * @shut: the driver wants events again, and waits for the hold's end
 * @opened: when the last hold ended, ktime ns; 0 after xen_door_enter()
 * @prompt: until when what is served is what it released
 * @kept: how long it was
 * @score: grows with spurious events, falls with others
 */
struct xen_door {
	struct xev_line line;
	struct vcoal_queue *queue;
	/* Protects all below and the hold. Taken with interrupts off. */
	spinlock_t lock;
	bool over;
	bool open;
	bool shut;
	u64 opened;
	u64 prompt;
	u64 kept;
	u32 score;
};

static inline struct xen_door *xen_door_of(struct xev_line *line)
{
	return container_of(line, struct xen_door, line);
}

/**
 * xen_door_reopened() - must xen_door_enter() be asked?
 * @door: hung or not
 *
 * Return: true when a hold ended since it was
 */
static inline bool xen_door_reopened(const struct xen_door *door)
{
	/* Pairs with WRITE_ONCE() in xen_door_release(). */
	return READ_ONCE(door->opened);
}

void xen_door_init(struct xen_door *door, struct vcoal_queue *queue);
void xen_door_hang(struct xen_door *door, const struct xev_ops *ops);
void xen_door_allow(struct xen_door *door);
void xen_door_keep_open(struct xen_door *door);
void xen_door_remove(struct xen_door *door);
bool xen_door_eoi_passes(struct xev_line *line);
bool xen_door_eoi(struct xev_line *line);
void xen_door_spurious(struct xev_line *line);
void xen_door_gone(struct xev_line *line);
bool xen_door_release(struct xen_door *door);
u64 xen_door_held(struct xen_door *door, u64 now);
u64 xen_door_enter(struct xen_door *door, u64 now);

#endif /* _VCOAL_XEN_DOOR_H */
