// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evidence: /sys/kernel/debug/vcoal/<vm>/<nic>/{histograms,decisions}
 *
 * Nothing here can fail the module: debugfs may be absent or locked down.
 * Files are removed under vcoal_mutex, which waits for their readers: these
 * must never wait for it (see vcoal_sysfs_lock()).
 */
#include "debugfs.h"

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include "queue.h"
#include "stats.h"
#include "sysfs.h"
#include "trace.h"

static struct dentry *vcoal_debugfs_root;

static void vcoal_hist_show(struct seq_file *m, const char *name,
			    const struct vcoal_hist *hist)
{
	int i, last = -1;

	for (i = 0; i < VCOAL_HIST_BUCKETS; i++)
		if (hist->bucket[i])
			last = i;

	seq_printf(m, "  %s\n", name);
	if (last < 0)
		return;
	seq_printf(m, "    p50<=%llu p99<=%llu p99.9<=%llu\n",
		   vcoal_hist_quantile(hist, 500),
		   vcoal_hist_quantile(hist, 990),
		   vcoal_hist_quantile(hist, 999));
	for (i = 0; i <= last; i++)
		seq_printf(m, "    <=%-7llu %llu\n", vcoal_hist_edge(i),
			   hist->bucket[i]);
}

/* A file about the queues of a NIC, one after the other. */
static int vcoal_queues_show(struct seq_file *m,
			     void (*show)(struct seq_file *m,
					  struct vcoal_queue *queue))
{
	struct vcoal_nic *nic = m->private;
	struct vcoal_queue *queue;
	int err;

	err = vcoal_sysfs_lock();
	if (err)
		return err;
	list_for_each_entry(queue, &nic->queues, list)
		show(m, queue);
	vcoal_sysfs_unlock();

	return 0;
}

static void vcoal_queue_histograms(struct seq_file *m,
				   struct vcoal_queue *queue)
{
	struct vcoal_hist batch, gap, delay;

	spin_lock_bh(&queue->lock);
	batch = queue->batch;
	gap = queue->gap_us;
	delay = queue->delay_us;
	spin_unlock_bh(&queue->lock);

	seq_printf(m, "%s\n", kobject_name(&queue->kobj));
	vcoal_hist_show(m, "batch_frames", &batch);
	vcoal_hist_show(m, "gap_us", &gap);
	vcoal_hist_show(m, "added_delay_us", &delay);
}

static int histograms_show(struct seq_file *m, void *unused)
{
	return vcoal_queues_show(m, vcoal_queue_histograms);
}
DEFINE_SHOW_ATTRIBUTE(histograms);

static void vcoal_verdict_show(struct seq_file *m, struct vcoal_queue *queue,
			       const struct vcoal_verdict *verdict)
{
	seq_printf(m, "%llu %s usecs=%u frames=%u reason=%s seen=%u irqs=%u\n",
		   div_u64(verdict->when, NSEC_PER_USEC),
		   kobject_name(&queue->kobj),
		   verdict->params.hold_ns / (u32)NSEC_PER_USEC,
		   verdict->params.frames, vcoal_reason_name(verdict->reason),
		   verdict->frames, verdict->irqs);
}

static void vcoal_queue_decisions(struct seq_file *m, struct vcoal_queue *queue)
{
	struct vcoal_verdict verdicts[VCOAL_VERDICTS];
	u32 next, i;

	spin_lock_bh(&queue->lock);
	memcpy(verdicts, queue->verdicts, sizeof(verdicts));
	next = queue->verdict_next;
	spin_unlock_bh(&queue->lock);

	for (i = next > VCOAL_VERDICTS ? next - VCOAL_VERDICTS : 0; i < next; i++)
		vcoal_verdict_show(m, queue, &verdicts[i % VCOAL_VERDICTS]);
}

static int decisions_show(struct seq_file *m, void *unused)
{
	return vcoal_queues_show(m, vcoal_queue_decisions);
}
DEFINE_SHOW_ATTRIBUTE(decisions);

/**
 * vcoal_debugfs_vm_add() - show a VM
 * @vm: its name must be set
 */
void vcoal_debugfs_vm_add(struct vcoal_vm *vm)
{
	vm->debugfs = debugfs_create_dir(kobject_name(&vm->kobj),
					 vcoal_debugfs_root);
}

/**
 * vcoal_debugfs_vm_del() - hide a VM
 * @vm: shown
 */
void vcoal_debugfs_vm_del(struct vcoal_vm *vm)
{
	debugfs_remove(vm->debugfs);
}

/**
 * vcoal_debugfs_nic_add() - show a NIC
 * @nic: its name must be set
 */
void vcoal_debugfs_nic_add(struct vcoal_nic *nic)
{
	nic->debugfs = debugfs_create_dir(kobject_name(&nic->kobj),
					  nic->vm->debugfs);
	debugfs_create_file("histograms", 0444, nic->debugfs, nic,
			    &histograms_fops);
	debugfs_create_file("decisions", 0444, nic->debugfs, nic,
			    &decisions_fops);
}

/**
 * vcoal_debugfs_nic_del() - hide a NIC
 * @nic: shown
 */
void vcoal_debugfs_nic_del(struct vcoal_nic *nic)
{
	debugfs_remove(nic->debugfs);
	nic->debugfs = NULL;
}

/**
 * vcoal_debugfs_init() - the root
 */
void vcoal_debugfs_init(void)
{
	vcoal_debugfs_root = debugfs_create_dir("vcoal", NULL);
}

/**
 * vcoal_debugfs_exit() - all of it
 */
void vcoal_debugfs_exit(void)
{
	debugfs_remove(vcoal_debugfs_root);
}
