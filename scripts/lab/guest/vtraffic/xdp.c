// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attach and detach an XDP program of two instructions: return XDP_PASS.
 *
 * The program stays on a NIC without traffic all the while: a program that is
 * new or gone for the kernel makes it patch bpf_dispatcher_xdp_func(), and
 * QEMU 7.2 may then run what was there in the middle of the patch, an int3
 * (seen without any module of ours). This way nothing is patched while frames
 * come in. That NIC's driver must know XDP: the kernel's generic form has a
 * static key in the way of every frame.
 */
#include "vtraffic.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VT_XDP_NONE	(-1)
#define VT_XDP_GAP	0.02	/* seconds with and without a program */

struct vt_xdp_request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	struct rtattr xdp;
	struct rtattr fd;
	int fd_value;
};

static int vt_xdp_load(void)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insn_cnt = sizeof(pass) / sizeof(*pass),
		.insns = (uintptr_t)pass,
		.license = (uintptr_t)"GPL",
	};
	int fd = syscall(__NR_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		vt_die("BPF_PROG_LOAD");
	return fd;
}

/* Kernel's answer to the request: 0 or a negative error. */
static int vt_xdp_ask(const struct vt_xdp_request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (fd < 0 || send(fd, request, sizeof(*request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		vt_die("netlink");
	close(fd);

	return answer.error.error;
}

static int vt_xdp_set(const char *ifname, int prog)
{
	struct vt_xdp_request request = {
		.head = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RTM_SETLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.info = { .ifi_index = if_nametoindex(ifname) },
		.xdp = {
			.rta_len = RTA_LENGTH(RTA_LENGTH(sizeof(int))),
			.rta_type = IFLA_XDP | NLA_F_NESTED,
		},
		.fd = {
			.rta_len = RTA_LENGTH(sizeof(int)),
			.rta_type = IFLA_XDP_FD,
		},
		.fd_value = prog,
	};

	errno = -vt_xdp_ask(&request);
	if (errno)
		vt_die("RTM_SETLINK");
	return 0;
}

int vt_xdp(const struct vt_options *opt)
{
	int prog = vt_xdp_load();
	long i;

	vt_xdp_set(opt->spare, prog);
	for (i = 0; i < opt->count; i++) {
		vt_xdp_set(opt->host, prog);
		vt_sleep(VT_XDP_GAP);
		vt_xdp_set(opt->host, VT_XDP_NONE);
		vt_sleep(VT_XDP_GAP);
	}
	vt_xdp_set(opt->spare, VT_XDP_NONE);

	return 0;
}
