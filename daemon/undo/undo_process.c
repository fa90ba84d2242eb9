/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which process a pid in a journal means: pids are used again, so it goes with the time that the
 * process was started at.
 */
#include <fcntl.h>
#include <sys/pidfd.h>

#include "util/sysfs.h"

#include "undo_internal.h"

/* The fields of stat behind the name, which may itself hold blanks and brackets. */
static int parse_stat(const char *stat, uint64_t *ret)
{
	const char *p = strrchr(stat, ')');
	char field[24];
	size_t n;

	if (!p || p[1] != ' ')
		return -EBADMSG;
	p += 2; /* field 3 */
	if (*p == 'Z' || *p == 'X')
		return -ESRCH; /* ended; it writes nothing any more */
	for (unsigned i = 3; i < 22; i++) {
		p = strchr(p, ' ');
		if (!p)
			return -EBADMSG;
		p++;
	}
	n = strcspn(p, " ");
	if (n >= sizeof(field))
		return -EBADMSG;
	memcpy(field, p, n);
	field[n] = '\0';
	return sysfs_parse_u64(field, 10, ret);
}

int undo_process_started(const char *proc, int32_t pid, uint64_t *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char path[32], stat[1024];
	ssize_t n;

	fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
	n = sysfs_read(fd, path, stat, sizeof(stat));
	if (n < 0)
		return errno_is_gone((int)n) || n == -ESRCH ? -ESRCH : (int)n;
	return parse_stat(stat, ret);
}

int undo_worker_lives(const struct undo_record *record, const char *proc, int *ret_pidfd)
{
	_cleanup_close_ int fd = -EBADF;
	uint64_t started = 0;
	int r, error = 0;

	if (record->worker <= 0)
		return 0;
	/* First this, so that it is the process whose start time is then read, or an ended one. */
	fd = pidfd_open(record->worker, 0);
	if (fd < 0)
		error = -errno;
	if (error == -ESRCH)
		return 0;
	r = undo_process_started(proc, record->worker, &started);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	if (started != record->worker_started)
		return 0;
	if (error < 0)
		return error;
	*ret_pidfd = take_fd(&fd);
	return 1;
}
