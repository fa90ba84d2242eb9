/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test's end of the interposer; see kill_interpose.h. */
#include <ctype.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <dcdd/base.h>

#include "kill_interpose.h"

static const char *const kind_names[_INTERPOSE_KIND_MAX] = {
	[INTERPOSE_SYSFS] = "sysfs",   [INTERPOSE_MKDIR] = "mkdir",
	[INTERPOSE_CREATE] = "create", [INTERPOSE_OPEN] = "open",
	[INTERPOSE_WRITE] = "write",   [INTERPOSE_TRUNCATE] = "truncate",
	[INTERPOSE_FSYNC] = "fsync",   [INTERPOSE_FSYNC_DIR] = "fsync-dir",
	[INTERPOSE_RENAME] = "rename", [INTERPOSE_LINK] = "link",
	[INTERPOSE_UNLINK] = "unlink",
};

static const char *const action_names[] = {
	[INTERPOSE_NOTHING] = "nothing",
	[INTERPOSE_KILL_BEFORE] = "kill before",
	[INTERPOSE_KILL_MIDDLE] = "kill within",
	[INTERPOSE_KILL_AFTER] = "kill after",
	[INTERPOSE_FAIL] = "fail",
	[INTERPOSE_SHORT] = "short",
};

const char *interpose_kind_to_string(enum interpose_kind kind)
{
	return kind < _INTERPOSE_KIND_MAX ? kind_names[kind] : "unknown";
}

const char *interpose_action_to_string(enum interpose_action action)
{
	return action < ARRAY_SIZE(action_names) ? action_names[action] : "unknown";
}

int interpose_map(const char *path, struct interpose_shared **ret)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map;

	if (fd < 0 || ftruncate(fd, sizeof(**ret)) < 0)
		return -errno;
	map = mmap(NULL, sizeof(**ret), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret = map;
	return 0;
}

void interpose_unmap(struct interpose_shared *shared)
{
	if (shared)
		(void)munmap(shared, sizeof(*shared));
}

void interpose_reset(struct interpose_shared *shared, const char *state_dir)
{
	/* Not the large arrays: n and data_used say what in them counts. */
	memset(shared, 0, offsetof(struct interpose_shared, ops));
	(void)str_copy(shared->state_dir, sizeof(shared->state_dir), state_dir);
	shared->kinds = INTERPOSE_STATE_KINDS;
	shared->magic = INTERPOSE_MAGIC;
}

uint32_t interpose_count(const struct interpose_shared *shared)
{
	return MIN(shared->n, INTERPOSE_OPS_MAX);
}

bool interpose_overflow(const struct interpose_shared *shared)
{
	return shared->n > INTERPOSE_OPS_MAX || shared->data_used > INTERPOSE_DATA_MAX;
}

/* The last @n components of a path. */
static const char *tail(const char *path, unsigned n)
{
	const char *p = path + strlen(path);

	while (p > path && (p[-1] != '/' || --n > 0))
		p--;
	return p;
}

/* Puts one letter for each number, and FILE for what stands before the suffix of a journal. */
static void generalize(char text[static INTERPOSE_TEXT_MAX])
{
	char general[INTERPOSE_TEXT_MAX];
	bool in_word = false;
	size_t n = 0;

	for (const char *p = text; *p && n + 5 < sizeof(general);) {
		const char *suffix = strstr(p, ".undo");

		if (!in_word && suffix && suffix < p + strcspn(p, " ")) {
			n += (size_t)snprintf(general + n, sizeof(general) - n, "FILE");
			p = suffix;
		} else if (in_word && isdigit((unsigned char)*p)) {
			general[n++] = 'N';
			while (isdigit((unsigned char)*p))
				p++;
			continue;
		}
		in_word = *p != ' ';
		general[n++] = *p++;
	}
	general[n] = '\0';
	memcpy(text, general, n + 1);
}

char *interpose_op_text(const struct interpose_shared *shared, const struct interpose_op *op,
			bool general, char buf[static INTERPOSE_TEXT_MAX])
{
	char value[64] = "";
	int n = 0;

	switch (op->kind) {
	case INTERPOSE_SYSFS:
		if ((uint64_t)op->data + op->size <= INTERPOSE_DATA_MAX)
			(void)snprintf(value, sizeof(value), "%.*s", (int)MIN(op->size, 60),
				       shared->data + op->data);
		value[strcspn(value, "\n")] = '\0';
		n = snprintf(buf, INTERPOSE_TEXT_MAX, "%s <- %s", tail(op->path, 2), value);
		break;
	case INTERPOSE_RENAME:
	case INTERPOSE_LINK:
		n = snprintf(buf, INTERPOSE_TEXT_MAX, "%s %s %s",
			     interpose_kind_to_string(op->kind), tail(op->path, 1),
			     tail(op->to, 1));
		break;
	case INTERPOSE_FSYNC_DIR:
	case INTERPOSE_MKDIR:
		n = snprintf(buf, INTERPOSE_TEXT_MAX, "%s", interpose_kind_to_string(op->kind));
		break;
	default:
		n = snprintf(buf, INTERPOSE_TEXT_MAX, "%s %s", interpose_kind_to_string(op->kind),
			     tail(op->path, 1));
	}
	if (n >= INTERPOSE_TEXT_MAX)
		(void)str_copy(buf + INTERPOSE_TEXT_MAX - 4, 4, "...");
	if (general)
		generalize(buf);
	return buf;
}
