/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _VTRAFFIC_H
#define _VTRAFFIC_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define VT_DATAGRAM_MAX	1472	/* fills an Ethernet frame */
#define VT_STREAM_MAX	1048576

/* What the command line said; every verb takes what it needs. */
struct vt_options {
	const char *host;
	const char *spare;	/* an interface without traffic */
	const char *line;	/* for the other end to do */
	int port;
	double rate;		/* packets per second, 0 for no limit */
	double seconds;
	long count;
	int size;
	int burst;
	int pairs;
	int busy_us;
	int idle_ms;
	int off_ms;
	int phases;
	bool foreground;
	bool spin;
	bool tcp;
	bool icmp;
	const char *output;
};

typedef int (*vt_run)(const struct vt_options *opt);

int vt_send(const struct vt_options *opt);
int vt_sink(const struct vt_options *opt);
int vt_echo(const struct vt_options *opt);
int vt_ping(const struct vt_options *opt);
int vt_stream(const struct vt_options *opt);
int vt_drain(const struct vt_options *opt);
int vt_soak(const struct vt_options *opt);
int vt_rest(const struct vt_options *opt);
int vt_serve(const struct vt_options *opt);
int vt_ask(const struct vt_options *opt);
int vt_counters(const struct vt_options *opt);
int vt_xdp(const struct vt_options *opt);

/* main.c */
int vt_main(int argc, char **argv);

/* times.c */
struct vt_times;
struct vt_times *vt_times_new(void);
void vt_times_free(struct vt_times *times);
void vt_times_add(struct vt_times *times, double seconds);
long vt_times_num(const struct vt_times *times);
void vt_times_print(struct vt_times *times);

/* soak.c */
int vt_measure(vt_run run, const struct vt_options *opt);

/* util.c */
double vt_now(void);
void vt_sleep(double seconds);
void vt_wait_until(double when, bool spin);
void vt_die(const char *what);
int vt_bound_socket(int type, int port);
int vt_connected_socket(int type, const char *host, int port);
int vt_connected_ping(const char *host);
void vt_background(const char *output);
void vt_finish(const char *output);

#endif /* _VTRAFFIC_H */
