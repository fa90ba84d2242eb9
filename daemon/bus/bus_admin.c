/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator tells the daemon: answers to releases that ask, reload, rescan; and the
 * snapshot, which shows what else only root may see. */
#include "bus_internal.h"

static int answer(struct bus *bus, sd_bus_message *m, const struct bus_which *which, bool approve,
		  const char *why, const struct bus_caller *caller, sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -EALREADY, BUS_ERROR_BAD_STATE, "That answer was given already" },
		{ -EBADE, BUS_ERROR_BAD_STATE, "This release does not wait for an answer" },
		{ 0 },
	};
	const struct release *release = bus_find_live(bus, which);
	int r;

	if (!release)
		return bus_no_such_release(which, ret_error);
	r = bus->ops->answer(release->id, approve, why, caller->who, bus->userdata);
	if (r == -ENOENT)
		return bus_no_such_release(which, ret_error);
	if (r < 0)
		return bus_fail(r, failures, NULL, ret_error);
	return sd_bus_reply_method_return(m, "");
}

int bus_method_approve(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus_caller caller;
	struct bus_which which;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r >= 0)
		r = bus_read_which(m, &which, ret_error);
	return r < 0 ? r : answer(userdata, m, &which, true, "", &caller, ret_error);
}

int bus_method_deny(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus_caller caller;
	const char *why = "";
	struct bus_which which;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r >= 0)
		r = bus_read_which(m, &which, ret_error);
	if (r >= 0)
		r = sd_bus_message_read(m, "s", &why);
	if (r >= 0)
		r = bus_check_text(why, 0, RULE_TEXT_MAX, "The reason", ret_error);
	return r < 0 ? r : answer(userdata, m, &which, false, why, &caller, ret_error);
}

int bus_method_reload(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -EINVAL, BUS_ERROR_INVALID, "The configuration is wrong; the old one stays" },
		{ -ESHUTDOWN, BUS_ERROR_BUSY, "The daemon is about to end" },
		{ 0 },
	};
	_cleanup_free_ char *detail = NULL;
	struct bus *bus = userdata;
	struct bus_caller caller;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r < 0)
		return r;
	r = bus->ops->reload(&detail, bus->userdata);
	if (r < 0)
		return bus_fail(r, failures, detail, ret_error);
	return sd_bus_reply_method_return(m, "");
}

int bus_method_rescan(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	struct bus *bus = userdata;
	struct bus_caller caller;
	int r;

	r = bus_require_root(m, &caller, ret_error);
	if (r < 0)
		return r;
	r = bus->ops->rescan(bus->userdata);
	if (r < 0)
		return sd_bus_error_set_errno(ret_error, r);
	return sd_bus_reply_method_return(m, "");
}

int bus_method_snapshot(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
	static const struct bus_failure failures[] = {
		{ -EAGAIN, BUS_ERROR_NOT_READY, "The host has not been scanned yet" },
		{ -EFBIG, BUS_ERROR_LIMIT_EXCEEDED,
		  "The host has too much for one message; dcdctl groups shows it" },
		{ 0 },
	};
	struct bus *bus = userdata;
	_cleanup_free_ char *json = NULL;
	struct bus_caller caller;
	int r;

	/* It has who holds what, which the kernel shows to root only. */
	r = bus_require_root(m, &caller, ret_error);
	if (r < 0)
		return r;
	r = bus->ops->snapshot(&json, bus->userdata);
	if (r >= 0 && strlen(json) > BUS_SNAPSHOT_MAX)
		r = -EFBIG;
	if (r < 0)
		return bus_fail(r, failures, NULL, ret_error);
	return sd_bus_reply_method_return(m, "s", json);
}
