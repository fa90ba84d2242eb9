/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be wrong with a configuration although each line of it is right: values that contradict
 * each other, rules that do nothing. Remembers which line said what, for the message.
 */
#pragma once

#include "settings.h"

/* Line numbers of one section; 0: not in this file. */
struct section_lines {
	unsigned header;
	unsigned key[CONFIG_KEYS];
};

struct config_lines {
	struct section_lines daemon, release;
	struct section_lines *rules; /* of the policy's rules from first_rule on */
	size_t n_rules;
	size_t first_rule; /* those before are from another file */
};

int config_lines_add_rule(struct config_lines *lines, unsigned header); /* 0 or -ENOMEM */
void config_lines_done(struct config_lines *lines);

/* Of [daemon], [release], or the last rule. */
struct section_lines *config_lines_section(struct config_lines *lines, enum config_section section);

/* Line of the header of the policy's rule @i, 0 if it is from another file. */
unsigned config_lines_rule(const struct config_lines *lines, size_t i);

/*
 * Checks a resolved policy. 0, -ENOMEM, or -EINVAL with the line to blame and *@ret_what saying
 * what is wrong there (caller frees).
 */
int config_check(const struct policy *policy, const struct config_lines *lines, unsigned *ret_line,
		 char **ret_what);
