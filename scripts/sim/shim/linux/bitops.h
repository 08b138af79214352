/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHIM_LINUX_BITOPS_H
#define _SHIM_LINUX_BITOPS_H

#define fls64(x)	((x) ? 64 - __builtin_clzll(x) : 0)

#endif /* _SHIM_LINUX_BITOPS_H */
