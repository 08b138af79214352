// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a NIC, and what sysfs accepts, with a netdev and an adapter
 * that only exist here.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>
#include "../module/registry.h"
#include "fake.h"

#define VMS	"/sys/kernel/vcoal/vms/"
#define NIC	VMS "local/nics/kunit0/"
#define QUEUES	2

/* What the adapter did, and what it shall answer. */
struct fake_adapter {
	unsigned int scans;
	unsigned int hooks;
	unsigned int unhooks;
	unsigned int kicks;
	unsigned int drops;
	unsigned int releases;
	unsigned int serve_release;
	int scan_error;
	int hook_error_at;
	struct vcoal_queue *queue[QUEUES];
	struct device *parent;
};

static struct fake_adapter fake;

static netdev_tx_t fake_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);

	return NETDEV_TX_OK;
}

static const struct net_device_ops fake_ops = {
	.ndo_start_xmit = fake_xmit,
};

static bool fake_match(const struct net_device *dev)
{
	return dev->netdev_ops == &fake_ops;
}

static int fake_scan(struct vcoal_nic *nic)
{
	int i;

	fake.scans++;
	nic->priv = &fake;
	nic->caps = FAKE_CAPS_ALL;
	for (i = 0; i < QUEUES; i++) {
		fake.queue[i] = vcoal_queue_new(nic, i % VCOAL_DIRS, 0);
		if (!fake.queue[i])
			return -ENOMEM;
	}

	return fake.scan_error;
}

static int fake_hook(struct vcoal_queue *queue)
{
	fake.hooks++;

	return fake.hooks == fake.hook_error_at ? -EBUSY : 0;
}

static void fake_unhook(struct vcoal_queue *queue)
{
	fake.unhooks++;
}

static void fake_kick(struct vcoal_queue *queue)
{
	fake.kicks++;
}

/* The core may drop what was not scanned: only the adapter knows. */
static void fake_drop(struct vcoal_nic *nic)
{
	fake.drops += !!nic->priv;
	nic->priv = NULL;
}

static bool fake_release(struct vcoal_hold *hold)
{
	/* Pairs with READ_ONCE() in nic_close_ends_holds(). */
	WRITE_ONCE(fake.releases, fake.releases + 1);
	if (fake.releases == fake.serve_release)
		vcoal_hold_end(hold, ktime_get_ns());

	return true;
}

static const struct vcoal_adapter fake_adapter = {
	.release	= fake_release,
	.match		= fake_match,
	.scan		= fake_scan,
	.hook		= fake_hook,
	.unhook		= fake_unhook,
	.kick		= fake_kick,
	.drop		= fake_drop,
	.queue_size	= sizeof(struct vcoal_queue),
	.timer_cost	= VCOAL_TIMER_COST,
	.name		= "kunit",
};

static void fake_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &fake_ops;
	eth_hw_addr_random(dev);
}

static void nic_up(struct net_device *dev)
{
	rtnl_lock();
	dev_open(dev, NULL);
	rtnl_unlock();
}

static void nic_down(struct net_device *dev)
{
	rtnl_lock();
	dev_close(dev);
	rtnl_unlock();
}

static bool path_exists(const char *name)
{
	struct path path;

	if (kern_path(name, LOOKUP_FOLLOW, &path))
		return false;
	path_put(&path);

	return true;
}

static ssize_t file_write(const char *name, const char *text)
{
	struct file *file = filp_open(name, O_WRONLY, 0);
	loff_t pos = 0;
	ssize_t done;

	if (IS_ERR(file))
		return PTR_ERR(file);
	done = kernel_write(file, text, strlen(text), &pos);
	filp_close(file, NULL);

	return done;
}

static ssize_t file_read(const char *name, char *buf, size_t size)
{
	struct file *file = filp_open(name, O_RDONLY, 0);
	loff_t pos = 0;
	ssize_t done;

	if (IS_ERR(file))
		return PTR_ERR(file);
	done = kernel_read(file, buf, size - 1, &pos);
	filp_close(file, NULL);
	buf[max(done, 0)] = 0;

	return done;
}

static void expect_value(struct kunit *test, const char *name,
			 const char *value)
{
	char buf[128] = "";

	KUNIT_EXPECT_GT(test, file_read(name, buf, sizeof(buf)), 0);
	KUNIT_EXPECT_STREQ(test, strim(buf), value);
}

static int nic_init(struct kunit *test)
{
	struct net_device *dev;
	int err;

	memset(&fake, 0, sizeof(fake));
	err = vcoal_adapter_register(&fake_adapter);
	if (err)
		return err;
	fake.parent = root_device_register("vcoal-kunit");
	if (IS_ERR(fake.parent))
		return PTR_ERR(fake.parent);
	dev = alloc_netdev(0, "kunit0", NET_NAME_UNKNOWN, fake_setup);
	if (!dev)
		return -ENOMEM;
	SET_NETDEV_DEV(dev, fake.parent);
	test->priv = dev;

	return register_netdev(dev);
}

static void nic_exit(struct kunit *test)
{
	struct net_device *dev = test->priv;

	if (dev && dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(dev);
	if (dev)
		free_netdev(dev);
	if (!IS_ERR_OR_NULL(fake.parent))
		root_device_unregister(fake.parent);
	vcoal_adapter_unregister(&fake_adapter);
}

static void nic_lives_as_long_as_its_netdev(struct kunit *test)
{
	struct net_device *dev = test->priv;

	KUNIT_EXPECT_TRUE(test, path_exists(NIC));
	KUNIT_EXPECT_TRUE(test, path_exists("/sys/class/net/kunit0/vcoal"));
	unregister_netdev(dev);
	KUNIT_EXPECT_FALSE(test, path_exists(NIC));
	KUNIT_EXPECT_TRUE(test, path_exists(VMS "local"));
}

static void nic_is_hooked_while_it_is_up(struct kunit *test)
{
	struct net_device *dev = test->priv;

	KUNIT_EXPECT_EQ(test, fake.scans, 0);
	nic_up(dev);
	KUNIT_EXPECT_EQ(test, fake.scans, 1);
	KUNIT_EXPECT_EQ(test, fake.hooks, QUEUES);
	KUNIT_EXPECT_TRUE(test, path_exists(NIC "queues/rx-0"));
	KUNIT_EXPECT_TRUE(test, path_exists(NIC "queues/tx-0"));
	nic_down(dev);
	KUNIT_EXPECT_EQ(test, fake.unhooks, QUEUES);
	KUNIT_EXPECT_EQ(test, fake.kicks, QUEUES);
	KUNIT_EXPECT_FALSE(test, path_exists(NIC "queues/rx-0"));
}

static void nic_scan_and_drop_pair(struct kunit *test)
{
	struct net_device *dev = test->priv;
	int i;

	for (i = 0; i < 3; i++) {
		nic_up(dev);
		nic_down(dev);
	}
	unregister_netdev(dev);
	KUNIT_EXPECT_EQ(test, fake.scans, 3);
	KUNIT_EXPECT_EQ(test, fake.drops, 3);
	KUNIT_EXPECT_EQ(test, fake.hooks, 3 * QUEUES);
	KUNIT_EXPECT_EQ(test, fake.unhooks, 3 * QUEUES);
}

static void nic_that_cannot_be_scanned_runs_unchanged(struct kunit *test)
{
	struct net_device *dev = test->priv;

	fake.scan_error = -EOPNOTSUPP;
	nic_up(dev);
	KUNIT_EXPECT_TRUE(test, netif_running(dev));
	KUNIT_EXPECT_EQ(test, fake.hooks, 0);
	KUNIT_EXPECT_EQ(test, fake.unhooks, 0);
	KUNIT_EXPECT_FALSE(test, path_exists(NIC "queues/rx-0"));
	expect_value(test, NIC "remark", "hooking failed: see the kernel log");

	fake.scan_error = 0;
	nic_down(dev);
	nic_up(dev);
	KUNIT_EXPECT_EQ(test, fake.hooks, QUEUES);
	expect_value(test, NIC "remark", "");
}

static void nic_half_hooked_is_given_back(struct kunit *test)
{
	struct net_device *dev = test->priv;

	fake.hook_error_at = QUEUES;
	nic_up(dev);
	KUNIT_EXPECT_EQ(test, fake.hooks, QUEUES);
	KUNIT_EXPECT_EQ(test, fake.unhooks, QUEUES - 1);
	KUNIT_EXPECT_EQ(test, fake.kicks, QUEUES - 1);
	KUNIT_EXPECT_FALSE(test, path_exists(NIC "queues/rx-0"));
}

static void nic_close_ends_holds(struct kunit *test)
{
	struct net_device *dev = test->priv;

	nic_up(dev);
	KUNIT_ASSERT_NOT_NULL(test, fake.queue[0]);
	vcoal_hold_begin(&fake.queue[0]->hold, ktime_get_ns(),
			 VCOAL_HOLD_NS_MAX);
	nic_down(dev);
	msleep(50);
	KUNIT_EXPECT_EQ(test, READ_ONCE(fake.releases), 0);
}

static void nic_stuck_hold_is_rescued_once(struct kunit *test)
{
	struct net_device *dev = test->priv;
	struct vcoal_served served = { .frames = 1 };
	struct vcoal_queue *queue;

	nic_up(dev);
	queue = fake.queue[0];
	KUNIT_ASSERT_NOT_NULL(test, queue);
	vcoal_hold_set(&queue->hold, (struct vcoal_params) {
		.hold_ns = VCOAL_HOLD_NS_MAX,
	});
	/* Traffic wakes the watchdog; only its release leads to a poll. */
	fake.serve_release = 2;
	msleep(50);
	served.now = ktime_get_ns();
	local_bh_disable();
	vcoal_queue_served(queue, &served);
	local_bh_enable();
	vcoal_hold_begin(&queue->hold, served.now, VCOAL_HOLD_NS_MAX);
	ssleep(10);

	KUNIT_EXPECT_EQ(test, queue->count.rescues, 1);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_wanted(&queue->hold));
}

static void nic_first_window_does_not_begin_at_boot(struct kunit *test)
{
	struct net_device *dev = test->priv;
	struct vcoal_served served = { .frames = 1 };

	nic_up(dev);
	KUNIT_ASSERT_NOT_NULL(test, fake.queue[0]);
	served.now = ktime_get_ns();
	local_bh_disable();
	vcoal_queue_served(fake.queue[0], &served);
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, fake.queue[0]->count.decisions, 0);
}

static void nic_counters_outlive_its_queues(struct kunit *test)
{
	struct net_device *dev = test->priv;
	struct vcoal_served served = { .frames = 7 };
	char before[32] = "", after[32] = "";
	u64 was, is;

	nic_up(dev);
	file_read(VMS "local/stats/packets", before, sizeof(before));
	served.now = ktime_get_ns();
	local_bh_disable();
	vcoal_queue_served(fake.queue[0], &served);
	local_bh_enable();
	nic_down(dev);
	file_read(VMS "local/stats/packets", after, sizeof(after));

	KUNIT_ASSERT_EQ(test, kstrtou64(strim(before), 10, &was), 0);
	KUNIT_ASSERT_EQ(test, kstrtou64(strim(after), 10, &is), 0);
	KUNIT_EXPECT_EQ(test, is, was + 7);
}

static void nic_mode_off_unhooks(struct kunit *test)
{
	struct net_device *dev = test->priv;

	nic_up(dev);
	KUNIT_EXPECT_GT(test, file_write(NIC "mode", "off\n"), 0);
	KUNIT_EXPECT_EQ(test, fake.unhooks, QUEUES);
	nic_down(dev);
	nic_up(dev);
	KUNIT_EXPECT_EQ(test, fake.hooks, QUEUES);
	KUNIT_EXPECT_GT(test, file_write(NIC "mode", "auto\n"), 0);
	KUNIT_EXPECT_EQ(test, fake.hooks, 2 * QUEUES);
}

static void nic_master_switch_unhooks(struct kunit *test)
{
	struct net_device *dev = test->priv;

	nic_up(dev);
	KUNIT_EXPECT_GT(test, file_write("/sys/kernel/vcoal/enabled", "0"), 0);
	KUNIT_EXPECT_EQ(test, fake.unhooks, QUEUES);
	KUNIT_EXPECT_GT(test, file_write("/sys/kernel/vcoal/enabled", "1"), 0);
	KUNIT_EXPECT_EQ(test, fake.hooks, 2 * QUEUES);
}

static void nic_written_values_survive_the_mode(struct kunit *test)
{
	struct net_device *dev = test->priv;

	nic_up(dev);
	KUNIT_EXPECT_GT(test, file_write(NIC "rx_usecs", "77"), 0);
	KUNIT_EXPECT_GT(test, file_write(NIC "mode", "fixed"), 0);
	KUNIT_EXPECT_EQ(test, fake.queue[0]->hold.ns, 77000);
	KUNIT_EXPECT_GT(test, file_write(NIC "mode", "observe"), 0);
	KUNIT_EXPECT_EQ(test, fake.queue[0]->hold.ns, 0);
	expect_value(test, NIC "rx_usecs", "77");
	KUNIT_EXPECT_GT(test, file_write(NIC "mode", "fixed"), 0);
	nic_down(dev);
	nic_up(dev);
	expect_value(test, NIC "mode", "fixed");
	KUNIT_EXPECT_EQ(test, fake.queue[0]->hold.ns, 77000);
}

struct write_case {
	const char *file;
	const char *text;
};

static const struct write_case bad_writes[] = {
	{ NIC "mode", "fast" },
	{ NIC "mode", "autox" },
	{ NIC "rx_usecs", "-1" },
	{ NIC "rx_usecs", "10001" },
	{ NIC "rx_usecs", "4294967297" },
	{ NIC "rx_usecs", "12 13" },
	{ NIC "rx_usecs", "lots" },
	{ NIC "tx_usecs", "10001" },
	{ NIC "tx_usecs", "1e3" },
	{ NIC "rx_frames", "65536" },
	{ NIC "rx_frames", "-5" },
	{ NIC "tx_frames", "99999999999999999999" },
	{ VMS "local/class", "fast" },
	{ VMS "local/class", "latency2" },
	{ VMS "local/policy", "none such" },
	{ VMS "local/max_delay_us", "10001" },
	{ VMS "local/max_delay_us", "-2" },
	{ VMS "local/irq_rate_max", "-1" },
	{ VMS "local/irq_rate_max", "4294967296" },
	{ "/sys/kernel/vcoal/enabled", "2" },
	{ "/sys/kernel/vcoal/enabled", "maybe" },
	{ "/sys/kernel/vcoal/default_class", "fast" },
	{ "/sys/kernel/vcoal/default_policy", "none such" },
	{ "/sys/kernel/vcoal/classes/latency/max_delay_us", "10001" },
	{ "/sys/kernel/vcoal/classes/latency/max_delay_us", "x" },
};

static void write_desc(const struct write_case *row, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s = %s",
		 strrchr(row->file, '/') + 1, row->text);
}

KUNIT_ARRAY_PARAM(bad_write, bad_writes, write_desc);

static void sysfs_bad_write_changes_nothing(struct kunit *test)
{
	const struct write_case *row = test->param_value;
	char before[128] = "", after[128] = "";

	nic_up(test->priv);
	KUNIT_ASSERT_GT(test, file_read(row->file, before, sizeof(before)), 0);
	KUNIT_EXPECT_LT(test, file_write(row->file, row->text), 0);
	KUNIT_ASSERT_GT(test, file_read(row->file, after, sizeof(after)), 0);
	KUNIT_EXPECT_STREQ(test, before, after);
}

static const struct write_case good_writes[] = {
	{ NIC "mode", "observe" },
	{ NIC "rx_usecs", "0" },
	{ NIC "rx_usecs", "10000" },
	{ NIC "tx_usecs", "64" },
	{ NIC "rx_frames", "65535" },
	{ NIC "tx_frames", "1" },
	{ VMS "local/label", "web server 3" },
	{ VMS "local/class", "throughput" },
	{ VMS "local/class", "balanced" },
	{ VMS "local/policy", "fixed" },
	{ VMS "local/policy", "observe" },
	{ VMS "local/max_delay_us", "0" },
	{ VMS "local/max_delay_us", "10000" },
	{ VMS "local/irq_rate_max", "4000" },
	{ VMS "local/irq_rate_max", "0" },
};

KUNIT_ARRAY_PARAM(good_write, good_writes, write_desc);

static void sysfs_shows_what_was_written(struct kunit *test)
{
	const struct write_case *row = test->param_value;
	char before[128] = "";

	nic_up(test->priv);
	KUNIT_ASSERT_GT(test, file_read(row->file, before, sizeof(before)), 0);
	KUNIT_EXPECT_EQ(test, file_write(row->file, row->text),
			strlen(row->text));
	expect_value(test, row->file, row->text);
	KUNIT_EXPECT_GT(test, file_write(row->file, before), 0);
}

static struct kunit_case nic_cases[] = {
	KUNIT_CASE(nic_lives_as_long_as_its_netdev),
	KUNIT_CASE(nic_is_hooked_while_it_is_up),
	KUNIT_CASE(nic_scan_and_drop_pair),
	KUNIT_CASE(nic_that_cannot_be_scanned_runs_unchanged),
	KUNIT_CASE(nic_half_hooked_is_given_back),
	KUNIT_CASE(nic_close_ends_holds),
	KUNIT_CASE_SLOW(nic_stuck_hold_is_rescued_once),
	KUNIT_CASE(nic_first_window_does_not_begin_at_boot),
	KUNIT_CASE(nic_counters_outlive_its_queues),
	KUNIT_CASE(nic_mode_off_unhooks),
	KUNIT_CASE(nic_master_switch_unhooks),
	KUNIT_CASE(nic_written_values_survive_the_mode),
	KUNIT_CASE_PARAM(sysfs_bad_write_changes_nothing, bad_write_gen_params),
	KUNIT_CASE_PARAM(sysfs_shows_what_was_written, good_write_gen_params),
	{}
};

static struct kunit_suite nic_suite = {
	.name		= "vcoal_nic",
	.init		= nic_init,
	.exit		= nic_exit,
	.test_cases	= nic_cases,
};

kunit_test_suite(nic_suite);
