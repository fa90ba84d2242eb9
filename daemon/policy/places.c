/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the files of a policy say what; see places.h. */
#include "places.h"

int config_places_insert_rule(struct config_places *places, size_t at, struct config_place header)
{
	struct section_places *rules;

	rules = reallocarray(places->rules, places->n_rules + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	places->rules = rules;
	memmove(rules + at + 1, rules + at, (places->n_rules - at) * sizeof(*rules));
	rules[at] = (struct section_places){ .header = header };
	places->n_rules++;
	return 0;
}

void config_places_done(struct config_places *places)
{
	free(places->rules);
	places->rules = NULL;
	places->n_rules = 0;
}

struct config_place place_later(struct config_place a, struct config_place b)
{
	if (!a.line || !b.line)
		return a.line ? a : b;
	if (a.file != b.file)
		return a.file > b.file ? a : b;
	return a.line > b.line ? a : b;
}
