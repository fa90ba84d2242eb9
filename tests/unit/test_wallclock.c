/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock on the wall: the time that comes, the clock that is set (for real, to the time that it
 * is), and the time zone that changes, by a link of our own.
 */
#include "watch_run.h"

#include "watch/wallclock.h"

#define QUIET (30 * USEC_PER_MSEC)

struct run {
	struct event_base *base;
	struct wallclock *clock;
	struct tree tree;
	char link[PATH_MAX];
	unsigned changed;
	usec_t when; /* CLOCK_REALTIME */
	bool free_in_changed;
	usec_t arm_in_changed;
};

static void on_changed(void *userdata)
{
	struct run *run = userdata;

	run->changed++;
	run->when = now_usec(CLOCK_REALTIME);
	if (run->arm_in_changed) {
		assert_int_equal(wallclock_arm(run->clock, run->arm_in_changed), 0);
		run->arm_in_changed = 0;
	}
	if (run->free_in_changed) {
		wallclock_free(run->clock);
		run->clock = NULL;
	}
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	*state = run;
	tree_init(&run->tree);
	(void)snprintf(run->link, sizeof(run->link), "%s/localtime", run->tree.path);
	assert_int_equal(symlinkat("/usr/share/zoneinfo/UTC", run->tree.fd, "localtime"), 0);
	run->base = event_base_new();
	assert_non_null(run->base);
	assert_int_equal(wallclock_new(run->base, run->link, on_changed, run, &run->clock), 0);
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	wallclock_free(run->clock);
	event_base_free(run->base);
	tree_done(&run->tree);
	free(run);
	return 0;
}

static void assert_quiet(struct run *run)
{
	unsigned before = run->changed;

	loop_for(run->base, QUIET);
	assert_int_equal(run->changed, before);
}

/* ---- the time ---- */

static void test_time_comes(void **state)
{
	struct run *run = *state;
	usec_t at = now_usec(CLOCK_REALTIME) + 50 * USEC_PER_MSEC;

	assert_quiet(run); /* not armed */
	assert_int_equal(wallclock_arm(run->clock, at), 0);
	loop_until(run->base, &run->changed, 1);
	assert_true(run->when >= at);
	assert_quiet(run);
}

static void test_time_has_come(void **state)
{
	const usec_t past[] = { 0, 1, 999, now_usec(CLOCK_REALTIME) };
	struct run *run = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(past); i++) {
		assert_int_equal(wallclock_arm(run->clock, past[i]), 0);
		assert_int_equal(run->changed, i); /* from the loop only */
		loop_until(run->base, &run->changed, i + 1);
	}
	assert_quiet(run);
}

static void test_never(void **state)
{
	const usec_t far[] = { USEC_INFINITY, USEC_INFINITY - 1, USEC_INFINITY / 2,
			       now_usec(CLOCK_REALTIME) + 24 * USEC_PER_HOUR };
	struct run *run = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
		assert_int_equal(wallclock_arm(run->clock, far[i]), 0);
		assert_quiet(run);
	}
	/* The last one counts. */
	assert_int_equal(wallclock_arm(run->clock, 1), 0);
	loop_until(run->base, &run->changed, 1);
}

static void test_disarmed(void **state)
{
	struct run *run = *state;

	wallclock_disarm(run->clock);
	assert_int_equal(wallclock_arm(run->clock, now_usec(CLOCK_REALTIME) + QUIET / 2), 0);
	wallclock_disarm(run->clock);
	assert_quiet(run);
	/* Also if it has come by then. */
	assert_int_equal(wallclock_arm(run->clock, 1), 0);
	(void)usleep(1000);
	wallclock_disarm(run->clock);
	assert_quiet(run);
	assert_int_equal(run->changed, 0);
}

static void test_armed_from_within(void **state)
{
	struct run *run = *state;
	usec_t at = now_usec(CLOCK_REALTIME) + 20 * USEC_PER_MSEC;

	run->arm_in_changed = at;
	assert_int_equal(wallclock_arm(run->clock, 1), 0);
	loop_until(run->base, &run->changed, 1);
	loop_until(run->base, &run->changed, 2);
	assert_true(run->when >= at);
	assert_quiet(run);
}

static void test_freed_from_within(void **state)
{
	struct run *run = *state;

	run->free_in_changed = true;
	assert_int_equal(wallclock_arm(run->clock, 1), 0);
	loop_until(run->base, &run->changed, 1);
	assert_null(run->clock);
	assert_quiet(run);
}

/* ---- the clock ---- */

/* Sets it to what it is; that is a change all the same, and does no harm. */
static void set_clock(void)
{
	struct timespec now;
	int r;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	r = clock_settime(CLOCK_REALTIME, &now);
	if (r < 0 && errno == EPERM) {
		print_message("skipped: the clock cannot be set\n");
		skip();
	}
	assert_int_equal(r, 0);
}

static void test_clock_is_set(void **state)
{
	struct run *run = *state;

	set_clock();
	assert_quiet(run); /* not armed */
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	set_clock();
	loop_until(run->base, &run->changed, 1);
	set_clock();
	assert_quiet(run); /* not armed any more */

	assert_int_equal(wallclock_arm(run->clock, now_usec(CLOCK_REALTIME) + USEC_PER_HOUR), 0);
	set_clock();
	loop_until(run->base, &run->changed, 2);

	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	wallclock_disarm(run->clock);
	set_clock();
	assert_quiet(run);
}

/* What it is armed for then was worked out by the old clock, maybe. */
static void test_clock_is_set_before_it_is_armed_anew(void **state)
{
	struct run *run = *state;

	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	set_clock();
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	loop_until(run->base, &run->changed, 1);
	assert_quiet(run);

	/* And that is not remembered for longer. */
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	assert_quiet(run);
	set_clock();
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	wallclock_disarm(run->clock);
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	assert_quiet(run);
}

/* ---- the zone ---- */

static void link_by_rename(const struct run *run, const char *zone)
{
	assert_int_equal(symlinkat(zone, run->tree.fd, ".#localtime"), 0);
	assert_int_equal(renameat(run->tree.fd, ".#localtime", run->tree.fd, "localtime"), 0);
}

static void link_removed(const struct run *run, const char *zone)
{
	(void)zone;
	assert_int_equal(unlinkat(run->tree.fd, "localtime", 0), 0);
}

static void link_made(const struct run *run, const char *zone)
{
	assert_int_equal(symlinkat(zone, run->tree.fd, "localtime"), 0);
}

static void link_moved_away(const struct run *run, const char *zone)
{
	(void)zone;
	assert_int_equal(renameat(run->tree.fd, "localtime", run->tree.fd, "old"), 0);
}

static void file_written(const struct run *run, const char *zone)
{
	int fd = openat(run->tree.fd, "localtime", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, zone, strlen(zone)), strlen(zone));
	assert_int_equal(close(fd), 0);
}

/* tzset() is seen by what it takes from TZ. */
static void test_zone_changes(void **state)
{
	static void (*const changes[])(const struct run *run, const char *zone) = {
		link_by_rename, link_removed, link_made, link_moved_away, file_written, file_written
	};
	struct run *run = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++) {
		char zone[16];

		assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
		assert_quiet(run);
		(void)snprintf(zone, sizeof(zone), "<TST>-%u", i + 3);
		assert_int_equal(setenv("TZ", zone, 1), 0);
		changes[i](run, "/usr/share/zoneinfo/Europe/Berlin");
		loop_until(run->base, &run->changed, i + 1);
		assert_int_equal(timezone, -3600L * (i + 3));
		assert_quiet(run);
	}
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

static void test_other_files_do_not_matter(void **state)
{
	struct run *run = *state;

	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	for (unsigned i = 0; i < 3; i++) {
		tree_mkdir(&run->tree, "sub");
		assert_int_equal(symlinkat("x", run->tree.fd, "localtime2"), 0);
		assert_int_equal(symlinkat("x", run->tree.fd, "sub/localtime"), 0);
		assert_int_equal(renameat(run->tree.fd, "localtime2", run->tree.fd, "localtim"), 0);
		assert_int_equal(unlinkat(run->tree.fd, "localtim", 0), 0);
		tree_remove(&run->tree, "sub");
		assert_quiet(run);
	}
	assert_int_equal(run->changed, 0);
}

/* Nobody is called, but times are told by the new zone. */
static void test_zone_changes_unnoticed(void **state)
{
	struct run *run = *state;

	assert_int_equal(setenv("TZ", "<TST>-11", 1), 0);
	link_by_rename(run, "x");
	assert_quiet(run);
	assert_int_equal(timezone, -3600L * 11);
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	assert_quiet(run);
	assert_int_equal(run->changed, 0);
	assert_int_equal(unsetenv("TZ"), 0);
	tzset();
}

/* More changes than the kernel keeps: the one that matters may have been among those lost. */
static void test_zone_overflow(void **state)
{
	struct run *run = *state;
	unsigned files = 16384;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &files), 1);
	assert_int_equal(fclose(f), 0);
	if (files > 100000) {
		print_message("skipped: the kernel keeps too many events\n");
		skip();
	}
	assert_int_equal(wallclock_arm(run->clock, USEC_INFINITY), 0);
	for (unsigned i = 0; i < files / 2 + 1; i++) {
		assert_int_equal(symlinkat("x", run->tree.fd, "other"), 0);
		assert_int_equal(unlinkat(run->tree.fd, "other", 0), 0);
	}
	loop_until(run->base, &run->changed, 1);
	assert_quiet(run);
}

/* The directory goes: no more news, and no end of them either. */
static void test_directory_goes(void **state)
{
	struct run *run = *state;
	struct wallclock *clock = NULL;
	char path[PATH_MAX];
	struct run other = { .base = run->base };

	tree_mkdir(&run->tree, "etc");
	(void)snprintf(path, sizeof(path), "%s/etc/localtime", run->tree.path);
	assert_int_equal(wallclock_new(run->base, path, on_changed, &other, &clock), 0);
	assert_int_equal(wallclock_arm(clock, USEC_INFINITY), 0);
	tree_remove(&run->tree, "etc");
	loop_until(run->base, &other.changed, 1);
	assert_int_equal(wallclock_arm(clock, USEC_INFINITY), 0);
	loop_for(run->base, QUIET);
	assert_int_equal(other.changed, 1);
	assert_int_equal(wallclock_arm(clock, 1), 0);
	loop_until(run->base, &other.changed, 2);
	wallclock_free(clock);
}

static void test_path_without_directory(void **state)
{
	struct run *run = *state;
	struct wallclock *clock = NULL;
	struct run other = { .base = run->base };
	int old = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(old >= 0);
	assert_int_equal(fchdir(run->tree.fd), 0);
	assert_int_equal(wallclock_new(run->base, "localtime", on_changed, &other, &clock), 0);
	assert_int_equal(fchdir(old), 0);
	assert_int_equal(close(old), 0);
	assert_int_equal(wallclock_arm(clock, USEC_INFINITY), 0);
	link_by_rename(run, "x");
	loop_until(run->base, &other.changed, 1);
	wallclock_free(clock);
}

/* ---- errors ---- */

static void test_no_directory(void **state)
{
	struct run *run = *state;
	struct wallclock *clock = NULL;
	unsigned before = count_fds();
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/nowhere/localtime", run->tree.path);
	assert_int_equal(wallclock_new(run->base, path, on_changed, run, &clock), -ENOENT);
	(void)snprintf(path, sizeof(path), "%s/localtime/x", run->tree.path);
	assert_int_equal(wallclock_new(run->base, path, on_changed, run, &clock), -ENOTDIR);
	assert_null(clock);
	assert_int_equal(count_fds(), before);
}

static void test_no_descriptors(void **state)
{
	struct run *run = *state;
	struct wallclock *clock = NULL;
	unsigned before = count_fds();

	for (unsigned spare = 0; spare < 2; spare++) {
		struct rlimit old = limit_fds(spare);
		int r = wallclock_new(run->base, run->link, on_changed, run, &clock);

		unlimit_fds(&old);
		assert_int_equal(r, -EMFILE);
		assert_null(clock);
	}
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_time_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_has_come, setup, teardown),
		cmocka_unit_test_setup_teardown(test_never, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disarmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_armed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_is_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock_is_set_before_it_is_armed_anew, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_zone_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_files_do_not_matter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zone_changes_unnoticed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zone_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path_without_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
