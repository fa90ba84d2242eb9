/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Not now", said by a program for as long as it keeps a file descriptor; and who says so. */
#include "bus_internal.h"

int bus_method_inhibit(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -ENOBUFS, BUS_ERROR_LIMIT_EXCEEDED, "There are too many inhibitors" },
		{ -EINVAL, BUS_ERROR_INVALID, "Scope, who or why cannot be used" },
		{ 0 },
	};
	const char *scope, *who, *why, *mode;
	struct inhibitor inhibitor = { 0 };
	_cleanup_close_ int fd = -EBADF;
	struct bus *bus = userdata;
	struct bus_caller caller;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r >= 0)
		r = sd_bus_message_read(m, "ssss", &scope, &who, &why, &mode);
	if (r >= 0)
		r = bus_check_text(scope, 1, sizeof(inhibitor.scope), "scope", ret_error);
	if (r >= 0)
		r = bus_check_text(who, 1, sizeof(inhibitor.who), "who", ret_error);
	if (r >= 0)
		r = bus_check_text(why, 1, sizeof(inhibitor.why), "why", ret_error);
	if (r < 0)
		return r;
	if (inhibit_mode_from_string(mode, &inhibitor.mode) < 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"mode is neither 'block' nor 'delay'");
	(void)str_copy(inhibitor.scope, sizeof(inhibitor.scope), scope);
	(void)str_copy(inhibitor.who, sizeof(inhibitor.who), who);
	(void)str_copy(inhibitor.why, sizeof(inhibitor.why), why);
	inhibitor.uid = caller.uid;
	inhibitor.pid = caller.pid;

	r = bus->ops->inhibit(&inhibitor, &fd, bus->userdata);
	if (r < 0)
		return bus_fail(r, failures, NULL, ret_error);
	return sd_bus_reply_method_return(m, "h", fd);
}

static int append_inhibitor(sd_bus_message *m, const struct inhibitor *inhibitor)
{
	int r = sd_bus_message_open_container(m, 'a', "{sv}");

	if (r >= 0)
		r = bus_append_text_entry(m, "Scope", inhibitor->scope);
	if (r >= 0)
		r = bus_append_text_entry(m, "Who", inhibitor->who);
	if (r >= 0)
		r = bus_append_text_entry(m, "Why", inhibitor->why);
	if (r >= 0)
		r = bus_append_text_entry(m, "Mode", inhibit_mode_to_string(inhibitor->mode));
	if (r >= 0)
		r = sd_bus_message_append(m, "{sv}{sv}{sv}", "Uid", "u", inhibitor->uid, "Pid", "u",
					  (uint32_t)MAX(inhibitor->pid, 0), "Since", "t",
					  inhibitor->since);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_method_list_inhibitors(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct bus *bus = userdata;
	const struct inhibitor *inhibitors;
	size_t n = 0;
	int r;

	(void)ret_error;
	inhibitors = bus->ops->inhibitors(&n, bus->userdata);
	r = sd_bus_message_new_method_return(m, &reply);
	if (r >= 0)
		r = sd_bus_message_open_container(reply, 'a', "a{sv}");
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_inhibitor(reply, &inhibitors[i]);
	if (r >= 0)
		r = sd_bus_message_close_container(reply);
	return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
