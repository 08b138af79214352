// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM and its guest in one small process: /dev/vhost-net, a tap device, one
 * split ring per direction, and a driver that looks at a ring only when its
 * call eventfd was signalled. So a lost interrupt is a stall, and every
 * interrupt is counted.
 *
 * vhosttest [-n FRAMES] [-w WINDOW] [-g GAP_US] [-u USECS] [-f FRAMES]
 *	[-p POLICY] [-l] [-s SECONDS] CASE [-- WORDS]
 *
 * rx, tx	FRAMES in one direction, at most WINDOW on the way
 * burst	tx, WINDOW at a time with one kick, and GAP_US in between
 * ping		one frame at a time
 * swap		rx, with a new call eventfd every few frames
 * quiet	rx, and no interrupt wanted for many frames every few frames
 * stop		rx, and the backend taken away every few frames
 * txstop	the same for tx, where a frame may wait for its kick meanwhile
 * close	a device that ends while a signal and a kick are kept, FRAMES
 *		times, in all ways
 * aio		FRAMES signals of eventfds that have nothing to do with vhost
 * recall	FRAMES times give a queue an eventfd and take it away
 * packed	nothing, but say whether vhost offers packed rings
 * soak		rx and tx for SECONDS, or until SIGTERM when that is 0
 * idle		ping, and then nothing until it is killed
 *
 * -l takes the legacy way to suppress interrupts and kicks (no event index), as
 * the driver does that has none; with it, no kick is sent before vhost has looked
 * at the ring. A frame that was transmitted is late when it comes to the tap so
 * much after it was put there. WORDS are there to be seen on the command line.
 * Prints one line of NAME=VALUE; exits with 1 when anything was lost.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NUM		1024	/* more than vhost serves in one run */
#define BUFFER		2048
#define HEADER		12	/* struct virtio_net_hdr_v1 */
#define PROTOCOL	0x88b5	/* for local experiments */
#define OTHERS		64	/* eventfds of somebody else, all over the memory */
#define STALL_MS	15000
#define AREA		(NUM * BUFFER + 65536)
#define EVENT_IDX	(1ULL << VIRTIO_RING_F_EVENT_IDX)
#define PACKED		(1ULL << VIRTIO_F_RING_PACKED)

enum { RX, TX, RINGS };

static const char *const ring_names[RINGS] = { "rx", "tx" };

struct frame {
	uint8_t dst[6], src[6];
	uint16_t protocol;
	uint16_t pad;
	uint64_t seq;
	uint64_t when;
	uint8_t rest[32];
} __attribute__((packed));

struct ring {
	struct vring vring;
	uint8_t *area;
	uint16_t used;		/* seen so far */
	uint16_t avail;
	uint16_t told;		/* avail, when a kick was last considered */
	int kick, call;
	uint64_t signals;
	uint64_t kicks;
	uint64_t frames;
};

static struct {
	unsigned long frames, window, gap_us, usecs, frames_max, seconds;
	const char *policy;
	bool legacy;
} opt = { .frames = 10000, .window = 64 };

static struct ring rings[RINGS];
static int vhost, tap, host;
static struct sockaddr_ll host_addr;
static uint64_t next_seq, late_max, late_sum, tx_late_max, tx_late_sum;
static unsigned long kept_ends, kick_ends;
static bool tx_bad;
static volatile uint64_t sent, got;
static volatile bool done;

static uint64_t to_ns(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000ULL + ts->tv_nsec;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return to_ns(&ts);
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void sleep_us(unsigned long us)
{
	struct timespec ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static void control(unsigned long request, void *arg, const char *name)
{
	if (ioctl(vhost, request, arg))
		err(2, "%s", name);
}

#define CONTROL(request, arg)	control(request, arg, #request)

/* What the module counted, and its knobs. */

static FILE *module_file(const char *mode, const char *rest)
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/kernel/vcoal/vms/pid%d/%s",
		 getpid(), rest);
	return fopen(path, mode);
}

static long module_counter(int ring, const char *name)
{
	char rest[80];
	long value = -1;
	FILE *file;

	snprintf(rest, sizeof(rest), "nics/vhost/queues/%s-0/%s",
		 ring_names[ring], name);
	file = module_file("r", rest);
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static void module_set(const char *rest, const char *value)
{
	FILE *file = module_file("w", rest);

	if (!file || fputs(value, file) < 0 || fclose(file))
		err(2, "%s", rest);
}

static void module_set_number(const char *rest, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	module_set(rest, text);
}

static void module_configure(void)
{
	if (opt.policy)
		module_set("policy", opt.policy);
	if (!opt.usecs)
		return;
	module_set_number("nics/vhost/rx_usecs", opt.usecs);
	module_set_number("nics/vhost/tx_usecs", opt.usecs);
	module_set_number("nics/vhost/rx_frames", opt.frames_max);
	module_set_number("nics/vhost/tx_frames", opt.frames_max);
	module_set("nics/vhost/mode", "fixed");
}

/* The VMM. */

static void set_call(struct ring *ring, int fd)
{
	struct vhost_vring_file file = { .index = ring - rings, .fd = fd };

	CONTROL(VHOST_SET_VRING_CALL, &file);
}

static void set_backend_of(struct ring *ring, int fd)
{
	struct vhost_vring_file file = { .index = ring - rings, .fd = fd };

	CONTROL(VHOST_NET_SET_BACKEND, &file);
}

static void set_backend(int fd)
{
	int i;

	for (i = 0; i < RINGS; i++)
		set_backend_of(&rings[i], fd);
}

static int call_new(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		err(2, "eventfd");
	return fd;
}

static void ring_open(struct ring *ring)
{
	unsigned int index = ring - rings;
	struct vhost_vring_state state = { .index = index, .num = NUM };
	struct vhost_vring_addr addr = { .index = index };
	struct vhost_vring_file file = { .index = index };

	vring_init(&ring->vring, NUM, ring->area + NUM * BUFFER, 4096);
	addr.desc_user_addr = (uintptr_t)ring->vring.desc;
	addr.avail_user_addr = (uintptr_t)ring->vring.avail;
	addr.used_user_addr = (uintptr_t)ring->vring.used;
	ring->kick = call_new();
	ring->call = call_new();
	file.fd = ring->kick;

	CONTROL(VHOST_SET_VRING_NUM, &state);
	state.num = 0;
	CONTROL(VHOST_SET_VRING_BASE, &state);
	CONTROL(VHOST_SET_VRING_ADDR, &addr);
	CONTROL(VHOST_SET_VRING_KICK, &file);
	set_call(ring, ring->call);
}

static void memory_open(void)
{
	struct {
		struct vhost_memory table;
		struct vhost_memory_region region;
	} memory = { .table.nregions = 1 };
	static uint8_t *area;

	if (!area)
		area = mmap(NULL, RINGS * AREA, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		err(2, "mmap");
	memset(area, 0, RINGS * AREA);
	/* Guest addresses are ours. */
	memory.region.guest_phys_addr = (uintptr_t)area;
	memory.region.userspace_addr = (uintptr_t)area;
	memory.region.memory_size = RINGS * AREA;
	CONTROL(VHOST_SET_MEM_TABLE, &memory);
	rings[RX].area = area;
	rings[TX].area = area + AREA;
}

static void features_open(void)
{
	uint64_t features;

	CONTROL(VHOST_GET_FEATURES, &features);
	features &= (1ULL << VIRTIO_F_VERSION_1) | (opt.legacy ? 0 : EVENT_IDX);
	CONTROL(VHOST_SET_FEATURES, &features);
}

static void tap_open(void)
{
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
		.ifr_name = "vt%d",
	};
	int size = HEADER, room = 8 << 20, on = 1;

	tap = open("/dev/net/tun", O_RDWR);
	if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) ||
	    ioctl(tap, TUNSETVNETHDRSZ, &size))
		err(2, "tap");
	host = socket(AF_PACKET, SOCK_RAW, htons(PROTOCOL));
	ifr.ifr_flags = IFF_UP;
	if (host < 0 || ioctl(host, SIOCSIFFLAGS, &ifr))
		err(2, "%s", ifr.ifr_name);
	setsockopt(host, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	setsockopt(host, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	host_addr.sll_family = AF_PACKET;
	host_addr.sll_protocol = htons(PROTOCOL);
	host_addr.sll_ifindex = if_nametoindex(ifr.ifr_name);
	if (bind(host, (struct sockaddr *)&host_addr, sizeof(host_addr)))
		err(2, "bind");
}

static void vhost_open(void)
{
	vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (vhost < 0)
		err(2, "/dev/vhost-net");
}

static void device_open(void)
{
	int i;

	CONTROL(VHOST_SET_OWNER, NULL);
	features_open();
	memory_open();
	for (i = 0; i < RINGS; i++)
		ring_open(&rings[i]);
	set_backend(tap);
}

/* The guest's driver. */

static void ring_give(struct ring *ring, uint16_t id, uint32_t len, int flags)
{
	struct vring_desc *desc = &ring->vring.desc[id];

	desc->addr = (uintptr_t)ring->area + id * BUFFER;
	desc->len = len;
	desc->flags = flags;
	ring->vring.avail->ring[ring->avail % NUM] = id;
	__atomic_store_n(&ring->vring.avail->idx, ++ring->avail,
			 __ATOMIC_SEQ_CST);
}

static bool ring_wants_kick(struct ring *ring)
{
	uint16_t told = ring->told;

	ring->told = ring->avail;
	if (opt.legacy)
		return !(ring->vring.used->flags & VRING_USED_F_NO_NOTIFY);
	return vring_need_event(vring_avail_event(&ring->vring), ring->avail,
				told);
}

static void ring_kick(struct ring *ring)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring_wants_kick(ring))
		return;
	ring->kicks++;
	eventfd_write(ring->kick, 1);
}

static void driver_open(void)
{
	unsigned int i;

	for (i = 0; i < RINGS; i++) {
		rings[i].used = 0;
		rings[i].avail = 0;
		rings[i].told = 0;
	}
	for (i = 0; i < NUM; i++)
		ring_give(&rings[RX], i, BUFFER, VRING_DESC_F_WRITE);
	ring_kick(&rings[RX]);
}

static bool ring_work(struct ring *ring)
{
	return __atomic_load_n(&ring->vring.used->idx, __ATOMIC_SEQ_CST) !=
	       ring->used;
}

static void rx_take(const struct frame *frame)
{
	uint64_t late = now_ns() - frame->when;

	if (frame->protocol != htons(PROTOCOL))
		return;
	if (frame->seq != next_seq)
		errx(1, "lost: frame %lu came when %lu was due",
		     (unsigned long)frame->seq, (unsigned long)next_seq);
	next_seq++;
	late_sum += late;
	if (late > late_max)
		late_max = late;
	rings[RX].frames++;
	got++;
}

/* The guest wants no interrupt. */
static bool quiet;

/* Everything that was used, until interrupts are on and nothing is left. */
static void ring_serve(struct ring *ring)
{
	struct vring_used_elem *elem;

	do {
		while (ring_work(ring)) {
			elem = &ring->vring.used->ring[ring->used++ % NUM];
			if (ring == &rings[RX]) {
				rx_take((void *)(ring->area + elem->id * BUFFER +
						 HEADER));
				ring_give(ring, elem->id, BUFFER,
					  VRING_DESC_F_WRITE);
			} else {
				ring->frames++;
			}
		}
		vring_used_event(&ring->vring) =
			ring->used + (quiet ? 0x8000 : 0);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	} while (ring_work(ring));
}

static bool call_take(struct ring *ring, int fd)
{
	eventfd_t count;

	if (eventfd_read(fd, &count))
		return false;
	ring->signals += count;
	return true;
}

/* Wait for an interrupt; one that does not come although it is due is lost. */
static void ring_wait(struct ring *ring)
{
	struct pollfd pollfd = { .fd = ring->call, .events = POLLIN };

	if (!poll(&pollfd, 1, STALL_MS)) {
		if (ring_work(ring))
			errx(1, "lost: %s has work and no interrupt",
			     ring_names[ring - rings]);
		errx(1, "stalled: %s sent=%lu got=%lu used=%u avail=%u",
		     ring_names[ring - rings], (unsigned long)sent,
		     (unsigned long)got, ring->used, ring->avail);
	}
	if (call_take(ring, ring->call))
		ring_serve(ring);
}

/* The host's side of the tap. */

static void host_send(void)
{
	struct frame frame = {
		.dst = { 2, 0, 0, 0, 0, 1 },
		.src = { 2, 0, 0, 0, 0, 2 },
		.protocol = htons(PROTOCOL),
		.seq = sent,
		.when = now_ns(),
	};

	while (sendto(host, &frame, sizeof(frame), 0,
		      (struct sockaddr *)&host_addr, sizeof(host_addr)) < 0)
		if (errno != ENOBUFS && errno != EAGAIN)
			err(2, "send");
	sent++;
}

static void *host_sender(void *unused)
{
	unsigned long count = (unsigned long)(uintptr_t)unused;

	while (!done && (!count || sent < count)) {
		if (sent - got >= opt.window) {
			sleep_us(opt.gap_us ?: 20);
			continue;
		}
		host_send();
		if (opt.gap_us)
			sleep_us(opt.gap_us);
	}
	return NULL;
}

static pthread_t sender_start(unsigned long count)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, host_sender, (void *)(uintptr_t)count))
		errx(2, "pthread_create");
	return thread;
}

/* When did it come to the tap? */
static void tx_came(const struct frame *frame, struct msghdr *msg)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct timespec ts;
	uint64_t late;

	if (!cmsg || cmsg->cmsg_type != SCM_TIMESTAMPNS)
		errx(2, "no time stamp");
	memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
	late = to_ns(&ts) - frame->when;
	tx_late_sum += late;
	if (late > tx_late_max)
		tx_late_max = late;
}

static void host_receive(int flags)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct frame frame;
	struct iovec iov = { &frame, sizeof(frame) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	while (recvmsg(host, &msg, flags) == sizeof(frame)) {
		if (frame.seq != got++)
			tx_bad = true;
		tx_came(&frame, &msg);
		msg.msg_controllen = sizeof(control);
	}
}

/* The cases. */

static void rx_until(unsigned long count)
{
	while (rings[RX].frames < count)
		ring_wait(&rings[RX]);
}

static void case_rx(void)
{
	pthread_t thread = sender_start(opt.frames);

	rx_until(opt.frames);
	pthread_join(thread, NULL);
}

static void tx_fill(struct ring *ring, uint64_t seq)
{
	uint16_t id = seq % NUM;
	struct frame *frame = (void *)(ring->area + id * BUFFER + HEADER);

	memset(ring->area + id * BUFFER, 0, HEADER);
	*frame = (struct frame) {
		.dst = { 2, 0, 0, 0, 0, 2 },
		.src = { 2, 0, 0, 0, 0, 1 },
		.protocol = htons(PROTOCOL),
		.seq = seq,
		.when = clock_ns(CLOCK_REALTIME),
	};
	ring_give(ring, id, HEADER + sizeof(*frame), 0);
}

static void tx_give(struct ring *ring, uint64_t seq)
{
	tx_fill(ring, seq);
	ring_kick(ring);
}

static void tx_put(struct ring *ring)
{
	tx_give(ring, sent++);
}

/* What was sent has come to the tap, once and in order. */
static void tx_check(void)
{
	sleep_us(100000);
	host_receive(MSG_DONTWAIT);
	if (got != opt.frames || tx_bad)
		errx(1, "lost: %lu of %lu frames arrived", (unsigned long)got,
		     opt.frames);
}

static void case_tx(void)
{
	struct ring *ring = &rings[TX];
	unsigned long window = opt.window < NUM ? opt.window : NUM;

	while (ring->frames < opt.frames) {
		while (sent < opt.frames && sent - ring->frames < window) {
			tx_put(ring);
			if (opt.gap_us)
				sleep_us(opt.gap_us);
			if (call_take(ring, ring->call))
				ring_serve(ring);
		}
		if (ring->frames < sent)
			ring_wait(ring);
		host_receive(MSG_DONTWAIT);
	}
	tx_check();
}

static void case_burst(void)
{
	struct ring *ring = &rings[TX];
	unsigned long i;

	while (sent < opt.frames) {
		for (i = 0; i < opt.window && sent < opt.frames; i++)
			tx_fill(ring, sent++);
		ring_kick(ring);
		while (ring->frames < sent)
			ring_wait(ring);
		host_receive(MSG_DONTWAIT);
		sleep_us(opt.gap_us);
	}
	tx_check();
}

static void case_ping(void)
{
	while (sent < opt.frames) {
		host_send();
		rx_until(sent);
		if (opt.gap_us)
			sleep_us(opt.gap_us);
	}
}

/* While frames come, do something to the ring after every 16 or so. */
static void disturb(void (*once)(struct ring *ring))
{
	pthread_t thread = sender_start(opt.frames);
	unsigned long next = 16;

	while (rings[RX].frames < opt.frames) {
		ring_wait(&rings[RX]);
		if (rings[RX].frames < next)
			continue;
		sleep_us(rings[RX].frames % 7 * 30);
		once(&rings[RX]);
		next = rings[RX].frames + 16;
	}
	pthread_join(thread, NULL);
}

/* A signal that was due has come when the ioctl returns, to the old eventfd. */
static void swap_once(struct ring *ring)
{
	int old = ring->call;

	ring->call = call_new();
	set_call(ring, ring->call);
	if (call_take(ring, old))
		ring_serve(ring);
	close(old);
}

static void case_swap(void)
{
	disturb(swap_once);
}

/* So long that nobody expects one any more. */
static void quiet_once(struct ring *ring)
{
	unsigned long until = ring->frames + 100;

	quiet = true;
	while (ring->frames < until && ring->frames < opt.frames) {
		sleep_us(20);
		ring_serve(ring);
	}
	quiet = false;
	ring_serve(ring);
}

static void case_quiet(void)
{
	disturb(quiet_once);
}

/* When the backend is gone, all that was used has been signalled. */
static void stop_once(struct ring *ring)
{
	bool called;

	set_backend(-1);
	called = call_take(ring, ring->call);
	if (!called && ring_work(ring))
		errx(1, "lost: stopped with work and no interrupt");
	sleep_us(2000);
	if (call_take(ring, ring->call))
		errx(1, "late: an interrupt came after the stop");
	ring_serve(ring);
	set_backend(tap);
}

static void case_stop(void)
{
	disturb(stop_once);
}

/*
 * The same for a ring that transmits. A kick that is kept is for a ring without
 * a backend now; when there is one again vhost looks for itself.
 */
static void tx_stop_once(struct ring *ring)
{
	set_backend_of(ring, -1);
	call_take(ring, ring->call);
	sleep_us(2000);
	if (call_take(ring, ring->call))
		errx(1, "late: an interrupt came after the stop");
	ring_serve(ring);
	set_backend_of(ring, tap);
}

static void case_txstop(void)
{
	struct ring *ring = &rings[TX];
	unsigned long next = 16;

	while (ring->frames < opt.frames) {
		while (sent < opt.frames && sent - ring->frames < 8)
			tx_put(ring);
		if (sent >= next) {
			sleep_us(sent % 7 * 30);
			tx_stop_once(ring);
			next = sent + 16;
		}
		if (ring->frames < sent)
			ring_wait(ring);
		host_receive(MSG_DONTWAIT);
	}
	tx_check();
}

static void warm_up(void);

/* Return: is a signal kept, or did it come, as this machine was so slow? */
static bool keep_one(struct ring *ring)
{
	int i;

	host_send();
	rx_until(sent);
	host_send();
	for (i = 0; i < 100000 && !ring_work(ring); i++)
		sleep_us(10);
	if (!ring_work(ring))
		errx(1, "stalled: a frame did not arrive");
	if (!call_take(ring, ring->call))
		return true;
	ring_serve(ring);
	return false;
}

static void tx_one(struct ring *ring)
{
	tx_give(ring, ring->avail);
	while (ring->used != ring->avail)
		ring_wait(ring);
}

/* Return: is a kick kept? */
static bool keep_kick(struct ring *ring)
{
	tx_one(ring);
	tx_give(ring, ring->avail);
	sleep_us(500);
	return !ring_work(ring);
}

/* Both at once: a hold ago, nothing was. */
static bool keep_both(bool *kick)
{
	bool kept;

	sleep_us(opt.usecs + 1000);
	kept = keep_one(&rings[RX]);
	*kick = keep_kick(&rings[TX]);
	return kept;
}

enum end { END_CLOSE, END_LAST_REFERENCE, END_UNBIND, END_RESET, ENDS };

static void end_device(struct ring *ring, enum end end)
{
	if (end == END_LAST_REFERENCE || end == END_UNBIND) {
		close(ring->call);
		ring->call = -1;
	}
	if (end == END_UNBIND) {
		set_call(ring, -1);
		sleep_us(20000);
	}
	if (end == END_RESET) {
		CONTROL(VHOST_RESET_OWNER, NULL);
		return;
	}
	close(vhost);
	vhost_open();
}

/* Of a device that is over, nothing is kept and nothing comes any more. */
static void end_once(struct ring *ring, enum end end)
{
	bool kept = false, kick = false;
	int i;

	/* The module learns which queue transmits. */
	for (i = 0; i < 3; i++)
		tx_one(&rings[TX]);
	for (i = 0; i < 50 && !(kept && kick); i++)
		kept = keep_both(&kick);
	kept_ends += kept;
	kick_ends += kick;
	end_device(ring, end);
	if (kept && ring->call >= 0 && !call_take(ring, ring->call))
		errx(1, "lost: a signal was kept when the device ended");
	call_take(&rings[TX], rings[TX].call);
	sleep_us(20000);
	for (i = 0; i < RINGS; i++)
		if (rings[i].call >= 0 && call_take(&rings[i], rings[i].call))
			errx(1, "late: a signal came after the device ended");
	for (i = 0; i < RINGS; i++) {
		close(rings[i].kick);
		close(rings[i].call);
	}
	for (i = 0; i < 300 && module_counter(RX, "irqs") >= 0; i++)
		sleep_us(10000);
	if (i == 300)
		errx(1, "the device is still there");
}

static void case_close(void)
{
	unsigned long i;

	for (i = 0; i < opt.frames; i++) {
		if (i) {
			device_open();
			driver_open();
			warm_up();
			module_configure();
		}
		end_once(&rings[RX], i % ENDS);
	}
	printf("kept=%lu kicks=%lu ", kept_ends, kick_ends);
}

/* A read that is done signals its eventfd. */
static void case_aio(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	static uint8_t byte;
	struct iocb iocb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)&byte,
		.aio_nbytes = 1,
		.aio_flags = IOCB_FLAG_RESFD,
	};
	struct iocb *list = &iocb;
	unsigned long i, counts = 0;
	int calls[OTHERS];
	struct io_event event;
	aio_context_t ctx = 0;
	eventfd_t count;

	for (i = 0; i < OTHERS; i++)
		calls[i] = call_new();
	if (fd < 0 || syscall(SYS_io_setup, 1, &ctx))
		err(2, "io_setup");
	for (i = 0; i < opt.frames; i++) {
		iocb.aio_resfd = calls[i % OTHERS];
		if (syscall(SYS_io_submit, ctx, 1, &list) != 1 ||
		    syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL) != 1)
			err(2, "aio");
	}
	for (i = 0; i < OTHERS; i++)
		counts += eventfd_read(calls[i], &count) ? 0 : count;
	if (counts != opt.frames)
		errx(1, "lost: %lu signals of %lu", counts, opt.frames);
}

static void case_recall(void)
{
	struct ring *ring = &rings[TX];
	int call = call_new();
	unsigned long i;

	for (i = 0; i < opt.frames; i++) {
		set_call(ring, call);
		set_call(ring, -1);
	}
	set_call(ring, ring->call);
}

static void case_packed(void)
{
	uint64_t features;

	CONTROL(VHOST_GET_FEATURES, &features);
	printf("packed=%d ", !!(features & PACKED));
}

/* An interrupt that nothing waits for may be the last one. */
static void *soak_rx(void *unused)
{
	while (!done || got < sent)
		if (got < sent)
			ring_wait(&rings[RX]);
		else
			sleep_us(opt.gap_us ?: 100);
	return unused;
}

static void *soak_tx(void *unused)
{
	struct ring *ring = &rings[TX];
	unsigned long put = 0;
	uint16_t id;

	while (!done || ring->frames < put) {
		while (!done && put - ring->frames < opt.window) {
			id = put++ % NUM;
			memset(ring->area + id * BUFFER, 0, HEADER + 64);
			ring_give(ring, id, HEADER + 64, 0);
			ring_kick(ring);
		}
		if (ring->frames < put)
			ring_wait(ring);
	}
	return unused;
}

static void soak_end(int signal)
{
	done = !!signal;
}

static void case_soak(void)
{
	pthread_t threads[3];
	int i;

	signal(SIGTERM, soak_end);
	threads[0] = sender_start(0);
	if (pthread_create(&threads[1], NULL, soak_rx, NULL) ||
	    pthread_create(&threads[2], NULL, soak_tx, NULL))
		errx(2, "pthread_create");
	for (i = 0; !done && (!opt.seconds || i < (int)opt.seconds * 100); i++)
		sleep_us(10000);
	done = true;
	for (i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

static void case_idle(void)
{
	int i;

	case_ping();
	/* There shall be many, and none needs its buffers. */
	for (i = 0; i < RINGS; i++)
		madvise(rings[i].area, NUM * BUFFER, MADV_DONTNEED);
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "rx", case_rx }, { "tx", case_tx }, { "burst", case_burst },
	{ "ping", case_ping },
	{ "swap", case_swap }, { "quiet", case_quiet }, { "stop", case_stop },
	{ "txstop", case_txstop }, { "close", case_close },
	{ "aio", case_aio }, { "recall", case_recall }, { "packed", case_packed },
	{ "soak", case_soak }, { "idle", case_idle },
};

/* The module meets a device at its first frames: both rings, then wait. */
static void warm_up(void)
{
	int i;

	sent = 0;
	next_seq = 0;
	rings[RX].frames = 0;
	host_send();
	rx_until(1);
	tx_put(&rings[TX]);
	rings[TX].frames = 0;
	while (!rings[TX].frames)
		ring_wait(&rings[TX]);
	for (i = 0; i < 200 && module_counter(TX, "irqs") < 0; i++)
		sleep_us(10000);
	sleep_us(20000);
	host_receive(MSG_DONTWAIT);
	sent = 0;
	got = 0;
	next_seq = 0;
	late_max = 0;
	late_sum = 0;
	tx_late_max = 0;
	tx_late_sum = 0;
	for (i = 0; i < RINGS; i++) {
		rings[i].frames = 0;
		call_take(&rings[i], rings[i].call);
		rings[i].signals = 0;
		rings[i].kicks = 0;
	}
}

static void run(void (*function)(void))
{
	static const char *const names[] = {
		"irqs", "packets", "polls", "holds", "empty_holds",
		"held_packets", "added_delay_ns",
	};
	enum { NAMES = sizeof(names) / sizeof(names[0]) };
	long before[RINGS][NAMES], after;
	uint64_t begin;
	int i, k;

	warm_up();
	if (opt.policy || opt.usecs)
		module_configure();
	for (i = 0; i < RINGS; i++)
		for (k = 0; k < NAMES; k++)
			before[i][k] = module_counter(i, names[k]);
	begin = now_ns();
	function();
	printf("ns=%lu late_max=%lu late_mean=%lu",
	       (unsigned long)(now_ns() - begin), (unsigned long)late_max,
	       (unsigned long)(late_sum / (rings[RX].frames ?: 1)));
	printf(" tx_late_max=%lu tx_late_mean=%lu tx_kicks=%lu",
	       (unsigned long)tx_late_max,
	       (unsigned long)(tx_late_sum / (got ?: 1)),
	       (unsigned long)rings[TX].kicks);
	/* What is kept now comes within the longest hold. */
	sleep_us(50000);
	for (i = 0; i < RINGS; i++) {
		call_take(&rings[i], rings[i].call);
		printf(" %s_frames=%lu %s_signals=%lu", ring_names[i],
		       (unsigned long)rings[i].frames, ring_names[i],
		       (unsigned long)rings[i].signals);
		for (k = 0; k < NAMES; k++) {
			after = module_counter(i, names[k]);
			if (after >= 0 && before[i][k] >= 0)
				printf(" %s_%s=%ld", ring_names[i], names[k],
				       after - before[i][k]);
		}
	}
	printf("\n");
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:w:g:u:f:p:s:l")) != -1) {
		switch (c) {
		case 'n':
			opt.frames = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			opt.window = strtoul(optarg, NULL, 0);
			break;
		case 'g':
			opt.gap_us = strtoul(optarg, NULL, 0);
			break;
		case 'u':
			opt.usecs = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			opt.frames_max = strtoul(optarg, NULL, 0);
			break;
		case 's':
			opt.seconds = strtoul(optarg, NULL, 0);
			break;
		case 'p':
			opt.policy = optarg;
			break;
		case 'l':
			opt.legacy = true;
			break;
		default:
			errx(2, "see the head of the source");
		}
	}
	if (optind == argc)
		errx(2, "which case?");
}

int main(int argc, char **argv)
{
	unsigned int i;

	parse(argc, argv);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	tap_open();
	vhost_open();
	device_open();
	driver_open();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(cases[i].name, argv[optind])) {
			run(cases[i].run);
			return 0;
		}
	errx(2, "no such case");
}
