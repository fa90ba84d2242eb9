/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client of the simulator's control socket: one line of JSON there, one back. Requests are written
 * by printf rules with '…' as quotes, and parsed before they are sent: a typo fails here.
 */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "scenario.h"

#define REPLY_MAX (64 * MiB)
#define REPLY_SECONDS 60

int sim_connect(struct scenario *s)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("DCDSIM_CONTROL");
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (!path)
		return -ENOTCONN;
	r = str_copy(address.sun_path, sizeof(address.sun_path), path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	s->sim_fd = take_fd(&fd);
	return 0;
}

void sim_disconnect(struct scenario *s)
{
	s->sim_fd = safe_close(s->sim_fd);
	free(s->sim_buffer);
	s->sim_buffer = NULL;
	s->sim_size = 0;
}

static int send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Reads up to a newline; what follows stays in the buffer. */
static int read_line(struct scenario *s, usec_t deadline, char **ret)
{
	size_t searched = 0;

	for (;;) {
		char *end = s->sim_buffer
				    ? memchr(s->sim_buffer + searched, '\n', s->sim_size - searched)
				    : NULL;
		struct pollfd p = { .fd = s->sim_fd, .events = POLLIN };
		usec_t now = now_usec(CLOCK_MONOTONIC);
		char *grown;
		ssize_t n;

		if (end) {
			size_t length = (size_t)(end - s->sim_buffer);

			*ret = strndup(s->sim_buffer, length);
			s->sim_size -= length + 1;
			memmove(s->sim_buffer, end + 1, s->sim_size);
			return *ret ? 0 : -ENOMEM;
		}
		searched = s->sim_size;
		if (now >= deadline)
			return -ETIMEDOUT;
		if (s->sim_size > REPLY_MAX)
			return -EMSGSIZE;
		if (poll(&p, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) < 0 && errno != EINTR)
			return -errno;
		if (p.revents == 0)
			continue;
		grown = realloc(s->sim_buffer, s->sim_size + 64 * KiB);
		if (!grown)
			return -ENOMEM;
		s->sim_buffer = grown;
		n = recv(s->sim_fd, grown + s->sim_size, 64 * KiB, 0);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			s->sim_size += (size_t)n;
	}
}

static int request(struct scenario *s, struct json_object **ret, const char *text)
{
	_cleanup_json_ struct json_object *parsed = NULL;
	_cleanup_free_ char *line = NULL, *reply = NULL;
	struct json_object *object;
	int r;

	if (s->sim_fd < 0)
		return -ENOTCONN;
	parsed = json_tokener_parse(text);
	if (!parsed || !json_object_is_type(parsed, json_type_object)) {
		print_error("not a JSON object: %s\n", text);
		return -EINVAL;
	}
	if (asprintf(&line, "%s\n",
		     json_object_to_json_string_ext(parsed, JSON_C_TO_STRING_PLAIN)) < 0) {
		line = NULL;
		return -ENOMEM;
	}
	r = send_all(s->sim_fd, line, strlen(line));
	if (r < 0)
		return r;
	r = read_line(s, deadline_in(REPLY_SECONDS), &reply);
	if (r < 0)
		return r;
	object = json_tokener_parse(reply);
	if (!object)
		return -EBADMSG;
	*ret = object;
	return 0;
}

static _printf_(3, 0) int vrequest(struct scenario *s, struct json_object **ret, const char *format,
				   va_list ap)
{
	_cleanup_free_ char *text = NULL;

	if (vasprintf(&text, format, ap) < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return request(s, ret, text);
}

int sim_request(struct scenario *s, struct json_object **ret, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = vrequest(s, ret, format, ap);
	va_end(ap);
	return r;
}

static int errno_from_name(const char *name)
{
	for (int e = 1; e < 4096; e++) {
		const char *known = strerrorname_np(e);

		if (known && streq(known, name))
			return -e;
	}
	return -EBADMSG;
}

static bool reply_ok(struct json_object *reply)
{
	struct json_object *ok;

	return json_object_object_get_ex(reply, "ok", &ok) && json_object_get_boolean(ok);
}

int sim_try(struct scenario *s, struct json_object **ret, const char *format, ...)
{
	_cleanup_json_ struct json_object *reply = NULL;
	struct json_object *error;
	va_list ap;
	int r;

	va_start(ap, format);
	r = vrequest(s, &reply, format, ap);
	va_end(ap);
	if (r < 0)
		return r;
	if (!reply_ok(reply)) {
		if (!json_object_object_get_ex(reply, "error", &error))
			return -EBADMSG;
		return errno_from_name(json_object_get_string(error));
	}
	*ret = TAKE_PTR(reply);
	return 0;
}

static _printf_(2, 0) struct json_object *vdo(struct scenario *s, const char *format, va_list ap)
{
	_cleanup_free_ char *text = NULL;
	struct json_object *reply = NULL;
	int r;

	if (vasprintf(&text, format, ap) < 0) {
		text = NULL;
		scenario_fail(s, "out of memory");
	}
	r = request(s, &reply, text);
	if (r < 0)
		scenario_fail(s, "simulator: %s: %s", text, strerror(-r));
	if (!reply_ok(reply))
		scenario_fail(s, "simulator: %s: %s", text, json_object_to_json_string(reply));
	return reply;
}

struct json_object *sim_do(struct scenario *s, const char *format, ...)
{
	struct json_object *reply;
	va_list ap;

	va_start(ap, format);
	reply = vdo(s, format, ap);
	va_end(ap);
	return reply;
}

void sim_ok(struct scenario *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	json_object_put(vdo(s, format, ap));
	va_end(ap);
}

struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fail_msg("no \"%s\" in %s", key, json_object_to_json_string(object));
	return value;
}

const char *member_string(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	if (!json_object_is_type(value, json_type_string))
		fail_msg("\"%s\" is no string in %s", key, json_object_to_json_string(object));
	return json_object_get_string(value);
}

int64_t member_int(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	if (!json_object_is_type(value, json_type_int))
		fail_msg("\"%s\" is no integer in %s", key, json_object_to_json_string(object));
	return json_object_get_int64(value);
}

bool member_bool(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	if (!json_object_is_type(value, json_type_boolean))
		fail_msg("\"%s\" is no boolean in %s", key, json_object_to_json_string(object));
	return json_object_get_boolean(value);
}

int member_error(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	if (json_object_is_type(value, json_type_string))
		return errno_from_name(json_object_get_string(value));
	if (json_object_is_type(value, json_type_int) && json_object_get_int(value) == 0)
		return 0;
	fail_msg("\"%s\" is no result in %s", key, json_object_to_json_string(object));
	return -EBADMSG;
}
