/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vcoal

#if !defined(_TRACE_VCOAL_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VCOAL_H

#include <linux/tracepoint.h>
#include <vcoal/vcoal.h>

/* Tools decode by the event's format: it wants numbers, not names of ours. */
#define VCOAL_REASON_NUMBER(id, word)	TRACE_DEFINE_ENUM(VCOAL_REASON_##id);
VCOAL_REASONS(VCOAL_REASON_NUMBER)
#define VCOAL_REASON_SYMBOL(id, word)	{ VCOAL_REASON_##id, word },

DECLARE_EVENT_CLASS(vcoal_queue,

	TP_PROTO(const struct vcoal_queue *queue),

	TP_ARGS(queue),

	TP_STRUCT__entry(
		__field(u32, index)
		__field(u8, dir)
		__array(char, nic, VCOAL_NIC_NAME_LEN)
	),

	TP_fast_assign(
		__entry->index = queue->index;
		__entry->dir = queue->dir;
		strscpy(__entry->nic, queue->nic->name, VCOAL_NIC_NAME_LEN);
	),

	TP_printk("nic=%s queue=%s-%u", __entry->nic,
		  __entry->dir ? "tx" : "rx", __entry->index)
);

DEFINE_EVENT(vcoal_queue, vcoal_irq,
	TP_PROTO(const struct vcoal_queue *queue),
	TP_ARGS(queue)
);

TRACE_EVENT(vcoal_hold,

	TP_PROTO(const struct vcoal_queue *queue),

	TP_ARGS(queue),

	TP_STRUCT__entry(
		__field(u32, hold_ns)
		__field(u32, frames)
		__field(u32, index)
		__field(u8, dir)
		__array(char, nic, VCOAL_NIC_NAME_LEN)
	),

	TP_fast_assign(
		__entry->hold_ns = READ_ONCE(queue->hold.ns);
		__entry->frames = READ_ONCE(queue->hold.frames);
		__entry->index = queue->index;
		__entry->dir = queue->dir;
		strscpy(__entry->nic, queue->nic->name, VCOAL_NIC_NAME_LEN);
	),

	TP_printk("nic=%s queue=%s-%u hold_ns=%u frames=%u", __entry->nic,
		  __entry->dir ? "tx" : "rx", __entry->index, __entry->hold_ns,
		  __entry->frames)
);

TRACE_EVENT(vcoal_release,

	TP_PROTO(const struct vcoal_queue *queue, u32 held_ns, u32 frames),

	TP_ARGS(queue, held_ns, frames),

	TP_STRUCT__entry(
		__field(u32, held_ns)
		__field(u32, frames)
		__field(u32, index)
		__field(u8, dir)
		__array(char, nic, VCOAL_NIC_NAME_LEN)
	),

	TP_fast_assign(
		__entry->held_ns = held_ns;
		__entry->frames = frames;
		__entry->index = queue->index;
		__entry->dir = queue->dir;
		strscpy(__entry->nic, queue->nic->name, VCOAL_NIC_NAME_LEN);
	),

	TP_printk("nic=%s queue=%s-%u held_ns=%u frames=%u", __entry->nic,
		  __entry->dir ? "tx" : "rx", __entry->index, __entry->held_ns,
		  __entry->frames)
);

TRACE_EVENT(vcoal_decide,

	TP_PROTO(const struct vcoal_queue *queue,
		 const struct vcoal_sample *sample,
		 const struct vcoal_decision *decision),

	TP_ARGS(queue, sample, decision),

	TP_STRUCT__entry(
		__field(u64, window_ns)
		__field(u32, hold_ns)
		__field(u32, frames_limit)
		__field(u32, reason)
		__field(u32, irqs)
		__field(u32, polls)
		__field(u32, frames)
		__field(u32, holds)
		__field(u32, held_frames)
		__field(u32, gap_max_ns)
		__field(u32, index)
		__field(u8, dir)
		__array(char, nic, VCOAL_NIC_NAME_LEN)
	),

	TP_fast_assign(
		__entry->window_ns = sample->window_ns;
		__entry->hold_ns = decision->params.hold_ns;
		__entry->frames_limit = decision->params.frames;
		__entry->reason = decision->reason;
		__entry->irqs = sample->irqs;
		__entry->polls = sample->polls;
		__entry->frames = sample->frames;
		__entry->holds = sample->holds;
		__entry->held_frames = sample->held_frames;
		__entry->gap_max_ns = sample->gap_max_ns;
		__entry->index = queue->index;
		__entry->dir = queue->dir;
		strscpy(__entry->nic, queue->nic->name, VCOAL_NIC_NAME_LEN);
	),

	TP_printk("nic=%s queue=%s-%u hold_ns=%u frames=%u reason=%s window_ns=%llu irqs=%u polls=%u seen=%u holds=%u held=%u gap_max_ns=%u",
		  __entry->nic, __entry->dir ? "tx" : "rx", __entry->index,
		  __entry->hold_ns, __entry->frames_limit,
		  __print_symbolic(__entry->reason,
				   VCOAL_REASONS(VCOAL_REASON_SYMBOL)
				   { -1, NULL }),
		  __entry->window_ns, __entry->irqs, __entry->polls,
		  __entry->frames, __entry->holds, __entry->held_frames,
		  __entry->gap_max_ns)
);

#endif /* _TRACE_VCOAL_H */

#include <trace/define_trace.h>
