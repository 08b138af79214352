/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_WATCH_H
#define _VCOAL_WATCH_H

#include <linux/types.h>

void vcoal_watch_wake(void);
void vcoal_watch_stop(void);

#endif /* _VCOAL_WATCH_H */
