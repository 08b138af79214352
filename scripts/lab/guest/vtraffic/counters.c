// SPDX-License-Identifier: GPL-2.0-only
/*
 * The time, interrupts by action name, and what the interfaces of this
 * namespace counted: one name=value a line.
 */
#include "vtraffic.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VT_LINE		8192
#define VT_SPACE	"\n "

static FILE *vt_open(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		vt_die(path);
	return file;
}

/* "  24:  10  20  PCI-MSI-... 1-edge  virtio0-input.0" */
static void vt_interrupt_line(char *line)
{
	char *field = strchr(line, ':'), *name = NULL, *end;
	unsigned long long sum = 0, count;

	if (!field || !isdigit((unsigned char)field[-1]))
		return;
	for (field = strtok(field + 1, VT_SPACE); field;
	     field = strtok(NULL, VT_SPACE)) {
		count = strtoull(field, &end, 10);
		/* the columns of the CPUs come first, without a gap */
		if (!*end && !name)
			sum += count;
		else
			name = field;
	}
	if (name)
		printf("irq.%s=%llu\n", name, sum);
}

static void vt_interface_line(char *line)
{
	unsigned long long v[16];
	char *name = strtok(line, " :");
	int i;

	for (i = 0; i < 16; i++) {
		char *field = strtok(NULL, VT_SPACE);

		if (!field)
			return;
		v[i] = strtoull(field, NULL, 10);
	}
	printf("%s.rx_packets=%llu\n%s.rx_dropped=%llu\n", name, v[1],
	       name, v[3]);
	printf("%s.tx_packets=%llu\n%s.tx_dropped=%llu\n", name, v[9],
	       name, v[11]);
}

/* The second of two lines that begin with "Udp:" has the numbers. */
static void vt_udp_line(char *line)
{
	unsigned long long in, no_port, errors;

	if (sscanf(line, "Udp: %llu %llu %llu", &in, &no_port, &errors) == 3)
		printf("udp.received=%llu\nudp.no_port=%llu\nudp.errors=%llu\n",
		       in, no_port, errors);
}

static void vt_each_line(const char *path, void (*take)(char *line))
{
	FILE *file = vt_open(path);
	char line[VT_LINE];

	while (fgets(line, sizeof(line), file))
		take(line);
	fclose(file);
}

int vt_counters(const struct vt_options *opt)
{
	(void)opt;
	printf("us=%.0f\n", vt_now() * 1e6);
	vt_each_line("/proc/interrupts", vt_interrupt_line);
	vt_each_line("/proc/net/dev", vt_interface_line);
	vt_each_line("/proc/net/snmp", vt_udp_line);

	return 0;
}
