/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VCOAL_VHOST_BATCH_H
#define _VCOAL_VHOST_BATCH_H

int __must_check vhb_up(void);
void vhb_down(void);

#endif /* _VCOAL_VHOST_BATCH_H */
