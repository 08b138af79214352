/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTEST_H
#define _SELFTEST_H

#include <linux/types.h>

int selftest(u32 jobs);

#endif /* _SELFTEST_H */
