/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How one driver's queues are watched and held.
 *
 * An adapter knows one driver and nothing of policies: it finds the queues,
 * intercepts their events, tells the core what it served, and asks the hold
 * whether to wait.
 */
#ifndef _VCOAL_ADAPTER_H
#define _VCOAL_ADAPTER_H

#include <vcoal/vcoal.h>

/* What an adapter can do with a NIC; `capabilities` prints the words. */
#define VCOAL_CAPS(C)				\
	C(COUNT_RX,	"count-rx")		\
	C(COUNT_TX,	"count-tx")		\
	C(RX_USECS,	"rx-usecs")		\
	C(RX_FRAMES,	"rx-frames")		\
	C(TX_USECS,	"tx-usecs")		\
	C(TX_FRAMES,	"tx-frames")

#define VCOAL_CAP_BIT(id, word)	VCOAL_CAP_BIT_##id,
enum vcoal_cap_bit {
	VCOAL_CAPS(VCOAL_CAP_BIT)
	VCOAL_CAP_BITS
};

#undef VCOAL_CAP_BIT

#define VCOAL_CAP(id)	BIT(VCOAL_CAP_BIT_##id)

/**
 * struct vcoal_adapter - what the core asks of a driver's adapter
 * @release: a hold is over: bring the event (required; hard interrupt, or BH
 *	for a gate)
 * @match: is this netdev mine? It has a parent, which it keeps (optional; without
 *	it the adapter finds its NICs by itself)
 * @owner: name the VM of a netdev (optional; without it, this machine itself)
 * @ready: are the queues there, and stay while rtnl is held? (optional;
 *	without it, as long as the netdev is up)
 * @stale: did the driver replace the queues that are hooked? Asked when the
 *	netdev's state changed (required with ready)
 * @start: begin to find NICs that are no netdevs (optional; process context,
 *	no locks)
 * @stop: remove them; undoes start() (optional; required with it)
 * @scan: find the queues with vcoal_queue_new(), set nic->caps, nic->why and
 *	nic->priv; nothing is intercepted yet (required)
 * @hook: intercept one queue (required)
 * @unhook: give it back; others may still be inside the hook (required)
 * @kick: let an event through that a hold may have kept; nobody is inside
 *	the hook any more (required)
 * @drop: undo what scan() did beside the queues (optional)
 * @exit: the module leaves, and no NIC is left (optional; process context, no
 *	locks)
 * @queue_size: bytes of the adapter's queue, which begins with a vcoal_queue
 * @timer_cost: what ending a hold costs beside the interrupt that it brings, in
 *	hundreds of instructions: see VCOAL_TIMER_COST (required)
 * @name: what sysfs calls it (required)
 *
 * scan, hook, unhook, kick and drop run under rtnl for netdevs.
 */
struct vcoal_adapter {
	bool (*release)(struct vcoal_hold *hold);
	bool (*match)(const struct net_device *dev);
	void (*owner)(const struct net_device *dev, char *id, size_t size);
	bool (*ready)(const struct net_device *dev);
	bool (*stale)(const struct vcoal_nic *nic);
	int (*start)(void);
	void (*stop)(void);
	int (*scan)(struct vcoal_nic *nic);
	int (*hook)(struct vcoal_queue *queue);
	void (*unhook)(struct vcoal_queue *queue);
	void (*kick)(struct vcoal_queue *queue);
	void (*drop)(struct vcoal_nic *nic);
	void (*exit)(void);
	size_t queue_size;
	u32 timer_cost;
	const char *name;
};

/**
 * struct vcoal_served - what one poll did
 * @now: when it began, from vcoal_queue_clock(); of one that may hold, any ktime ns
 * @held: how long the interrupt was held before it, from vcoal_hold_end()
 * @frames: frames served
 * @bytes: bytes served, 0 where unknown
 * @full: the whole budget was used
 */
struct vcoal_served {
	u64 now;
	u64 held;
	u32 frames;
	u64 bytes;
	bool full;
};

extern const struct vcoal_adapter vcoal_virtio_net;
extern const struct vcoal_adapter vcoal_vhost_net;
extern const struct vcoal_adapter vcoal_xen_netback;
extern const struct vcoal_adapter vcoal_xen_netfront;

/* Built where the kernel knows Xen at all. */
#ifdef CONFIG_XEN
#define VCOAL_XEN_ADAPTERS	&vcoal_xen_netback, &vcoal_xen_netfront,
#else
#define VCOAL_XEN_ADAPTERS
#endif

struct vcoal_queue *__must_check
vcoal_queue_new(struct vcoal_nic *nic, enum vcoal_dir dir, u32 index);
void vcoal_queue_hold(struct vcoal_queue *queue, u64 now);
void vcoal_queue_begin(struct vcoal_queue *queue, u64 now, u32 ns);
void vcoal_queue_irq(struct vcoal_queue *queue);
void vcoal_queue_count(struct vcoal_queue *queue, u32 frames, bool full);
void vcoal_queue_spurious(struct vcoal_queue *queue);
void vcoal_queue_served(struct vcoal_queue *queue,
			const struct vcoal_served *served);

/**
 * vcoal_queue_clock() - the time of a poll
 * @queue: being served
 *
 * Reading the clock is the largest part of what observing costs, so a policy
 * that decides nothing, or rests, goes without: no windows, no gaps.
 *
 * Return: ktime ns, or 0
 */
static inline u64 vcoal_queue_clock(const struct vcoal_queue *queue)
{
	/* Pairs with WRITE_ONCE() in vcoal_control_rest() and queue.c. */
	return READ_ONCE(queue->timed) || vcoal_hold_running(&queue->hold) ?
	       ktime_get_ns() : 0;
}

/**
 * vcoal_queue_clock_to_hold() - the same, of what may begin a hold
 * @queue: being served
 * @hold: it may, and must know the time
 *
 * Return: ktime ns, or 0 without @hold
 */
static inline u64 vcoal_queue_clock_to_hold(const struct vcoal_queue *queue,
					    bool hold)
{
	return hold ? ktime_get_ns() : vcoal_queue_clock(queue);
}

/**
 * vcoal_queue_only_counts() - is all that a poll needs vcoal_queue_count()?
 * @queue: being served
 *
 * Return: true while nobody asks for the time, for a hold, or has one running
 */
static inline bool vcoal_queue_only_counts(const struct vcoal_queue *queue)
{
	return !READ_ONCE(queue->timed) && !READ_ONCE(queue->hold.ns) &&
	       !vcoal_hold_running(&queue->hold);
}

#endif /* _VCOAL_ADAPTER_H */
