/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PSI: what its file says, what is asked of the kernel, and that the kernel's word comes through,
 * with real triggers and, where that is possible, real pressure.
 */
#include "squeeze.h"
#include "watch_run.h"

#include "watch/pressure.h"

#define QUIET (50 * USEC_PER_MSEC)
#define WINDOW (2 * USEC_PER_SEC) /* at most one event of a trigger in it */
#define REAL "/proc/pressure/memory"

struct run {
	struct event_base *base;
	struct pressure *pressure;
	struct tree tree;
	struct squeeze squeeze;
	unsigned exceeded;
	bool free_within;
};

static void on_exceeded(void *userdata)
{
	struct run *run = userdata;

	run->exceeded++;
	if (run->free_within) {
		pressure_free(run->pressure);
		run->pressure = NULL;
	}
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	*state = run;
	tree_init(&run->tree);
	run->base = event_base_new();
	assert_non_null(run->base);
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	pressure_free(run->pressure);
	squeeze_done(&run->squeeze);
	event_base_free(run->base);
	tree_done(&run->tree);
	free(run);
	return 0;
}

static void begin(struct run *run, const char *path)
{
	pressure_free(run->pressure);
	run->pressure = NULL;
	assert_int_equal(pressure_new(run->base, path, on_exceeded, run, &run->pressure), 0);
}

static void begin_in_tree(struct run *run, const char *name)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", run->tree.path, name);
	begin(run, path);
}

static void begin_real(struct run *run)
{
	unsigned some, full;

	begin(run, REAL);
	if (access(REAL, W_OK) < 0 || pressure_read(run->pressure, &some, &full) < 0) {
		print_message("skipped: no PSI here\n");
		skip();
	}
}

/* ---- the averages ---- */

static void test_averages(void **state)
{
	static const struct {
		const char *text;
		int r;
		unsigned some, full;
	} cases[] = {
		{ "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
		  "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
		  0, 0, 0 },
		{ "some avg10=12.34 avg60=5.00 avg300=6.00 total=1\n"
		  "full avg10=0.07 avg60=8.00 avg300=9.00 total=2\n",
		  0, 1234, 7 },
		{ "full avg10=99.90 avg60=8.00\nsome avg10=100.00 avg60=5.00", 0, 10000, 9990 },
		{ "", -EBADMSG, 0, 0 },
		{ "some avg10=12.34 avg60=5.00\n", -EBADMSG, 0, 0 },
		{ "full avg10=12.34 avg60=5.00\n", -EBADMSG, 0, 0 },
		{ "some avg10=1.3 avg60=5.00\nfull avg10=0.07 avg60=8.00\n", -EBADMSG, 0, 0 },
		{ "some avg10=.34 avg60=5.00\nfull avg10=0.07 avg60=8.00\n", -EBADMSG, 0, 0 },
		{ "some avg10=-1.34 avg60=5.00\nfull avg10=0.07 avg60=8.00\n", -EBADMSG, 0, 0 },
		{ "some avg10=1.34\nfull avg10=0.07\n", -EBADMSG, 0, 0 },
		{ "some avg10=99999999999.00 avg60=0\nfull avg10=0.07 avg60=8\n", -EBADMSG, 0, 0 },
		{ "some avg60=5.00 avg10=12.34 \nfull avg10=0.07 avg60=8.00\n", -EBADMSG, 0, 0 },
		{ "someavg10=1.34 avg60=5.00\nfull avg10=0.07 avg60=8.00\n", -EBADMSG, 0, 0 },
		{ "some avg10=1", -EBADMSG, 0, 0 },
		{ "some avg10=1.", -EBADMSG, 0, 0 },
		{ "some avg10=1.2", -EBADMSG, 0, 0 },
	};
	struct run *run = *state;

	begin_in_tree(run, "memory");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned some = 77, full = 88;

		tree_write(&run->tree, "memory", cases[i].text);
		assert_int_equal(pressure_read(run->pressure, &some, &full), cases[i].r);
		assert_int_equal(some, cases[i].r == 0 ? cases[i].some : 77);
		assert_int_equal(full, cases[i].r == 0 ? cases[i].full : 88);
	}
}

static void test_no_psi(void **state)
{
	const struct pressure_ceiling wanted = { .permyriad = 1000 };
	struct run *run = *state;
	unsigned some, full;
	size_t n;

	begin_in_tree(run, "nowhere");
	assert_int_equal(pressure_read(run->pressure, &some, &full), -EOPNOTSUPP);
	assert_int_equal(pressure_watch(run->pressure, &wanted, 1), -EOPNOTSUPP);
	(void)pressure_ceilings(run->pressure, &n);
	assert_int_equal(n, 0);
	assert_int_equal(pressure_watch(run->pressure, NULL, 0), 0);
}

static void test_real_averages(void **state)
{
	struct run *run = *state;
	unsigned some = 77777, full = 77777;

	begin_real(run);
	assert_int_equal(pressure_read(run->pressure, &some, &full), 0);
	assert_true(some <= 10000);
	assert_true(full <= some);
}

/* ---- what is asked of the kernel ---- */

/* A plain file takes the text, and is no trigger. */
static void test_trigger_text(void **state)
{
	static const struct {
		struct pressure_ceiling ceiling;
		const char *text;
	} cases[] = {
		{ { .permyriad = 1 }, "some 200 2000000" },
		{ { .permyriad = 2500 }, "some 500000 2000000" },
		{ { .full = true, .permyriad = 10000 }, "full 2000000 2000000" },
	};
	struct run *run = *state;
	unsigned before;

	begin_in_tree(run, "memory");
	before = count_fds();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];
		ssize_t n;
		int fd;

		tree_write(&run->tree, "memory", "");
		assert_int_equal(pressure_watch(run->pressure, &cases[i].ceiling, 1), -EPERM);
		fd = openat(run->tree.fd, "memory", O_RDONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		n = read(fd, text, sizeof(text));
		assert_int_equal(close(fd), 0);
		/* With the terminator. */
		assert_int_equal(n, strlen(cases[i].text) + 1);
		assert_memory_equal(text, cases[i].text, (size_t)n);
	}
	assert_int_equal(count_fds(), before);
}

static void assert_watched(const struct run *run, const char *expected)
{
	const struct pressure_ceiling *ceilings;
	char text[256] = "";
	size_t n;

	ceilings = pressure_ceilings(run->pressure, &n);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%u",
			       i ? " " : "", ceilings[i].full ? "full" : "some",
			       ceilings[i].permyriad);
	assert_string_equal(text, expected);
}

/* Registered with the real kernel, which says no to what it does not understand. */
static void test_real_triggers(void **state)
{
	static const struct pressure_ceiling first[] = {
		{ .permyriad = 10000 },
		{ .full = true, .permyriad = 9000 },
		{ .permyriad = 10000, .exceeded = 5 }, /* again */
		{ .permyriad = 9500, .exceeded = 5 },
	};
	static const struct pressure_ceiling second[] = {
		{ .full = true, .permyriad = 10000 },
		{ .permyriad = 9500 },
	};
	static const struct pressure_ceiling bad[] = {
		{ .permyriad = 0 },
		{ .permyriad = 9500 },
		{ .permyriad = 10001 },
		{ .full = true, .permyriad = 9999 },
	};
	struct run *run = *state;
	const struct pressure_ceiling *ceilings;
	unsigned before;
	size_t n;

	begin_real(run);
	before = count_fds();
	assert_watched(run, "");
	assert_int_equal(pressure_watch(run->pressure, first, ARRAY_SIZE(first)), 0);
	assert_watched(run, "some10000 full9000 some9500");
	assert_int_equal(count_fds(), before + 6);
	ceilings = pressure_ceilings(run->pressure, &n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ceilings[i].exceeded, 0);
	loop_for(run->base, QUIET);

	assert_int_equal(pressure_watch(run->pressure, second, ARRAY_SIZE(second)), 0);
	assert_watched(run, "some9500 full10000"); /* those from before come first */
	assert_int_equal(count_fds(), before + 4);
	assert_int_equal(pressure_watch(run->pressure, bad, ARRAY_SIZE(bad)), -EINVAL);
	assert_watched(run, "some9500 full9999");
	assert_int_equal(pressure_watch(run->pressure, NULL, 0), 0);
	assert_watched(run, "");
	assert_int_equal(count_fds(), before);
	assert_int_equal(run->exceeded, 0);
}

static void test_no_descriptors(void **state)
{
	static const struct pressure_ceiling wanted[] = {
		{ .permyriad = 9000 },
		{ .permyriad = 9001 },
		{ .permyriad = 9002 },
	};
	struct run *run = *state;
	struct rlimit old;
	unsigned before;
	int r;

	begin_real(run);
	before = count_fds();
	for (unsigned spare = 0; spare < 6; spare++) {
		old = limit_fds(spare);
		r = pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted));
		unlimit_fds(&old);
		assert_int_equal(r, -EMFILE);
		assert_watched(run, spare < 2 ? "" : spare < 4 ? "some9000" : "some9000 some9001");
		assert_int_equal(pressure_watch(run->pressure, NULL, 0), 0);
		assert_int_equal(count_fds(), before);
	}
	assert_int_equal(pressure_watch(run->pressure, wanted, 1), 0);
	assert_int_equal(pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted)), 0);
	assert_watched(run, "some9000 some9001 some9002");
}

/* ---- what the kernel says ---- */

static void need_cgroup(struct run *run)
{
	if (!squeeze_init(&run->squeeze)) {
		print_message("skipped: no cgroup with PSI can be made here\n");
		skip();
	}
	begin(run, run->squeeze.pressure);
}

static void need_pressure(struct run *run)
{
	need_cgroup(run);
	if (!squeeze_begin(&run->squeeze)) {
		print_message("skipped: the memory of a cgroup cannot be limited here\n");
		skip();
	}
}

static usec_t exceeded_at(const struct run *run, size_t i)
{
	size_t n;
	const struct pressure_ceiling *ceilings = pressure_ceilings(run->pressure, &n);

	assert_true(i < n);
	return ceilings[i].exceeded;
}

static void test_pressure(void **state)
{
	static const struct pressure_ceiling wanted[] = {
		{ .permyriad = 10000 }, /* cannot be */
		{ .permyriad = 10 },
		{ .full = true, .permyriad = 10 },
	};
	struct run *run = *state;
	usec_t start, last;
	unsigned some, full, calm;

	need_cgroup(run);
	start = now_usec(CLOCK_MONOTONIC);
	assert_int_equal(pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted)), 0);
	loop_for(run->base, QUIET);
	assert_int_equal(run->exceeded, 0);
	if (!squeeze_begin(&run->squeeze)) {
		print_message("skipped: the memory of a cgroup cannot be limited here\n");
		skip();
	}

	/* Both, again and again, but no more often than the kernel says so. */
	loop_until(run->base, &run->exceeded, 4);
	last = now_usec(CLOCK_MONOTONIC);
	assert_int_equal(exceeded_at(run, 0), 0);
	for (size_t i = 1; i < 3; i++) {
		assert_true(exceeded_at(run, i) > start);
		assert_true(exceeded_at(run, i) <= last);
	}
	assert_true(run->exceeded <= 2 * ((last - start) / WINDOW + 1));

	/* By now the averages say so, too: what is new is exceeded at once. */
	do {
		loop_for(run->base, 100 * USEC_PER_MSEC);
		assert_int_equal(pressure_read(run->pressure, &some, &full), 0);
		assert_true(now_usec(CLOCK_MONOTONIC) - start < NEVER);
	} while (some < 20);
	{
		const struct pressure_ceiling more[] = { { .permyriad = 10 },
							 { .permyriad = 11 },
							 { .permyriad = 9999 } };
		usec_t before = exceeded_at(run, 1), now = now_usec(CLOCK_MONOTONIC);

		assert_int_equal(pressure_watch(run->pressure, more, ARRAY_SIZE(more)), 0);
		assert_watched(run, "some10 some11 some9999");
		assert_true(exceeded_at(run, 0) == before); /* its own */
		assert_true(exceeded_at(run, 1) >= now);
		assert_int_equal(exceeded_at(run, 2), 0);
	}

	/* When it is over nobody says so, and nobody wakes us up either. */
	squeeze_end(&run->squeeze);
	loop_for(run->base, 2 * WINDOW + WINDOW / 2);
	calm = run->exceeded;
	loop_for(run->base, WINDOW + WINDOW / 2);
	assert_int_equal(run->exceeded, calm);
}

static void test_freed_from_within(void **state)
{
	const struct pressure_ceiling wanted[] = {
		{ .permyriad = 10 },
		{ .permyriad = 11 },
		{ .permyriad = 12 },
	};
	struct run *run = *state;

	need_pressure(run);
	run->free_within = true;
	assert_int_equal(pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted)), 0);
	loop_until(run->base, &run->exceeded, 1);
	assert_null(run->pressure);
	loop_for(run->base, QUIET);
	assert_int_equal(run->exceeded, 1);
}

/* The file goes, as that of a cgroup does: it is watched no more, once and for all. */
static void test_file_goes(void **state)
{
	const struct pressure_ceiling wanted[] = {
		{ .permyriad = 1000 },
		{ .full = true, .permyriad = 1000 },
	};
	struct run *run = *state;
	unsigned before;

	need_cgroup(run);
	before = count_fds();
	assert_int_equal(pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted)), 0);
	loop_for(run->base, QUIET);
	assert_int_equal(run->exceeded, 0);
	squeeze_done(&run->squeeze);
	loop_until(run->base, &run->exceeded, 2);
	assert_watched(run, "");
	assert_int_equal(count_fds(), before);
	loop_for(run->base, QUIET);
	assert_int_equal(run->exceeded, 2);
	assert_int_equal(pressure_watch(run->pressure, wanted, ARRAY_SIZE(wanted)), -EOPNOTSUPP);
}

/* ---- what is wanted ---- */

static void test_wanted(void **state)
{
	struct policy_rule rules[4] = { 0 };
	struct policy policy = { .rules = rules };
	struct pressure_ceiling *ceilings;
	size_t n = 77;

	(void)state;
	assert_int_equal(pressure_wanted(&policy, &ceilings, &n), 0);
	assert_int_equal(n, 0);
	free(ceilings);

	policy.n_rules = ARRAY_SIZE(rules);
	policy.defaults.pressure_some = 1000;
	rules[0].settings.pressure_some = 1000; /* inherited */
	rules[1].settings.pressure_some = 2000;
	rules[1].settings.pressure_full = 1000;
	rules[3].settings.pressure_full = 1000;
	assert_int_equal(pressure_wanted(&policy, &ceilings, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ceilings[i].exceeded, 0);
	assert_false(ceilings[0].full);
	assert_int_equal(ceilings[0].permyriad, 1000);
	assert_false(ceilings[1].full);
	assert_int_equal(ceilings[1].permyriad, 2000);
	assert_true(ceilings[2].full);
	assert_int_equal(ceilings[2].permyriad, 1000);
	free(ceilings);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_averages),	  TEST(test_no_psi),
		TEST(test_real_averages), TEST(test_trigger_text),
		TEST(test_real_triggers), TEST(test_no_descriptors),
		TEST(test_pressure),	  TEST(test_freed_from_within),
		TEST(test_file_goes),	  cmocka_unit_test(test_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
