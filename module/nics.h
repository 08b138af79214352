/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_NICS_H
#define _VCOAL_NICS_H

#include <linux/types.h>

bool vcoal_nics_active(void);
bool vcoal_nics_enabled(void);
void vcoal_nics_enable(bool enable);
int __must_check vcoal_nics_init(void);
void vcoal_nics_exit(void);

#endif /* _VCOAL_NICS_H */
