/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to the bus, calls, and what their failures mean to a person and to a script. */
#include <fcntl.h>
#include <stdarg.h>

#include "cli.h"
#include "util/escape.h"

#define CALL_TIMEOUT_USEC (10 * USEC_PER_SEC)

int client_connect(struct cli *cli)
{
	int r = sd_bus_open_system(&cli->bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(cli->bus, CALL_TIMEOUT_USEC);
	if (r >= 0)
		return CLI_EXIT_OK;
	(void)fprintf(stderr, "dcdctl: cannot connect to the system bus: %s\n", strerror(-r));
	return CLI_EXIT_FAILURE;
}

static int client_unusable(int r)
{
	(void)fprintf(stderr, "dcdctl: cannot use the answer of dcdd: %s\n", strerror(-r));
	return CLI_EXIT_FAILURE;
}

static int explain_error(const sd_bus_error *error, int r)
{
	static const struct {
		const char *prefix;
		enum cli_exit status;
	} table[] = {
		{ "org.freedesktop.DBus.Error.ServiceUnknown", CLI_EXIT_NOT_RUNNING },
		{ "org.freedesktop.DBus.Error.NameHasNoOwner", CLI_EXIT_NOT_RUNNING },
		/* The daemon went away in the middle of the call. */
		{ "org.freedesktop.DBus.Error.NoReply", CLI_EXIT_FAILURE },
		{ "org.freedesktop.DBus.Error.AccessDenied", CLI_EXIT_NOT_ALLOWED },
		{ "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
		  CLI_EXIT_NOT_ALLOWED },
		{ "org.dcdd1.Error.NotAllowed", CLI_EXIT_NOT_ALLOWED },
		{ "org.dcdd1.Error.NoSuchTag", CLI_EXIT_NO_SUCH_OBJECT },
		{ "org.dcdd1.Error.NoSuchRule", CLI_EXIT_NO_SUCH_OBJECT },
		{ "org.freedesktop.DBus.Error.UnknownObject", CLI_EXIT_NO_SUCH_OBJECT },
	};
	enum cli_exit status = CLI_EXIT_FAILURE;
	char message[512];

	for (size_t i = 0; error->name && i < ARRAY_SIZE(table); i++)
		if (streq(error->name, table[i].prefix))
			status = table[i].status;
	if (status == CLI_EXIT_NOT_RUNNING) {
		(void)fputs("dcdctl: dcdd is not running (no owner of " DCDD_BUS_NAME
			    " on the system bus); start it with systemctl start dcdd\n",
			    stderr);
		return status;
	}
	escape_text(error->message ? error->message : strerror(-r), message, sizeof(message));
	if (r == -ETIMEDOUT)
		(void)fprintf(stderr, "dcdctl: dcdd does not answer: %s\n", message);
	else
		(void)fprintf(stderr, "dcdctl: %s\n", message);
	return status;
}

/* Sends @call. CLI_EXIT_OK and the answer (caller unrefs), or said why not. */
static int client_send(struct cli *cli, sd_bus_message *call, sd_bus_message **ret)
{
	_cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r;

	/* A look must not start the daemon. */
	r = sd_bus_message_set_auto_start(call, false);
	if (r < 0)
		return client_unusable(r);
	r = sd_bus_call(cli->bus, call, 0, &error, ret);
	return r < 0 ? explain_error(&error, r) : CLI_EXIT_OK;
}

/* The same; takes the answer's one value. */
static int client_take(struct cli *cli, sd_bus_message *call, json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	int r, status = client_send(cli, call, &reply);

	if (status != CLI_EXIT_OK || !ret)
		return status;
	r = message_to_json(reply, ret);
	return r < 0 ? client_unusable(r) : CLI_EXIT_OK;
}

int client_call(struct cli *cli, const char *interface, const char *method, const char *argument,
		json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(cli->bus, &call, DCDD_BUS_NAME, DCDD_OBJECT_PATH,
					   interface, method);
	if (r >= 0 && argument)
		r = sd_bus_message_append(call, "s", argument);
	return r < 0 ? client_unusable(r) : client_take(cli, call, ret);
}

static int manager_call(struct cli *cli, const char *method, const char *types, va_list ap,
			sd_bus_message **ret)
{
	int r = sd_bus_message_new_method_call(cli->bus, ret, DCDD_BUS_NAME, DCDD_OBJECT_PATH,
					       DCDD_INTERFACE_MANAGER, method);

	return r < 0 ? r : sd_bus_message_appendv(*ret, types, ap);
}

int client_ask(struct cli *cli, json_object **ret, const char *method, const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = manager_call(cli, method, types, ap, &call);
	va_end(ap);
	return r < 0 ? client_unusable(r) : client_take(cli, call, ret);
}

int client_lease(struct cli *cli, int *ret_fd, const char *method, const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
	int r, fd, status;
	va_list ap;

	va_start(ap, types);
	r = manager_call(cli, method, types, ap, &call);
	va_end(ap);
	if (r < 0)
		return client_unusable(r);
	status = client_send(cli, call, &reply);
	if (status != CLI_EXIT_OK)
		return status;
	/* The descriptor is the message's. */
	r = sd_bus_message_read(reply, "h", &fd);
	if (r >= 0) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		r = fd < 0 ? -errno : 0;
	}
	if (r < 0)
		return client_unusable(r);
	*ret_fd = fd;
	return CLI_EXIT_OK;
}

int client_get(struct cli *cli, const char *path, const char *interface, const char *property,
	       json_object **ret)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(cli->bus, &call, DCDD_BUS_NAME, path,
					   "org.freedesktop.DBus.Properties", "Get");
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", interface, property);
	return r < 0 ? client_unusable(r) : client_take(cli, call, ret);
}
