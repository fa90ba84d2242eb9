/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring of JSON objects with sequence number and time.
 */
#include "log.h"

#define LOG_MAX 100000

int log_init(struct log *log)
{
	*log = (struct log){ .next = 1 };
	log->entries = calloc(LOG_MAX, sizeof(*log->entries));
	return log->entries ? 0 : -ENOMEM;
}

void log_clear(struct log *log)
{
	for (size_t i = 0; i < log->n; i++)
		json_object_put(log->entries[(log->first + i) % LOG_MAX]);
	log->first = log->n = 0;
}

void log_done(struct log *log)
{
	if (log->entries)
		log_clear(log);
	free(log->entries);
	log->entries = NULL;
}

/* Adds @value, which becomes @entry's; a NULL means that the memory has run out. */
static void add(struct json_object *entry, const char *key, struct json_object *value)
{
	if (!value || json_object_object_add(entry, key, value) < 0) {
		fprintf(stderr, "dcdsim: out of memory\n");
		abort();
	}
}

void log_add_string(struct json_object *entry, const char *key, const char *value)
{
	add(entry, key, json_object_new_string(value ? value : ""));
}

void log_add_number(struct json_object *entry, const char *key, uint64_t value)
{
	add(entry, key, json_object_new_uint64(value));
}

void log_add_bool(struct json_object *entry, const char *key, bool value)
{
	add(entry, key, json_object_new_boolean(value));
}

void log_add_error(struct json_object *entry, int error)
{
	if (error == 0)
		add(entry, "error", json_object_new_int(0));
	else
		log_add_string(entry, "error", error_name(error));
}

struct json_object *log_entry(struct log *log, const char *type)
{
	struct json_object *entry = json_object_new_object();

	if (!entry) {
		fprintf(stderr, "dcdsim: out of memory\n");
		abort();
	}
	if (log->n == LOG_MAX) {
		json_object_put(log->entries[log->first]);
		log->first = (log->first + 1) % LOG_MAX;
		log->n--;
	}
	log->entries[(log->first + log->n++) % LOG_MAX] = entry;
	log_add_number(entry, "seq", log->next++);
	log_add_number(entry, "usec", now_usec(CLOCK_MONOTONIC));
	log_add_string(entry, "type", type);
	return entry;
}

/* Whether @word is one of the comma-separated words of @list. */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

struct json_object *log_select(const struct log *log, uint64_t since, const char *types,
			       size_t limit, uint64_t *ret_next)
{
	struct json_object *array = json_object_new_array();
	uint64_t oldest = log->next - log->n;
	size_t i = since > oldest ? (size_t)(since - oldest) : 0;
	size_t taken = 0;

	for (; i < log->n && taken < limit; i++) {
		struct json_object *entry = log->entries[(log->first + i) % LOG_MAX];
		struct json_object *type = json_object_object_get(entry, "type");

		if (types && !listed(types, json_object_get_string(type)))
			continue;
		json_object_array_add(array, json_object_get(entry));
		taken++;
	}
	/* Nothing asked for: where the log ends. */
	*ret_next = limit > 0 && i < log->n ? oldest + i : log->next;
	return array;
}

const char *error_name(int error)
{
	const char *name = strerrorname_np(error < 0 ? -error : error);

	return name ? name : "EUNKNOWN";
}

int error_from_name(const char *name, int *ret)
{
	for (int error = 1; error < 140; error++) {
		const char *known = strerrorname_np(error);

		if (known && streq(known, name)) {
			*ret = -error;
			return 0;
		}
	}
	return -EINVAL;
}
