/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The objects: a VM owns NICs, a NIC owns queues, a queue owns a hold.
 */
#ifndef _VCOAL_H
#define _VCOAL_H

#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <vcoal/compat.h>
#include <vcoal/hold.h>
#include <vcoal/policy.h>

#define VCOAL_VERSION	"0.1.0"

struct vcoal_adapter;

enum vcoal_dir {
	VCOAL_RX,
	VCOAL_TX,
	VCOAL_DIRS
};

enum vcoal_mode {
	VCOAL_MODE_AUTO,	/* the VM's policy decides */
	VCOAL_MODE_FIXED,	/* the values written to this NIC */
	VCOAL_MODE_OBSERVE,	/* count, change nothing */
	VCOAL_MODE_OFF,		/* unhooked: the driver's own code */
	VCOAL_MODES
};

enum vcoal_class_id {
	VCOAL_CLASS_LATENCY,
	VCOAL_CLASS_BALANCED,
	VCOAL_CLASS_THROUGHPUT,
	VCOAL_CLASS_NONE,
	VCOAL_CLASSES
};

/*
 * Every counter exists once: C(name). They are written under the queue's lock
 * except irqs and spurious, which only the queue's own interrupt writes.
 */
#define VCOAL_COUNTERS(C)						\
	C(irqs)		/* interrupts taken */				\
	C(polls)	/* times the queue was served */		\
	C(full_polls)	/* polls that used their whole budget */	\
	C(empty_polls)	/* polls that found nothing */			\
	C(packets)	/* packets served */				\
	C(bytes)	/* bytes served, where the adapter can tell */	\
	C(holds)	/* holds that ended */				\
	C(empty_holds)	/* holds that ended with nothing to release */	\
	C(held_packets)	/* packets that holds released */		\
	C(added_delay_ns) /* sum over held_packets, upper bound */ \
	C(decisions)	/* windows that were judged */			\
	C(rescues)	/* holds that the watchdog ended */		\
	C(spurious)	/* interrupts for nothing, as their driver says */

#define VCOAL_COUNTER_FIELD(name)	u64 name;
struct vcoal_counters {
	VCOAL_COUNTERS(VCOAL_COUNTER_FIELD)
};

#undef VCOAL_COUNTER_FIELD

/* Bucket i counts values v with fls(v) == i; the last one takes the rest. */
#define VCOAL_HIST_BUCKETS	20

struct vcoal_hist {
	u64 bucket[VCOAL_HIST_BUCKETS];
};

/**
 * struct vcoal_window - the running window of one queue
 * @start: ktime ns
 * @last_work: last poll that found work, ktime ns; 0 before the first
 * @base: the counters when the window began
 * @nic_bytes: what the NIC had carried then
 * @gap_max: see struct vcoal_sample
 * @delay_max: see struct vcoal_sample
 * @peak: see struct vcoal_sample
 */
struct vcoal_window {
	u64 start;
	u64 last_work;
	struct vcoal_counters base;
	u64 nic_bytes;
	u32 gap_max;
	u32 delay_max;
	u32 peak;
};

/* One changed decision, for debugfs. */
struct vcoal_verdict {
	u64 when;
	struct vcoal_params params;
	enum vcoal_reason reason;
	u32 frames;
	u32 irqs;
};

#define VCOAL_VERDICTS	8

/**
 * struct vcoal_vm - who owns NICs
 * @kobj: /sys/kernel/vcoal/vms/<id>
 * @nics_kobj: its nics/
 * @list: in vcoal_vms, under vcoal_mutex
 * @nics: its NICs, under vcoal_mutex
 * @policy: of NICs in mode auto
 * @class_id: latency class
 * @max_delay_ns: own bound; VCOAL_CLASS_BOUND takes that of the class
 * @irq_rate_max: interrupts per second of all queues together, 0 no ceiling
 * @trial_until: a queue tries something until then, ktime ns
 * @pause_until: its queues let go until then
 * @busy_queues: queues that saw frames in the last second, kept by the watchdog
 * @retired: counters of queues that are gone
 * @permanent: stays when its last NIC leaves
 * @debugfs: its directory
 * @label: what the operator calls it
 *
 * Written under vcoal_mutex; what decisions need is read with READ_ONCE().
 */
struct vcoal_vm {
	struct kobject kobj;
	struct kobject *nics_kobj;
	struct list_head list;
	struct list_head nics;
	const struct vcoal_policy *policy;
	enum vcoal_class_id class_id;
	u32 max_delay_ns;
	u32 irq_rate_max;
	u64 trial_until;
	u64 pause_until;
	u32 busy_queues;
	struct vcoal_counters retired;
	bool permanent;
	struct dentry *debugfs;
	char label[64];
};

#define VCOAL_CLASS_BOUND	U32_MAX

/* An interface name, and a number that makes it unique. */
#define VCOAL_NIC_NAME_LEN	32

/**
 * struct vcoal_nic - one virtual NIC
 * @kobj: vms/<vm>/nics/<nic>
 * @queues_kobj: its queues/
 * @list: in vm->nics, under vcoal_mutex
 * @queues: under vcoal_mutex; filled only while the NIC is hooked
 * @vm: owner; a reference is held
 * @adapter: who knows its driver
 * @dev: its netdev, NULL for a NIC that has none
 * @priv: the adapter's own, between scan() and drop()
 * @caps: VCOAL_CAP_* of the hooked NIC
 * @why: one line on what is missing, or NULL
 * @name: of @kobj, for tracepoints: renaming frees the kobject's own
 * @debugfs: its directory
 * @bytes: carried so far, both ways, as vcoal_nic_bytes() last saw it
 * @bytes_when: then, ktime ns
 * @mode: see enum vcoal_mode
 * @fixed: what the operator wrote, kept whatever the mode
 * @list, @queues, @mode and @fixed are written under vcoal_mutex.
 */
struct vcoal_nic {
	struct kobject kobj;
	struct kobject *queues_kobj;
	struct list_head list;
	struct list_head queues;
	struct vcoal_vm *vm;
	const struct vcoal_adapter *adapter;
	struct net_device *dev;
	void *priv;
	unsigned long caps;
	const char *why;
	char name[VCOAL_NIC_NAME_LEN];
	struct dentry *debugfs;
	u64 bytes;
	u64 bytes_when;
	enum vcoal_mode mode;
	struct vcoal_params fixed[VCOAL_DIRS];
};

/**
 * struct vcoal_queue - one direction of one queue pair
 * @nic: owner
 * @list: in nic->queues
 * @hold: where its interrupt waits
 * @timed: polls are timed: the policy needs to know; written by control, and
 *	by the poll that ends a rest
 * @lock: protects all below but count.irqs. Taken with BH off.
 * @count: counters
 * @win: the running window
 * @batch: frames per poll that found work
 * @gap_us: time between such polls
 * @delay_us: added delay of held frames
 * @wake: count.polls at which the policy's rest ends, 0 while it has none
 * @window_ns: least length of a window
 * @policy: who decides
 * @state: its private state
 * @params: in force
 * @reason: why
 * @ring_size: descriptors, 0 where unknown
 * @guard_ns: a hold in which half of them cannot fill, as of the last window
 * @verdicts: the last changes
 * @verdict_next: where the next one goes
 * @dir: direction
 * @index: number among its direction
 * @hooked: the adapter intercepts it
 * @packets_seen: count.packets at the watchdog's last look
 * @kobj: nics/<nic>/queues/<rx|tx>-<index>
 * @rcu: for kfree_rcu()
 *
 * An adapter's queue begins with this one (see adapter->queue_size).
 */
struct vcoal_queue {
	struct vcoal_nic *nic;
	struct list_head list;
	struct vcoal_hold hold;
	bool timed;
	/* Protects all below but count.irqs. Taken with BH off. */
	spinlock_t lock;
	struct vcoal_counters count;
	struct vcoal_window win;
	struct vcoal_hist batch;
	struct vcoal_hist gap_us;
	struct vcoal_hist delay_us;
	u64 wake;
	u32 window_ns;
	const struct vcoal_policy *policy;
	u64 state[VCOAL_POLICY_STATE / sizeof(u64)];
	struct vcoal_params params;
	enum vcoal_reason reason;
	u32 ring_size;
	u32 guard_ns;
	struct vcoal_verdict verdicts[VCOAL_VERDICTS];
	u32 verdict_next;
	enum vcoal_dir dir;
	u32 index;
	bool hooked;
	u64 packets_seen;
	struct kobject kobj;
	struct rcu_head rcu;
};

/* Protects VMs, NICs, queues lists and settings. Nests inside rtnl. */
extern struct mutex vcoal_mutex;

#endif /* _VCOAL_H */
