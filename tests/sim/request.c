/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Typed access to the keys of a control request.
 */
#include <ctype.h>

#include "request.h"

int parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return -errno;
	if (*end) {
		const char *unit = strchr(units, toupper((unsigned char)*end));

		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret = (uint64_t)value << shift;
	return 0;
}

const char *request_string(struct json_object *request, const char *key, const char *fallback)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return fallback;
	return json_object_get_string(value);
}

int request_number(struct json_object *request, const char *key, uint64_t fallback, uint64_t *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request, key, &value)) {
		*ret = fallback;
		return 0;
	}
	if (json_object_is_type(value, json_type_string))
		return parse_size(json_object_get_string(value), ret);
	if (!json_object_is_type(value, json_type_int))
		return -EINVAL;
	*ret = json_object_get_uint64(value);
	return 0;
}

int request_bool(struct json_object *request, const char *key, bool fallback, bool *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(request, key, &value)) {
		*ret = fallback;
		return 0;
	}
	if (!json_object_is_type(value, json_type_boolean))
		return -EINVAL;
	*ret = json_object_get_boolean(value);
	return 0;
}

int request_tag(struct json_object *request, const char *key, struct tag *ret)
{
	struct json_object *value;

	*ret = (struct tag){ 0 };
	if (!json_object_object_get_ex(request, key, &value))
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	return tag_parse(json_object_get_string(value), ret);
}

bool request_has_only(struct json_object *request, const char *keys, const char **ret_key)
{
	json_object_object_foreach(request, key, value)
	{
		size_t n = strlen(key);
		bool known = streq(key, "cmd") || streq(key, "id");

		(void)value;
		for (const char *p = keys; !known && (p = strstr(p, key)); p += n)
			known = n && (p == keys || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0');
		if (!known) {
			*ret_key = key;
			return false;
		}
	}
	return true;
}
