/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations on /sys; see faults_io.h. */
#include "faults_io.h"

#define SCAN_MARK "bus/dax/devices" /* is listed once in each look at the host */

void recording_done(struct recording *recording)
{
	for (size_t i = 0; i < recording->n; i++) {
		free(recording->items[i].op);
		free(recording->items[i].path);
		free(recording->items[i].value);
	}
	free(recording->items);
	*recording = (struct recording){ .n = 0 };
}

static bool same_io(const struct io *a, const struct io *b)
{
	return streq(a->op, b->op) && streq(a->path, b->path) &&
	       (a->value ? b->value && streq(a->value, b->value) : !b->value);
}

void recording_add(struct scenario *s, struct recording *recording, struct json_object *entry)
{
	const char *type = member_string(entry, "type"), *path = member_string(entry, "path");
	const char *value = streq(type, "write") ? member_string(entry, "value") : NULL;
	struct io *grown = reallocarray(recording->items, recording->n + 1, sizeof(*grown));
	struct io *io;

	if (!grown)
		scenario_fail(s, "out of memory");
	recording->items = grown;
	io = &grown[recording->n];
	*io = (struct io){
		.op = strdup(type),
		.path = strdup(path),
		.value = value ? strdup(value) : NULL,
		.nth = 1,
		.pid = member_int(entry, "pid"),
		.scans = recording->n > 0 ? io[-1].scans : 0,
	};
	if (!io->op || !io->path || (value && !io->value))
		scenario_fail(s, "out of memory");
	io->scans += streq(type, "list") && streq(path, SCAN_MARK);
	for (size_t i = recording->n; i > 0 && io->nth == 1; i--)
		if (same_io(&grown[i - 1], io))
			io->nth = grown[i - 1].nth + 1;
	recording->n++;
}

/* libcxl writes there whenever it is loaded; it changes nothing, and there are many. */
bool io_is_change(const struct io *io)
{
	return io->value && !streq(io->path, "bus/cxl/flush");
}

/* "devices/…/memory338/state" -> "memoryN/state". */
static void fold(const char *text, bool whole, char *ret, size_t size)
{
	const char *p = text + strlen(text);
	size_t n = 0;

	for (int slashes = 0; !whole && p > text; p--)
		if (p[-1] == '/' && ++slashes == 2)
			break;
	for (p = whole ? text : p; *p && n + 1 < size; p++) {
		if (*p < '0' || *p > '9')
			ret[n++] = *p;
		else if (n == 0 || ret[n - 1] != 'N')
			ret[n++] = 'N';
	}
	ret[n] = '\0';
}

void io_kind(const struct io *io, char *ret, size_t size)
{
	char path[128], value[64] = "";

	fold(io->path, false, path, sizeof(path));
	if (io->value && streq(io->value, MATRIX_TAG))
		(void)str_copy(value, sizeof(value), " TAG");
	else if (io->value && startswith(io->value, "dax"))
		(void)str_copy(value, sizeof(value), " daxN.N");
	else if (io->value)
		(void)snprintf(value, sizeof(value), " %.60s", io->value);
	(void)snprintf(ret, size, "%s %s%s", io->op, path, value);
}

/* Whether @io is about the same kind of attribute of possibly another object. */
static bool same_kind(const struct io *a, const struct io *b)
{
	char fold_a[512], fold_b[512];

	if (!streq(a->op, b->op))
		return false;
	fold(a->path, true, fold_a, sizeof(fold_a));
	fold(b->path, true, fold_b, sizeof(fold_b));
	return streq(fold_a, fold_b);
}

static void find_workers(struct recording *recording)
{
	for (size_t i = 0; i < recording->n; i++)
		for (size_t k = 0; io_is_change(&recording->items[i]) && k < recording->n; k++)
			recording->items[k].worker |= recording->items[k].pid ==
						      recording->items[i].pid;
}

/*
 * Whether @io, read in a look at the whole host, stands for its kind there: it is the last object's
 * (which is the group's, where the group has one), read for the last time.
 */
static bool stands_for_kind(const struct recording *recording, const struct io *io, bool each_scan)
{
	for (const struct io *k = io + 1; k < recording->items + recording->n; k++)
		if ((!each_scan || k->scans == io->scans) && !k->worker && same_kind(io, k))
			return false;
	return true;
}

void recording_choose(struct recording *recording, bool all, bool each_scan)
{
	find_workers(recording);
	for (size_t i = 0; i < recording->n; i++) {
		struct io *io = &recording->items[i];

		io->chosen = all || io_is_change(io) || io->worker ||
			     stands_for_kind(recording, io, each_scan);
	}
}
