/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages to the journal (its native datagram protocol,
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL) or to stderr. sd_journal_sendv() is not used because
 * it waits for as long as journald does not read; a daemon whose watchdog runs must not depend on
 * that.
 */
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "report.h"
#include "util/escape.h"

#define IDENTIFIER "dcdd"
#define MESSAGE_MAX 1024    /* of the formatted text, before escaping */
#define LINE_MAX_BYTES 4096 /* PIPE_BUF: written whole or not at all */
#define DATAGRAM_MAX 8192
#define STALL_MSEC 20 /* how long a full pipe or terminal is waited for, once */

enum sink {
	SINK_JOURNAL, /* datagrams to its socket */
	SINK_STREAM,  /* stderr is the journal's, but its socket is not there: "<N>" lines */
	SINK_TEXT,    /* lines for a person */
};

struct report {
	int level;
	int fd;
	int socket;
	enum sink sink;
	struct sockaddr_un journal;
	bool stalled;	  /* the last message was not taken: do not wait for the next one */
	uint64_t dropped; /* since the last one that was taken */
};

/* Bounded, append-only text. Overlong input is cut; the result is always terminated. */
struct text {
	char *buf;
	size_t size, used;
};

static _printf_(2, 3) void text_add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->buf + t->used, t->size - t->used, format, ap);
	va_end(ap);
	if (n > 0)
		t->used = MIN(t->used + (size_t)n, t->size - 1);
}

/* Whether @fd is the stream that systemd connected to the journal: "DEVICE:INODE". */
static bool is_journal_stream(int fd)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	int end = 0;

	if (!env || sscanf(env, "%llu:%llu%n", &dev, &ino, &end) != 2 || env[end] != '\0')
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

int report_new_at(int level, int fd, const char *journal_socket, struct report **ret)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->level = level;
	r->fd = fd;
	r->socket = -EBADF;
	r->sink = SINK_TEXT;
	if (is_journal_stream(fd)) {
		r->sink = SINK_STREAM;
		r->journal.sun_family = AF_UNIX;
		if (str_copy(r->journal.sun_path, sizeof(r->journal.sun_path), journal_socket) >= 0)
			r->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (r->socket >= 0)
			r->sink = SINK_JOURNAL;
	}
	*ret = r;
	return 0;
}

int report_new(int level, struct report **ret)
{
	return report_new_at(level, STDERR_FILENO, "/run/systemd/journal/socket", ret);
}

void report_free(struct report *report)
{
	if (!report)
		return;
	safe_close(report->socket);
	free(report);
}

void report_set_level(struct report *report, int level)
{
	if (report)
		report->level = level;
}

/* One field of a message, by both of its names. */
struct field {
	const char *journal, *text;
	char value[DECISION_REASON_MAX * 2];
};

#define FIELDS_MAX 10

static void field_add_string(struct field *fields, size_t *n, const char *journal, const char *text,
			     const char *value)
{
	if (!value || !*value)
		return;
	fields[*n].journal = journal;
	fields[*n].text = text;
	escape_text(value, fields[*n].value, sizeof(fields[*n].value));
	(*n)++;
}

static void field_add_number(struct field *fields, size_t *n, const char *journal, const char *text,
			     uint64_t value)
{
	char buf[24];

	if (value == 0)
		return;
	(void)snprintf(buf, sizeof(buf), "%llu", (unsigned long long)value);
	field_add_string(fields, n, journal, text, buf);
}

static size_t fields_collect(const struct report_fields *in, struct field ret[static FIELDS_MAX])
{
	char tag[TAG_STRLEN + 1];
	size_t n = 0;

	if (!in)
		return 0;
	if (in->tag && !tag_is_null(in->tag))
		field_add_string(ret, &n, "DCDD_TAG", "tag", tag_format(in->tag, tag));
	field_add_string(ret, &n, "DCDD_MEMDEV", "memdev", in->memdev);
	field_add_string(ret, &n, "DCDD_REGION", "region", in->region);
	field_add_string(ret, &n, "DCDD_DAX", "dax", in->dax);
	field_add_string(ret, &n, "DCDD_STATE", "state", in->state);
	field_add_string(ret, &n, "DCDD_REASON", "reason", in->reason);
	field_add_string(ret, &n, "DCDD_RULE", "rule", in->rule);
	field_add_number(ret, &n, "DCDD_RELEASE", "release", in->release);
	field_add_number(ret, &n, "DCDD_BYTES", "bytes", in->bytes);
	field_add_number(ret, &n, "DCDD_ELAPSED_USEC", "elapsed_usec", in->elapsed);
	return n;
}

/* 0; -EAGAIN: journald does not take it now; other negative errno: it is not there. */
static int send_journal(struct report *r, int level, const char *id, const struct field *fields,
			size_t n_fields, const char *message)
{
	char buf[DATAGRAM_MAX];
	struct text t = { .buf = buf, .size = sizeof(buf) };
	ssize_t n;

	/* No value holds a newline (all are escaped), so the simple form of the protocol does. */
	text_add(&t, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=" IDENTIFIER "\n", message, level);
	if (id)
		text_add(&t, "MESSAGE_ID=%s\n", id);
	for (size_t i = 0; i < n_fields; i++)
		text_add(&t, "%s=%s\n", fields[i].journal, fields[i].value);

	do
		n = sendto(r->socket, buf, t.used, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&r->journal, sizeof(r->journal));
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ENOBUFS ? -EAGAIN : -errno;
}

/* Writes a line if the reader has room for it; -EAGAIN if not, also after a moment. */
static int write_line(struct report *r, const char *line, size_t size)
{
	struct pollfd p = { .fd = r->fd, .events = POLLOUT };
	ssize_t n;

	if (poll(&p, 1, r->stalled ? 0 : STALL_MSEC) <= 0)
		return -EAGAIN;
	if (p.revents & (POLLERR | POLLNVAL))
		return -EPIPE;
	do
		n = write(r->fd, line, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static const char *level_name(int level)
{
	static const char *const names[] = { "emergency ", "alert ",  "critical ", "error ",
					     "warning ",   "notice ", "",	   "debug " };

	return names[level & LOG_PRIMASK];
}

static int send_text(struct report *r, int level, const struct field *fields, size_t n_fields,
		     const char *message)
{
	char buf[LINE_MAX_BYTES];
	/* One byte stays free for the newline of a line that was cut. */
	struct text t = { .buf = buf, .size = sizeof(buf) - 1 };
	const char *separator = " [";

	if (r->sink == SINK_TEXT) {
		struct timespec ts;
		struct tm tm;

		(void)clock_gettime(CLOCK_REALTIME, &ts);
		if (localtime_r(&ts.tv_sec, &tm))
			text_add(&t, "%02d:%02d:%02d.%03ld ", tm.tm_hour, tm.tm_min, tm.tm_sec,
				 ts.tv_nsec / 1000000);
		text_add(&t, "%s", level_name(level));
	} else {
		text_add(&t, "<%d>", level);
	}
	text_add(&t, "%s", message);
	for (size_t i = 0; i < n_fields; i++) {
		/* A reason is a sentence, and mostly the message is that sentence. */
		if (streq(fields[i].text, "reason") && strstr(message, fields[i].value))
			continue;
		text_add(&t, "%s%s=%s", separator, fields[i].text, fields[i].value);
		separator = " ";
	}
	text_add(&t, "%s", streq(separator, " [") ? "" : "]");
	buf[t.used++] = '\n';
	return write_line(r, buf, t.used);
}

static int send_message(struct report *r, int level, const char *id, const struct field *fields,
			size_t n_fields, const char *message)
{
	int k = -ENOTCONN;

	if (r->sink == SINK_JOURNAL)
		k = send_journal(r, level, id, fields, n_fields, message);
	/* journald gone, or a message it never takes: its stream may still have a reader. */
	if (k < 0 && k != -EAGAIN)
		k = send_text(r, level, fields, n_fields, message);
	return k;
}

static void report_dropped(struct report *r)
{
	char message[96];

	(void)snprintf(message, sizeof(message), "%llu messages lost: nobody took them in time",
		       (unsigned long long)r->dropped);
	if (send_message(r, LOG_WARNING, NULL, NULL, 0, message) >= 0)
		r->dropped = 0;
}

void report_full(struct report *report, int level, const char *id,
		 const struct report_fields *fields, const char *format, ...)
{
	char raw[MESSAGE_MAX], message[MESSAGE_MAX * 2];
	struct field collected[FIELDS_MAX];
	int saved = errno, k;
	va_list ap;

	if (!report || level > report->level)
		return;
	va_start(ap, format);
	/* %m in @format still sees the caller's errno: nothing above has touched it. */
	k = vsnprintf(raw, sizeof(raw), format, ap);
	va_end(ap);
	if (k < 0)
		(void)str_copy(raw, sizeof(raw), format);
	escape_text(raw, message, sizeof(message));

	if (report->dropped > 0)
		report_dropped(report);
	k = send_message(report, level, id, collected, fields_collect(fields, collected), message);
	report->stalled = k < 0;
	if (k < 0 && report->dropped < UINT64_MAX)
		report->dropped++;
	errno = saved;
}
