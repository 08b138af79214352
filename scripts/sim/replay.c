// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recorded arrivals: lines of "ns frames [bytes]", in order of time; lines
 * that begin with # are comments. The times may begin anywhere.
 */
#include "score.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_TAIL_NS	(10 * NSEC_PER_MSEC)

struct replay {
	u64 *times;
	size_t len;
	size_t room;
	u64 base;
	u64 bytes;
};

static void replay_push(struct replay *re, u64 when)
{
	if (re->len == re->room) {
		re->room = re->room ? 2 * re->room : 1024;
		re->times = realloc(re->times, re->room * sizeof(*re->times));
		if (!re->times)
			abort();
	}
	re->times[re->len++] = when;
}

static bool replay_line(struct replay *re, const char *line)
{
	unsigned long long when, frames, bytes = 0;
	int found = sscanf(line, "%llu %llu %llu", &when, &frames, &bytes);

	if (found < 2 || frames > VCOAL_FRAMES_MAX)
		return false;
	if (!re->len)
		re->base = when;
	if (when < re->base ||
	    (re->len && when - re->base < re->times[re->len - 1]))
		return false;
	re->bytes += bytes;
	while (frames--)
		replay_push(re, when - re->base);

	return true;
}

static bool replay_read(struct replay *re, FILE *file, const char *path)
{
	char line[256];
	u32 nr = 0;

	while (fgets(line, sizeof(line), file)) {
		nr++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (replay_line(re, line))
			continue;
		fprintf(stderr, "%s:%u: expected \"ns frames [bytes]\", in order of time\n",
			path, nr);
		return false;
	}
	if (!re->len)
		fprintf(stderr, "%s: no arrivals\n", path);

	return re->len;
}

/**
 * replay_load() - turn a recording into the traffic of a scenario
 * @scen: initialised, without traffic
 * @path: file, "-" for stdin
 *
 * Return: whether it could be read; says so if not
 */
bool replay_load(struct sim_scenario *scen, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *file = is_stdin ? stdin : fopen(path, "r");
	struct replay re = {};
	struct sim_source *src;
	bool ok;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	ok = replay_read(&re, file, path);
	if (!is_stdin)
		fclose(file);
	if (!ok)
		return false;

	src = scenario_add(scen, SRC_TRACE);
	src->trace = re.times;
	src->trace_len = re.len;
	src->bytes = re.bytes / re.len;
	scen->duration_ns = re.times[re.len - 1] + REPLAY_TAIL_NS;
	snprintf(scen->name, sizeof(scen->name), "replay");

	return true;
}
