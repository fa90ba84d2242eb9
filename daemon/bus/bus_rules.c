/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules: those in force, in the order in which they are tried, and temporary ones that last until a
 * time (AddRule) or as long as a file descriptor is open (HoldRule).
 */
#include "bus_internal.h"

struct rule_arguments {
	struct bus_caller caller;
	const char *name, *text;
	uint64_t until;
};

static int read_rule(sd_bus_message *m, struct rule_arguments *ret, sd_bus_error *ret_error)
{
	int r = bus_require_root(m, &ret->caller, ret_error);

	if (r >= 0)
		r = sd_bus_message_read(m, "sst", &ret->name, &ret->text, &ret->until);
	if (r >= 0)
		r = bus_check_text(ret->name, 1, RULE_NAME_MAX, "The rule's name", ret_error);
	if (r >= 0)
		r = bus_check_lines(ret->text, BUS_RULE_TEXT_MAX, "The rule", ret_error);
	if (r < 0)
		return r;
	if (ret->until <= now_usec(CLOCK_REALTIME))
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"The rule would be over already");
	return 0;
}

static int add_rule(struct bus *bus, const struct rule_arguments *arguments, int *ret_fd,
		    sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -EEXIST, BUS_ERROR_EXISTS, "There is a temporary rule of that name" },
		{ -E2BIG, BUS_ERROR_LIMIT_EXCEEDED, "There are too many temporary rules" },
		{ -EINVAL, BUS_ERROR_INVALID, "The rule cannot be used" },
		{ 0 },
	};
	_cleanup_free_ char *detail = NULL;
	int r = bus->ops->add_rule(arguments->name, arguments->text, arguments->until,
				   arguments->caller.who, ret_fd, &detail, bus->userdata);

	return r < 0 ? bus_fail(r, failures, detail, ret_error) : 0;
}

int bus_method_add_rule(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct rule_arguments arguments;
	int r = read_rule(m, &arguments, ret_error);

	if (r < 0)
		return r;
	/* Else it would outlive whoever knows of it. */
	if (arguments.until == USEC_INFINITY)
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"A rule that nobody holds needs a time when it ends");
	r = add_rule(userdata, &arguments, NULL, ret_error);
	return r < 0 ? r : sd_bus_reply_method_return(m, "");
}

int bus_method_hold_rule(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_close_ int fd = -EBADF;
	struct rule_arguments arguments;
	int r = read_rule(m, &arguments, ret_error);

	if (r >= 0)
		r = add_rule(userdata, &arguments, &fd, ret_error);
	return r < 0 ? r : sd_bus_reply_method_return(m, "h", fd);
}

int bus_method_remove_rule(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -ENOENT, BUS_ERROR_NO_SUCH_RULE, "There is no temporary rule of that name" },
		{ 0 },
	};
	struct bus *bus = userdata;
	struct bus_caller caller;
	const char *name;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r >= 0)
		r = sd_bus_message_read(m, "s", &name);
	if (r < 0)
		return r;
	r = bus->ops->remove_rule(name, caller.who, bus->userdata);
	if (r < 0)
		return bus_fail(r, failures, NULL, ret_error);
	return sd_bus_reply_method_return(m, "");
}

/* What the rule sets, as lines of KEY = VALUE. */
static int rule_text(const struct policy_rule *rule, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return -ENOMEM;
	r = policy_rule_dump(rule, f);
	if (fclose(f) != 0 || r < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

static int append_rule(sd_bus_message *m, const struct policy *policy,
		       const struct policy_rule *rule)
{
	const char *file = !rule->temporary && rule->file < policy->n_files
				   ? policy->files[rule->file]
				   : "";
	_cleanup_free_ char *text = NULL;
	int r;

	r = rule_text(rule, &text);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "{sv}");
	if (r >= 0)
		r = bus_append_text_entry(m, "Name", rule->name);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}", "Temporary", "b", (int)rule->temporary,
					  "Until", "t",
					  rule->temporary ? rule->until : USEC_INFINITY);
	if (r >= 0)
		r = bus_append_text_entry(m, "Who", rule->temporary ? rule->who : "");
	if (r >= 0)
		r = bus_append_text_entry(m, "File", file);
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}", "Line", "u", *file ? rule->line : 0);
	if (r >= 0)
		r = bus_append_lines_entry(m, "Text", text);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_method_list_rules(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	const struct policy *policy = bus->ops->policy(bus->userdata);
	size_t n = MIN(policy->n_rules, (size_t)BUS_RULES_LIST_MAX);
	int r;

	(void)ret_error;
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_rule(reply, policy, &policy->rules[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
