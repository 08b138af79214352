/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_TRACE_WRAP_H
#define _VCOAL_TRACE_WRAP_H

#include <vcoal/vcoal.h>
#include <trace/events/vcoal.h>

const char *vcoal_reason_name(enum vcoal_reason reason);

#endif /* _VCOAL_TRACE_WRAP_H */
