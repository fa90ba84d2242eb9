/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of a dax device, famfs and the like: they hold it with no process that has it open. Each
 * mount namespace is read once, through the first process found in it; one that lives on without
 * any process is not seen.
 */
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "inventory/scan_holders.h"

/* One line of /proc/PID/mountinfo, see proc_pid_mountinfo(5). Points into the line. */
struct mount_line {
	char *point;  /* from the process' root */
	char *fstype; /* "famfs" */
	char *source; /* as it was given to mount(2) */
};

/* "mnt:[4026531841]" */
static int read_namespace(int task_fd, uint64_t *ret)
{
	char text[64], *end;
	int r = sysfs_read_link(task_fd, "ns/mnt", text, sizeof(text));
	const char *number = r < 0 ? NULL : startswith(text, "mnt:[");

	/* What one that has gone just now gives, too. */
	if (is_denied(r) && faccessat(task_fd, "comm", F_OK, 0) < 0 && is_ended(-errno))
		return -ESRCH;
	if (r < 0)
		return r;
	end = number ? strchr(number, ']') : NULL;
	if (!end)
		return -EBADMSG;
	*end = '\0';
	return sysfs_parse_u64(number, 10, ret);
}

/* A process that was moved by chroot(2) is shown only what is mounted below its root. */
static int read_view(int task_fd, struct view *ret)
{
	struct statx root;
	int r = read_namespace(task_fd, &ret->namespace);

	if (r < 0)
		return r;
	r = stat_cached(task_fd, "root", &root);
	if (r < 0)
		return r;
	ret->root_major = root.stx_dev_major;
	ret->root_minor = root.stx_dev_minor;
	ret->root_inode = root.stx_ino;
	ret->root_mount = root.stx_mask & STATX_MNT_ID ? root.stx_mnt_id : 0;
	return 0;
}

static bool is_same_view(const struct view *a, const struct view *b)
{
	return a->namespace == b->namespace && a->root_inode == b->root_inode &&
	       a->root_mount == b->root_mount && a->root_major == b->root_major &&
	       a->root_minor == b->root_minor;
}

/* The kernel writes blanks, backslashes and the like as \ooo. In place. */
static void unescape_octal(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

/* Cuts the line into its fields. Those behind the sixth are optional, up to one that is "-". */
static bool parse_mount_line(char *line, struct mount_line *ret)
{
	char *rest = NULL, *field = strtok_r(line, " \n", &rest);

	for (unsigned i = 1; i < 5 && field; i++)
		field = strtok_r(NULL, " \n", &rest);
	ret->point = field;
	while (field && !streq(field, "-"))
		field = strtok_r(NULL, " \n", &rest);
	ret->fstype = field ? strtok_r(NULL, " \n", &rest) : NULL;
	ret->source = ret->fstype ? strtok_r(NULL, " \n", &rest) : NULL;
	if (!ret->source)
		return false;
	unescape_octal(ret->point);
	unescape_octal(ret->source);
	return true;
}

/*
 * What @path is for the process, as far as the kernel can say without asking a file system: the
 * path may lead into one that never answers, and a device node that is in use is in the cache.
 */
static int stat_in_root(int task_fd, const char *path, struct statx *ret)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_CACHED,
	};
	_cleanup_close_ int root = sysfs_open_dir(task_fd, "root"), fd = -EBADF;

	if (root < 0)
		return root;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	return fd < 0 ? -errno : stat_cached(fd, "", ret);
}

static const struct target *find_source(const struct walk *walk, int task_fd, const char *source)
{
	const char *name = startswith(source, "/dev/");
	struct statx st;

	/* Under its usual name also where that is not to be seen: the mount may have been made
	 * elsewhere, or before the process' /dev was. */
	for (uint32_t i = 0; name && i < walk->n_targets; i++)
		if (streq(name, walk->scan->inv->devices[walk->targets[i].device].name))
			return &walk->targets[i];
	if (source[0] != '/' || stat_in_root(task_fd, source, &st) < 0)
		return NULL;
	return find_target(walk, &st);
}

/* One that was made in one namespace is seen in others: told once, if it is at the same place. */
static int add_mount(struct walk *walk, const struct target *target, const struct mount_line *line,
		     int32_t pid)
{
	struct inventory *inv = walk->scan->inv;
	struct holder mount = { .device = target->device, .pid = pid, .mounted = true };
	struct holder *added;

	(void)str_copy(mount.path, sizeof(mount.path), line->point);
	(void)str_copy(mount.fstype, sizeof(mount.fstype), line->fstype);
	for (uint32_t i = 0; i < inv->n_holders; i++) {
		const struct holder *h = &inv->holders[i];

		if (h->mounted && h->device == mount.device && streq(h->path, mount.path) &&
		    streq(h->fstype, mount.fstype))
			return 0;
	}
	added = SCAN_PUSH(inv->holders, inv->n_holders);
	if (!added)
		return -ENOMEM;
	*added = mount;
	return 0;
}

static int read_mounts(struct walk *walk, int32_t pid, int task_fd)
{
	_cleanup_close_ int fd = openat(task_fd, "mountinfo", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = 0;

	if (fd < 0) /* what an ended one gives is EINVAL */
		return errno == EINVAL ? -ESRCH : -errno;
	f = fdopen(fd, "re");
	if (!f)
		return -errno;
	(void)take_fd(&fd);

	while (r == 0 && (errno = 0, getline(&text, &size, f) > 0)) {
		const struct target *target = NULL;
		struct mount_line line;

		if (parse_mount_line(text, &line))
			target = find_source(walk, task_fd, line.source);
		if (target)
			r = add_mount(walk, target, &line, pid);
	}
	return r < 0 ? r : -errno;
}

int scan_mounts(struct walk *walk, int32_t pid, int task_fd)
{
	struct view view, *added;
	int r = read_view(task_fd, &view);

	if (r < 0)
		return r;
	for (uint32_t i = walk->n_views; i > 0; i--)
		if (is_same_view(&walk->views[i - 1], &view))
			return 0;
	r = read_mounts(walk, pid, task_fd);
	if (r < 0)
		return r;
	/* Only now: a process that ended meanwhile has shown nothing. */
	added = SCAN_PUSH(walk->views, walk->n_views);
	if (!added)
		return -ENOMEM;
	*added = view;
	return 0;
}
