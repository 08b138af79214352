// SPDX-License-Identifier: GPL-2.0-only
/*
 * The napi->poll swap.
 *
 * Who may run: any CPU may be inside the wrapper at any time; the NAPI core
 * calls poll() with BH off, and BH off is an RCU reader. So:
 *
 *  hook:   the key is in the table before the pointer is swapped, hence
 *          whoever enters the wrapper finds its hook;
 *  unhook: the pointer is restored, nothing else; whoever is still inside
 *          finds the hook as before;
 *  then    synchronize_net(), after which nobody is inside, and only then may
 *          the key leave the table and the memory go.
 *
 * A NAPI that nobody hooks is never touched: it costs nothing.
 */
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/rtnetlink.h>
#include <linux/spinlock.h>
#include <vcoal/hook_napi.h>

/* 128 KiB: of 4000 queues, few share a bucket. */
#define VCOAL_KEY_BITS	14

/* Readers are under RCU, writers under vcoal_keys_lock. */
static DEFINE_HASHTABLE(vcoal_keys, VCOAL_KEY_BITS);
static DEFINE_SPINLOCK(vcoal_keys_lock);

/**
 * vcoal_key_add() - make an object findable
 * @key: embedded in it
 * @ptr: the driver's pointer, unique among all keys
 */
void vcoal_key_add(struct vcoal_key *key, const void *ptr)
{
	key->ptr = ptr;
	spin_lock_bh(&vcoal_keys_lock);
	hash_add_rcu(vcoal_keys, &key->node, (unsigned long)ptr);
	spin_unlock_bh(&vcoal_keys_lock);
}

/**
 * vcoal_key_del() - nobody looks for the object any more
 * @key: added, or zeroed; a reader may still be on it until a grace period
 */
void vcoal_key_del(struct vcoal_key *key)
{
	spin_lock_bh(&vcoal_keys_lock);
	hash_del_rcu(&key->node);
	spin_unlock_bh(&vcoal_keys_lock);
}

/**
 * vcoal_key_find() - the key of a driver's pointer
 * @ptr: the pointer
 *
 * Context: an RCU reader; BH or interrupts off will do.
 */
struct vcoal_key *vcoal_key_find(const void *ptr)
{
	struct vcoal_key *key;

	hash_for_each_possible_rcu(vcoal_keys, key, node, (unsigned long)ptr,
				   rcu_read_lock_any_held())
		if (key->ptr == ptr)
			return key;

	return NULL;
}

/*
 * netpoll (budget 0, NPSVC) and busy polling have their own rules for who
 * completes: the driver's poll runs as if we were not there.
 */
static bool vcoal_napi_foreign(const struct napi_struct *napi, int budget)
{
	return !budget || (READ_ONCE(napi->state) &
			   (NAPIF_STATE_NPSVC | NAPIF_STATE_IN_BUSY_POLL));
}

/*
 * A busy poller owns the NAPI, as long as it likes (with threaded busy polling
 * for good): no interrupt is held while it polls. netpoll owns nothing. Noinline:
 * what this needs of the stack, other polls do not.
 */
static noinline int vcoal_napi_poll_foreign(struct vcoal_napi_hook *hook, int budget)
{
	/* Who spins here does not ask for the time for nothing. */
	if (budget && hook->hold && vcoal_hold_running(hook->hold)) {
		vcoal_hold_end(hook->hold, ktime_get_ns());
		/* As in vnet_serve_tx(). */
		smp_mb();
	}

	return hook->driver_poll(hook->napi, budget);
}

static int vcoal_napi_poll(struct napi_struct *napi, int budget)
{
	struct vcoal_key *key = vcoal_key_find(napi);
	struct vcoal_napi_hook *hook;

	/* Cannot be, see above; pretend to be busy rather than to be done. */
	if (WARN_ON_ONCE(!key))
		return budget;

	hook = container_of(key, struct vcoal_napi_hook, key);
	if (unlikely(vcoal_napi_foreign(napi, budget)))
		return vcoal_napi_poll_foreign(hook, budget);

	return hook->poll(hook, budget);
}

/**
 * vcoal_napi_hook() - run our poll in place of the driver's
 * @hook: zeroed but for its hold
 * @napi: the driver's
 * @poll: ours
 */
void vcoal_napi_hook(struct vcoal_napi_hook *hook, struct napi_struct *napi,
		     int (*poll)(struct vcoal_napi_hook *hook, int budget))
{
	hook->dev = napi->dev;
	hook->napi = napi;
	hook->driver_poll = napi->poll;
	hook->poll = poll;
	vcoal_key_add(&hook->key, napi);
	/* The key before the pointer: pairs with the call of napi->poll. */
	smp_store_release(&napi->poll, vcoal_napi_poll);
}

/*
 * Did the driver replace its NAPIs behind our back? Those that go leave the
 * list a grace period before their memory does; a new one that got the address
 * of an old one does not run our poll.
 */
static bool vcoal_napi_exists(const struct vcoal_napi_hook *hook)
{
	const struct napi_struct *napi;

	list_for_each_entry_rcu(napi, &hook->dev->napi_list, dev_list)
		if (napi == hook->napi)
			return READ_ONCE(napi->poll) == vcoal_napi_poll;

	return false;
}

/**
 * vcoal_napi_hooked() - does the driver's poll still run as ours?
 * @hook: hooked
 */
bool vcoal_napi_hooked(const struct vcoal_napi_hook *hook)
{
	bool hooked;

	rcu_read_lock();
	hooked = vcoal_napi_exists(hook);
	rcu_read_unlock();

	return hooked;
}

/**
 * vcoal_napi_unhook() - restore the driver's poll
 * @hook: hooked; forget it (vcoal_napi_kick()) after a grace period
 */
void vcoal_napi_unhook(struct vcoal_napi_hook *hook)
{
	ASSERT_RTNL();

	rcu_read_lock();
	if (vcoal_napi_exists(hook))
		WRITE_ONCE(hook->napi->poll, hook->driver_poll);
	else
		/* A poll under way owns its NAPI; a timer must not try. */
		WRITE_ONCE(hook->gone, true);
	rcu_read_unlock();
}

/**
 * vcoal_napi_kick() - forget the hook; poll once, the callbacks may be off
 * @hook: unhooked, and a grace period has passed
 */
void vcoal_napi_kick(struct vcoal_napi_hook *hook)
{
	vcoal_key_del(&hook->key);
	if (hook->gone)
		return;
	local_bh_disable();
	napi_schedule(hook->napi);
	local_bh_enable();
}

/**
 * vcoal_napi_release() - bring the event that a hold kept
 * @hook: hooked
 *
 * As the core's own napi_watchdog(), this does not leave NAPI_STATE_MISSED
 * behind: it is not a device's interrupt. A NAPI that somebody owns needs no
 * help: its owner polls it, and with that decides anew.
 *
 * Return: true when this call scheduled it
 */
bool vcoal_napi_release(struct vcoal_napi_hook *hook)
{
	struct napi_struct *napi = hook->napi;

	if (READ_ONCE(hook->gone) || napi_disable_pending(napi) ||
	    test_and_set_bit(NAPI_STATE_SCHED, &napi->state))
		return false;
	__napi_schedule(napi);

	return true;
}
