/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading one file, or the text of one rule, over a policy. What it all comes to is checked when
 * everything was read: a drop-in may mend what the file below it alone would contradict.
 */
#pragma once

#include "places.h"

#define RULES_MAX 1024 /* of all files */

/* Whether it may be the name of a rule: see the message of config_read(). */
bool config_is_rule_name(const char *name);

/*
 * Reads @f to its end over @policy; @path becomes one of policy.files. Its rules are put in one
 * after the other from index @at on. @places has an entry for each rule of @policy, before and
 * after. Returns and *@ret_error as policy_parse().
 */
int config_read(const char *path, FILE *f, struct policy *policy, size_t at,
		struct config_places *places, char **ret_error);

/* The same of lines of KEY = VALUE without a section, for a rule @name that is put in at @at. */
int config_read_rule(const char *path, const char *name, FILE *f, struct policy *policy, size_t at,
		     struct config_places *places, char **ret_error);

/* Has the rules inherit, and checks the whole. Returns and *@ret_error as policy_parse(). */
int config_finish(struct policy *policy, const struct config_places *places, char **ret_error);
