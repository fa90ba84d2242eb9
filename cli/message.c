/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A D-Bus value as JSON: variants unpacked, dictionaries as objects with keys in snake_case
 * ("RetryWanted" -> "retry_wanted"), structs as arrays, numbers as numbers.
 */
#include "cli.h"

#define KEY_MAX 64

/* 0, or -EBADMSG: too long, or a character that no key of ours has. */
static int key_to_snake(const char *key, char ret[static KEY_MAX])
{
	size_t n = 0;

	for (const char *p = key; *p; p++) {
		bool upper = *p >= 'A' && *p <= 'Z';

		if (n + 3 > KEY_MAX)
			return -EBADMSG;
		if (!upper && !(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && *p != '_')
			return -EBADMSG;
		if (upper && p > key)
			ret[n++] = '_';
		ret[n++] = upper ? (char)(*p - 'A' + 'a') : *p;
	}
	ret[n] = '\0';
	return 0;
}

static int read_basic(sd_bus_message *m, char type, json_object **ret)
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
	} v = { 0 };
	int r;

	if (!strchr("ybnqiuxtdsog", type))
		return -EBADMSG;
	r = sd_bus_message_read_basic(m, type, &v);
	if (r < 0)
		return r;
	switch (type) {
	case 'y':
		*ret = json_object_new_int(v.y);
		break;
	case 'b':
		*ret = json_object_new_boolean(v.b);
		break;
	case 'n':
		*ret = json_object_new_int(v.n);
		break;
	case 'q':
		*ret = json_object_new_int(v.q);
		break;
	case 'i':
		*ret = json_object_new_int(v.i);
		break;
	case 'u':
		*ret = json_object_new_int64(v.u);
		break;
	case 'x':
		*ret = json_object_new_int64(v.x);
		break;
	case 't':
		*ret = json_object_new_uint64(v.t);
		break;
	case 'd':
		*ret = json_object_new_double(v.d);
		break;
	default:
		*ret = json_object_new_string(v.s);
		break;
	}
	return *ret ? 0 : -ENOMEM;
}

/* The entries of a dictionary into @object; @m has been entered into the array. */
static int read_entries(sd_bus_message *m, json_object *object)
{
	const char *contents;
	char type;
	int r;

	while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
		json_object *value = NULL;
		char name[KEY_MAX];
		const char *key;

		if (type != 'e' || contents[0] != 's')
			return -EBADMSG;
		r = sd_bus_message_enter_container(m, 'e', contents);
		if (r >= 0)
			r = sd_bus_message_read_basic(m, 's', &key);
		if (r >= 0)
			r = key_to_snake(key, name);
		if (r >= 0)
			r = message_to_json(m, &value);
		if (r < 0)
			return r;
		if (json_object_object_add(object, name, value) < 0) {
			json_object_put(value);
			return -ENOMEM;
		}
		r = sd_bus_message_exit_container(m);
		if (r < 0)
			return r;
	}
	return r;
}

/* Elements of an array or struct into the JSON array @array. */
static int read_elements(sd_bus_message *m, json_object *array)
{
	int r;

	while ((r = sd_bus_message_at_end(m, false)) == 0) {
		json_object *value = NULL;

		r = message_to_json(m, &value);
		if (r < 0)
			return r;
		if (json_object_array_add(array, value) < 0) {
			json_object_put(value);
			return -ENOMEM;
		}
	}
	return r < 0 ? r : 0;
}

/* The depth is bounded by D-Bus itself, at 64 containers. */
int message_to_json(sd_bus_message *m, json_object **ret)
{
	_cleanup_json_ json_object *value = NULL;
	const char *contents = NULL;
	char type;
	int r;

	r = sd_bus_message_peek_type(m, &type, &contents);
	if (r < 0)
		return r;
	if (r == 0)
		return -EBADMSG;
	if (type != 'a' && type != 'r' && type != 'v')
		return read_basic(m, type, ret);

	r = sd_bus_message_enter_container(m, type, contents);
	if (r < 0)
		return r;
	if (type == 'v') {
		r = message_to_json(m, &value);
	} else if (type == 'a' && contents[0] == '{') {
		value = json_object_new_object();
		r = value ? read_entries(m, value) : -ENOMEM;
	} else {
		value = json_object_new_array();
		r = value ? read_elements(m, value) : -ENOMEM;
	}
	if (r >= 0)
		r = sd_bus_message_exit_container(m);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(value);
	return 0;
}
