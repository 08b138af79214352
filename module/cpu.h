/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_CPU_H
#define _VCOAL_CPU_H

#include <linux/types.h>

/* A CPU that never idles. */
#define VCOAL_CPU_BUSY_FULL	1024

u32 vcoal_cpu_busy(u64 now);

#endif /* _VCOAL_CPU_H */
