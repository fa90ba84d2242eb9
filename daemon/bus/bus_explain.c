/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decisions as they are sent: of a release that is there, and of one that is only asked about. */
#include "bus_internal.h"

static int append_condition(sd_bus_message *m, const struct condition *condition)
{
	int r = sd_bus_message_open_container(m, 'r', "sssss");

	if (r >= 0)
		r = bus_append_text(m, condition_kind_to_string(condition->kind));
	if (r >= 0)
		r = bus_append_text(m, outcome_to_string(condition->outcome));
	if (r >= 0)
		r = bus_append_text(m, condition->measured);
	if (r >= 0)
		r = bus_append_text(m, condition->limit);
	if (r >= 0)
		r = bus_append_text(m, condition->text);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_conditions_append(sd_bus_message *m, const struct decision *decision, size_t max)
{
	size_t n = MIN(MIN((size_t)decision->n_conditions, ARRAY_SIZE(decision->conditions)), max);
	int r = sd_bus_message_open_container(m, 'a', "(sssss)");

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_condition(m, &decision->conditions[i]);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_conditions_entry(sd_bus_message *m, const struct decision *decision)
{
	int r = sd_bus_message_open_container(m, 'e', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "Conditions");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sssss)");
	if (r >= 0)
		r = bus_conditions_append(m, decision, _CONDITION_MAX);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_decision(sd_bus_message *m, const char *memdev, const struct decision *decision,
			   const char *text)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = bus_append_text_entry(m, "Memdev", memdev);
	if (r >= 0)
		r = bus_append_text_entry(m, "Verdict", verdict_to_string(decision->verdict));
	if (r >= 0)
		r = bus_append_text_entry(m, "Rule", decision->rule);
	if (r >= 0)
		r = bus_append_text_entry(m, "RuleSource", decision->rule_source);
	if (r >= 0)
		r = bus_append_text_entry(m, "Reason", decision->reason);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}", "Permanent", "b", decision->permanent,
					  "Draining", "b", decision->draining, "Terminate", "b",
					  decision->terminate);
	if (r >= 0)
		r = append_conditions_entry(m, decision);
	if (r >= 0)
		r = bus_append_lines_entry(m, "Text", text);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

static bool find_key(struct bus *bus, const struct inventory *inv, const struct bus_which *which,
		     struct group_key *ret)
{
	const struct release *release;

	if (!which->by_id)
		return bus_find_group(inv, &which->tag, ret);
	release = bus_find_live(bus, which);
	if (release)
		*ret = release->key;
	return release;
}

static int no_such_group(const struct bus_which *which, sd_bus_error *ret_error)
{
	if (!which->by_id)
		return bus_no_such_tag(&which->tag, "group", ret_error);
	return sd_bus_error_setf(ret_error, BUS_ERROR_NO_SUCH_TAG,
				 "The host has no group of a live release %llu",
				 (unsigned long long)which->id);
}

int bus_method_explain(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	const struct inventory *inv = bus->ops->inventory(bus->userdata);
	struct decision decision = { 0 };
	_cleanup_free_ char *text = NULL;
	struct bus_which which;
	struct group_key key;
	int r;

	r = bus_read_which(m, &which, ret_error);
	if (r < 0)
		return r;
	if (!inv)
		return sd_bus_error_set(ret_error, BUS_ERROR_NOT_READY,
					"The host has not been scanned yet");
	if (!find_key(bus, inv, &which, &key))
		return no_such_group(&which, ret_error);
	r = bus->ops->explain(&key, &decision, bus->userdata);
	if (r == -ENOENT)
		return no_such_group(&which, ret_error);
	if (r >= 0)
		r = decision_explain(&decision, &text);
	if (r < 0)
		return sd_bus_error_set_errno(ret_error, r);

	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = append_decision(reply, key.memdev, &decision, text);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
