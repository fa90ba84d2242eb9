/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A D-Bus daemon of the test's own, and what dcdd says there of itself, turned into JSON so that
 * tests read properties by name.
 */
#include <fcntl.h>
#include <signal.h>

#include <dcdd/names.h>
#include <dcdd/release.h>

#include "scenario.h"

#define START_SECONDS 10
#define CALL_SECONDS 5
/* More than the daemon waits after a uevent or a record until it looks at the host. */
#define IDLE_SECONDS 0.7

/* Everybody may do everything: the shipped policy is not what is tested here. */
static const char bus_config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig>\n"
	"  <listen>unix:path=%s/bus</listen>\n"
	"  <auth>EXTERNAL</auth>\n"
	"  <policy context=\"default\">\n"
	"    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n"
	"    <allow eavesdrop=\"true\"/>\n"
	"    <allow own=\"*\"/>\n"
	"  </policy>\n"
	"</busconfig>\n";

const char *bus_address(const struct scenario *s)
{
	return s->bus_address[0] ? s->bus_address : "unix:path=/nonexistent";
}

int bus_daemon_start(struct scenario *s)
{
	_cleanup_free_ char *path = NULL, *argument = NULL, *socket_path = NULL, *log = NULL;
	usec_t deadline = deadline_in(START_SECONDS);
	_cleanup_fclose_ FILE *f = NULL;
	pid_t pid;

	if (asprintf(&path, "%s/bus.conf", s->dir) < 0 ||
	    asprintf(&socket_path, "%s/bus", s->dir) < 0 ||
	    asprintf(&argument, "--config-file=%s", path) < 0 ||
	    asprintf(&log, "%s/bus.stderr", s->dir) < 0)
		return -ENOMEM;
	f = fopen(path, "we");
	if (!f || fprintf(f, bus_config, s->dir) < 0 || fflush(f) != 0)
		return -errno;

	pid = process_fork();
	if (pid < 0)
		return pid;
	if (pid == 0) {
		/* As root it complains where the limit of descriptors cannot be raised. */
		if (!freopen(log, "we", stderr))
			_exit(126);
		(void)execlp("dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile", "--nosyslog",
			     argument, (char *)NULL);
		_exit(127);
	}
	s->bus_daemon = pid;
	while (access(socket_path, F_OK) < 0) {
		if (process_wait(pid, 0) != -ETIMEDOUT) {
			_cleanup_free_ char *text = file_text(log, 4 * KiB);

			s->bus_daemon = 0;
			print_error("%s", text ? text : "");
			return -ECHILD;
		}
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
	}
	(void)snprintf(s->bus_address, sizeof(s->bus_address), "unix:path=%s", socket_path);
	return 0;
}

void bus_daemon_stop(struct scenario *s)
{
	s->bus = sd_bus_close_unref(s->bus);
	if (s->bus_daemon > 0) {
		(void)kill(s->bus_daemon, SIGKILL);
		(void)process_wait(s->bus_daemon, deadline_in(5));
	}
	s->bus_daemon = 0;
}

static sd_bus *connection(struct scenario *s)
{
	sd_bus *bus = NULL;
	int r;

	if (s->bus && sd_bus_is_open(s->bus) > 0)
		return s->bus;
	s->bus = sd_bus_close_unref(s->bus);
	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, bus_address(s));
	if (r >= 0)
		r = sd_bus_set_bus_client(bus, 1);
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0)
		scenario_fail(s, "cannot connect to %s: %s", bus_address(s), strerror(-r));
	(void)sd_bus_set_method_call_timeout(
		bus, (usec_t)(CALL_SECONDS * scenario_slowness() * (double)USEC_PER_SEC));
	s->bus = bus;
	return bus;
}

/* ---- a message as JSON ---- */

static int read_value(sd_bus_message *m, struct json_object **ret);

static int read_basic(sd_bus_message *m, char type, struct json_object **ret)
{
	union {
		uint8_t y;
		int b;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		double d;
		const char *s;
	} v;
	int r = sd_bus_message_read_basic(m, type, &v);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	switch (type) {
	case 'y':
		*ret = json_object_new_int(v.y);
		return 0;
	case 'b':
		*ret = json_object_new_boolean(v.b);
		return 0;
	case 'n':
		*ret = json_object_new_int(v.n);
		return 0;
	case 'q':
		*ret = json_object_new_int(v.q);
		return 0;
	case 'i':
		*ret = json_object_new_int(v.i);
		return 0;
	case 'u':
		*ret = json_object_new_int64(v.u);
		return 0;
	case 'x':
		*ret = json_object_new_int64(v.x);
		return 0;
	case 't':
		*ret = json_object_new_uint64(v.t);
		return 0;
	case 'd':
		*ret = json_object_new_double(v.d);
		return 0;
	case 's':
	case 'o':
	case 'g':
		*ret = json_object_new_string(v.s);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* a{s…} becomes an object, any other array or struct an array. */
static int read_container(sd_bus_message *m, char type, const char *contents,
			  struct json_object **ret)
{
	bool dictionary = type == 'a' && contents[0] == '{';
	_cleanup_json_ struct json_object *all = dictionary ? json_object_new_object()
							    : json_object_new_array();
	int r;

	r = sd_bus_message_enter_container(m, type, contents);
	while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
		struct json_object *value = NULL;
		const char *key;

		if (dictionary) {
			r = sd_bus_message_enter_container(m, 'e', NULL);
			if (r >= 0)
				r = sd_bus_message_read_basic(m, 's', &key);
		}
		if (r >= 0)
			r = read_value(m, &value);
		if (r < 0)
			return r;
		if (!dictionary) {
			(void)json_object_array_add(all, value);
			continue;
		}
		(void)json_object_object_add(all, key, value);
		r = sd_bus_message_exit_container(m);
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(all);
	return 0;
}

static int read_value(sd_bus_message *m, struct json_object **ret)
{
	const char *contents;
	char type;
	int r = sd_bus_message_peek_type(m, &type, &contents);

	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	if (type == 'v') {
		r = sd_bus_message_enter_container(m, 'v', contents);
		if (r >= 0)
			r = read_value(m, ret);
		return r < 0 ? r : sd_bus_message_exit_container(m);
	}
	if (type == 'a' || type == 'r')
		return read_container(m, type, contents, ret);
	return read_basic(m, type, ret);
}

/* ---- questions ---- */

struct json_object *bus_releases(struct scenario *s)
{
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct json_object *list = NULL;
	int r;

	r = sd_bus_call_method(connection(s), DCDD_BUS_NAME, DCDD_OBJECT_PATH,
			       DCDD_INTERFACE_MANAGER, "ListReleases", &error, &reply, "");
	if (r < 0)
		scenario_fail(s, "ListReleases: %s", error.message ? error.message : strerror(-r));
	r = read_value(reply, &list);
	if (r < 0)
		scenario_fail(s, "ListReleases: bad reply: %s", strerror(-r));
	return list;
}

struct json_object *bus_manager_property(struct scenario *s, const char *name)
{
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct json_object *value = NULL;
	int r;

	r = sd_bus_call_method(connection(s), DCDD_BUS_NAME, DCDD_OBJECT_PATH,
			       "org.freedesktop.DBus.Properties", "Get", &error, &reply, "ss",
			       DCDD_INTERFACE_MANAGER, name);
	if (r < 0)
		scenario_fail(s, "property %s: %s", name,
			      error.message ? error.message : strerror(-r));
	r = read_value(reply, &value);
	if (r < 0)
		scenario_fail(s, "property %s: bad reply: %s", name, strerror(-r));
	return value;
}

uint64_t manager_u64(struct scenario *s, const char *name)
{
	_cleanup_json_ struct json_object *value = bus_manager_property(s, name);

	return json_object_get_uint64(value);
}

bool manager_bool(struct scenario *s, const char *name)
{
	_cleanup_json_ struct json_object *value = bus_manager_property(s, name);

	return json_object_get_boolean(value);
}

void manager_wait_idle(struct scenario *s)
{
	usec_t deadline = deadline_in(10), quiet = deadline_in(IDLE_SECONDS);
	uint64_t last = 0;

	while (!deadline_passed(quiet)) {
		uint64_t scan = manager_u64(s, "LastScan");

		if (scan != last)
			quiet = deadline_in(IDLE_SECONDS);
		last = scan;
		if (deadline_passed(deadline))
			scenario_fail(s, "the daemon does not come to rest");
	}
}

/* The one with the highest id among @tag's, or, if @tag is "", among the untagged at @dpa. */
static struct json_object *latest(struct json_object *list, const char *tag, uint64_t dpa)
{
	struct json_object *found = NULL;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *r = json_object_array_get_idx(list, i);

		if (!streq(member_string(r, "Tag"), tag) ||
		    (*tag == '\0' && (uint64_t)member_int(r, "DpaStart") != dpa))
			continue;
		if (!found || member_int(r, "Id") > member_int(found, "Id"))
			found = r;
	}
	return found;
}

struct json_object *release_find(struct scenario *s, const char *tag)
{
	_cleanup_json_ struct json_object *list = bus_releases(s);

	return json_object_get(latest(list, tag, 0));
}

static bool is_final(const char *text)
{
	enum release_state state;

	return release_state_from_string(text, &state) == 0 && release_state_is_final(state);
}

struct json_object *release_wait_at(struct scenario *s, const char *tag, uint64_t dpa,
				    const char *state, double seconds, const char *file, int line)
{
	usec_t deadline = deadline_in(seconds);

	for (;;) {
		_cleanup_json_ struct json_object *list = NULL;
		struct json_object *release;
		const char *now;
		bool ended;

		if (!daemon_alive(s))
			scenario_fail_at(s, file, line,
					 "the daemon is not running; waited for %s of %s", state,
					 *tag ? tag : "an untagged extent");
		list = bus_releases(s);
		release = latest(list, tag, dpa);
		now = release ? member_string(release, "State") : "not there";
		ended = release && is_final(now);
		if (streq(now, state)) {
			if (ended)
				s->ended_id = member_int(release, "Id");
			return json_object_get(release);
		}
		/* One that ended before may stand there until the new record is seen. */
		if ((ended && member_int(release, "Id") > s->ended_id) || deadline_passed(deadline))
			scenario_fail_at(
				s, file, line, "release of %s is %s, expected %s; all releases: %s",
				*tag ? tag : "an untagged extent", now, state,
				json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
	}
}

size_t release_leftovers(struct json_object *release)
{
	size_t n = json_object_array_length(member(release, "Leftovers"));

	assert_int_equal(n, member_int(release, "LeftoverCount"));
	return n;
}

static const char *leftover_text(struct json_object *leftover, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(leftover, i));
}

void release_assert_leftover(struct scenario *s, struct json_object *release, const char *object,
			     const char *have, const char *want)
{
	struct json_object *list = member(release, "Leftovers");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *leftover = json_object_array_get_idx(list, i);

		if (streq(leftover_text(leftover, 0), object) &&
		    streq(leftover_text(leftover, 1), have) &&
		    streq(leftover_text(leftover, 2), want))
			return;
	}
	scenario_fail(s, "it is not said that %s is \"%s\" and was \"%s\": %s", object, have, want,
		      json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
}

void release_mend(struct scenario *s, struct json_object *release)
{
	struct json_object *list = member(release, "Leftovers");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *line = leftover_text(json_object_array_get_idx(list, i), 3);
		_cleanup_free_ char *output = NULL;

		if (!*line)
			scenario_fail(s, "no command for %s",
				      leftover_text(json_object_array_get_idx(list, i), 0));
		if (command(s, &output, "%s", line) != 0)
			scenario_fail(s, "%s: %s", line, output);
	}
}

void release_collect_at(struct scenario *s, const char *tag, const struct host *before,
			const char *const *except, const char *file, int line)
{
	sim_retry(s);
	json_object_put(release_wait_at(s, tag, 0, "released", 20, file, line));
	host_assert_gone_at(s, tag, file, line);
	host_assert_same_at(s, before, except, file, line);
}
