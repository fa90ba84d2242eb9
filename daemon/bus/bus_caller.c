/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who calls, whether what was given can be taken, and what a failure is called. */
#include "bus_internal.h"
#include "util/escape.h"

int bus_require_root(sd_bus_message *m, struct bus_caller *ret, sd_bus_error *ret_error)
{
	_cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
	pid_t pid = 0;
	uid_t uid;
	int r;

	/* The bus daemon's own word about the sender; the shipped bus policy says the same. */
	r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &creds);
	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	if (r < 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_NOT_ALLOWED,
					"Cannot find out who asks");
	if (uid != 0)
		return sd_bus_error_setf(ret_error, BUS_ERROR_NOT_ALLOWED, "Only root may call %s",
					 sd_bus_message_get_member(m));
	/* Of a process in another pid namespace the bus may not know one. */
	if (sd_bus_creds_get_pid(creds, &pid) < 0)
		pid = 0;
	*ret = (struct bus_caller){ .uid = uid, .pid = pid };
	if (pid > 0)
		(void)snprintf(ret->who, sizeof(ret->who), "uid %u, pid %d", uid, pid);
	else
		(void)snprintf(ret->who, sizeof(ret->who), "uid %u", uid);
	return 0;
}

static int bad_text(sd_bus_error *ret_error, const char *what)
{
	return sd_bus_error_setf(ret_error, BUS_ERROR_INVALID, "%s has a control character", what);
}

static int check_length(const char *s, size_t min, size_t size, const char *what,
			sd_bus_error *ret_error)
{
	size_t n = strlen(s);

	if (n < min)
		return sd_bus_error_setf(ret_error, BUS_ERROR_INVALID, "%s is empty", what);
	if (n >= size)
		return sd_bus_error_setf(ret_error, BUS_ERROR_INVALID,
					 "%s is too long: at most %zu bytes are expected", what,
					 size - 1);
	return 0;
}

/* Whether @s, of @n bytes, is fit for a line of text as it is. */
static int is_clean(const char *s, size_t n)
{
	_cleanup_free_ char *line = strndup(s, n), *escaped = malloc(n * 4 + 4);

	if (!line || !escaped)
		return -ENOMEM;
	return streq(escape_text(line, escaped, n * 4 + 4), line);
}

int bus_check_text(const char *s, size_t min, size_t size, const char *what,
		   sd_bus_error *ret_error)
{
	int r = check_length(s, min, size, what, ret_error);

	if (r < 0)
		return r;
	r = is_clean(s, strlen(s));
	return r == 0 ? bad_text(ret_error, what) : MIN(r, 0);
}

int bus_check_lines(const char *s, size_t size, const char *what, sd_bus_error *ret_error)
{
	int r = check_length(s, 1, size, what, ret_error);

	if (r < 0)
		return r;
	for (;;) {
		size_t n = strcspn(s, "\t\n");

		r = is_clean(s, n);
		if (r <= 0)
			return r < 0 ? r : bad_text(ret_error, what);
		if (!s[n])
			return 0;
		s += n + 1;
	}
}

int bus_fail(int error, const struct bus_failure *table, const char *detail,
	     sd_bus_error *ret_error)
{
	char buf[1024];

	for (; table->error; table++)
		if (table->error == error)
			return sd_bus_error_set(ret_error, table->name,
						detail ? escape_text(detail, buf, sizeof(buf))
						       : table->message);
	return sd_bus_error_set_errno(ret_error, error);
}
