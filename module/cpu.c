// SPDX-License-Identifier: GPL-2.0-only
/*
 * How busy is the CPU that serves a queue?
 */
#include "cpu.h"

#include <linux/kernel_stat.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/tick.h>
#include <linux/time64.h>

/* Idle time is known to the microsecond: shorter spans say too little. */
#define VCOAL_CPU_SPAN_NS	(4 * NSEC_PER_MSEC)

struct vcoal_cpu {
	u64 when;
	u64 idle_us;
	u32 busy;
};

static DEFINE_PER_CPU(struct vcoal_cpu, vcoal_cpus);

static u32 vcoal_cpu_share(u64 span_ns, u64 idle_us)
{
	u64 idle_ns;

	/* Nobody asked for long: what the CPU did then says nothing. */
	span_ns = min_t(u64, span_ns, NSEC_PER_SEC);
	idle_ns = min(idle_us * NSEC_PER_USEC, span_ns);

	return div64_u64((span_ns - idle_ns) * VCOAL_CPU_BUSY_FULL, span_ns);
}

/**
 * vcoal_cpu_busy() - busy share of this CPU over the last few milliseconds
 * @now: ktime ns
 *
 * A kernel that does not account idle time (nohz=off) counts as busy.
 *
 * Context: BH off: this CPU's record has one user at a time. On PREEMPT_RT
 * another may come in between, and the answer is then of no use for once.
 *
 * Return: 0..VCOAL_CPU_BUSY_FULL
 */
u32 vcoal_cpu_busy(u64 now)
{
	struct vcoal_cpu *cpu = this_cpu_ptr(&vcoal_cpus);
	u64 when = READ_ONCE(cpu->when);
	u64 idle_us;

	if (now < when + VCOAL_CPU_SPAN_NS)
		return cpu->busy;

	idle_us = get_cpu_idle_time_us(smp_processor_id(), NULL);
	if (idle_us == (u64)-1)
		cpu->busy = VCOAL_CPU_BUSY_FULL;
	else
		cpu->busy = vcoal_cpu_share(now - when,
					    idle_us - cpu->idle_us);
	cpu->when = now;
	cpu->idle_us = idle_us;

	return cpu->busy;
}
