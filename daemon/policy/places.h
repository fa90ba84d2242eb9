/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the files of a policy say what, for messages: what contradicts each other may stand in two
 * of them.
 */
#pragma once

#include "settings.h"

/* Index in policy.files, and the line there. Line 0: not said, or not known where. */
struct config_place {
	unsigned file, line;
};

struct section_places {
	struct config_place header; /* of [daemon] and [release]: in the last file that has it */
	struct config_place key[CONFIG_KEYS];
};

struct config_places {
	struct section_places daemon, release;
	struct section_places *rules; /* one for each of the policy's rules, in their order */
	size_t n_rules;
};

/* For a rule that is put in at index @at. 0 or -ENOMEM. */
int config_places_insert_rule(struct config_places *places, size_t at, struct config_place header);
void config_places_done(struct config_places *places);

/* Where @section says @key. */
static inline struct config_place place_of_key(const struct section_places *section,
					       const struct config_key *key)
{
	return section->key[key - config_keys];
}

/* The one that was read later; the other one if one is not known. */
struct config_place place_later(struct config_place a, struct config_place b);
