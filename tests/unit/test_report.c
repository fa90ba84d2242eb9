/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: their text on a stream, their fields in the journal, and receivers that do not listen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "report/report.h"

#define TAG "5be13bce-244d-4a4e-8ba7-a3ad3c4d9c01"

/* A report that writes to a pipe, and the pipe's other end. */
struct sink {
	struct report *report;
	int in, out;
};

static void sink_open(struct sink *s, int level)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s->in = fds[0];
	s->out = fds[1];
	assert_int_equal(report_new_at(level, s->out, "/nonexistent", &s->report), 0);
}

static void sink_close(struct sink *s)
{
	report_free(s->report);
	safe_close(s->in);
	safe_close(s->out);
}

/* What has been written, without waiting for more. */
static const char *sink_read(struct sink *s, char *buf, size_t size)
{
	struct pollfd p = { .fd = s->in, .events = POLLIN };
	size_t used = 0;

	while (used + 1 < size && poll(&p, 1, 0) > 0 && (p.revents & POLLIN)) {
		ssize_t n = read(s->in, buf + used, size - used - 1);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	buf[used] = '\0';
	return buf;
}

/* The line behind "HH:MM:SS.mmm ", which is checked for its form. */
static const char *without_time(const char *line)
{
	static const char form[] = "dd:dd:dd.ddd ";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool ok = form[i] == 'd' ? line[i] >= '0' && line[i] <= '9' : line[i] == form[i];

		if (!ok)
			fail_msg("no time of day at the start of: %s", line);
	}
	return line + sizeof(form) - 1;
}

static void test_text(void **state)
{
	struct sink s;
	struct tag tag;
	char buf[8192];

	(void)state;
	sink_open(&s, LOG_DEBUG);
	report_info(s.report, "waits for %s", "cxl");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "waits for cxl\n");
	report_error(s.report, "no tracefs");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "error no tracefs\n");
	report_warning(s.report, "w");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "warning w\n");
	report_notice(s.report, "n");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "notice n\n");
	report_debug(s.report, "d");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "debug d\n");
	errno = ENOSPC;
	report_info(s.report, "create: %m");
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))),
			    "create: No space left on device\n");

	assert_int_equal(tag_parse(TAG, &tag), 0);
	report_full(s.report, LOG_INFO, DCDD_MESSAGE_STEP,
		    &(struct report_fields){ .tag = &tag,
					     .dax = "dax0.1",
					     .memdev = "",
					     .reason = "block is busy",
					     .release = 7,
					     .elapsed = 1500 },
		    "memory338 stays online: block is busy");
	/* The reason is in the sentence already. */
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))),
			    "memory338 stays online: block is busy [tag=" TAG
			    " dax=dax0.1 release=7 elapsed_usec=1500]\n");
	report_full(s.report, LOG_INFO, NULL,
		    &(struct report_fields){ .tag = &(struct tag){ { 0 } }, .reason = "pinned" },
		    "deferred");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))),
			    "deferred [reason=pinned]\n");
	sink_close(&s);
}

static void test_level(void **state)
{
	struct sink s;
	char buf[256];

	(void)state;
	sink_open(&s, LOG_NOTICE);
	report_info(s.report, "hidden");
	assert_string_equal(sink_read(&s, buf, sizeof(buf)), "");
	report_notice(s.report, "shown");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "notice shown\n");
	report_set_level(s.report, LOG_DEBUG);
	report_debug(s.report, "now shown");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "debug now shown\n");
	sink_close(&s);
	report_info(NULL, "nothing happens");
	report_set_level(NULL, LOG_DEBUG);
	report_free(NULL);
}

static void test_hostile_text(void **state)
{
	struct sink s;
	char buf[8192], big[6000];
	const char *line;

	(void)state;
	sink_open(&s, LOG_DEBUG);
	report_full(s.report, LOG_INFO, NULL, &(struct report_fields){ .dax = "dax\n0.1\x1b" },
		    "name \"%s\"", "a\nerror forged\r\x07\xff");
	assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))),
			    "name \"a\\x0aerror forged\\x0d\\x07\\xff\" [dax=dax\\x0a0.1\\x1b]\n");

	/* Far too long: one line, cut, and still whole characters. */
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	report_full(s.report, LOG_INFO, NULL, &(struct report_fields){ .reason = big, .rule = big },
		    "%s", big);
	line = sink_read(&s, buf, sizeof(buf));
	assert_true(strlen(line) > 1000 && strlen(line) <= 4096);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	sink_close(&s);
}

/* A reader that has stopped costs a moment once, and loses messages, which it is told later. */
static void test_full_pipe(void **state)
{
	struct sink s;
	char buf[1 << 17];
	const char *lost;
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	unsigned n = 0;

	(void)state;
	sink_open(&s, LOG_DEBUG);
	for (unsigned i = 0; i < 20000; i++)
		report_info(s.report, "message %u", i);
	assert_true(now_usec(CLOCK_MONOTONIC) - begin < 5 * USEC_PER_SEC);
	(void)sink_read(&s, buf, sizeof(buf));
	for (const char *p = buf; (p = strchr(p, '\n')); p++)
		n++;
	assert_true(n > 100 && n < 20000);
	report_info(s.report, "after");
	(void)sink_read(&s, buf, sizeof(buf));
	lost = without_time(buf);
	assert_int_equal(strtoul(lost + strlen("warning "), NULL, 10), 20000 - n);
	assert_non_null(strstr(lost, " messages lost"));
	assert_non_null(strstr(lost, " after\n"));
	sink_close(&s);
}

static void test_closed_pipe(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, LOG_DEBUG);
	s.in = safe_close(s.in);
	for (unsigned i = 0; i < 10; i++)
		report_info(s.report, "nobody reads this");
	sink_close(&s);
}

/* ---- the journal ---- */

struct journal {
	char path[64];
	int socket;
	struct report *report;
	int stream[2]; /* stands for the stderr that systemd connected */
};

static void journal_open(struct journal *j)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	char env[64];

	(void)snprintf(j->path, sizeof(j->path), "/tmp/dcdd-test-journal.%d", (int)getpid());
	(void)unlink(j->path);
	j->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(j->socket >= 0);
	assert_int_equal(str_copy(address.sun_path, sizeof(address.sun_path), j->path), 0);
	assert_int_equal(bind(j->socket, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, j->stream), 0);
	assert_int_equal(fstat(j->stream[1], &st), 0);
	(void)snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
		       (unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", env, 1), 0);
	assert_int_equal(report_new_at(LOG_DEBUG, j->stream[1], j->path, &j->report), 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

static void journal_close(struct journal *j)
{
	report_free(j->report);
	safe_close(j->socket);
	safe_close(j->stream[0]);
	safe_close(j->stream[1]);
	(void)unlink(j->path);
}

static const char *journal_read(struct journal *j, char *buf, size_t size)
{
	ssize_t n = recv(j->socket, buf, size - 1, 0);

	buf[MAX(n, 0)] = '\0';
	return buf;
}

static void test_journal_fields(void **state)
{
	struct journal j;
	struct tag tag;
	char buf[16384];

	(void)state;
	journal_open(&j);
	assert_int_equal(tag_parse(TAG, &tag), 0);
	report_full(j.report, LOG_NOTICE, DCDD_MESSAGE_READY,
		    &(struct report_fields){ .tag = &tag,
					     .memdev = "mem0",
					     .region = "region0",
					     .dax = "dax0.1",
					     .state = "ready",
					     .reason = "free\nFORGED=1",
					     .rule = "default",
					     .release = 3,
					     .bytes = 4096,
					     .elapsed = 99 },
		    "free:\nMESSAGE=forged");
	assert_string_equal(journal_read(&j, buf, sizeof(buf)),
			    "MESSAGE=free:\\x0aMESSAGE=forged\n"
			    "PRIORITY=5\n"
			    "SYSLOG_IDENTIFIER=dcdd\n"
			    "MESSAGE_ID=" DCDD_MESSAGE_READY "\n"
			    "DCDD_TAG=" TAG "\n"
			    "DCDD_MEMDEV=mem0\n"
			    "DCDD_REGION=region0\n"
			    "DCDD_DAX=dax0.1\n"
			    "DCDD_STATE=ready\n"
			    "DCDD_REASON=free\\x0aFORGED=1\n"
			    "DCDD_RULE=default\n"
			    "DCDD_RELEASE=3\n"
			    "DCDD_BYTES=4096\n"
			    "DCDD_ELAPSED_USEC=99\n");
	report_info(j.report, "plain");
	assert_string_equal(journal_read(&j, buf, sizeof(buf)),
			    "MESSAGE=plain\nPRIORITY=6\nSYSLOG_IDENTIFIER=dcdd\n");
	journal_close(&j);
}

/* journald stopped: the datagram queue fills up, and we go on. */
static void test_journal_stopped(void **state)
{
	struct journal j;
	char buf[16384];
	unsigned n = 0;
	usec_t begin = now_usec(CLOCK_MONOTONIC);

	(void)state;
	journal_open(&j);
	for (unsigned i = 0; i < 5000; i++)
		report_info(j.report, "message %u", i);
	assert_true(now_usec(CLOCK_MONOTONIC) - begin < 5 * USEC_PER_SEC);
	while (*journal_read(&j, buf, sizeof(buf)))
		n++;
	assert_true(n > 0 && n < 5000);
	report_info(j.report, "after");
	(void)journal_read(&j, buf, sizeof(buf));
	assert_int_equal(strtoul(buf + strlen("MESSAGE="), NULL, 10), 5000 - n);
	assert_non_null(strstr(buf, "messages lost"));
	assert_non_null(strstr(buf, "\nPRIORITY=4\n"));
	assert_non_null(strstr(journal_read(&j, buf, sizeof(buf)), "MESSAGE=after\n"));
	journal_close(&j);
}

/* Its socket is not there: the stream that systemd reads still is, in its own syntax. */
static void test_journal_gone(void **state)
{
	struct journal j;
	char buf[256];
	ssize_t n;

	(void)state;
	journal_open(&j);
	j.socket = safe_close(j.socket);
	report_warning(j.report, "still heard");
	n = recv(j.stream[0], buf, sizeof(buf) - 1, MSG_DONTWAIT);
	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, "<4>still heard\n");
	journal_close(&j);
}

/* $JOURNAL_STREAM is inherited by processes whose stderr has been redirected since. */
static void test_journal_of_another_stream(void **state)
{
	static const char *const others[] = { "1:2", "", "x", "1", "1:2:3", "-1:-1" };
	char buf[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct sink s;

		assert_int_equal(setenv("JOURNAL_STREAM", others[i], 1), 0);
		sink_open(&s, LOG_DEBUG);
		report_info(s.report, "text");
		assert_string_equal(without_time(sink_read(&s, buf, sizeof(buf))), "text\n");
		sink_close(&s);
	}
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_full_pipe),
		cmocka_unit_test(test_closed_pipe),
		cmocka_unit_test(test_journal_fields),
		cmocka_unit_test(test_journal_stopped),
		cmocka_unit_test(test_journal_gone),
		cmocka_unit_test(test_journal_of_another_stream),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
