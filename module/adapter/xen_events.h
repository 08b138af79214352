/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_XEN_EVENTS_H
#define _VCOAL_XEN_EVENTS_H

#include <linux/types.h>
#include <vcoal/hook_napi.h>

struct xev_line;

/**
 * struct xev_ops - what the owner of a line decides
 * @notify: the driver is about to interrupt the other end; false keeps it from
 *	that (required)
 * @eoi: the driver had an event with work and takes events again; false keeps
 *	it from that (required)
 * @spurious: the driver had an event without work; Xen's own throttling decides
 *	when it gets the next (required)
 * @gone: the line is being unbound; what was kept must be given up now, and
 *	nothing may be sent when this returns (required; process context)
 * @notify_passes: @notify has nothing to do but to count, and that was done;
 *	else it is asked (optional)
 * @eoi_passes: the same for @eoi (optional)
 *
 * notify, eoi and spurious run in whatever context the driver is in, also with
 * interrupts off. So do the last two, but below ftrace with preemption off: they
 * take no lock that may sleep.
 */
struct xev_ops {
	bool (*notify)(struct xev_line *line);
	bool (*eoi)(struct xev_line *line);
	void (*spurious)(struct xev_line *line);
	void (*gone)(struct xev_line *line);
	bool (*notify_passes)(struct xev_line *line);
	bool (*eoi_passes)(struct xev_line *line);
};

/**
 * struct xev_line - an event channel, by its Linux interrupt number
 * @key: found by that number
 * @ops: its owner's
 * @irq: the number, which may be somebody else's once the line is gone
 */
struct xev_line {
	struct vcoal_key key;
	const struct xev_ops *ops;
	unsigned int irq;
};

int __must_check xev_get(void);
void xev_put(void);
void xev_exit(void);
void xev_add(struct xev_line *line, const struct xev_ops *ops,
	     unsigned int irq);
void xev_del(struct xev_line *line);
void xev_send(unsigned int irq);
void xev_reopen(unsigned int irq);

#endif /* _VCOAL_XEN_EVENTS_H */
