/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inhibitors: listed in order as long as they are held, bounded, and with clean texts only. */
#include "watch_run.h"

#include "watch/inhibitors.h"

#define USER 1000

struct run {
	struct event_base *base;
	struct inhibitors *inhibitors;
	unsigned over;
	struct inhibitor last; /* that is over */
	/* What on_over() does besides. */
	bool add_in_over, free_in_over;
	int *close_in_over;
	int added; /* descriptor of what was added and is kept */
};

static const struct inhibitor sample = {
	.id = 77, /* of no meaning */
	.mode = INHIBIT_DELAY,
	.scope = "5be13bce-*",
	.who = "backup",
	.why = "Sicherung läuft",
	.uid = USER,
	.pid = 4711,
	.since = 1234567,
};

static void on_over(const struct inhibitor *inhibitor, void *userdata)
{
	struct run *run = userdata;
	const struct inhibitor *list;
	size_t n;

	run->over++;
	run->last = *inhibitor;
	list = inhibitors_list(run->inhibitors, &n);
	for (size_t i = 0; i < n; i++)
		assert_true(list[i].id != inhibitor->id);
	if (run->close_in_over) {
		assert_int_equal(close(*run->close_in_over), 0);
		run->close_in_over = NULL;
	}
	if (run->add_in_over) {
		int fd;

		run->add_in_over = false;
		for (unsigned i = 0; i < 50; i++) {
			assert_int_equal(inhibitors_add(run->inhibitors, &sample, &fd), 0);
			if (i > 0)
				assert_int_equal(close(fd), 0);
			else
				run->added = fd;
		}
	}
	if (run->free_in_over) {
		inhibitors_free(run->inhibitors);
		run->inhibitors = NULL;
	}
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	run->base = event_base_new();
	assert_non_null(run->base);
	assert_int_equal(inhibitors_new(run->base, on_over, run, &run->inhibitors), 0);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	inhibitors_free(run->inhibitors);
	event_base_free(run->base);
	free(run);
	return 0;
}

static int add(struct run *run, const char *who)
{
	struct inhibitor inhibitor = sample;
	int fd;

	assert_int_equal(str_copy(inhibitor.who, sizeof(inhibitor.who), who), 0);
	assert_int_equal(inhibitors_add(run->inhibitors, &inhibitor, &fd), 0);
	return fd;
}

/* The names of all, "a b c". */
static void assert_listed(const struct run *run, const char *names)
{
	const struct inhibitor *list;
	char text[1024] = "";
	uint64_t last = 0;
	size_t n;

	list = inhibitors_list(run->inhibitors, &n);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			       i > 0 ? " " : "", list[i].who);
		assert_true(list[i].id > last);
		last = list[i].id;
	}
	assert_string_equal(text, names);
}

static void test_fields(void **state)
{
	struct run *run = *state;
	const struct inhibitor *list;
	size_t n;
	int fd;

	assert_listed(run, "");
	fd = add(run, "backup");
	list = inhibitors_list(run->inhibitors, &n);
	assert_int_equal(n, 1);
	assert_int_equal(list->id, 1);
	assert_int_equal(list->mode, INHIBIT_DELAY);
	assert_string_equal(list->scope, sample.scope);
	assert_string_equal(list->why, sample.why);
	assert_int_equal(list->uid, USER);
	assert_int_equal(list->pid, 4711);
	assert_int_equal(list->since, 1234567);

	assert_int_equal(close(fd), 0);
	loop_until(run->base, &run->over, 1);
	assert_listed(run, "");
	assert_int_equal(run->last.id, 1);
	assert_string_equal(run->last.who, "backup");
	assert_string_equal(run->last.why, sample.why);
}

static void test_order(void **state)
{
	struct run *run = *state;
	int a = add(run, "a"), b = add(run, "b"), c = add(run, "c"), d = add(run, "d");

	assert_listed(run, "a b c d");
	assert_int_equal(close(b), 0);
	loop_until(run->base, &run->over, 1);
	assert_string_equal(run->last.who, "b");
	assert_listed(run, "a c d");
	assert_int_equal(close(d), 0);
	loop_until(run->base, &run->over, 2);
	assert_string_equal(run->last.who, "d");
	assert_listed(run, "a c");
	b = add(run, "b");
	assert_listed(run, "a c b");
	assert_int_equal(close(a), 0);
	loop_until(run->base, &run->over, 3);
	assert_string_equal(run->last.who, "a");
	assert_listed(run, "c b");
	assert_int_equal(close(c), 0);
	loop_until(run->base, &run->over, 4);
	assert_string_equal(run->last.who, "c");
	assert_int_equal(close(b), 0);
	loop_until(run->base, &run->over, 5);
	assert_string_equal(run->last.who, "b");
	assert_int_equal(run->last.id, 5); /* no id twice */
	assert_listed(run, "");
}

static void test_several_at_once(void **state)
{
	struct run *run = *state;
	int a = add(run, "a"), b = add(run, "b"), c = add(run, "c");

	assert_int_equal(close(a), 0);
	assert_int_equal(close(c), 0);
	loop_until(run->base, &run->over, 2);
	assert_listed(run, "b");
	assert_int_equal(close(b), 0);
	loop_until(run->base, &run->over, 3);
}

/* The list moves while it is told that one is gone. */
static void test_changed_from_within(void **state)
{
	struct run *run = *state;
	int a = add(run, "a"), b = add(run, "b"), c = add(run, "c");

	run->add_in_over = true;
	run->close_in_over = &b;
	assert_int_equal(close(a), 0);
	loop_until(run->base, &run->over, 51); /* a, b, and 49 of those added */
	assert_listed(run, "c backup");
	assert_int_equal(close(c), 0);
	assert_int_equal(close(run->added), 0);
	loop_until(run->base, &run->over, 53);
	assert_listed(run, "");
}

static void test_freed_from_within(void **state)
{
	struct run *run = *state;
	int a = add(run, "a"), b = add(run, "b");
	char byte;

	run->free_in_over = true;
	assert_int_equal(close(a), 0);
	loop_until(run->base, &run->over, 1);
	assert_null(run->inhibitors);
	/* Who still holds one sees that it is worth nothing any more. */
	assert_int_equal(read(b, &byte, 1), 0);
	assert_int_equal(close(b), 0);
	loop_for(run->base, 10 * USEC_PER_MSEC);
	assert_int_equal(run->over, 1);
}

static void test_bad_texts(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "a\nb", -EINVAL },
		{ "\t", -EINVAL },
		{ "\x7f", -EINVAL },
		{ "\x1b[2J", -EINVAL },
		{ "\xff", -EINVAL },
		{ "\xc3", -EINVAL },
		{ "\xc0\x80", -EINVAL },     /* overlong */
		{ "\xed\xa0\x80", -EINVAL }, /* surrogate */
		{ "\xc2\x85", -EINVAL },     /* C1: next line */
		{ "\xe2\x80\xae"
		  "abc",
		  -EINVAL }, /* from right to left */
		{ "0123456789012345678901234567890123456789012345678901234567890123", -EINVAL },
		{ "012345678901234567890123456789012345678901234567890123456789012", 0 },
		{ "ß", 0 },
		{ "\\x41 *?[a-z]", 0 },
		{ " ", 0 },
	};
	struct run *run = *state;
	unsigned good = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned field = 0; field < 3; field++) {
			struct inhibitor inhibitor = sample;
			char *to = field == 0 ? inhibitor.scope
					      : (field == 1 ? inhibitor.who : inhibitor.why);
			int fd = -1;

			/* All of the short fields, and no terminator then. */
			if (field == 2)
				(void)str_copy(to, RULE_TEXT_MAX, cases[i].text);
			else
				memcpy(to, cases[i].text,
				       MIN(strlen(cases[i].text) + 1, (size_t)RULE_NAME_MAX));
			/* The last field is long enough for what is too long for the others. */
			if (field == 2 && strlen(cases[i].text) == RULE_NAME_MAX)
				continue;
			assert_int_equal(inhibitors_add(run->inhibitors, &inhibitor, &fd),
					 cases[i].r);
			assert_int_equal(fd >= 0, cases[i].r == 0);
			if (fd >= 0) {
				good++;
				assert_int_equal(close(fd), 0);
			}
		}
	}
	loop_until(run->base, &run->over, good);
	assert_listed(run, "");
}

static void test_bad_mode(void **state)
{
	struct run *run = *state;
	struct inhibitor inhibitor = sample;
	int fd = -1;

	inhibitor.mode = _INHIBIT_MODE_MAX;
	assert_int_equal(inhibitors_add(run->inhibitors, &inhibitor, &fd), -EINVAL);
	assert_int_equal(fd, -1);
	assert_listed(run, "");
}

/* Adds @n of @uid, stores their descriptors. */
static void add_many(struct run *run, uint32_t uid, unsigned n, int *fds)
{
	struct inhibitor inhibitor = sample;

	inhibitor.uid = uid;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(inhibitors_add(run->inhibitors, &inhibitor, &fds[i]), 0);
}

static int add_one(struct run *run, uint32_t uid, int *ret_fd)
{
	struct inhibitor inhibitor = sample;

	inhibitor.uid = uid;
	return inhibitors_add(run->inhibitors, &inhibitor, ret_fd);
}

static void close_all(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(close(fds[i]), 0);
}

static void test_limits(void **state)
{
	struct run *run = *state;
	struct rlimit old, limit;
	static int fds[INHIBITORS_MAX];
	int fd = -1;
	size_t n;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = old.rlim_max;
	if (limit.rlim_cur < 2 * INHIBITORS_MAX + 64) {
		print_message("skipped: not enough descriptors allowed\n");
		skip();
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

	add_many(run, USER, INHIBITORS_PER_UID_MAX, fds);
	assert_int_equal(add_one(run, USER, &fd), -ENOBUFS);
	assert_int_equal(fd, -1);
	/* Another one's are its own, and root has no such limit. */
	assert_int_equal(add_one(run, USER + 1, &fds[INHIBITORS_PER_UID_MAX]), 0);
	add_many(run, 0, INHIBITORS_MAX - INHIBITORS_PER_UID_MAX - 1,
		 fds + INHIBITORS_PER_UID_MAX + 1);
	(void)inhibitors_list(run->inhibitors, &n);
	assert_int_equal(n, INHIBITORS_MAX);
	assert_int_equal(add_one(run, 0, &fd), -ENOBUFS);
	assert_int_equal(add_one(run, USER + 1, &fd), -ENOBUFS);
	assert_int_equal(fd, -1);

	/* One that is gone makes room. */
	assert_int_equal(close(fds[3]), 0);
	loop_until(run->base, &run->over, 1);
	assert_int_equal(add_one(run, USER, &fds[3]), 0);
	assert_int_equal(add_one(run, USER, &fd), -ENOBUFS);

	close_all(fds, INHIBITORS_MAX);
	loop_until(run->base, &run->over, INHIBITORS_MAX + 1);
	assert_listed(run, "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void test_no_descriptors(void **state)
{
	struct run *run = *state;
	int a = add(run, "a"), fd = -1, r;
	struct rlimit old = limit_fds(1);

	r = inhibitors_add(run->inhibitors, &sample, &fd);
	unlimit_fds(&old);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(fd, -1);
	assert_listed(run, "a");
	fd = add(run, "b");
	assert_listed(run, "a b");
	assert_int_equal(close(a), 0);
	assert_int_equal(close(fd), 0);
	loop_until(run->base, &run->over, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_texts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
