/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for processes to end, and ending them; see drain.h. */
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>

#include "util/process.h"
#include "util/sysfs.h"
#include "watch/drain.h"

#define FIND_TRIES 3

struct watched {
	struct drain *drain;
	struct holder holder;
	int pidfd; /* negative: it has gone already, which @end is to tell */
	struct event *end;
	struct event *grace;
	usec_t grace_end;
	usec_t begun; /* when SIGTERM was sent; 0: it was not */
	bool killed;
	int error; /* which was told of last; 0 after a signal */
};

struct drain {
	struct event_base *base;
	const struct drain_ops *ops;
	void *userdata;
	int proc_fd;
	struct watched **items; /* sorted */
	size_t n;
};

static void watched_free(struct watched *w)
{
	if (!w)
		return;
	if (w->end)
		event_free(w->end);
	if (w->grace)
		event_free(w->grace);
	(void)safe_close(w->pidfd);
	free(w);
}
DEFINE_CLEANUP(struct watched *, watched_free);

static int compare(const struct holder *a, const struct holder *b)
{
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return 0;
}

static int compare_pointers(const void *a, const void *b)
{
	return compare(*(const struct holder *const *)a, *(const struct holder *const *)b);
}

/* Its place, or that of the first one behind it. */
static size_t find(const struct drain *drain, const struct holder *holder)
{
	size_t low = 0, high = drain->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&drain->items[middle]->holder, holder) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- looking at a process ---- */

/* Opens its directory, which goes on meaning this process. -ESRCH: it has gone. */
static int open_process(const struct drain *drain, const struct holder *holder, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	uint64_t start;
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "%d", (int)holder->pid);
	fd = sysfs_open_dir(drain->proc_fd, name);
	r = fd < 0 ? fd : process_start(fd, &start);
	if (r < 0)
		return errno_is_gone(r) ? -ESRCH : r;
	if (start != holder->start)
		return -ESRCH;
	*ret = take_fd(&fd);
	return 0;
}

/* A descriptor of the process. -ESRCH: it has gone; others. */
static int open_pidfd(const struct drain *drain, const struct holder *holder, int *ret)
{
	for (unsigned i = 0; i < FIND_TRIES; i++) {
		_cleanup_close_ int dir = -EBADF, fd = pidfd_open(holder->pid, 0);
		int r;

		/* A pid that only a thread has now: EINVAL, newer kernels ENOENT. */
		if (fd < 0)
			return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
		r = open_process(drain, holder, &dir);
		if (r < 0)
			return r;
		/* If what the descriptor means is there now, that is what was looked at. Else the
		 * pid may have been given to the one we want between the two. */
		if (pidfd_send_signal(fd, 0, NULL, 0) == 0 || errno != ESRCH) {
			*ret = take_fd(&fd);
			return 0;
		}
	}
	return -ESRCH;
}

/* Field 4 of its `stat`. */
static int read_parent(int fd, int32_t *ret)
{
	char text[SYSFS_ATTR_MAX], *field;
	uint64_t parent;
	ssize_t n = sysfs_read(fd, "stat", text, sizeof(text));
	int r;

	if (n < 0)
		return (int)n;
	/* Behind the name, which may have anything in it, and the state. */
	field = strrchr(text, ')');
	if (!field || field[1] != ' ' || field[2] == '\0' || field[3] != ' ')
		return -EBADMSG;
	field += 4;
	field[strcspn(field, " ")] = '\0';
	r = sysfs_parse_u64(field, 10, &parent);
	if (r < 0 || parent > INT32_MAX)
		return -EBADMSG;
	*ret = (int32_t)parent;
	return 0;
}

/* 0: it may be signalled now. -ESRCH: it has gone; -EPERM: it may not; others. */
static int check(const struct drain *drain, const struct holder *holder,
		 const struct release_settings *settings)
{
	_cleanup_close_ int fd = -EBADF;
	struct holder now = *holder;
	int32_t own_pid = getpid(), parent;
	int r;

	r = open_process(drain, holder, &fd);
	if (r < 0)
		return r;
	process_describe(fd, &now);
	r = read_parent(fd, &parent);
	if (r < 0)
		return errno_is_gone(r) ? -ESRCH : r;
	if (now.pid == 1 || now.pid == own_pid || parent == own_pid)
		return -EPERM;
	return policy_may_terminate(settings, &now, own_pid) ? 0 : -EPERM;
}

/* ---- watching ---- */

static void on_end(evutil_socket_t fd, short what, void *userdata)
{
	struct watched *w = userdata;
	struct drain *drain = w->drain;
	struct holder holder = w->holder;
	size_t at = find(drain, &holder);

	(void)fd;
	(void)what;
	drain->n--;
	memmove(&drain->items[at], &drain->items[at + 1],
		(drain->n - at) * sizeof(struct watched *));
	watched_free(w);
	/* Last: it may change what is watched. */
	drain->ops->ended(&holder, drain->userdata);
}

/* Waits for the end of the grace. */
static int wait_grace(struct watched *w, usec_t now)
{
	struct timeval left;

	if (w->grace_end == USEC_INFINITY) {
		(void)event_del(w->grace);
		return 0;
	}
	left = usec_to_timeval(w->grace_end > now ? w->grace_end - now : 0);
	return event_add(w->grace, &left) < 0 ? -ENOMEM : 0;
}

static void on_grace(evutil_socket_t fd, short what, void *userdata)
{
	struct watched *w = userdata;
	struct drain *drain = w->drain;
	struct holder holder = w->holder;
	usec_t now = now_usec(CLOCK_MONOTONIC);

	(void)fd;
	(void)what;
	/* libevent's clock is coarse, so it may come a few ms early. */
	if (now < w->grace_end && wait_grace(w, now) == 0)
		return;
	drain->ops->due(&holder, drain->userdata);
}

static int watched_new(struct drain *drain, const struct holder *holder, struct watched **ret)
{
	_cleanup_(watched_freep) struct watched *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->drain = drain;
	w->holder = *holder;
	w->pidfd = -EBADF;
	r = open_pidfd(drain, holder, &w->pidfd);
	if (r < 0 && r != -ESRCH)
		return r;
	w->end = event_new(drain->base, w->pidfd < 0 ? -1 : w->pidfd, w->pidfd < 0 ? 0 : EV_READ,
			   on_end, w);
	w->grace = event_new(drain->base, -1, 0, on_grace, w);
	if (!w->end || !w->grace)
		return -ENOMEM;
	if (w->pidfd < 0)
		event_active(w->end, 0, 0);
	else if (event_add(w->end, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(w);
	return 0;
}

int drain_new(struct event_base *base, const char *proc, const struct drain_ops *ops,
	      void *userdata, struct drain **ret)
{
	_cleanup_(drain_freep) struct drain *drain = calloc(1, sizeof(*drain));

	if (!drain)
		return -ENOMEM;
	drain->base = base;
	drain->ops = ops;
	drain->userdata = userdata;
	drain->proc_fd = sysfs_open_dir(AT_FDCWD, proc);
	if (drain->proc_fd < 0)
		return drain->proc_fd;
	*ret = TAKE_PTR(drain);
	return 0;
}

void drain_free(struct drain *drain)
{
	if (!drain)
		return;
	for (size_t i = 0; i < drain->n; i++)
		watched_free(drain->items[i]);
	free(drain->items);
	(void)safe_close(drain->proc_fd);
	free(drain);
}

/* Those that can be watched, sorted, each once. */
static size_t choose(const struct holder *holders, size_t n, const struct holder **ret)
{
	size_t used = 0, unique = 0;

	for (size_t i = 0; i < n; i++)
		if (!holders[i].mounted && holders[i].pid > 0 && holders[i].start > 0)
			ret[used++] = &holders[i];
	qsort(ret, used, sizeof(*ret), compare_pointers);
	for (size_t i = 0; i < used; i++)
		if (unique == 0 || compare(ret[unique - 1], ret[i]) != 0)
			ret[unique++] = ret[i];
	return unique;
}

int drain_watch(struct drain *drain, const struct holder *holders, size_t n)
{
	/* One more than 0, which malloc() may not like. */
	_cleanup_free_ const struct holder **wanted = calloc(n + 1, sizeof(*wanted));
	_cleanup_free_ struct watched **items = calloc(n + 1, sizeof(*items));
	size_t n_wanted, old = 0, new = 0, used = 0;
	int error = 0;

	if (!wanted || !items)
		return -ENOMEM;
	n_wanted = choose(holders, n, wanted);
	/* First what is not watched any more, which gives descriptors back. */
	for (size_t i = 0; i < drain->n; i++) {
		struct watched *w = drain->items[i];
		const struct holder *key = &w->holder;

		if (bsearch(&key, wanted, n_wanted, sizeof(*wanted), compare_pointers))
			drain->items[old++] = w;
		else
			watched_free(w);
	}
	drain->n = old;
	for (size_t i = 0; i < n_wanted; i++) {
		size_t at = find(drain, wanted[i]);
		int r;

		if (at < drain->n && compare(&drain->items[at]->holder, wanted[i]) == 0) {
			items[used++] = drain->items[at];
			continue;
		}
		r = old + new < DRAIN_MAX ? watched_new(drain, wanted[i], &items[used]) : -ENOBUFS;
		if (r < 0) {
			error = error ? error : r;
			continue;
		}
		used++;
		new ++;
	}
	free(drain->items);
	drain->items = TAKE_PTR(items);
	drain->n = used;
	return error;
}

static int begin(struct watched *w, const struct release_settings *settings, usec_t now)
{
	int r;

	/* First the way to SIGKILL, so that nobody gets one signal without the other. */
	r = wait_grace(w, now);
	if (r >= 0)
		r = check(w->drain, &w->holder, settings);
	if (r >= 0 && pidfd_send_signal(w->pidfd, SIGTERM, NULL, 0) < 0)
		r = -errno;
	if (r < 0) {
		(void)event_del(w->grace);
		return r;
	}
	w->begun = now;
	return 0;
}

static int go_on(struct watched *w, const struct release_settings *settings, usec_t now)
{
	int r = check(w->drain, &w->holder, settings);

	if (r < 0)
		return r;
	if (now < w->grace_end)
		return wait_grace(w, now);
	if (pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0) < 0)
		return -errno;
	(void)event_del(w->grace);
	w->killed = true;
	return 0;
}

int drain_terminate(struct drain *drain, const struct holder *holder,
		    const struct release_settings *settings)
{
	size_t at = find(drain, holder);
	struct watched *w = at < drain->n ? drain->items[at] : NULL;
	usec_t now = now_usec(CLOCK_MONOTONIC);
	struct holder signalled;
	int signal, r;
	bool due, tell;

	if (!w || compare(&w->holder, holder) != 0 || w->pidfd < 0)
		return -ESRCH;
	if (w->killed)
		return 0;
	w->grace_end = usec_add(w->begun ? w->begun : now, settings->terminate_grace);
	signal = w->begun ? SIGKILL : SIGTERM;
	due = !w->begun || now >= w->grace_end;
	r = w->begun ? go_on(w, settings, now) : begin(w, settings, now);
	if (!due)
		return r;
	/* That it has gone is told by ended(). */
	tell = r != -ESRCH && (r == 0 || r != w->error);
	w->error = r;
	signalled = w->holder;
	/* Last: it may change what is watched. */
	if (tell)
		drain->ops->signalled(&signalled, signal, r, drain->userdata);
	return r;
}
