/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a decision: which rule applies, what no waiting changes, and the conditions. */
#pragma once

#include <dcdd/policy.h>

/* One decision in the making: what every part looks at, and where the answer goes. */
struct question {
	const struct inventory *inv;
	const struct tag_group *group;
	const struct policy_rule *rule; /* NULL: none matched */
	const struct policy_facts *facts;
	const struct policy_request *request;
	struct decision *ret; /* its settings are those in force */
};

/*
 * Walks the dax devices that claim an extent of the group, each once, in inventory order; *@cursor
 * starts at 0. NULL at the end. As tag_group_devices(), without a buffer that could be too small.
 */
const struct dax_device *group_next_device(const struct inventory *inv,
					   const struct tag_group *group, uint32_t *cursor);

/* How many of the device's blocks are online. */
uint32_t device_online_blocks(const struct inventory *inv, const struct dax_device *device);

/* The tag as text, of untagged extents the null tag. Returns @buf. */
char *group_tag_text(const struct inventory *inv, const struct tag_group *group,
		     char buf[static TAG_STRLEN + 1]);

/*
 * As vsnprintf(), but what comes out is one line of clean text (util/escape.h), cut at a character
 * if it is too long: names of processes, rules and inhibitors go through here.
 */
void text_vformat(char *buf, size_t size, const char *format, va_list ap) _printf_(3, 0);
void text_format(char *buf, size_t size, const char *format, ...) _printf_(3, 4);

/* "rule \"NAME\"" or "[release]": who has set what decides. Returns @buf. */
#define RULE_WORDS_STRLEN (RULE_NAME_MAX + 8)
char *question_rule(const struct question *q, char buf[static RULE_WORDS_STRLEN]);

/* Gives the verdict; a permanent one if it is to refuse. */
void question_answer(const struct question *q, enum verdict verdict, const char *format, ...)
	_printf_(3, 4);

/* ---- match.c ---- */

/* The first rule that applies, NULL if none does. */
const struct policy_rule *policy_match(const struct inventory *inv, const struct tag_group *group,
				       const struct policy *policy, enum origin origin);

/*
 * Calls @matches for each word of @list (separated by blanks or commas) until one does. Words that
 * are too long to be of use match nothing.
 */
bool list_matches(const char *list, bool (*matches)(const char *word, const void *arg),
		  const void *arg);

/* ---- feasible.c ---- */

/* What no waiting changes. False: the answer was given. */
bool question_feasible(const struct question *q);

/* ---- conditions.c and its siblings ---- */

/* Evaluates all conditions, whether or not those before are met. */
void question_conditions(const struct question *q);

/*
 * Each fills in its condition, which comes in as met, by condition_…() below. Always both values,
 * so that a person sees what it depends on although it is met.
 */
typedef void (*condition_check_t)(const struct question *q, struct condition *c);
void condition_state(const struct question *q, struct condition *c);
void condition_approval(const struct question *q, struct condition *c);
void condition_window(const struct question *q, struct condition *c);
void condition_rate(const struct question *q, struct condition *c);
void condition_reserve(const struct question *q, struct condition *c);
void condition_headroom(const struct question *q, struct condition *c);
void condition_pressure(const struct question *q, struct condition *c);
void condition_inhibitors(const struct question *q, struct condition *c);
void condition_holders(const struct question *q, struct condition *c);

void condition_measured(struct condition *c, const char *format, ...) _printf_(2, 3);
void condition_limit(struct condition *c, const char *format, ...) _printf_(2, 3);
void condition_met(struct condition *c, const char *format, ...) _printf_(2, 3);

/* Not met, and nothing to wait for: @why says what makes it so ("holders = refuse"), "" if the
 * sentence does. */
void condition_refuse(struct condition *c, const char *why, const char *format, ...) _printf_(3, 4);

/*
 * Not met: waits until it has not been for @wait, then refuses. The sentence ends in how long that
 * is, and the @key that says so.
 */
void condition_wait(const struct question *q, struct condition *c, usec_t wait, const char *key,
		    const char *format, ...) _printf_(5, 6);

/*
 * Whether the condition has not been met for @wait, with *@ret_deadline being when that is so. At
 * 0 it is from the beginning, at USEC_INFINITY never.
 */
bool condition_expired(const struct question *q, const struct condition *c, usec_t wait,
		       usec_t *ret_deadline);

/* ---- headroom.c ---- */

struct headroom {
	uint64_t must_move;  /* bytes in use that must find a place, at most */
	uint64_t available;  /* bytes free or reclaimable in what stays */
	uint64_t floor;	     /* bytes of them that must stay */
	uint64_t above;	     /* bytes of them that are above what each node must keep */
	uint64_t node_floor; /* the largest of the nodes' floors */
};

/*
 * What freeing the group would cost, those that are leaving already taken as gone. False if there
 * is nothing to check: no block of it is online, or the nodes are not known.
 */
bool headroom_compute(const struct inventory *inv, const struct tag_group *group,
		      const struct policy_facts *facts, const struct release_settings *settings,
		      struct headroom *ret);

/*
 * Bytes of online blocks of the group on that node, on any if @node is NULL; the second also counts
 * the groups that are leaving already.
 */
uint64_t group_online_bytes(const struct inventory *inv, const struct tag_group *group,
			    const int32_t *node);
uint64_t leaving_online_bytes(const struct inventory *inv, const struct tag_group *group,
			      const struct policy_facts *facts, const int32_t *node);

/* Sums that end at the largest value: numbers from the kernel may contradict each other. */
static inline uint64_t saturating_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t saturating_subtract(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline uint64_t saturating_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}
