// SPDX-License-Identifier: GPL-2.0-only
/*
 * A domain that misbehaves, for the lab: insmod sends events on one of its
 * channels, whatever that is for. Its other end finds nothing to do.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <xen/events.h>
#include <xen/xen.h>

static unsigned int port;
module_param(port, uint, 0);
MODULE_PARM_DESC(port, "event channel");

static unsigned int count = 1;
module_param(count, uint, 0);
MODULE_PARM_DESC(count, "events to send");

static unsigned int usecs = 1000;
module_param(usecs, uint, 0);
MODULE_PARM_DESC(usecs, "time between them");

static int __init xenkick_init(void)
{
	unsigned int i;

	if (!xen_domain())
		return -ENODEV;

	for (i = 0; i < count; i++) {
		notify_remote_via_evtchn(port);
		usleep_range(usecs, usecs + 1);
	}

	return 0;
}
module_init(xenkick_init);

static void __exit xenkick_exit(void)
{
}
module_exit(xenkick_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("vcoal: sends events without work");
