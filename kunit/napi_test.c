// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who polls a hooked NAPI, and what becomes of its hold: with a netdev that only
 * exists here.
 */
#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/rtnetlink.h>
#include <vcoal/hook_napi.h>

#define BUDGET	64

/* How often which poll ran. */
struct polled {
	struct vcoal_napi_hook hook;
	struct vcoal_hold hold;
	struct napi_struct napi;
	unsigned int ours;
	unsigned int theirs;
};

static int driver_poll(struct napi_struct *napi, int budget)
{
	container_of(napi, struct polled, napi)->theirs++;

	return 0;
}

static int our_poll(struct vcoal_napi_hook *hook, int budget)
{
	container_of(hook, struct polled, hook)->ours++;

	return 0;
}

static bool release(struct vcoal_hold *hold)
{
	return false;
}

static void poll(struct polled *polled, int budget)
{
	local_bh_disable();
	polled->napi.poll(&polled->napi, budget);
	local_bh_enable();
}

static struct polled *hooked(struct kunit *test)
{
	struct polled *polled = kunit_kzalloc(test, sizeof(*polled), GFP_KERNEL);
	struct net_device *dev = alloc_etherdev(0);

	KUNIT_ASSERT_NOT_NULL(test, polled);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	netif_napi_add(dev, &polled->napi, driver_poll);
	napi_enable(&polled->napi);
	vcoal_hold_init(&polled->hold, release);
	polled->hook.hold = &polled->hold;
	vcoal_napi_hook(&polled->hook, &polled->napi, our_poll);
	vcoal_hold_mark(&polled->hold, ktime_get_ns(), NSEC_PER_SEC);

	return polled;
}

static void unhook(struct polled *polled)
{
	struct net_device *dev = polled->napi.dev;

	rtnl_lock();
	vcoal_napi_unhook(&polled->hook);
	rtnl_unlock();
	synchronize_net();
	vcoal_key_del(&polled->hook.key);
	vcoal_hold_close(&polled->hold);
	napi_disable(&polled->napi);
	netif_napi_del(&polled->napi);
	free_netdev(dev);
}

static void napi_runs_our_poll(struct kunit *test)
{
	struct polled *polled = hooked(test);

	poll(polled, BUDGET);
	KUNIT_EXPECT_EQ(test, polled->ours, 1);
	KUNIT_EXPECT_EQ(test, polled->theirs, 0);
	unhook(polled);
	KUNIT_EXPECT_TRUE(test, polled->napi.poll == driver_poll);
}

static void napi_busy_poller_ends_the_hold(struct kunit *test)
{
	struct polled *polled = hooked(test);

	set_bit(NAPI_STATE_IN_BUSY_POLL, &polled->napi.state);
	poll(polled, BUDGET);
	clear_bit(NAPI_STATE_IN_BUSY_POLL, &polled->napi.state);
	KUNIT_EXPECT_EQ(test, polled->ours, 0);
	KUNIT_EXPECT_EQ(test, polled->theirs, 1);
	KUNIT_EXPECT_FALSE(test, vcoal_hold_running(&polled->hold));
	unhook(polled);
}

static void napi_netpoll_leaves_the_hold(struct kunit *test)
{
	struct polled *polled = hooked(test);

	poll(polled, 0);
	KUNIT_EXPECT_EQ(test, polled->ours, 0);
	KUNIT_EXPECT_EQ(test, polled->theirs, 1);
	KUNIT_EXPECT_TRUE(test, vcoal_hold_running(&polled->hold));
	unhook(polled);
}

static struct kunit_case napi_cases[] = {
	KUNIT_CASE(napi_runs_our_poll),
	KUNIT_CASE(napi_busy_poller_ends_the_hold),
	KUNIT_CASE(napi_netpoll_leaves_the_hold),
	{}
};

static struct kunit_suite napi_suite = {
	.name = "vcoal_napi",
	.test_cases = napi_cases,
};

kunit_test_suite(napi_suite);
