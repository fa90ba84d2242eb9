/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control commands that play the device: capacity offered and wanted back, and raw records.
 */
#include "control.h"
#include "request.h"

/* What most of the commands here work on. */
struct extents {
	struct engine_extent_spec *specs;
	size_t n;
};

static void extents_done(struct extents *extents)
{
	free(extents->specs);
}

static int extents_add(struct extents *extents, const struct engine_extent_spec *spec)
{
	struct engine_extent_spec *grown = reallocarray(extents->specs, extents->n + 1,
							sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	extents->specs = grown;
	extents->specs[extents->n++] = *spec;
	return 0;
}

/* The request's "extents", each with @tag. */
static int parse_extents(struct json_object *array, const struct tag *tag, struct extents *ret,
			 char **ret_error)
{
	if (!json_object_is_type(array, json_type_array))
		return command_error(ret_error, -EINVAL, "extents: an array is wanted");
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *object = json_object_array_get_idx(array, i);
		struct engine_extent_spec spec = { .tag = *tag };
		uint64_t start, size, sequence;
		const char *key;

		if (!json_object_is_type(object, json_type_object) ||
		    !request_has_only(object, "dpa length seq", &key) ||
		    request_number(object, "dpa", 0, &start) < 0 ||
		    request_number(object, "length", 0, &size) < 0 ||
		    request_number(object, "seq", 0, &sequence) < 0 || sequence > UINT16_MAX ||
		    range_make(start, size, &spec.dpa) < 0)
			return command_error(
				ret_error, -EINVAL,
				"extents: {\"dpa\":N,\"length\":N,\"seq\":N} is wanted");
		spec.sequence = (uint16_t)sequence;
		if (extents_add(ret, &spec) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Everything that @memdev has given with @tag, out of the engine's dump. */
static int given_extents(struct sim *sim, const char *memdev, const struct tag *tag,
			 struct extents *ret)
{
	struct json_object *dump = engine_dump(sim->engine), *memdevs;
	int r = 0;

	if (!dump)
		return -ENOMEM;
	memdevs = json_object_object_get(dump, "memdevs");
	for (size_t i = 0; i < json_object_array_length(memdevs); i++) {
		struct json_object *object = json_object_array_get_idx(memdevs, i);
		struct json_object *given = json_object_object_get(object, "given");

		if (!streq(request_string(object, "name", ""), memdev))
			continue;
		for (size_t k = 0; given && r == 0 && k < json_object_array_length(given); k++) {
			struct json_object *extent = json_object_array_get_idx(given, k);
			struct engine_extent_spec spec = { .tag = *tag };
			struct tag its = { 0 };

			(void)tag_parse(request_string(extent, "tag", ""), &its);
			(void)request_number(extent, "dpa", 0, &spec.dpa.start);
			(void)request_number(extent, "length", 0, &spec.dpa.length);
			if (tag_equal(&its, tag))
				r = extents_add(ret, &spec);
		}
	}
	json_object_put(dump);
	return r;
}

static void add_outcomes(struct sim *sim, uint64_t first, struct json_object *array)
{
	for (uint64_t ticket = first; ticket < sim->queued; ticket++) {
		const struct sim_outcome *outcome = &sim->outcomes[ticket % SIM_OUTCOMES];
		struct json_object *entry = json_object_new_object();
		char tag[TAG_STRLEN + 1];

		log_add_string(entry, "type", dc_event_type_to_string(outcome->event.type));
		log_add_number(entry, "dpa", outcome->event.dpa.start);
		log_add_number(entry, "length", outcome->event.dpa.length);
		log_add_string(entry, "tag", tag_format(&outcome->event.tag, tag));
		log_add_string(entry, "outcome", rule_outcome_to_string(outcome->outcome));
		log_add_error(entry, outcome_to_error(outcome->outcome));
		json_object_array_add(array, entry);
	}
}

/*
 * @n records were given to the engine: lets them be handled and, if @wait, waits for that and adds
 * how they ended to @outcomes.
 */
static int run_records(struct sim *sim, size_t n, bool wait, struct json_object *outcomes,
		       char **ret_error)
{
	uint64_t first = sim->queued;
	int r;

	sim->queued += n;
	sim_settle(sim);
	if (!wait)
		return 0;
	r = records_wait(sim, sim->queued);
	if (r < 0)
		return command_error(ret_error, r, "there was a reset");
	if (n <= SIM_OUTCOMES)
		add_outcomes(sim, first, outcomes);
	return 0;
}

static int device_error(char **ret_error, const char *memdev, int error)
{
	switch (error) {
	case -ENODEV:
		return command_error(ret_error, error, "no memdev \"%s\"", memdev);
	case -ERANGE:
		return command_error(ret_error, error, "outside the partitions of %s", memdev);
	case -EEXIST:
		return command_error(ret_error, error, "overlaps an extent offered before");
	case -EINVAL:
		return command_error(ret_error, error,
				     "empty range, or one that the host was not given");
	default:
		return error;
	}
}

static int run_add(struct sim *sim, struct json_object *request, struct json_object *reply,
		   char **ret_error)
{
	const char *memdev = request_string(request, "memdev", "mem0");
	_cleanup_(extents_done) struct extents extents = { 0 };
	struct json_object *array = NULL, *outcomes;
	struct tag tag;
	bool more, wait;
	int r;

	if (request_tag(request, "tag", &tag) < 0)
		return command_error(ret_error, -EINVAL, "tag: a UUID is wanted");
	if (request_bool(request, "more", false, &more) < 0 ||
	    request_bool(request, "wait", true, &wait) < 0)
		return command_error(ret_error, -EINVAL, "more, wait: true or false is wanted");
	(void)json_object_object_get_ex(request, "extents", &array);
	r = parse_extents(array, &tag, &extents, ret_error);
	if (r < 0)
		return r;
	r = engine_device_add(sim->engine, memdev, extents.specs, extents.n,
			      more ? ENGINE_ADD_OPEN : 0);
	if (r < 0)
		return device_error(ret_error, memdev, r);
	outcomes = json_object_new_array();
	json_object_object_add(reply, "outcomes", outcomes);
	log_add_number(reply, "records", extents.n);
	return run_records(sim, extents.n, wait, outcomes, ret_error);
}

typedef int (*engine_release_t)(struct engine *e, const char *memdev,
				const struct engine_extent_spec *extents, size_t n);

/* Release and forced release differ in the record only. */
static int release(struct sim *sim, struct json_object *request, struct json_object *reply,
		   char **ret_error, engine_release_t engine_release)
{
	const char *memdev = request_string(request, "memdev", "mem0");
	_cleanup_(extents_done) struct extents extents = { 0 };
	struct json_object *array = NULL, *outcomes;
	uint64_t count, interval_ms, records = 0, generation = sim->generation;
	bool single, wait;
	struct tag tag;
	int r;

	if (request_tag(request, "tag", &tag) < 0)
		return command_error(ret_error, -EINVAL, "tag: a UUID is wanted");
	if (request_bool(request, "single", false, &single) < 0 ||
	    request_bool(request, "wait", true, &wait) < 0 ||
	    request_number(request, "count", 1, &count) < 0 || count > 1000000 ||
	    request_number(request, "interval_ms", 0, &interval_ms) < 0 || interval_ms > 3600000)
		return command_error(ret_error, -EINVAL, "single, wait, count or interval_ms");
	if (json_object_object_get_ex(request, "extents", &array))
		r = parse_extents(array, &tag, &extents, ret_error);
	else if (tag_is_null(&tag))
		r = command_error(ret_error, -EINVAL, "tag or extents: one is wanted");
	else
		r = given_extents(sim, memdev, &tag, &extents);
	if (r < 0)
		return r;
	if (extents.n == 0)
		return command_error(ret_error, -ENOENT, "%s has given no extent with that tag",
				     memdev);
	if (single)
		extents.n = 1;

	outcomes = json_object_new_array();
	json_object_object_add(reply, "outcomes", outcomes);
	for (uint64_t i = 0; i < count; i++) {
		usec_t due = usec_add(now_usec(CLOCK_MONOTONIC), interval_ms * USEC_PER_MSEC);

		while (i > 0 && now_usec(CLOCK_MONOTONIC) < due && !sim->stopping)
			(void)sim_wait(sim, due);
		if (sim->stopping || sim->generation != generation)
			return command_error(ret_error, -ECANCELED, "there was a reset");
		r = engine_release(sim->engine, memdev, extents.specs, extents.n);
		if (r == -EINVAL && i > 0)
			break; /* it has them back by now: nothing to ask for */
		if (r < 0)
			return device_error(ret_error, memdev, r);
		records += extents.n;
		r = run_records(sim, extents.n, wait, outcomes, ret_error);
		if (r < 0)
			return r;
	}
	log_add_number(reply, "records", records);
	return 0;
}

static int run_release(struct sim *sim, struct json_object *request, struct json_object *reply,
		       char **ret_error)
{
	return release(sim, request, reply, ret_error, engine_device_release);
}

static int run_forced_release(struct sim *sim, struct json_object *request,
			      struct json_object *reply, char **ret_error)
{
	bool takes;

	if (request_bool(request, "takes", false, &takes) < 0)
		return command_error(ret_error, -EINVAL, "takes: true or false is wanted");
	if (json_object_object_get_ex(request, "takes", NULL))
		engine_device_set_force_takes(sim->engine,
					      request_string(request, "memdev", "mem0"), takes);
	return release(sim, request, reply, ret_error, engine_device_forced_release);
}

static int run_region_updated(struct sim *sim, struct json_object *request,
			      struct json_object *reply, char **ret_error)
{
	const char *memdev = request_string(request, "memdev", "mem0");
	struct json_object *outcomes;
	uint64_t index;
	int r;

	if (request_number(request, "index", 0, &index) < 0 || index > UINT8_MAX)
		return command_error(ret_error, -EINVAL, "index: a number up to 255 is wanted");
	r = engine_device_region_updated(sim->engine, memdev, (uint8_t)index);
	if (r < 0)
		return device_error(ret_error, memdev, r);
	outcomes = json_object_new_array();
	json_object_object_add(reply, "outcomes", outcomes);
	return run_records(sim, 1, true, outcomes, ret_error);
}

static int run_retry(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	const char *only = request_string(request, "memdev", NULL);
	struct json_object *outcomes;
	size_t n = 0;
	bool wait;

	if (request_bool(request, "wait", true, &wait) < 0)
		return command_error(ret_error, -EINVAL, "wait: true or false is wanted");
	for (unsigned i = 0; i < sim->n_memdevs; i++) {
		char name[DEV_NAME_MAX];
		int r;

		snprintf(name, sizeof(name), "mem%u", i);
		if (only && !streq(only, name))
			continue;
		r = engine_device_retry(sim->engine, name);
		if (r < 0)
			return device_error(ret_error, name, r);
		n += (size_t)r;
	}
	outcomes = json_object_new_array();
	json_object_object_add(reply, "outcomes", outcomes);
	log_add_number(reply, "records", n);
	return run_records(sim, n, wait, outcomes, ret_error);
}

/* ---- raw records ---- */

/* Sixteen bytes: the text of a UUID, or an array of numbers. */
static int parse_bytes(struct json_object *value, uint8_t ret[16])
{
	struct tag tag;

	if (json_object_is_type(value, json_type_string)) {
		if (tag_parse(json_object_get_string(value), &tag) < 0)
			return -EINVAL;
		memcpy(ret, tag.bytes, 16);
		return 0;
	}
	if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 16)
		return -EINVAL;
	for (size_t i = 0; i < 16; i++) {
		int64_t byte = json_object_get_int64(json_object_array_get_idx(value, i));

		if (byte < 0 || byte > UINT8_MAX)
			return -EINVAL;
		ret[i] = (uint8_t)byte;
	}
	return 0;
}

/* Puts the value of one key of a request into the field of that name. */
static int set_field(struct probe_record *record, const struct probe_field *field,
		     struct json_object *request)
{
	void *to = (char *)record + field->offset;
	struct json_object *value;
	uint64_t number;

	if (!json_object_object_get_ex(request, field->name, &value))
		return 0;
	if (streq(field->type, "string")) {
		const char *string = request_string(request, field->name, NULL);

		return string ? str_copy(to, field->size, string) : -EINVAL;
	}
	if (field->size == 16)
		return parse_bytes(value, to);
	if (request_number(request, field->name, 0, &number) < 0 ||
	    (field->size < 8 && number >> (8 * field->size)))
		return -EINVAL;
	switch (field->size) {
	case 1:
		*(uint8_t *)to = (uint8_t)number;
		break;
	case 2:
		*(uint16_t *)to = (uint16_t)number;
		break;
	case 4:
		*(uint32_t *)to = (uint32_t)number;
		break;
	default:
		*(uint64_t *)to = number;
		break;
	}
	return 0;
}

/* A release of nothing by mem0, with what the request says otherwise. */
static int parse_record(struct json_object *request, struct probe_record *ret, char **ret_error)
{
	struct dc_event event = { .memdev = "mem0",
				  .host = "0000:0d:00.0",
				  .serial = 99,
				  .type = DC_EVENT_RELEASE,
				  .region_index = 255 };

	record_fill(ret, &event);
	json_object_object_foreach(request, key, value)
	{
		const struct probe_field *field = probe_fields;

		(void)value;
		if (streq(key, "cmd") || streq(key, "id") || streq(key, "count"))
			continue;
		while (field->name && !streq(field->name, key))
			field++;
		if (!field->name)
			return command_error(ret_error, -EINVAL, "the event has no field \"%s\"",
					     key);
		if (set_field(ret, field, request) < 0)
			return command_error(ret_error, -EINVAL, "%s: does not fit %s", key,
					     field->type);
	}
	return 0;
}

static int raw_records(struct sim *sim, struct json_object *request, struct json_object *reply,
		       char **ret_error, uint64_t count)
{
	struct probe_record record;
	struct json_object *entry;
	char tag[TAG_STRLEN + 1];
	struct tag its;
	usec_t begin;
	int r;

	r = parse_record(request, &record, ret_error);
	if (r < 0)
		return r;
	if (request_number(request, "count", count, &count) < 0 || count > 100000000)
		return command_error(ret_error, -EINVAL, "count: a number is wanted");
	memcpy(its.bytes, record.uuid, sizeof(its.bytes));
	entry = log_entry(&sim->log, "record");
	log_add_bool(entry, "raw", true);
	log_add_number(entry, "count", count);
	log_add_number(entry, "event_type", record.event_type);
	log_add_string(entry, "memdev", record.memdev);
	log_add_string(entry, "tag", tag_format(&its, tag));
	log_add_number(entry, "dpa", record.dpa_start);
	log_add_number(entry, "length", record.length);

	(void)pthread_mutex_unlock(&sim->lock);
	begin = now_usec(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < count; i++) {
		record.hdr_handle = (uint16_t)(count > 1 ? i : record.hdr_handle);
		probe_emit(&record);
	}
	begin = now_usec(CLOCK_MONOTONIC) - begin;
	(void)pthread_mutex_lock(&sim->lock);
	log_add_number(reply, "records", count);
	log_add_number(reply, "elapsed_us", begin);
	return 0;
}

static int run_trace(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	return raw_records(sim, request, reply, ret_error, 1);
}

static int run_flood(struct sim *sim, struct json_object *request, struct json_object *reply,
		     char **ret_error)
{
	return raw_records(sim, request, reply, ret_error, 10000);
}

const struct command device_commands[] = {
	{ "add", "memdev extents tag more wait", true, run_add },
	{ "release", "memdev extents tag single count interval_ms wait", true, run_release },
	{ "forced-release", "memdev extents tag single count interval_ms wait takes", true,
	  run_forced_release },
	{ "region-updated", "memdev index", true, run_region_updated },
	{ "retry", "memdev wait", true, run_retry },
	{ "trace", NULL, true, run_trace },
	{ "flood", NULL, true, run_flood },
	{ .name = NULL },
};
