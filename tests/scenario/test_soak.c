/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One daemon through many releases ($SOAK_RELEASES, default 1000): its memory does not grow, nor
 * does the number of its file descriptors. Under valgrind ($DCDD_WRAPPER) the harness looks at what
 * it says at the end; resident memory is not compared then, since valgrind's own is in it.
 */
#include <dcdd/base.h>

#include <dirent.h>

#include "harness.h"

#define WARM_UP 100
/* Between the warm-up and the end. Page granularity and malloc's own need some room. */
#define GROWTH_MAX_KIB 256

/* Few remembered, so that the memory of the past is full when the warm-up is over. */
static const struct scenario_options options = {
	.config =
		"[daemon]\nhistory-max = 4\nsettle-time = 1ms\nrefuse-hold = 1ms\nlog-level = warning\n"
		"[release]\nbackoff-initial = 10ms\n",
};

static unsigned n_releases(void)
{
	const char *text = getenv("SOAK_RELEASES");
	unsigned n = text ? (unsigned)strtoul(text, NULL, 10) : 0;

	return n > 0 ? n : 1000;
}

static unsigned n_descriptors(struct scenario *s)
{
	unsigned n = 0;
	char path[64];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)daemon_pid(s));
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* Every kind of end in turn: freed and released, rolled back, refused untouched. */
static void one_release(struct scenario *s, unsigned i)
{
	const char *zone = i % 10 == 3 ? "kernel" : "movable";

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 128 * MiB), EXTENT(512 * MiB, 128 * MiB));
	(void)sim_claim(s, "mem0", TAG_A, "kmem", zone);
	if (i % 10 == 7)
		(void)sim_fault_errno(s, "*/kmem/unbind", "*", "EIO", 1, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	if (i % 10 == 3) {
		release_wait_state(s, TAG_A, "refused", 30);
		sim_reset(s, NULL);
		return;
	}
	release_wait_state(s, TAG_A, "ready", 30);
	sim_retry(s);
	release_wait_state(s, TAG_A, "released", 30);
	host_assert_gone(s, TAG_A);
}

SCENARIO(many_releases)
{
	unsigned n = n_releases(), descriptors = 0;
	struct host *before = host_save(s);
	uint64_t rss = 0;

	for (unsigned i = 1; i <= n; i++) {
		one_release(s, i);
		if (i == MIN(WARM_UP, n)) {
			rss = daemon_rss_kib(s);
			descriptors = n_descriptors(s);
		}
	}
	printf("%u releases: resident %llu KiB after %u, %llu KiB at the end; %u descriptors\n", n,
	       (unsigned long long)rss, MIN(WARM_UP, n), (unsigned long long)daemon_rss_kib(s),
	       n_descriptors(s));
	assert_int_equal(n_descriptors(s), descriptors);
	if (!getenv("DCDD_WRAPPER"))
		assert_true(daemon_rss_kib(s) <= rss + GROWTH_MAX_KIB);
	daemon_stop(s);
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = { scenario_test_with(many_releases, &options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
