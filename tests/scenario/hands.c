/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to a host, as functions: the device adds and wants back, the admin claims and
 * writes, operations fail. Each is one request to the simulator.
 */
#include <fcntl.h>
#include <fnmatch.h>

#include "scenario.h"

void sim_reset(struct scenario *s, const char *settings)
{
	sim_ok(s, "{'cmd':'reset','settings':%s}", settings ? settings : "{}");
}

void sim_set(struct scenario *s, const char *settings)
{
	_cleanup_json_ struct json_object *request = json_tokener_parse(settings);

	if (!json_object_is_type(request, json_type_object))
		scenario_fail(s, "no JSON object: %s", settings);
	(void)json_object_object_add(request, "cmd", json_object_new_string("set"));
	sim_ok(s, "%s", json_object_to_json_string(request));
}

/* {"cmd":…,"memdev":…,"tag":…,"extents":[…]}; the caller puts it. */
static struct json_object *device_request(const char *cmd, const char *memdev, const char *tag,
					  const struct sim_extent *extents, size_t n)
{
	struct json_object *request = json_object_new_object();
	struct json_object *list = NULL;

	(void)json_object_object_add(request, "cmd", json_object_new_string(cmd));
	(void)json_object_object_add(request, "memdev", json_object_new_string(memdev));
	if (tag)
		(void)json_object_object_add(request, "tag", json_object_new_string(tag));
	if (n == 0)
		return request;
	list = json_object_new_array();
	for (size_t i = 0; i < n; i++) {
		struct json_object *e = json_object_new_object();

		(void)json_object_object_add(e, "dpa", json_object_new_uint64(extents[i].dpa));
		(void)json_object_object_add(e, "length",
					     json_object_new_uint64(extents[i].length));
		if (extents[i].sequence)
			(void)json_object_object_add(e, "seq",
						     json_object_new_int64(extents[i].sequence));
		(void)json_object_array_add(list, e);
	}
	(void)json_object_object_add(request, "extents", list);
	return request;
}

/*
 * The first error among the outcomes, 0 if there is none. Records after the one that released the
 * group match nothing any more (-EINVAL): harmless, and not what a release asks about.
 */
static int first_error(struct json_object *reply, bool release)
{
	struct json_object *outcomes = member(reply, "outcomes");
	size_t n = json_object_array_length(outcomes);
	bool granted = false;

	if (n == 0)
		fail_msg("no outcome in %s", json_object_to_json_string(reply));
	for (size_t i = 0; i < n; i++) {
		int r = member_error(json_object_array_get_idx(outcomes, i), "error");

		if (r == 0)
			granted = true;
		else if (!(release && granted && r == -EINVAL))
			return r;
	}
	return 0;
}

int sim_try_add(struct scenario *s, const char *memdev, const char *tag,
		const struct sim_extent *extents, size_t n)
{
	_cleanup_json_ struct json_object *request = device_request("add", memdev, tag, extents, n);
	_cleanup_json_ struct json_object *reply = sim_do(s, "%s",
							  json_object_to_json_string(request));

	return first_error(reply, false);
}

void sim_add(struct scenario *s, const char *memdev, const char *tag,
	     const struct sim_extent *extents, size_t n)
{
	int r = sim_try_add(s, memdev, tag, extents, n);

	if (r < 0)
		scenario_fail(s, "the host did not take %s: %s", tag ? tag : "an untagged extent",
			      strerrorname_np(-r));
}

const char *sim_claim(struct scenario *s, const char *memdev, const char *tag, const char *driver,
		      const char *zone)
{
	_cleanup_json_ struct json_object *request = device_request("claim", memdev, tag, NULL, 0);
	_cleanup_json_ struct json_object *reply = NULL;

	(void)json_object_object_add(request, "driver", json_object_new_string(driver));
	if (zone)
		(void)json_object_object_add(request, "zone", json_object_new_string(zone));
	reply = sim_do(s, "%s", json_object_to_json_string(request));
	return scenario_keep_free(s, strdup(member_string(reply, "device")));
}

int sim_release(struct scenario *s, const char *memdev, const char *tag)
{
	_cleanup_json_ struct json_object *request = device_request("release", memdev, tag, NULL,
								    0);
	_cleanup_json_ struct json_object *reply = sim_do(s, "%s",
							  json_object_to_json_string(request));

	return first_error(reply, true);
}

int sim_release_extent(struct scenario *s, const char *memdev, const char *tag, uint64_t dpa,
		       uint64_t length)
{
	const struct sim_extent extent = { .dpa = dpa, .length = length };
	_cleanup_json_ struct json_object *request = device_request("release", memdev, tag, &extent,
								    1);
	_cleanup_json_ struct json_object *reply = sim_do(s, "%s",
							  json_object_to_json_string(request));

	return first_error(reply, true);
}

void sim_release_often(struct scenario *s, const char *memdev, const char *tag, unsigned count,
		       unsigned interval_ms)
{
	sim_ok(s,
	       "{'cmd':'release','memdev':'%s','tag':'%s','count':%u,'interval_ms':%u,"
	       "'wait':false}",
	       memdev, tag, count, interval_ms);
}

void sim_retry(struct scenario *s)
{
	sim_ok(s, "{'cmd':'retry'}");
}

void sim_trace(struct scenario *s, const char *fields)
{
	_cleanup_json_ struct json_object *request = json_tokener_parse(fields);

	if (!json_object_is_type(request, json_type_object))
		scenario_fail(s, "no JSON object: %s", fields);
	(void)json_object_object_add(request, "cmd", json_object_new_string("trace"));
	sim_ok(s, "%s", json_object_to_json_string(request));
}

void sim_flood(struct scenario *s, unsigned event_type, unsigned count)
{
	sim_ok(s, "{'cmd':'flood','event_type':%u,'count':%u}", event_type, count);
}

void sim_event(struct scenario *s, bool present)
{
	sim_ok(s, "{'cmd':'event','present':%s}", present ? "true" : "false");
}

unsigned sim_fault(struct scenario *s, const char *path, const char *rest, ...)
{
	_cleanup_json_ struct json_object *reply = NULL;
	_cleanup_free_ char *more = NULL;
	va_list ap;

	va_start(ap, rest);
	if (vasprintf(&more, rest, ap) < 0)
		more = NULL;
	va_end(ap);
	reply = sim_do(s, "{'cmd':'fault','path':'%s',%s}", path, more ? more : "");
	return (unsigned)member_int(reply, "fault");
}

unsigned sim_fault_errno(struct scenario *s, const char *path, const char *value, const char *error,
			 unsigned nth, unsigned count)
{
	return sim_fault(s, path, "'value':'%s','action':'errno','error':'%s','nth':%u,'count':%u",
			 value, error, nth, count);
}

void sim_fault_clear(struct scenario *s)
{
	sim_ok(s, "{'cmd':'fault-clear'}");
}

unsigned sim_fault_hits(struct scenario *s, unsigned fault)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'faults'}");
	struct json_object *faults = member(reply, "faults");

	for (size_t i = 0; i < json_object_array_length(faults); i++) {
		struct json_object *f = json_object_array_get_idx(faults, i);

		if (member_int(f, "fault") == fault)
			return (unsigned)member_int(f, "hit");
	}
	scenario_fail(s, "no fault %u", fault);
}

void sim_fault_wait(struct scenario *s, unsigned fault, unsigned hits)
{
	usec_t deadline = deadline_in(10);

	while (sim_fault_hits(s, fault) < hits)
		if (deadline_passed(deadline))
			scenario_fail(s, "fault %u was hit %u times, not %u", fault,
				      sim_fault_hits(s, fault), hits);
}

void sim_release_hang(struct scenario *s, unsigned fault)
{
	sim_ok(s, "{'cmd':'release-hang','fault':%u}", fault);
}

void sim_pin(struct scenario *s, uint64_t block, bool pinned)
{
	sim_ok(s, "{'cmd':'%s','block':%llu}", pinned ? "pin" : "unpin", (unsigned long long)block);
}

void sim_unmovable(struct scenario *s, uint64_t block, bool unmovable)
{
	sim_ok(s, "{'cmd':'unmovable','block':%llu,'value':%s}", (unsigned long long)block,
	       unmovable ? "true" : "false");
}

int sim_write(struct scenario *s, const char *path, const char *value)
{
	_cleanup_json_ struct json_object *reply = sim_do(
		s, "{'cmd':'write','path':'%s','value':'%s'}", path, value);

	return member_error(reply, "error");
}

int sysfs_get(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *full = NULL;
	ssize_t n;

	if (asprintf(&full, "%s%s", path[0] == '/' ? "" : "/sys/", path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	if (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return 0;
}

void sysfs_assert(struct scenario *s, const char *path, const char *value)
{
	char text[256];
	int r = sysfs_get(path, text, sizeof(text));

	if (r < 0)
		scenario_fail(s, "%s: %s, expected \"%s\"", path, strerror(-r), value);
	if (!streq(text, value))
		scenario_fail(s, "%s: \"%s\", expected \"%s\"", path, text, value);
}

struct json_object *sim_log(struct scenario *s, uint64_t since, const char *types)
{
	_cleanup_json_ struct json_object *reply = sim_do(
		s, "{'cmd':'log','since':%llu,'types':'%s'}", (unsigned long long)since, types);

	return json_object_get(member(reply, "entries"));
}

uint64_t sim_log_next(struct scenario *s)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'log','limit':0}");

	return (uint64_t)member_int(reply, "next");
}

unsigned sim_writes(struct scenario *s, uint64_t since, const char *path, const char *value,
		    bool only_successful)
{
	_cleanup_json_ struct json_object *entries = sim_log(s, since, "write");
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		struct json_object *e = json_object_array_get_idx(entries, i);

		/* libcxl writes to bus/cxl/flush when it starts: that waits, and changes nothing.
		 */
		n += member_int(e, "pid") != 0 &&
		     !streq(member_string(e, "path"), "bus/cxl/flush") &&
		     fnmatch(path, member_string(e, "path"), 0) == 0 &&
		     (!value || streq(value, member_string(e, "value"))) &&
		     (!only_successful || member_error(e, "error") == 0);
	}
	return n;
}
