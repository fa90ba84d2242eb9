/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has a /dev/daxX.Y open, mapped or mounted. A container can have a node of its own under any
 * name, so what counts is the device number, or that it is the very file of /dev. Walking all of
 * /proc is the dearest part of a scan: done only if there is a device that somebody can hold.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "inventory/scan_holders.h"
#include "util/process.h"

/*
 * kmem makes memory of the device and lets nobody else in. An unbound one can still be mapped from
 * before. One that claims nothing can be released whoever holds it.
 */
static bool can_be_held(const struct dax_device *device)
{
	return device->mode != DAX_MODE_SYSTEM_RAM && device->size > 0;
}

static int add_target(struct walk *walk, uint32_t index)
{
	const struct dax_device *device = &walk->scan->inv->devices[index];
	struct target *target = SCAN_PUSH(walk->targets, walk->n_targets);
	char path[sizeof("/dev/") + DEV_NAME_MAX];
	struct statx st;

	if (!target)
		return -ENOMEM;
	target->device = index;
	target->major = device->dev_major;
	target->minor = device->dev_minor;

	(void)snprintf(path, sizeof(path), "/dev/%s", device->name);
	if (stat_cached(AT_FDCWD, path, &st) == 0) {
		target->has_node = true;
		target->node_major = st.stx_dev_major;
		target->node_minor = st.stx_dev_minor;
		target->node_inode = st.stx_ino;
	}
	return 0;
}

const struct target *find_target(const struct walk *walk, const struct statx *st)
{
	for (uint32_t i = 0; i < walk->n_targets; i++) {
		const struct target *t = &walk->targets[i];

		if (S_ISCHR(st->stx_mode) && (t->major || t->minor) &&
		    st->stx_rdev_major == t->major && st->stx_rdev_minor == t->minor)
			return t;
		if (t->has_node && st->stx_ino == t->node_inode &&
		    st->stx_dev_major == t->node_major && st->stx_dev_minor == t->node_minor)
			return t;
	}
	return NULL;
}

/* The entry for this process and device; made if it is the first time. */
static struct holder *get_holder(struct walk *walk, const struct process *process,
				 const struct target *target)
{
	struct inventory *inv = walk->scan->inv;
	struct holder *holder;

	for (uint32_t i = process->first; i < inv->n_holders; i++)
		if (inv->holders[i].device == target->device && !inv->holders[i].mounted)
			return &inv->holders[i];
	holder = SCAN_PUSH(inv->holders, inv->n_holders);
	if (!holder)
		return NULL;
	holder->device = target->device;
	holder->pid = process->pid;
	/* May be gone by now; the number alone must do then. */
	process_describe(process->fd, holder);
	return holder;
}

/* Returns how many descriptors there were, or negative errno. */
static int look_at_fds(struct walk *walk, const struct process *process, int task_fd)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int n = 0, r;

	r = sysfs_open_list(task_fd, "fd", &dir);
	if (r < 0)
		return r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		const struct target *target;
		struct holder *holder;
		struct statx st;
		char start;

		if (name[0] == '.')
			continue;
		n++;
		/* Sockets, pipes and the like name no path; nothing more to ask about them. */
		if (readlinkat(dirfd(dir), name, &start, 1) == 1 && start != '/')
			continue;
		r = stat_cached(dirfd(dir), name, &st);
		if (is_denied(r))
			return r;
		target = r == 0 ? find_target(walk, &st) : NULL;
		if (!target)
			continue;
		holder = get_holder(walk, process, target);
		if (!holder)
			return -ENOMEM;
		holder->open = true;
	}
	return r < 0 ? r : n;
}

/* Line of /proc/PID/maps for a shared mapping of a file: its name in map_files, dev and inode. */
static bool parse_shared_mapping(const char *line, char ret_range[static 64],
				 struct statx *ret_file)
{
	uint64_t start, end, inode;
	unsigned major, minor;
	char perms[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %x:%x %" SCNu64, &start, &end, perms,
		   &major, &minor, &inode) != 6)
		return false;
	/* A dax device cannot be mapped privately. */
	if (perms[3] != 's' || inode == 0)
		return false;
	(void)snprintf(ret_range, 64, "map_files/%" PRIx64 "-%" PRIx64, start, end);
	*ret_file = (struct statx){
		.stx_ino = inode,
		.stx_dev_major = major,
		.stx_dev_minor = minor,
	};
	return true;
}

/* Returns how many mappings there were, or negative errno. */
static int look_at_maps(struct walk *walk, const struct process *process, int task_fd)
{
	_cleanup_close_ int fd = openat(task_fd, "maps", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int n = 0;

	if (fd < 0)
		return -errno;
	f = fdopen(fd, "re");
	if (!f)
		return -errno;
	(void)take_fd(&fd);

	while (errno = 0, getline(&line, &size, f) > 0) {
		const struct target *target;
		struct holder *holder;
		char range[64];
		struct statx st;

		n++;
		if (!parse_shared_mapping(line, range, &st))
			continue;
		/* The line has the node's inode; what device that is, only the file itself tells.
		 */
		target = find_target(walk, &st);
		if (!target) {
			int r = stat_cached(task_fd, range, &st);

			if (is_denied(r))
				return r;
			target = r == 0 ? find_target(walk, &st) : NULL;
		}
		if (!target)
			continue;
		holder = get_holder(walk, process, target);
		if (!holder)
			return -ENOMEM;
		holder->mapped = true;
	}
	return errno ? -errno : n;
}

/* Returns how much it had, 0 if it has ended meanwhile, or negative errno. */
static int look_at_task(struct walk *walk, const struct process *process, int task_fd)
{
	int fds, maps, r;

	fds = look_at_fds(walk, process, task_fd);
	if (fds < 0 && !is_ended(fds))
		return fds;
	maps = look_at_maps(walk, process, task_fd);
	if (maps < 0 && !is_ended(maps))
		return maps;
	r = scan_mounts(walk, process->pid, task_fd);
	if (r < 0 && !is_ended(r))
		return r;
	return MAX(fds, 0) + MAX(maps, 0);
}

static int look_at_threads(struct walk *walk, const struct process *process)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_open_list(process->fd, "task", &dir);
	if (r < 0)
		return is_ended(r) ? 0 : r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		_cleanup_close_ int fd = -EBADF;
		uint64_t tid;

		if (!name_number(name, "", &tid) || tid == (uint64_t)process->pid)
			continue;
		/* Not below task/, where there is no map_files. */
		fd = sysfs_open_dir(walk->proc_fd, name);
		if (fd < 0)
			continue;
		r = look_at_task(walk, process, fd);
		if (r < 0)
			return r;
	}
	return is_ended(r) ? 0 : r;
}

static int look_at_process(struct walk *walk, const char *name, int32_t pid)
{
	_cleanup_close_ int fd = sysfs_open_dir(walk->proc_fd, name);
	const struct process process = { pid, fd, walk->scan->inv->n_holders };
	int r;

	if (fd < 0)
		return is_ended(fd) ? 0 : fd;
	r = look_at_task(walk, &process, fd);
	/* A main thread that ended shows nothing, though others run on with all it had. */
	if (r == 0)
		r = look_at_threads(walk, &process);
	return MIN(r, 0);
}

/* Without it, most of /proc is closed to us, and that nobody was found means nothing. */
static bool has_ptrace_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE));
}

/* As scan_failed_midway(), with a path outside of sysfs. */
static int proc_failed(struct scan *scan, const char *name, int error)
{
	const struct place proc = { .name = scan->proc };

	return scan_failed_midway(scan, &proc, name, error);
}

static int walk_processes(struct walk *walk)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_open_list(AT_FDCWD, walk->scan->proc, &dir);
	if (r < 0)
		return proc_failed(walk->scan, NULL, r);
	walk->proc_fd = dirfd(dir);
	while ((r = sysfs_next(dir, &name)) > 0) {
		uint64_t pid;

		if (!name_number(name, "", &pid) || pid > INT32_MAX ||
		    (int32_t)pid == walk->own_pid)
			continue;
		r = look_at_process(walk, name, (int32_t)pid);
		if (is_denied(r) && has_ptrace_capability())
			walk->scan->inv->n_unseen++;
		else if (r < 0)
			return proc_failed(walk->scan, name, r);
	}
	return r < 0 ? proc_failed(walk->scan, NULL, r) : 0;
}

int scan_holders(struct scan *scan)
{
	struct walk walk = { .scan = scan, .own_pid = getpid() };
	int r = 0;

	for (uint32_t i = 0; i < scan->inv->n_devices && r == 0; i++)
		if (can_be_held(&scan->inv->devices[i]))
			r = add_target(&walk, i);
	if (r == 0 && walk.n_targets > 0)
		r = walk_processes(&walk);
	free(walk.targets);
	free(walk.views);
	return r;
}
