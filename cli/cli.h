/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl: a D-Bus client of dcdd and nothing else; it never touches sysfs, and `policy test` not
 * even the bus. One file per verb. What the daemon answers is taken over into JSON as it is; tables
 * are made from that, so a key that a later daemon adds is in the JSON output at once.
 */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-bus.h>

#include <dcdd/names.h>
#include <dcdd/policy.h>

#include "util/format.h"

/* Exit statuses of dcdctl; documented in dcdctl(1). */
enum cli_exit {
	CLI_EXIT_OK = 0,
	CLI_EXIT_FAILURE = 1,
	CLI_EXIT_USAGE = 2,
	CLI_EXIT_NOT_RUNNING = 3,
	CLI_EXIT_NOT_ALLOWED = 4,
	CLI_EXIT_NO_SUCH_OBJECT = 5,
	CLI_EXIT_REFUSED = 6, /* by policy: it would not be freed */
	CLI_EXIT_WAIT = 7,    /* nor would it be now */
};

/* The command line. Options that a verb does not have are not given when it runs. */
struct cli {
	bool json, no_legend, bytes, all;
	const char *tag; /* the operand of those that take a tag, or --tag: lower case, or NULL */
	const char *operand;   /* of `show`: an id, or how a tag begins */
	char *const *operands; /* all that there are, n_operands */
	size_t n_operands;
	char *const *command; /* what stood behind "--", ends with NULL; or NULL: nothing did */

	/* policy test */
	const char *config, *inventory; /* files, NULL: not given */
	enum origin origin;
	const char *at; /* for when_parse(), in the time zone of the inventory; NULL: not given */
	bool approved;

	usec_t until; /* CLOCK_REALTIME, of --until or --for; 0: not given */
	const char *scope, *who, *why, *mode; /* of inhibit, NULL: not given */

	sd_bus *bus; /* NULL if the verb needs none */
};

/* ---- verbs; return an enum cli_exit ---- */

int verb_status(struct cli *cli);
int verb_releases(struct cli *cli);
int verb_show(struct cli *cli);
int verb_groups(struct cli *cli);
int verb_rescan(struct cli *cli);
int verb_approve(struct cli *cli);
int verb_deny(struct cli *cli);
int verb_reload(struct cli *cli);
int verb_inhibit(struct cli *cli);
int verb_inhibitors(struct cli *cli);
int verb_inventory(struct cli *cli);
int verb_policy_explain(struct cli *cli);
int verb_policy_test(struct cli *cli); /* without a bus */
int verb_policy_rules(struct cli *cli);
int verb_policy_add(struct cli *cli);
int verb_policy_remove(struct cli *cli);

/* Whether it can be an operand of `show`: digits, or so many first characters of a tag or more. */
#define CLI_TAG_MIN 4
bool show_takes(const char *operand);

/* Whether nothing is to be done about it any more. */
bool release_is_over(json_object *release);

/*
 * D-Bus has leftovers and conditions as tuples for the size of the message; JSON names the parts.
 * 0 or -ENOMEM.
 */
int release_name_parts(json_object *release);
/* The same of the conditions of a decision only. */
int decision_name_parts(json_object *decision);

/*
 * Whether it waits for a condition of its rule; and which are not met, "headroom, holders", of
 * those that could be sent with a list. Returns @buf.
 */
bool release_is_held(json_object *release);
#define UNMET_STRLEN 160
char *release_unmet(json_object *release, char buf[static UNMET_STRLEN]);

/* ---- list.c ---- */

struct table;
struct column;

/* What `dcdctl groups` and `dcdctl releases` have in common: a method that lists, and a table. */
struct listing {
	const char *method; /* of the Manager, without arguments, gives an array of objects */
	/* "no group with tag": what to say if the operand names none; NULL: there is no operand */
	const char *none;
	/* Whether to show @object; NULL: all of them. The operand is looked at by list_run(). */
	bool (*wanted)(const struct cli *cli, json_object *object);
	int (*prepare)(json_object *object); /* before it is shown in any form; may be NULL */
	const struct column *columns;
	size_t n_columns;
	int (*add)(const struct cli *cli, struct table *table, json_object *object);
};

int list_run(struct cli *cli, const struct listing *listing);

/* ---- client.c ---- */

/* Prints what is wrong to stderr. Returns CLI_EXIT_OK and the connection in cli->bus, or why not.
 */
int client_connect(struct cli *cli);

/*
 * Calls a method without arguments, or with one string argument if @argument is not NULL, of the
 * Manager object. CLI_EXIT_OK and the answer's one value as JSON (caller puts; @ret is NULL if
 * there is none), else says why not on stderr. Dictionary keys become snake_case.
 */
int client_call(struct cli *cli, const char *interface, const char *method, const char *argument,
		json_object **ret);

/* The same for a method of org.dcdd1.Manager with arguments of @types (D-Bus signature). */
int client_ask(struct cli *cli, json_object **ret, const char *method, const char *types, ...);

/* The same, of one that answers with a file descriptor (caller's, close-on-exec). */
int client_lease(struct cli *cli, int *ret_fd, const char *method, const char *types, ...);

/* The same for one property of the object at @path. */
int client_get(struct cli *cli, const char *path, const char *interface, const char *property,
	       json_object **ret);

/* ---- message.c ---- */

/* Reads the next complete value of @m. 0, -EBADMSG, -ENOMEM, or what sd-bus says. */
int message_to_json(sd_bus_message *m, json_object **ret);

/* ---- output.c ---- */

/* Say so on stderr and return CLI_EXIT_FAILURE. */
int output_no_memory(void);
int output_unusable(void);

/* Prints a document, or a table. Both return CLI_EXIT_OK or CLI_EXIT_FAILURE, having said why. */
int output_json(json_object *document);

struct column {
	const char *name;
	bool right; /* aligned: numbers */
	bool wrap;  /* long text */
};

struct table;

/* Columns are not copied. NULL: out of memory. */
struct table *table_new(const struct cli *cli, const struct column *columns, size_t n_columns);
/* Starts a row; cells are then filled by column. 0 or -ENOMEM. */
int table_row(struct table *table);
/* Sets a cell of the last row; control characters are escaped. "" and NULL show as "-". */
int table_cell(struct table *table, size_t column, const char *text);
int table_print(struct table *table);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table *, table_free);

/* "1.5G", or with --bytes "1610612736". Returns @buf. */
#define SIZE_STRLEN 32
char *cell_size(const struct cli *cli, uint64_t bytes, char buf[static SIZE_STRLEN]);

/*
 * Prints a paragraph that fits in 80 columns, with a new line at its end; @column is where its
 * first line begins (it is printed there by the caller), @indent where the others do. Control
 * characters are escaped. "" shows as "-".
 */
void output_wrapped(const char *text, unsigned column, unsigned indent);

/* Prints a text of several lines as it is, control characters escaped. As output_json(). */
int output_lines(const char *text);

/* How long ago @then (CLOCK_MONOTONIC) was, as format_duration(). Returns @buf. */
#define AGE_STRLEN FORMAT_DURATION_STRLEN
char *format_age(usec_t then, char buf[static AGE_STRLEN]);

/* How long it is until @until (CLOCK_MONOTONIC), "" if that is over or never comes. Returns @buf.
 */
char *format_left(usec_t until, char buf[static AGE_STRLEN]);

/* A member, if it is there and of that type, else "", 0, false. */
const char *field_string(json_object *object, const char *key);
uint64_t field_uint64(json_object *object, const char *key);
bool field_bool(json_object *object, const char *key);
/* An array, NULL if it is none; its length is then 0. */
json_object *field_array(json_object *object, const char *key, size_t *ret_length);

/*
 * Makes objects with the members @names of the arrays in @object's array @key, in place: what D-Bus
 * has as structs. 0 or -ENOMEM.
 */
int field_name_parts(json_object *object, const char *key, const char *const names[],
		     size_t n_names);

/* The tag, or for what is untagged "-" with its device physical address. Returns @buf. */
#define TAG_CELL_STRLEN 64
char *format_tag(json_object *object, char buf[static TAG_CELL_STRLEN]);

static inline void json_putp(json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(json_putp)
