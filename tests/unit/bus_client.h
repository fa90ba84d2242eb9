/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client's side of the tests on the bus: reads properties, answers and signals as text. */
#pragma once

#include "bus_fake.h"

#define RELEASE_1 "/org/dcdd1/release/1"

static inline void assert_error(sd_bus_message *reply, const char *name)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	assert_non_null(error);
	assert_string_equal(error->name, name);
}

static inline void assert_error_says(sd_bus_message *reply, const char *name, const char *message)
{
	assert_error(reply, name);
	assert_string_equal(sd_bus_message_get_error(reply)->message, message);
}

static inline void assert_no_error(sd_bus_message *reply)
{
	const sd_bus_error *error = sd_bus_message_get_error(reply);

	if (error)
		fail_msg("%s: %s", error->name, error->message);
}

/* Reads one property; the reply is inside its variant (caller unrefs). */
static inline sd_bus_message *get_property(struct fake *f, const char *path, const char *interface,
					   const char *name, const char *type)
{
	sd_bus_message *reply = fake_method(f, path, "org.freedesktop.DBus.Properties", "Get", "ss",
					    interface, name);

	assert_no_error(reply);
	assert_true(sd_bus_message_enter_container(reply, 'v', type) > 0);
	return reply;
}

static inline uint64_t get_uint64(struct fake *f, const char *path, const char *interface,
				  const char *name)
{
	_cleanup_(sd_bus_message_unrefp)
		sd_bus_message *m = get_property(f, path, interface, name, "t");
	uint64_t v;

	assert_true(sd_bus_message_read(m, "t", &v) > 0);
	return v;
}

static inline uint32_t get_uint32(struct fake *f, const char *path, const char *interface,
				  const char *name)
{
	_cleanup_(sd_bus_message_unrefp)
		sd_bus_message *m = get_property(f, path, interface, name, "u");
	uint32_t v;

	assert_true(sd_bus_message_read(m, "u", &v) > 0);
	return v;
}

static inline bool get_bool(struct fake *f, const char *path, const char *interface,
			    const char *name)
{
	_cleanup_(sd_bus_message_unrefp)
		sd_bus_message *m = get_property(f, path, interface, name, "b");
	int v;

	assert_true(sd_bus_message_read(m, "b", &v) > 0);
	return v;
}

static inline void assert_text(struct fake *f, const char *path, const char *interface,
			       const char *name, const char *expected)
{
	_cleanup_(sd_bus_message_unrefp)
		sd_bus_message *m = get_property(f, path, interface, name, "s");
	const char *v;

	assert_true(sd_bus_message_read(m, "s", &v) > 0);
	assert_string_equal(v, expected);
}

/*
 * An a{sv} taken into text, "Key=value;" per entry in the order of the message, nested containers
 * in braces: what is expected can be written down in one string.
 */
static inline void dump_value(sd_bus_message *m, FILE *out)
{
	const char *contents;
	char type;

	assert_true(sd_bus_message_peek_type(m, &type, &contents) > 0);
	switch (type) {
	case 'a':
	case 'r':
		assert_true(sd_bus_message_enter_container(m, type, contents) > 0);
		(void)fputc(type == 'a' ? '[' : '(', out);
		while (sd_bus_message_at_end(m, false) == 0)
			dump_value(m, out);
		(void)fputc(type == 'a' ? ']' : ')', out);
		assert_true(sd_bus_message_exit_container(m) > 0);
		break;
	case 'e': {
		const char *key;

		assert_true(sd_bus_message_enter_container(m, 'e', contents) > 0);
		/* Strings, or object paths in what the object manager says. */
		assert_true(sd_bus_message_read_basic(m, contents[0], &key) > 0);
		(void)fprintf(out, "%s=", key);
		dump_value(m, out);
		(void)fputc(';', out);
		assert_true(sd_bus_message_exit_container(m) > 0);
		break;
	}
	case 'v':
		assert_true(sd_bus_message_enter_container(m, 'v', contents) > 0);
		dump_value(m, out);
		assert_true(sd_bus_message_exit_container(m) > 0);
		break;
	case 's':
	case 'o': {
		const char *s;

		assert_true(sd_bus_message_read_basic(m, type, &s) > 0);
		(void)fprintf(out, "'%s'", s);
		break;
	}
	default: {
		union {
			uint64_t t;
			uint32_t u;
			int32_t i;
			int b;
		} v = { 0 };

		assert_true(sd_bus_message_read_basic(m, type, &v) > 0);
		if (type == 't')
			(void)fprintf(out, "%llu ", (unsigned long long)v.t);
		else if (type == 'u')
			(void)fprintf(out, "%u ", v.u);
		else if (type == 'i')
			(void)fprintf(out, "%d ", v.i);
		else if (type == 'b')
			(void)fprintf(out, "%s ", v.b ? "true" : "false");
		else
			fail_msg("type %c", type);
	}
	}
}

static inline char *dump(sd_bus_message *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	dump_value(m, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- signals ---- */

struct heard {
	unsigned n;
	char *last; /* path and contents */
};

static inline int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct heard *heard = userdata;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)error;
	assert_non_null(out);
	(void)fprintf(out, "%s ", sd_bus_message_get_path(m));
	while (sd_bus_message_at_end(m, true) == 0)
		dump_value(m, out);
	assert_int_equal(fclose(out), 0);
	free(heard->last);
	heard->last = text;
	heard->n++;
	return 0;
}

static inline void listen_to(struct fake *f, const char *path, const char *interface,
			     const char *member, struct heard *heard)
{
	assert_true(sd_bus_match_signal(f->client, NULL, DCDD_BUS_NAME, path, interface, member,
					on_signal, heard) >= 0);
}
