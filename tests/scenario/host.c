/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole host as a sorted list of lines, "place = value": the simulator's own dump, which knows
 * also what no file shows, and every file and link below /sys, which is what programs see. Two such
 * lists are compared line by line.
 */
#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include "scenario.h"

#define HOST_EXCEPT_MAX 16
#define PRINT_MAX 60 /* lines of a difference */

static void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

struct host {
	char **lines;
	size_t n_lines, allocated;
};

/*
 * What may differ between two states of the host that count as the same: counters of what happened,
 * what the device (not the host) wants, the numbers the simulator gives to groups, what it has
 * already complained about, and the ids that a driver remembers from `new_id` for ever.
 */
static bool is_volatile(const char *path)
{
	static const char *const prefixes[] = { "sim.counters", "sim.violations", "sim.drivers" };
	static const char *const suffixes[] = { ".wanted", ".group" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (startswith(path, prefixes[i]))
			return true;
	if (strstr(path, ".wanted["))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t n = strlen(path), m = strlen(suffixes[i]);

		if (n >= m && streq(path + n - m, suffixes[i]))
			return true;
	}
	return false;
}

static int add_line(struct host *host, const char *path, const char *value)
{
	char *line;

	if (is_volatile(path))
		return 0;
	if (host->n_lines == host->allocated) {
		size_t n = host->allocated ? host->allocated * 2 : 1024;
		char **p = reallocarray(host->lines, n, sizeof(*p));

		if (!p)
			return -ENOMEM;
		host->lines = p;
		host->allocated = n;
	}
	if (asprintf(&line, "%s = %s", path, value) < 0)
		return -ENOMEM;
	host->lines[host->n_lines++] = line;
	return 0;
}

static void host_free(void *p)
{
	struct host *host = p;

	for (size_t i = 0; i < host->n_lines; i++)
		free(host->lines[i]);
	free(host->lines);
	free(host);
}

/* What an array's element is called: its name or number if it has one, else its place. */
static void element_name(struct json_object *element, size_t i, char *ret, size_t size)
{
	static const char *const keys[] = { "name", "number", "id", "start", "dpa" };
	struct json_object *name;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		if (!json_object_is_type(element, json_type_object) ||
		    !json_object_object_get_ex(element, keys[k], &name))
			continue;
		(void)snprintf(ret, size, "%s", json_object_get_string(name));
		return;
	}
	(void)snprintf(ret, size, "%zu", i);
}

static int add_json(struct host *host, const char *path, struct json_object *value)
{
	char child[512], name[64];
	int r = 0;

	switch (json_object_get_type(value)) {
	case json_type_object: {
		json_object_object_foreach(value, key, member)
		{
			(void)snprintf(child, sizeof(child), "%s.%s", path, key);
			r = add_json(host, child, member);
			if (r < 0)
				return r;
		}
		return 0;
	}
	case json_type_array:
		for (size_t i = 0; r == 0 && i < json_object_array_length(value); i++) {
			struct json_object *element = json_object_array_get_idx(value, i);

			element_name(element, i, name, sizeof(name));
			(void)snprintf(child, sizeof(child), "%s[%s]", path, name);
			r = add_json(host, child, element);
		}
		return r;
	default:
		return add_line(host, path, json_object_to_json_string(value));
	}
}

/* One line of the value; further lines are joined by " | ". */
static void flatten(const char *value, char *ret, size_t size)
{
	size_t n = 0;

	for (; *value && n + 4 < size; value++) {
		if (*value != '\n')
			ret[n++] = *value;
		else if (value[1])
			n += (size_t)snprintf(ret + n, size - n, " | ");
	}
	ret[n] = '\0';
}

static int add_attribute(struct host *host, const char *path)
{
	char text[4096], line[5000];
	int r = sysfs_get(path, text, sizeof(text));

	if (r < 0)
		(void)snprintf(line, sizeof(line), "(%s)", strerrorname_np(-r));
	else
		flatten(text, line, sizeof(line));
	return add_line(host, path, line);
}

static int add_link(struct host *host, const char *path)
{
	char target[512];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return 0; /* gone again */
	target[n] = '\0';
	return add_line(host, path, target);
}

/*
 * Everything below @path on file system @dev: tracefs and cgroups are mounted there too, but are
 * the machine's. What vanishes meanwhile is left out.
 */
static int add_tree(struct host *host, const char *path, dev_t dev)
{
	_cleanup_(closedirp) DIR *dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	while (dir && r >= 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *child = NULL;
		struct stat st;

		if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0) {
			child = NULL;
			return -ENOMEM;
		}
		if (lstat(child, &st) < 0 || st.st_dev != dev)
			continue;
		if (S_ISDIR(st.st_mode))
			r = add_tree(host, child, dev);
		else if (S_ISLNK(st.st_mode))
			r = add_link(host, child);
		else if (st.st_mode & 0444)
			r = add_attribute(host, child);
	}
	return r;
}

static int add_sysfs(struct host *host)
{
	struct stat st;

	if (lstat("/sys", &st) < 0)
		return -errno;
	return add_tree(host, "/sys", st.st_dev);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct host *host_save(struct scenario *s)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'state'}");
	struct host *host = scenario_keep(s, calloc(1, sizeof(struct host)), host_free);

	if (add_json(host, "sim", member(reply, "state")) < 0 || add_sysfs(host) < 0)
		scenario_fail(s, "cannot take the host's state");
	if (host->n_lines > 0)
		qsort(host->lines, host->n_lines, sizeof(*host->lines), compare_lines);
	return host;
}

struct host *host_save_quick(struct scenario *s)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'state'}");
	_cleanup_json_ struct json_object *sys = sim_do(s, "{'cmd':'snapshot'}");
	struct host *host = scenario_keep(s, calloc(1, sizeof(struct host)), host_free);

	if (add_json(host, "sim", member(reply, "state")) < 0 ||
	    add_line(host, "sys.hash", member_string(sys, "hash")) < 0)
		scenario_fail(s, "cannot take the host's state");
	qsort(host->lines, host->n_lines, sizeof(*host->lines), compare_lines);
	return host;
}

/* Whether one of the globs in the NULL-ended @except matches; it is marked in @used then. */
static bool is_excepted(const char *line, const char *const *except, bool *used)
{
	bool found = false;

	for (size_t i = 0; except && except[i]; i++) {
		if (fnmatch(except[i], line, 0) != 0)
			continue;
		used[i] = found = true;
	}
	return found;
}

/* @used: as many as there are globs in @except, NULL if there are none. */
static size_t compare(const struct host *before, const struct host *after,
		      const char *const *except, bool *used, bool print)
{
	size_t i = 0, k = 0, different = 0;

	while (i < before->n_lines || k < after->n_lines) {
		const char *old = i < before->n_lines ? before->lines[i] : NULL;
		const char *new = k < after->n_lines ? after->lines[k] : NULL;
		int order = !old ? 1 : !new ? -1 : strcmp(old, new);

		i += order <= 0;
		k += order >= 0;
		if (order == 0 || is_excepted(order < 0 ? old : new, except, used))
			continue;
		different++;
		if (print && different <= PRINT_MAX)
			print_error("  %c %s\n", order < 0 ? '-' : '+', order < 0 ? old : new);
	}
	if (print && different > PRINT_MAX)
		print_error("  and %zu more lines\n", different - PRINT_MAX);
	return different;
}

size_t host_compare(const struct host *before, const struct host *after, bool print)
{
	return compare(before, after, NULL, NULL, print);
}

size_t host_compare_except(const struct host *before, const struct host *after,
			   const char *const *except, bool print)
{
	bool used[HOST_EXCEPT_MAX] = { false };

	return compare(before, after, except, used, print);
}

void host_assert_same_at(struct scenario *s, const struct host *before, const char *const *except,
			 const char *file, int line)
{
	const struct host *after = host_save(s);
	bool used[HOST_EXCEPT_MAX] = { false };
	size_t n;

	for (size_t i = 0; except && except[i]; i++)
		if (i >= HOST_EXCEPT_MAX)
			scenario_fail_at(s, file, line, "too many exceptions");
	s->compared = true;
	n = compare(before, after, except, used, true);
	if (n > 0)
		scenario_fail_at(s, file, line, "the host is not as before: %zu lines differ", n);
	for (size_t i = 0; except && except[i]; i++)
		if (!used[i])
			scenario_fail_at(
				s, file, line,
				"nothing differs that matches \"%s\", so it is no exception",
				except[i]);
}

void host_not_compared(struct scenario *s, const char *reason)
{
	assert_true(*reason);
	s->compared = true;
}

/* A member that may be missing or null. */
static const char *optional_string(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !value)
		return "";
	return json_object_get_string(value);
}

/* How many elements of region[@list] have @tag under @key; they are printed. */
static size_t count_tagged(struct json_object *region, const char *list, const char *key,
			   const char *tag)
{
	struct json_object *all = member(region, list);
	size_t found = 0;

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *element = json_object_array_get_idx(all, i);

		if (strcasecmp(optional_string(element, key), tag) != 0)
			continue;
		print_error("  still there: %s\n", json_object_to_json_string(element));
		found++;
	}
	return found;
}

void host_assert_gone_at(struct scenario *s, const char *tag, const char *file, int line)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'state'}");
	struct json_object *regions = member(member(reply, "state"), "regions");
	size_t found = 0;

	for (size_t i = 0; i < json_object_array_length(regions); i++) {
		struct json_object *region = json_object_array_get_idx(regions, i);

		found += count_tagged(region, "extents", "tag", tag);
		found += count_tagged(region, "devices", "uuid", tag);
	}
	if (found > 0)
		scenario_fail_at(s, file, line, "%s is not gone", tag);
}

int host_violations(struct scenario *s)
{
	_cleanup_json_ struct json_object *reply = NULL;
	struct json_object *list;
	size_t n;
	int r;

	r = sim_try(s, &reply, "{'cmd':'violations'}");
	if (r < 0)
		return r;
	if (!json_object_object_get_ex(reply, "violations", &list))
		return -EBADMSG;
	n = json_object_array_length(list);
	for (size_t i = s->violations_expected; i < n; i++)
		print_error("  violation: %s\n",
			    json_object_to_json_string(json_object_array_get_idx(list, i)));
	return n > s->violations_expected ? (int)(n - s->violations_expected) : 0;
}

void host_assert_no_violation_at(struct scenario *s, const char *file, int line)
{
	int r = host_violations(s);

	if (r < 0)
		scenario_fail_at(s, file, line, "cannot ask for violations: %s", strerror(-r));
	if (r > 0)
		scenario_fail_at(s, file, line, "%d violations: memory was handed back in use", r);
}

void host_acknowledge_violations(struct scenario *s)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'violations','ack':true}");

	s->violations_expected = json_object_array_length(member(reply, "violations"));
}
