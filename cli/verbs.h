/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs: their names, options and operands, and the help made from that. */
#pragma once

#include "cli.h"

/* Options, a bit each: those that a verb takes, those that were given. */
enum {
	GIVES_ALL = 1 << 0,
	GIVES_JSON = 1 << 1,
	GIVES_NO_LEGEND = 1 << 2,
	GIVES_BYTES = 1 << 3,
	GIVES_CONFIG = 1 << 4,
	GIVES_INVENTORY = 1 << 5,
	GIVES_TAG = 1 << 6,
	GIVES_ORIGIN = 1 << 7,
	GIVES_AT = 1 << 8,
	GIVES_APPROVED = 1 << 9,
	GIVES_UNTIL = 1 << 10,
	GIVES_FOR = 1 << 11,
	GIVES_SCOPE = 1 << 12,
	GIVES_WHO = 1 << 13,
	GIVES_WHY = 1 << 14,
	GIVES_MODE = 1 << 15,
	/* No options, but of the same kind: */
	TAKES_COMMAND = 1 << 16,  /* behind "--" */
	NEEDS_COMMAND = 1 << 17,  /* and not without */
	WITHOUT_DAEMON = 1 << 18, /* it is not asked for anything */
};

enum operands {
	OPERANDS_NONE,
	OPERANDS_MAYBE_TAG,
	OPERANDS_ANSWERED,	  /* a tag or an ID */
	OPERANDS_ANSWERED_REASON, /* the reason may be left out */
	OPERANDS_RELEASE,
	OPERANDS_NAME,
	OPERANDS_RULE, /* a name, and KEY=VALUE once or more often */
};

struct verb {
	const char *name; /* one word, or two with a blank between them */
	int (*run)(struct cli *cli);
	unsigned takes;
	enum operands operands;
	const char *synopsis, *summary, *help;
};

/*
 * The verb that @words (NULL at the end) begin with; *@ret_words is of how many of them its name
 * consists. NULL: there is none.
 */
const struct verb *verb_find(char *const *words, size_t *ret_words);

/* Whether @word is the first of two: "policy". */
bool verb_is_prefix(const char *word);

/* The option that has the bit @option, as it is typed. */
const char *verb_option_name(unsigned option);

/* Prints the help of @verb, or of those that begin with @prefix, or with both NULL of all. */
void verb_help(const struct verb *verb, const char *prefix);
