/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds the simulated host around a forked child: private mount and network namespaces, the FUSE
 * tree on /sys, the real tracefs inside it, a /dev of its own.
 */
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "host.h"
#include "uevent.h"

#define PSI_PATH "/proc/pressure/memory"

#define EXIT_SETUP 70
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/* Says what failed, with errno; returns it negative. */
static int complain(const char *what, const char *object)
{
	int r = -errno;

	fprintf(stderr, "dcdsim: cannot %s %s: %s\n", what, object, strerror(-r));
	return r;
}

static int make_node(const char *dir, const char *name, mode_t mode, unsigned major, unsigned minor)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	if (mknod(path, S_IFCHR | mode, makedev(major, minor)) < 0 || chmod(path, mode) < 0)
		return complain("make device node", path);
	return 0;
}

static int make_link(const char *dir, const char *name, const char *target)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	if (symlink(target, path) < 0)
		return complain("make link", path);
	return 0;
}

static int make_directory(const char *dir, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	return mkdir(path, 0755) < 0 ? complain("make", path) : 0;
}

/* Binds the machine's /dev/@name, if it has that directory. */
static int bind_dev_directory(const char *dir, const char *name)
{
	_cleanup_free_ char *from = NULL, *to = NULL;

	if (asprintf(&from, "/dev/%s", name) < 0 || asprintf(&to, "%s/%s", dir, name) < 0)
		return -ENOMEM;
	if (mkdir(to, 0755) < 0)
		return complain("make", to);
	if (access(from, F_OK) == 0 && mount(from, to, "none", MS_BIND | MS_REC, NULL) < 0)
		return complain("bind", from);
	return 0;
}

/* A small /dev: what programs cannot do without, and room for daxN.M. */
static int make_dev(const char *dir)
{
	static const struct {
		const char *name;
		mode_t mode;
		unsigned major, minor;
	} nodes[] = {
		{ "null", 0666, 1, 3 },	  { "zero", 0666, 1, 5 },    { "full", 0666, 1, 7 },
		{ "random", 0666, 1, 8 }, { "urandom", 0666, 1, 9 }, { "kmsg", 0644, 1, 11 },
		{ "tty", 0666, 5, 0 },	  { "fuse", 0666, 10, 229 },
	};
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "fd", "/proc/self/fd" },	 { "stdin", "/proc/self/fd/0" },
		{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
		{ "ptmx", "pts/ptmx" },
	};
	int r;

	if (mount("dcdsim", dir, "tmpfs", MS_NOSUID, "mode=0755,size=64m") < 0)
		return complain("mount tmpfs on", dir);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		r = make_node(dir, nodes[i].name, nodes[i].mode, nodes[i].major, nodes[i].minor);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		r = make_link(dir, links[i].name, links[i].target);
		if (r < 0)
			return r;
	}
	if (access("/run/systemd/journal/dev-log", F_OK) == 0) {
		r = make_link(dir, "log", "/run/systemd/journal/dev-log");
		if (r < 0)
			return r;
	}
	r = make_directory(dir, "cxl");
	if (r < 0)
		return r;
	r = bind_dev_directory(dir, "pts");
	return r < 0 ? r : bind_dev_directory(dir, "shm");
}

/* tracefs as seen from our side: bound, so that the tree on /sys cannot hide it. */
static int bind_tracefs(struct host *host)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *file = NULL;

		if (asprintf(&file, "%s/uprobe_events", places[i]) < 0)
			return -ENOMEM;
		if (access(file, W_OK) < 0)
			continue;
		if (mount(places[i], host->trace, "none", MS_BIND, NULL) < 0)
			return complain("bind", places[i]);
		return 0;
	}
	if (mount("tracefs", host->trace, "tracefs", 0, NULL) < 0)
		return complain("mount tracefs on", host->trace);
	return 0;
}

/* The file that will be mounted over, twice. A kernel without PSI has no place for it. */
static int make_psi(struct host *host)
{
	_cleanup_close_ int fd = -EBADF;

	if (access(PSI_PATH, F_OK) < 0)
		return 0;
	snprintf(host->psi, sizeof(host->psi), "%s/pressure", host->dir);
	fd = open(host->psi, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? complain("make", host->psi) : 0;
}

int host_prepare(struct host *host)
{
	const char *const dirs[] = { host->sys, host->dev, host->trace };
	int r;

	*host = (struct host){ .channel = -EBADF, .uevents = -EBADF };
	/* One for all, as the caller's lock is: what a killed dcdsim left there is ours now. */
	strcpy(host->dir, "/run/dcdsim");
	if (mkdir(host->dir, 0700) < 0 && errno != EEXIST) {
		host->dir[0] = '\0';
		return complain("make", "/run/dcdsim");
	}
	snprintf(host->sys, sizeof(host->sys), "%s/sys", host->dir);
	snprintf(host->dev, sizeof(host->dev), "%s/dev", host->dir);
	snprintf(host->trace, sizeof(host->trace), "%s/tracing", host->dir);

	if (unshare(CLONE_NEWNS) < 0)
		return complain("make", "a mount namespace");
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("make private", "the mounts");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0 && errno != EEXIST)
			return complain("make", dirs[i]);
	r = make_psi(host);
	if (r == 0)
		r = make_dev(host->dev);
	return r < 0 ? r : bind_tracefs(host);
}

static int loopback_up(void)
{
	struct ifreq request = { .ifr_flags = IFF_UP };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return complain("open", "a socket");
	strcpy(request.ifr_name, "lo");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return complain("bring up", "lo");
	return 0;
}

/* Hands a file descriptor over @channel. */
static int send_fd(int channel, int fd)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Takes it; -EPIPE if the other side ended first. */
static int receive_fd(int channel)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	ssize_t n;
	int fd;

	do
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* The child's view: our tree for /sys, tracefs in it, our /dev. */
static int enter_namespaces(const struct host *host)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
		return complain("make", "the namespaces of the host");
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		return complain("make private", "the mounts of the host");
	if (mount(host->sys, "/sys", "none", MS_BIND, NULL) < 0)
		return complain("bind the simulated tree on", "/sys");
	if (mount(host->trace, "/sys/kernel/tracing", "none", MS_BIND, NULL) < 0)
		return complain("bind tracefs on", "/sys/kernel/tracing");
	if (mount(host->dev, "/dev", "none", MS_BIND | MS_REC, NULL) < 0)
		return complain("bind the private directory on", "/dev");
	if (host->psi[0] && mount(host->psi, PSI_PATH, "none", MS_BIND, NULL) < 0)
		return complain("bind the simulated pressure on", PSI_PATH);
	return loopback_up();
}

/* The child from fork to exec; never returns. */
static void child_main(const struct host *host, int channel, const char *control, char **argv)
{
	_cleanup_close_ int uevents = -EBADF;
	sigset_t none;
	char byte;

	if (read(channel, &byte, 1) != 1 || enter_namespaces(host) < 0)
		_exit(EXIT_SETUP);
	uevents = uevent_socket();
	if (uevents < 0) {
		errno = -uevents;
		(void)complain("open", "a uevent socket");
		_exit(EXIT_SETUP);
	}
	if (send_fd(channel, uevents) < 0 || read(channel, &byte, 1) != 1)
		_exit(EXIT_SETUP);

	/* libudev looks at the type of the file system before it believes /sys. */
	if (setenv("DCDSIM_CONTROL", control, 1) < 0 ||
	    setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1) < 0)
		_exit(EXIT_SETUP);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	(void)complain("run", argv[0]);
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

int host_fork(struct host *host, const char *control, char **argv)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return complain("make", "a socket pair");
	host->pid = fork();
	if (host->pid < 0) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return complain("fork", "the command");
	}
	if (host->pid == 0) {
		(void)close(pair[0]);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_SETUP);
		child_main(host, pair[1], control, argv);
	}
	(void)close(pair[1]);
	host->channel = pair[0];
	return 0;
}

int host_enter(struct host *host)
{
	if (send(host->channel, "e", 1, MSG_NOSIGNAL) != 1)
		return complain("wake", "the child");
	host->uevents = receive_fd(host->channel);
	return host->uevents < 0 ? host->uevents : 0;
}

int host_run(struct host *host)
{
	if (send(host->channel, "r", 1, MSG_NOSIGNAL) != 1)
		return complain("start", "the command");
	host->channel = safe_close(host->channel);
	return 0;
}

int host_dev_set(const struct host *host, const char *name, uint64_t size)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;

	if (asprintf(&path, "%s/%s", host->dev, name) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	return ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

int host_dev_memdev(const struct host *host, const char *name, unsigned major, unsigned minor)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/cxl/%s", host->dev, name) < 0)
		return -ENOMEM;
	(void)unlink(path);
	return mknod(path, S_IFCHR | 0600, makedev(major, minor)) < 0 ? -errno : 0;
}

void host_dev_remove(const struct host *host, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", host->dev, name) < 0)
		return;
	if (truncate(path, 0) == 0)
		(void)unlink(path);
}

/* Sends SIGKILL to each child listed in @path (a `children` file of procfs). */
static void kill_listed(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		(void)kill(pid, SIGKILL);
}

void host_kill(void)
{
	/* A child may appear while we look: again until none is left. */
	for (int rounds = 0; rounds < 2000; rounds++) {
		siginfo_t info;
		glob_t tasks;
		int r;

		do {
			info.si_pid = 0;
			r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG);
		} while (r == 0 && info.si_pid != 0);
		if (r < 0 && errno == ECHILD)
			return;
		if (glob("/proc/self/task/*/children", GLOB_NOSORT, NULL, &tasks) == 0) {
			for (size_t i = 0; i < tasks.gl_pathc; i++)
				kill_listed(tasks.gl_pathv[i]);
			globfree(&tasks);
		}
		usleep(2000);
	}
	fprintf(stderr, "dcdsim: a process of the command does not end, leaving it\n");
}

void host_cleanup(struct host *host)
{
	host->channel = safe_close(host->channel);
	host->uevents = safe_close(host->uevents);
	if (!host->dir[0])
		return;
	(void)umount2(host->sys, MNT_DETACH);
	(void)umount2(host->trace, MNT_DETACH);
	(void)umount2(host->dev, MNT_DETACH);
	if (host->psi[0]) {
		(void)umount2(host->psi, MNT_DETACH);
		(void)unlink(host->psi);
	}
	(void)rmdir(host->sys);
	(void)rmdir(host->trace);
	(void)rmdir(host->dev);
	(void)rmdir(host->dir);
}
