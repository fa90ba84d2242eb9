/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PSI triggers; see pressure.h. A trigger says POLLPRI, for which libevent has no word, and which
 * the kernel forgets as soon as anybody polls. So each has an epoll of its own, which libevent
 * watches: that this one is readable is the news; looking into it for what it was is too late.
 */
#include <fcntl.h>
#include <sys/epoll.h>

#include "util/sysfs.h"
#include "watch/pressure.h"

/*
 * Over which the kernel adds up: without privileges it must be a multiple of 2 s, and that is fine.
 * As long as it goes on, there is one event for each.
 */
#define WINDOW_USEC (2 * USEC_PER_SEC)
#define PERMYRIAD 10000

struct trigger {
	struct pressure *pressure;
	int fd, epoll_fd;
	struct event *event;
};

struct pressure {
	struct event_base *base;
	char *path;
	void (*exceeded)(void *userdata);
	void *userdata;
	/* The same order in both. */
	struct pressure_ceiling *ceilings;
	struct trigger **triggers;
	size_t n;
};

static void trigger_free(struct trigger *trigger)
{
	if (!trigger)
		return;
	if (trigger->event)
		event_free(trigger->event);
	(void)safe_close(trigger->epoll_fd);
	(void)safe_close(trigger->fd);
	free(trigger);
}
DEFINE_CLEANUP(struct trigger *, trigger_free);

/* Whether there will be no more events: the file has gone, as a cgroup's does with it. */
static bool is_dead(const struct trigger *trigger)
{
	struct epoll_event event;

	return epoll_wait(trigger->epoll_fd, &event, 1, 0) == 1 &&
	       (event.events & (EPOLLERR | EPOLLHUP));
}

static void on_trigger(evutil_socket_t fd, short what, void *userdata)
{
	struct trigger *trigger = userdata;
	struct pressure *pressure = trigger->pressure;
	size_t i = 0, after;

	(void)fd;
	(void)what;
	while (pressure->triggers[i] != trigger)
		i++;
	if (is_dead(trigger)) {
		after = --pressure->n - i;
		memmove(&pressure->ceilings[i], &pressure->ceilings[i + 1],
			after * sizeof(*pressure->ceilings));
		memmove(&pressure->triggers[i], &pressure->triggers[i + 1],
			after * sizeof(struct trigger *));
		trigger_free(trigger);
	} else {
		pressure->ceilings[i].exceeded = now_usec(CLOCK_MONOTONIC);
	}
	/* Last: it may change what is watched. */
	pressure->exceeded(pressure->userdata);
}

/* Opens the file and makes it a trigger. */
static int open_trigger(const char *path, const struct pressure_ceiling *ceiling, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	char text[64];
	ssize_t written;
	int n;

	if (ceiling->permyriad == 0 || ceiling->permyriad > PERMYRIAD)
		return -EINVAL;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	n = snprintf(text, sizeof(text), "%s %llu %llu", ceiling->full ? "full" : "some",
		     (unsigned long long)(ceiling->permyriad * WINDOW_USEC / PERMYRIAD),
		     (unsigned long long)WINDOW_USEC);
	/* With the terminator: the kernel overwrites the last byte by one. */
	written = write(fd, text, (size_t)n + 1);
	if (written != n + 1)
		return written < 0 ? -errno : -EIO;
	*ret = take_fd(&fd);
	return 0;
}

static int trigger_new(struct pressure *pressure, const struct pressure_ceiling *ceiling,
		       struct trigger **ret)
{
	_cleanup_(trigger_freep) struct trigger *trigger = calloc(1, sizeof(*trigger));
	struct epoll_event wanted = { .events = EPOLLPRI };
	int r;

	if (!trigger)
		return -ENOMEM;
	trigger->pressure = pressure;
	trigger->fd = trigger->epoll_fd = -EBADF;
	r = open_trigger(pressure->path, ceiling, &trigger->fd);
	if (r < 0)
		return r;
	trigger->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (trigger->epoll_fd < 0 ||
	    epoll_ctl(trigger->epoll_fd, EPOLL_CTL_ADD, trigger->fd, &wanted) < 0)
		return -errno;
	trigger->event = event_new(pressure->base, trigger->epoll_fd, EV_READ | EV_PERSIST,
				   on_trigger, trigger);
	if (!trigger->event || event_add(trigger->event, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(trigger);
	return 0;
}

int pressure_new(struct event_base *base, const char *path, void (*exceeded)(void *userdata),
		 void *userdata, struct pressure **ret)
{
	_cleanup_(pressure_freep) struct pressure *pressure = calloc(1, sizeof(*pressure));

	if (!pressure)
		return -ENOMEM;
	pressure->base = base;
	pressure->exceeded = exceeded;
	pressure->userdata = userdata;
	pressure->path = strdup(path);
	if (!pressure->path)
		return -ENOMEM;
	*ret = TAKE_PTR(pressure);
	return 0;
}

static void forget_all(struct pressure *pressure)
{
	for (size_t i = 0; i < pressure->n; i++)
		trigger_free(pressure->triggers[i]);
	free(pressure->triggers);
	free(pressure->ceilings);
}

void pressure_free(struct pressure *pressure)
{
	if (!pressure)
		return;
	forget_all(pressure);
	free(pressure->path);
	free(pressure);
}

static bool is_same(const struct pressure_ceiling *a, const struct pressure_ceiling *b)
{
	return a->full == b->full && a->permyriad == b->permyriad;
}

static size_t find_ceiling(const struct pressure_ceiling *ceilings, size_t n,
			   const struct pressure_ceiling *wanted)
{
	size_t i = 0;

	while (i < n && !is_same(&ceilings[i], wanted))
		i++;
	return i;
}

/* Those whose average is over them by now, without the kernel having said so to us. */
static int look_at_new(struct pressure *pressure, size_t first)
{
	usec_t now = now_usec(CLOCK_MONOTONIC);
	unsigned some, full;
	int r;

	if (first == pressure->n)
		return 0;
	r = pressure_read(pressure, &some, &full);
	if (r < 0)
		return r;
	for (size_t i = first; i < pressure->n; i++) {
		struct pressure_ceiling *ceiling = &pressure->ceilings[i];

		if ((ceiling->full ? full : some) > ceiling->permyriad)
			ceiling->exceeded = now;
	}
	return 0;
}

int pressure_watch(struct pressure *pressure, const struct pressure_ceiling *wanted, size_t n)
{
	/* One more than 0, which malloc() may not like. */
	_cleanup_free_ struct pressure_ceiling *ceilings = calloc(n + 1, sizeof(*ceilings));
	_cleanup_free_ struct trigger **triggers = calloc(n + 1, sizeof(*triggers));
	size_t kept, used = 0;
	int error = 0, r;

	if (!ceilings || !triggers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t at = find_ceiling(pressure->ceilings, pressure->n, &wanted[i]);

		if (at == pressure->n || !pressure->triggers[at])
			continue;
		ceilings[used] = pressure->ceilings[at];
		triggers[used++] = TAKE_PTR(pressure->triggers[at]);
	}
	/* Before new ones are made: that gives their descriptors back. */
	forget_all(pressure);
	kept = used;
	for (size_t i = 0; i < n; i++) {
		struct trigger *trigger = NULL;

		if (find_ceiling(ceilings, used, &wanted[i]) < used)
			continue;
		r = trigger_new(pressure, &wanted[i], &trigger);
		if (r < 0) {
			error = error ? error : r;
			continue;
		}
		ceilings[used] = wanted[i];
		ceilings[used].exceeded = 0;
		triggers[used++] = trigger;
	}
	pressure->ceilings = TAKE_PTR(ceilings);
	pressure->triggers = TAKE_PTR(triggers);
	pressure->n = used;
	r = look_at_new(pressure, kept);
	return error ? error : r;
}

const struct pressure_ceiling *pressure_ceilings(const struct pressure *pressure, size_t *ret_n)
{
	*ret_n = pressure->n;
	return pressure->ceilings;
}

/* "NAME avg10=12.34 avg60=…" of all lines in @text. */
static int parse_average(const char *text, const char *name, unsigned *ret)
{
	char head[16];
	const char *p;
	unsigned whole = 0;
	int digits = 0;

	(void)snprintf(head, sizeof(head), "%s avg10=", name);
	while (!(p = startswith(text, head))) {
		text = strchr(text, '\n');
		if (!text)
			return -EBADMSG;
		text++;
	}
	for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
		whole = whole * 10 + (unsigned)(*p - '0');
	if (digits == 0 || p[0] != '.' || p[1] < '0' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
	    p[3] != ' ')
		return -EBADMSG;
	*ret = whole * 100 + (unsigned)(p[1] - '0') * 10 + (unsigned)(p[2] - '0');
	return 0;
}

int pressure_read(const struct pressure *pressure, unsigned *ret_some, unsigned *ret_full)
{
	char text[SYSFS_ATTR_MAX];
	unsigned some, full;
	ssize_t n;
	int r;

	n = sysfs_read(AT_FDCWD, pressure->path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -EOPNOTSUPP : (int)n;
	r = parse_average(text, "some", &some);
	if (r < 0)
		return r;
	r = parse_average(text, "full", &full);
	if (r < 0)
		return r;
	*ret_some = some;
	*ret_full = full;
	return 0;
}

static void want(struct pressure_ceiling *ceilings, size_t *n, bool full, unsigned permyriad)
{
	const struct pressure_ceiling ceiling = { .full = full, .permyriad = permyriad };

	if (permyriad > 0 && find_ceiling(ceilings, *n, &ceiling) == *n)
		ceilings[(*n)++] = ceiling;
}

int pressure_wanted(const struct policy *policy, struct pressure_ceiling **ret, size_t *ret_n)
{
	struct pressure_ceiling *ceilings;
	size_t n = 0;

	ceilings = calloc(2 * (policy->n_rules + 1), sizeof(*ceilings));
	if (!ceilings)
		return -ENOMEM;
	want(ceilings, &n, false, policy->defaults.pressure_some);
	want(ceilings, &n, true, policy->defaults.pressure_full);
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct release_settings *settings = &policy->rules[i].settings;

		want(ceilings, &n, false, settings->pressure_some);
		want(ceilings, &n, true, settings->pressure_full);
	}
	*ret = ceilings;
	*ret_n = n;
	return 0;
}
