// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints, and the words for reasons.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"

#define VCOAL_REASON_NAME(id, word)	[VCOAL_REASON_##id] = word,

static const char *const vcoal_reason_names[VCOAL_REASON_COUNT] = {
	VCOAL_REASONS(VCOAL_REASON_NAME)
};

#undef VCOAL_REASON_NAME

/**
 * vcoal_reason_name() - the word for a reason
 * @reason: why a decision was taken
 */
const char *vcoal_reason_name(enum vcoal_reason reason)
{
	return reason < VCOAL_REASON_COUNT ? vcoal_reason_names[reason] : "?";
}
