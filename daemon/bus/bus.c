/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to the system bus, under libevent. sd-bus keeps messages in a queue of its own and
 * changes its wishes (readable, writable, deadline) with each use, so every use ends in
 * bus_rearm(). A lost connection is dropped and tried again: freeing memory needs no D-Bus.
 */
#include <assert.h>
#include <poll.h>

#include "bus_internal.h"
#include "util/escape.h"

#define MESSAGES_PER_WAKEUP 32
#define RECONNECT_SEC 3
#define CALL_TIMEOUT_USEC (5 * USEC_PER_SEC)
#define CLOSE_TIMEOUT_USEC (500 * USEC_PER_MSEC)
/* Unsent messages after which the bus daemon counts as dead: it does not read any more. */
#define QUEUED_MAX 8192

static void bus_wait_io(struct bus *bus, int fd, short what)
{
	if (bus->io_fd == fd && bus->io_what == what)
		return;
	if (bus->io_fd >= 0)
		(void)event_del(bus->io);
	bus->io_fd = -EBADF;
	bus->io_what = 0;
	if (fd < 0 || !(what & (EV_READ | EV_WRITE)))
		return;
	if (event_assign(bus->io, bus->base, fd, (short)(what | EV_PERSIST),
			 event_get_callback(bus->io), bus) < 0 ||
	    event_add(bus->io, NULL) < 0)
		return;
	bus->io_fd = fd;
	bus->io_what = what;
}

static void bus_wait_timer(struct bus *bus, usec_t delay)
{
	/* Capped: a deadline far away is looked at again, at no cost, once an hour. */
	usec_t capped = MIN(delay, USEC_PER_HOUR);
	struct timeval tv = usec_to_timeval(capped);

	(void)evtimer_add(bus->timer, &tv);
}

static void bus_unexport(struct bus *bus)
{
	bus->manager = sd_bus_slot_unref(bus->manager);
	bus->releases = sd_bus_slot_unref(bus->releases);
	bus->enumerator = sd_bus_slot_unref(bus->enumerator);
}

static void bus_disconnect(struct bus *bus)
{
	bus_wait_io(bus, -EBADF, 0);
	(void)event_del(bus->timer);
	bus_unexport(bus);
	/* Not sd_bus_flush_close_unref(): that waits for a peer that may not read. */
	bus->conn = sd_bus_close_unref(bus->conn);
	bus->lost = false;
}

static void bus_drop(struct bus *bus)
{
	bus_disconnect(bus);
	bus_wait_timer(bus, RECONNECT_SEC * USEC_PER_SEC);
}

void bus_check(struct bus *bus, int error)
{
	switch (error) {
	case -ENOTCONN:
	case -ECONNRESET:
	case -EPIPE:
	case -ESHUTDOWN:
	case -ENOBUFS: /* sd-bus' own queue is full */
		bus->lost = true;
		break;
	default:
		break;
	}
}

void bus_rearm(struct bus *bus)
{
	uint64_t queued = 0, deadline = UINT64_MAX;
	int fd, events, k;
	short what = 0;

	if (bus->dispatching || !bus->conn)
		return;
	fd = sd_bus_get_fd(bus->conn);
	events = sd_bus_get_events(bus->conn);
	k = sd_bus_get_timeout(bus->conn, &deadline);
	(void)sd_bus_get_n_queued_write(bus->conn, &queued);
	if (bus->lost || fd < 0 || events < 0 || k < 0 || queued > QUEUED_MAX) {
		bus_drop(bus);
		return;
	}
	if (events & POLLIN)
		what |= EV_READ;
	if (events & POLLOUT)
		what |= EV_WRITE;
	bus_wait_io(bus, fd, what);

	/* The deadline is absolute; 0 means that messages are in the queue already. */
	if (deadline == UINT64_MAX) {
		(void)event_del(bus->timer);
	} else {
		usec_t now = now_usec(CLOCK_MONOTONIC);

		bus_wait_timer(bus, deadline > now ? deadline - now : 0);
	}
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	uint32_t result = 0;

	(void)ret_error;
	/* Taken by another, or refused: start over in a while, the other one may go. */
	if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &result) < 0 ||
	    (result != 1 /* primary owner */ && result != 4 /* already owner */))
		bus->lost = true;
	return 1;
}

/* Connects and exports; the name is not asked for yet. On failure there is no connection. */
static int bus_connect(struct bus *bus)
{
	int r;

	r = sd_bus_open_system(&bus->conn);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus->conn, CALL_TIMEOUT_USEC);
	if (r >= 0)
		r = sd_bus_add_object_manager(bus->conn, NULL, DCDD_OBJECT_PATH);
	if (r >= 0)
		r = bus_manager_export(bus);
	if (r >= 0)
		r = bus_release_export(bus);
	if (r < 0)
		bus_disconnect(bus);
	return r < 0 ? r : 0;
}

static void bus_reconnect(struct bus *bus)
{
	int r;

	r = bus_connect(bus);
	/* Asynchronous: a bus that accepts but does not answer must not hold the loop. */
	if (r >= 0)
		r = sd_bus_request_name_async(bus->conn, NULL, DCDD_BUS_NAME, 0, on_name, bus);
	if (r < 0)
		bus_drop(bus);
}

static void bus_dispatch(struct bus *bus)
{
	int r = 0;

	bus->dispatching = true;
	for (int i = 0; i < MESSAGES_PER_WAKEUP && !bus->lost; i++) {
		r = sd_bus_process(bus->conn, NULL);
		if (r <= 0)
			break;
	}
	bus->dispatching = false;
	if (r < 0)
		bus->lost = true;
	bus_rearm(bus);
}

static void on_io(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	bus_dispatch(userdata);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct bus *bus = userdata;

	(void)fd;
	(void)what;
	if (!bus->conn)
		bus_reconnect(bus);
	if (bus->conn)
		bus_dispatch(bus);
}

static void on_flush(evutil_socket_t fd, short what, void *userdata)
{
	struct bus *bus = userdata;

	(void)fd;
	(void)what;
	bus_changes_flush(bus);
	bus_rearm(bus);
}

int bus_append_text(sd_bus_message *m, const char *s)
{
	char buf[RELEASE_REASON_MAX * 4];

	return sd_bus_message_append_basic(m, 's', escape_text(s, buf, sizeof(buf)));
}

/* Each line is escaped by itself. */
static int append_lines(sd_bus_message *m, const char *s)
{
	size_t size = strlen(s) * 4 + 4, used = 0;
	_cleanup_free_ char *buf = malloc(size), *copy = strdup(s);
	char *rest = copy, *line;

	if (!buf || !copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		escape_text(line, buf + used, size - used);
		used += strlen(buf + used);
		if (rest)
			buf[used++] = '\n';
	}
	return sd_bus_message_append_basic(m, 's', buf);
}

/* A {sv} whose value @append gives. */
static int append_entry(sd_bus_message *m, const char *key, const char *value,
			int (*append)(sd_bus_message *m, const char *s))
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", key);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "s");
	if (r >= 0)
		r = append(m, value);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_append_text_entry(sd_bus_message *m, const char *key, const char *value)
{
	return append_entry(m, key, value, bus_append_text);
}

int bus_append_lines_entry(sd_bus_message *m, const char *key, const char *value)
{
	return append_entry(m, key, value, append_lines);
}

int bus_new(struct event_base *base, const struct bus_ops *ops, void *userdata, struct bus **ret)
{
	_cleanup_(bus_freep) struct bus *bus = NULL;
	int r;

	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	bus->base = base;
	bus->ops = ops;
	bus->userdata = userdata;
	bus->io_fd = -EBADF;
	bus->io = event_new(base, -1, EV_PERSIST, on_io, bus);
	bus->timer = evtimer_new(base, on_timer, bus);
	bus->flush = evtimer_new(base, on_flush, bus);
	if (!bus->io || !bus->timer || !bus->flush)
		return -ENOMEM;

	r = bus_connect(bus);
	if (r < 0)
		return r;
	/* Without a queue: -EEXIST if the name is taken. */
	r = sd_bus_request_name(bus->conn, DCDD_BUS_NAME, 0);
	if (r < 0)
		return r;
	bus_rearm(bus);
	*ret = TAKE_PTR(bus);
	return 0;
}

/* Sends what is still queued, for a bounded time; nothing is dispatched to anybody any more. */
static void bus_drain(sd_bus *conn)
{
	usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), CLOSE_TIMEOUT_USEC);
	uint64_t queued;

	while (sd_bus_get_n_queued_write(conn, &queued) >= 0 && queued > 0) {
		struct pollfd p = { .fd = sd_bus_get_fd(conn), .events = POLLOUT };
		usec_t now = now_usec(CLOCK_MONOTONIC);

		if (now >= deadline || p.fd < 0 ||
		    poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC)) <= 0 ||
		    sd_bus_process(conn, NULL) < 0)
			return;
	}
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;
	assert(!bus->dispatching);
	if (bus->conn) {
		bus_changes_flush(bus);
		bus_unexport(bus);
		bus_drain(bus->conn);
	}
	if (bus->io && bus->timer)
		bus_disconnect(bus);
	bus_changes_done(bus);
	if (bus->io)
		event_free(bus->io);
	if (bus->timer)
		event_free(bus->timer);
	if (bus->flush)
		event_free(bus->flush);
	free(bus);
}
