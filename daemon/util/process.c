/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One process as /proc has it; see process.h. */
#include <limits.h>

#include "util/process.h"
#include "util/sysfs.h"

/* Of the line for the unified hierarchy in /proc/PID/cgroup. */
#define UNIFIED "0::"

/* More than a name of 16 bytes: kernel threads show what they work on behind theirs. */
#define COMM_MAX 256

int process_start(int fd, uint64_t *ret)
{
	char text[SYSFS_ATTR_MAX], *field;
	ssize_t n = sysfs_read(fd, "stat", text, sizeof(text));

	if (n < 0)
		return (int)n;
	/* The second field is the name, in parentheses; it may itself have any of these in it. */
	field = strrchr(text, ')');
	for (unsigned i = 2; i < 22 && field; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	if (!field)
		return -EBADMSG;
	field[strcspn(field, " ")] = '\0';
	return sysfs_parse_u64(field, 10, ret);
}

static bool is_unit_name(const char *name)
{
	/* What can have processes; slices are only on the way there. */
	static const char *const types[] = { ".service", ".scope", ".mount", ".socket", ".swap" };
	const char *type = strrchr(name, '.');

	for (size_t i = 0; type && type > name && i < ARRAY_SIZE(types); i++)
		if (streq(type, types[i]))
			return true;
	return false;
}

static bool is_slice_name(const char *name)
{
	const char *type = strrchr(name, '.');

	return type && type > name && streq(type, ".slice");
}

void cgroup_unit(const char *path, char ret[static HOLDER_UNIT_MAX])
{
	char name[NAME_MAX + 1];

	ret[0] = '\0';
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length > 0) {
			if (length >= sizeof(name))
				return;
			memcpy(name, path, length);
			name[length] = '\0';
			if (!is_slice_name(name))
				break;
		}
		path += length;
		path += *path == '/';
	}
	if (*path) {
		/* systemd puts a '_' before what could be taken for a file of the cgroup's. */
		const char *unit = name + (name[0] == '_');

		if (is_unit_name(unit) && str_copy(ret, HOLDER_UNIT_MAX, unit) < 0)
			ret[0] = '\0';
	}
}

/* The text behind "0::" in /proc/PID/cgroup; cut in @ret, and its unit from the whole of it. */
static void read_cgroup(int fd, struct holder *holder)
{
	char text[2 * SYSFS_ATTR_MAX], *rest = NULL;

	if (sysfs_read(fd, "cgroup", text, sizeof(text)) < 0)
		return;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *path = startswith(line, UNIFIED);

		if (!path)
			continue;
		(void)str_copy(holder->cgroup, sizeof(holder->cgroup), path);
		cgroup_unit(path, holder->unit);
		return;
	}
}

void process_describe(int fd, struct holder *holder)
{
	char comm[COMM_MAX];

	holder->start = 0;
	holder->comm[0] = holder->unit[0] = holder->cgroup[0] = '\0';
	if (process_start(fd, &holder->start) < 0)
		holder->start = 0;
	if (sysfs_read(fd, "comm", comm, sizeof(comm)) >= 0)
		(void)str_copy(holder->comm, sizeof(holder->comm), comm);
	read_cgroup(fd, holder);
}
