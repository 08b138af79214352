// SPDX-License-Identifier: GPL-2.0-only
/*
 * An emulator plugin that counts what a module costs, exactly.
 *
 * An entry is an execution of the module's text from where the kernel enters
 * it until it returns. Its cost is every instruction executed meanwhile, in
 * the module and in what it calls, except in calls that end up in the driver
 * that the module stands in front of: the driver would do that work anyway.
 *
 * Arguments: ours=START-END driver=START-END out=FILE, addresses in hex, and
 * as=ADDRESS for a function whose entries count as its own, wherever they began.
 * Output: a line for each entry point: its address, how often it was entered,
 * the instructions of all its entries, and how often an interrupt got in (such
 * entries are not counted).
 */
#include "qemu.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EXPORT int qemu_plugin_version = 1;

struct range {
	unsigned long start;
	unsigned long end;
};

/* A translated block: what is known of it before it runs. */
struct block {
	unsigned long start;
	unsigned long next;		/* address behind its last instruction */
	unsigned int insns;
	bool ours;
	bool driver;
	bool names;		/* an entry that comes by is called after it */
	bool calls;		/* ends with a call */
};

#define ENTRIES_MAX	64
/* Where the kernel's half of the address space begins. */
#define KERNEL		0xffff800000000000
/* Leaving by way of a thunk (two blocks at most) is not leaving yet. */
#define THUNK_BLOCKS	2
/* No call of ours takes as long as an interrupt does. */
#define INTERRUPTED	1500

static struct {
	unsigned long addr;
	unsigned long count;
	unsigned long insns;
	unsigned long interrupted;
} entries[ENTRIES_MAX];

#define NAMES_MAX	8
static unsigned long names[NAMES_MAX];
static unsigned int names_num;

static struct range ours, driver;
static const char *output;

/* The running entry: -1 is none. */
static int entry = -1;
static unsigned long cost;
static unsigned long callee_cost;
static unsigned long callee_return;	/* 0 while in the module's own text */
static bool callee_is_driver;
static const struct block *last;
static unsigned int left_blocks;	/* run since the module was left */
static unsigned long left_cost;

/* Where calls within the module return to. */
#define DEPTH_MAX	16
static unsigned long returns[DEPTH_MAX];
static unsigned int depth;

static bool inside(struct range range, unsigned long addr)
{
	return addr >= range.start && addr < range.end;
}

static bool is_name(unsigned long addr)
{
	unsigned int i;

	for (i = 0; i < names_num; i++)
		if (names[i] == addr)
			return true;

	return false;
}

static int entry_find(unsigned long addr)
{
	int i;

	for (i = 0; i < ENTRIES_MAX - 1; i++) {
		if (!entries[i].addr)
			entries[i].addr = addr;
		if (entries[i].addr == addr)
			break;
	}

	return i;
}

static void entry_end(void)
{
	if (cost < INTERRUPTED) {
		entries[entry].count++;
		entries[entry].insns += cost;
	} else {
		entries[entry].interrupted++;
	}
	entry = -1;
}

static void callee_begin(unsigned long return_to, const struct block *block)
{
	callee_return = return_to;
	callee_cost = block->insns;
	callee_is_driver = block->driver;
}

static void callee_run(const struct block *block)
{
	if (block->driver && !callee_is_driver) {
		/* so far it was the thunk of an indirect call: ours */
		callee_is_driver = true;
		cost += callee_cost;
	}
	callee_cost += block->insns;
}

static void callee_end(void)
{
	if (!callee_is_driver)
		cost += callee_cost;
	callee_return = 0;
}

static void calls_follow(const struct block *block)
{
	if (depth && block->start == returns[depth - 1])
		depth--;
	else if (last && last->ours && last->calls && depth < DEPTH_MAX)
		returns[depth++] = last->next;
}

static void ours_run(const struct block *block)
{
	if (entry < 0) {
		entry = entry_find(block->start);
		cost = 0;
		depth = 0;
	} else {
		calls_follow(block);
		cost += left_cost;
	}
	if (block->names)
		entry = entry_find(block->start);
	cost += block->insns;
	left_blocks = 0;
	left_cost = 0;
}

static void left_end(void)
{
	entry_end();
	left_blocks = 0;
	left_cost = 0;
}

/* The module was left by a jump or a return. */
static void left_run(const struct block *block)
{
	if (block->driver && depth) {
		/* a tail call: the driver returns to our caller in its place */
		cost += left_cost;
		left_cost = 0;
		left_blocks = 0;
		callee_begin(returns[depth - 1], block);
	} else if (block->driver) {
		cost += left_cost;
		left_end();
	} else {
		left_cost += block->insns;
		if (++left_blocks > THUNK_BLOCKS)
			left_end();
	}
}

static void block_run(unsigned int cpu, void *data)
{
	const struct block *block = data;

	(void)cpu;
	if (callee_return && block->start == callee_return)
		callee_end();
	if (callee_return)
		callee_run(block);
	else if (block->ours)
		ours_run(block);
	else if (entry >= 0 && !left_blocks && last->calls)
		callee_begin(last->next, block);
	else if (entry >= 0)
		left_run(block);
	if (!callee_return)
		last = block;
}

static bool is_call(const struct qemu_plugin_insn *insn)
{
	const unsigned char *code = qemu_plugin_insn_data(insn);
	size_t size = qemu_plugin_insn_size(insn), i = 0;

	/* segment and operand prefixes */
	while (i < size && (code[i] == 0x2e || code[i] == 0x3e ||
			    (code[i] & 0xf0) == 0x40))
		i++;

	return code[i] == 0xe8 ||
	       (code[i] == 0xff && ((code[i + 1] >> 3) & 7) == 2);
}

static void block_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t num = qemu_plugin_tb_n_insns(tb);
	const struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	const struct qemu_plugin_insn *final =
		qemu_plugin_tb_get_insn(tb, num - 1);
	struct block *block;

	(void)id;
	if (qemu_plugin_insn_vaddr(first) < KERNEL)
		return;
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->start = qemu_plugin_insn_vaddr(first);
	block->next = qemu_plugin_insn_vaddr(final) +
		      qemu_plugin_insn_size(final);
	block->insns = num;
	block->ours = inside(ours, block->start);
	block->driver = inside(driver, block->start);
	block->names = is_name(block->start);
	block->calls = is_call(final);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_run,
					     QEMU_PLUGIN_CB_NO_REGS, block);
}

static void report(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(output, "w");
	int i;

	(void)id;
	(void)data;
	for (i = 0; file && i < ENTRIES_MAX && entries[i].addr; i++)
		fprintf(file, "%lx %lu %lu %lu\n", entries[i].addr,
			entries[i].count, entries[i].insns,
			entries[i].interrupted);
	if (file)
		fclose(file);
}

static void range_read(struct range *range, const char *text)
{
	char *end;

	range->start = strtoul(text, &end, 16);
	range->end = *end ? strtoul(end + 1, NULL, 16) : 0;
}

static void argument(const char *arg)
{
	const char *value = strchr(arg, '=');

	if (!value++)
		return;
	if (!strncmp(arg, "ours=", value - arg))
		range_read(&ours, value);
	else if (!strncmp(arg, "driver=", value - arg))
		range_read(&driver, value);
	else if (!strncmp(arg, "as=", value - arg) && names_num < NAMES_MAX)
		names[names_num++] = strtoul(value, NULL, 16);
	else if (!strncmp(arg, "out=", value - arg))
		output = strdup(value);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
			       const struct qemu_info_t *info, int argc,
			       char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		argument(argv[i]);
	if (!output || !ours.end)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translate);
	qemu_plugin_register_atexit_cb(id, report, NULL);

	return 0;
}
