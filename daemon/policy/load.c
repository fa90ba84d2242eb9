/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the configuration files and reads them in their order: as systemd does it, the first
 * directory that has a file of some name hides those of that name in the others. With a root, what
 * an image's links point to is looked for in the image.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <dcdd/names.h>

#include "config.h"

#define MAIN_FILE "dcdd.conf"
#define DROP_IN_DIR "dcdd.conf.d"
#define SUFFIX ".conf"
#define FILE_SIZE_MAX (4 * MiB) /* far more than RULES_MAX rules need */
#define DROP_INS_MAX 1024

/* The files of DROP_IN_DIR, each name once. */
struct drop_in {
	char name[NAME_MAX + 1];
	const char *dir; /* the first that has it, of DCDD_CONFIG_DIRS */
};

struct loader {
	struct policy *policy;
	struct config_places places;
	const char *root; /* "" for the host, without '/' at the end */
	int root_fd;	  /* -EBADF: of the host */
	size_t n_main;	  /* rules of the main file, which stay behind all others */
	struct drop_in *drop_ins;
	size_t n_drop_ins;
	char *message;
};

static int fail(struct loader *l, int error, const char *format, ...) _printf_(3, 4);

static int fail(struct loader *l, int error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&l->message, format, ap);
	va_end(ap);
	if (n < 0)
		l->message = NULL;
	return n < 0 ? -ENOMEM : error;
}

/* @path begins with '/'. Below a root, links lead nowhere outside of it. */
static int open_below(const struct loader *l, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	long fd;

	if (l->root_fd < 0)
		fd = open(path, flags | O_CLOEXEC);
	else
		fd = syscall(SYS_openat2, l->root_fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* A link to /dev/null counts in an image as well, which has none. */
static bool is_masked(int dir_fd, const char *name)
{
	char target[sizeof("/dev/null")];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof(target));

	return n == (ssize_t)strlen("/dev/null") && memcmp(target, "/dev/null", (size_t)n) == 0;
}

static const char *kind_of_file(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

/*
 * Reads an open file; takes @fd over. It was opened without waiting, so a FIFO came as far as
 * this.
 */
static int read_fd(struct loader *l, int fd, const char *path, size_t at)
{
	_cleanup_close_ int own = fd;
	_cleanup_fclose_ FILE *f = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(l, -errno, "%s: %s", path, strerror(errno));
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null */
		return 0;
	if (!S_ISREG(st.st_mode))
		return fail(l, S_ISDIR(st.st_mode) ? -EISDIR : -EBADFD,
			    "%s is %s; expected a regular file", path, kind_of_file(st.st_mode));
	if (st.st_size > (off_t)FILE_SIZE_MAX)
		return fail(l, -EFBIG, "%s has %lld bytes; expected at most %lld", path,
			    (long long)st.st_size, (long long)FILE_SIZE_MAX);
	f = fdopen(fd, "r");
	if (!f)
		return -errno;
	(void)take_fd(&own);
	r = config_read(path, f, l->policy, at, &l->places, &l->message);
	if (r < 0 && !l->message && r != -ENOMEM)
		return fail(l, r, "%s: %s", path, strerror(-r));
	return r;
}

/* Whether the main file is there: then it is read, or masked. */
static int load_main(struct loader *l, const char *dir)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int dir_fd = -EBADF;
	const char *below;
	int fd, r;

	if (asprintf(&path, "%s%s/" MAIN_FILE, l->root, dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	below = path + strlen(l->root);
	dir_fd = open_below(l, dir, O_PATH | O_DIRECTORY);
	if (dir_fd >= 0 && is_masked(dir_fd, MAIN_FILE))
		return 1;
	if (dir_fd == -ENOENT ||
	    (dir_fd >= 0 && faccessat(dir_fd, MAIN_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	     errno == ENOENT))
		return 0;
	fd = dir_fd < 0 ? dir_fd : open_below(l, below, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(l, fd, "%s: %s", path, strerror(-fd));
	r = read_fd(l, fd, path, 0);
	l->n_main = l->policy->n_rules;
	return r < 0 ? r : 1;
}

static int add_drop_in(struct loader *l, const char *dir, const char *name)
{
	struct drop_in *drop_ins;

	for (size_t i = 0; i < l->n_drop_ins; i++)
		if (streq(l->drop_ins[i].name, name))
			return 0;
	if (l->n_drop_ins == DROP_INS_MAX)
		return fail(l, -E2BIG, "%s%s/" DROP_IN_DIR ": too many files; expected at most %d",
			    l->root, dir, DROP_INS_MAX);
	drop_ins = reallocarray(l->drop_ins, l->n_drop_ins + 1, sizeof(*drop_ins));
	if (!drop_ins)
		return -ENOMEM;
	l->drop_ins = drop_ins;
	drop_ins[l->n_drop_ins].dir = dir;
	(void)str_copy(drop_ins[l->n_drop_ins].name, sizeof(drop_ins->name), name);
	l->n_drop_ins++;
	return 0;
}

static bool is_drop_in_name(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > strlen(SUFFIX) && streq(name + n - strlen(SUFFIX), SUFFIX);
}

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static int list_drop_ins(struct loader *l, const char *dir)
{
	_cleanup_(closedirp) DIR *d = NULL;
	_cleanup_free_ char *path = NULL;
	struct dirent *entry;
	int fd, r = 0;

	if (asprintf(&path, "%s%s/" DROP_IN_DIR, l->root, dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open_below(l, path + strlen(l->root), O_RDONLY | O_DIRECTORY);
	if (fd == -ENOENT)
		return 0;
	if (fd >= 0) {
		d = fdopendir(fd);
		if (!d) {
			(void)safe_close(fd);
			return -errno;
		}
		while (r == 0 && (errno = 0, entry = readdir(d)))
			if (is_drop_in_name(entry->d_name))
				r = add_drop_in(l, dir, entry->d_name);
		if (r < 0)
			return r;
		r = -errno;
	} else {
		r = fd;
	}
	return r < 0 ? fail(l, r, "%s: %s", path, strerror(-r)) : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct drop_in *)a)->name, ((const struct drop_in *)b)->name);
}

static int load_drop_in(struct loader *l, const struct drop_in *drop_in)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int dir_fd = -EBADF;
	char *below, *slash;
	int fd;

	if (asprintf(&path, "%s%s/" DROP_IN_DIR "/%s", l->root, drop_in->dir, drop_in->name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	below = path + strlen(l->root);
	slash = strrchr(below, '/');
	*slash = '\0';
	dir_fd = open_below(l, below, O_PATH | O_DIRECTORY);
	*slash = '/';
	if (dir_fd >= 0 && is_masked(dir_fd, drop_in->name))
		return 0;
	fd = open_below(l, below, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fail(l, fd, "%s: %s", path, strerror(-fd));
	/* Behind the drop-ins before it, in front of the main file. */
	return read_fd(l, fd, path, l->policy->n_rules - l->n_main);
}

static int load_all(struct loader *l)
{
	static const char dirs[] = DCDD_CONFIG_DIRS;
	int r = 0;

	for (const char *dir = dirs; r == 0 && *dir; dir += strlen(dir) + 1)
		r = load_main(l, dir);
	for (const char *dir = dirs; r >= 0 && *dir; dir += strlen(dir) + 1)
		r = list_drop_ins(l, dir);
	if (l->n_drop_ins > 1)
		qsort(l->drop_ins, l->n_drop_ins, sizeof(*l->drop_ins), by_name);
	for (size_t i = 0; r >= 0 && i < l->n_drop_ins; i++)
		r = load_drop_in(l, &l->drop_ins[i]);
	return r;
}

static int load_file(struct loader *l, const char *file)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return fail(l, -errno, "%s: %s", file, strerror(errno));
	return read_fd(l, fd, file, 0);
}

/* "/" and "" are the host's own. */
static int open_root(struct loader *l, const char *root, char **ret_copy)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	*ret_copy = strndup(root, n);
	if (!*ret_copy)
		return -ENOMEM;
	l->root = *ret_copy;
	if (n == 0)
		return 0;
	l->root_fd = open(l->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root_fd < 0)
		return fail(l, -errno, "%s: %s", l->root, strerror(errno));
	return 0;
}

int policy_load(const char *root, const char *file, struct policy *policy, char **ret_error)
{
	_cleanup_free_ char *copy = NULL;
	struct loader l = { .policy = policy, .root = "", .root_fd = -EBADF };
	int r;

	policy_init(policy);
	if (file) {
		r = load_file(&l, file);
	} else {
		r = open_root(&l, root, &copy);
		if (r >= 0)
			r = load_all(&l);
	}
	if (r >= 0)
		r = config_finish(policy, &l.places, &l.message);
	config_places_done(&l.places);
	free(l.drop_ins);
	(void)safe_close(l.root_fd);
	if (r < 0)
		policy_done(policy);
	*ret_error = l.message;
	return MIN(r, 0);
}
