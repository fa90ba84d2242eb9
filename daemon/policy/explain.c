/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decision as lines of text for people, the same for journal, D-Bus and command line. */
#include "decide.h"

bool condition_is_news(const struct condition *condition)
{
	return condition->outcome != OUTCOME_MET || condition->deadline != USEC_INFINITY ||
	       (condition->kind == CONDITION_APPROVAL &&
		!streq(condition->limit, CONDITION_NO_LIMIT));
}

static void print(const struct decision *decision, FILE *f)
{
	const bool quoted = *decision->rule_source;

	fprintf(f, "%s: %s\n", verdict_to_string(decision->verdict), decision->reason);
	if (quoted)
		fprintf(f, "rule: %s (%s)\n", decision->rule, decision->rule_source);
	else
		fprintf(f, "rule: %s\n", decision->rule);
	for (unsigned i = 0; i < decision->n_conditions; i++) {
		const struct condition *c = &decision->conditions[i];

		fprintf(f, "%s: %s, %s (limit: %s)", condition_kind_to_string(c->kind),
			outcome_to_string(c->outcome), c->measured, c->limit);
		if (condition_is_news(c))
			fprintf(f, ": %s", c->text);
		fputc('\n', f);
	}
}

int decision_explain(const struct decision *decision, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f;
	bool failed;

	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	print(decision, f);
	failed = ferror(f);
	if (fclose(f) != 0 || failed)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}
