/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be wrong with a configuration although each line of it is right: values that contradict
 * each other, rules that do nothing.
 */
#pragma once

#include "places.h"

/*
 * Checks a resolved policy; @places has an entry for each of its rules. 0, -ENOMEM, or -EINVAL with
 * the place to blame and *@ret_what saying what is wrong there (caller frees). What was said before
 * @places begins is taken to be right by itself, so there is always a place to blame.
 */
int config_check(const struct policy *policy, const struct config_places *places,
		 struct config_place *ret_place, char **ret_what);
