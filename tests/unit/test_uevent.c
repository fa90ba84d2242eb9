/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uevents of the subsystems asked for arrive, others do not. The kernel sends one for whatever is
 * written to a device's `uevent` file; needs root and a kernel that lets us, else skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <daemon/events/events.h>

#define WANTED "/sys/devices/system/cpu/cpu0/uevent"
#define UNWANTED "/sys/class/mem/null/uevent"

struct context {
	struct event_base *base;
	size_t n_cpu, n_other, n_overrun;
	char action[32], devpath[128];
};

static void on_changed(const char *action, const char *subsystem, const char *devpath,
		       void *userdata)
{
	struct context *c = userdata;

	if (streq(subsystem, "overrun")) {
		c->n_overrun++;
	} else if (streq(subsystem, "cpu")) {
		c->n_cpu++;
		(void)str_copy(c->action, sizeof(c->action), action);
		(void)str_copy(c->devpath, sizeof(c->devpath), devpath);
	} else if (!streq(subsystem, "memory") && !streq(subsystem, "node") &&
		   !streq(subsystem, "module")) {
		c->n_other++;
	}
}

static bool trigger(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "change", 6) == 6;
}

static void run(struct context *c, const size_t *counter, size_t n, usec_t timeout)
{
	static const struct timeval tick = { .tv_usec = 20000 };
	usec_t deadline = now_usec(CLOCK_MONOTONIC) + timeout;

	while (*counter < n && now_usec(CLOCK_MONOTONIC) < deadline) {
		assert_int_equal(event_base_loopexit(c->base, &tick), 0);
		assert_true(event_base_loop(c->base, EVLOOP_ONCE) >= 0);
	}
}

static void test_uevents(_unused_ void **state)
{
	struct context c = { .base = event_base_new() };
	struct uevents *uevents = NULL;

	assert_non_null(c.base);
	assert_int_equal(uevents_new(c.base, on_changed, &c, &uevents), 0);
	if (!trigger(UNWANTED) || !trigger(WANTED)) {
		print_message("skipped: cannot write to %s: %s\n", WANTED, strerror(errno));
		uevents_free(uevents);
		event_base_free(c.base);
		skip();
	}
	run(&c, &c.n_cpu, 1, 5 * USEC_PER_SEC);
	assert_int_equal(c.n_cpu, 1);
	assert_string_equal(c.action, "change");
	assert_string_equal(c.devpath, "/devices/system/cpu/cpu0");
	assert_int_equal(c.n_other + c.n_overrun, 0);

	/* More than one wake-up takes, and than what is fetched at once. */
	for (int i = 0; i < 200; i++)
		assert_true(trigger(WANTED));
	run(&c, &c.n_cpu, 201, 5 * USEC_PER_SEC);
	assert_int_equal(c.n_cpu, 201);
	assert_int_equal(c.n_other + c.n_overrun, 0);

	uevents_free(uevents);
	uevents_free(NULL);
	event_base_free(c.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uevents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
