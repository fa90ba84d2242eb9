/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host's memory pressure is what a program sees that watches the kernel's: read(2),
 * write(2) and epoll(7) of /proc/pressure/memory. And its huge pages are what sysfs shows.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include "scenario.h"

#define PSI_PATH "/proc/pressure/memory"

static const struct scenario_options host_only = { .no_daemon = true, .no_bus = true };

static int open_pressure(void)
{
	int fd = open(PSI_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		print_message("skipped: the machine's kernel has no PSI\n");
	if (fd < 0 && errno == ENOENT)
		skip();
	assert_true(fd >= 0);
	return fd;
}

/*
 * 0 or negative errno of one write(2), the terminator included, as the documentation has it.
 * Windows are multiples of 2 s: others take CAP_SYS_RESOURCE.
 */
static int set_trigger(int fd, const char *text)
{
	return write(fd, text, strlen(text) + 1) < 0 ? -errno : 0;
}

static int watch(int fd)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	assert_true(epoll >= 0);
	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

/* The events there are, 0 if none. */
static uint32_t look(int epoll, int timeout_ms)
{
	struct epoll_event event;
	int n = epoll_wait(epoll, &event, 1, timeout_ms);

	assert_true(n >= 0);
	return n ? event.events : 0;
}

static int64_t press(struct scenario *s, const char *members)
{
	_cleanup_json_ struct json_object *reply = sim_do(s, "{'cmd':'pressure',%s}", members);

	return member_int(reply, "fired");
}

SCENARIO(test_averages)
{
	_cleanup_close_ int fd = open_pressure();
	char text[512];
	ssize_t n;

	host_not_compared(s, "pressure is not in /sys");
	(void)press(s, "'some':12.5,'full':'3.07'");
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "some avg10=12.50 avg60=12.50 avg300=12.50 total="));
	assert_non_null(strstr(text, "\nfull avg10=3.07 avg60=3.07 avg300=3.07 total="));
	/* What is not named stays; a fresh host is calm. */
	(void)press(s, "'full':100");
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[MAX(n, 0)] = '\0';
	assert_non_null(startswith(text, "some avg10=12.50 "));
	assert_non_null(strstr(text, "\nfull avg10=100.00 "));
	sim_reset(s, NULL);
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[MAX(n, 0)] = '\0';
	assert_non_null(startswith(text, "some avg10=0.00 "));
}

SCENARIO(test_triggers_are_checked)
{
	static const char *const wrong[] = { "",
					     "some",
					     "some 100000",
					     "half 100000 2000000",
					     "some 0 2000000",
					     "some 2000001 2000000",
					     "some 100000 0",
					     "some 100000 12000000",
					     "some -5 2000000 " };
	_cleanup_close_ int fd = open_pressure();

	host_not_compared(s, "pressure is not in /sys");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (set_trigger(fd, wrong[i]) != -EINVAL)
			scenario_fail(s, "\"%s\" is taken", wrong[i]);
	assert_int_equal(set_trigger(fd, "some 500000 2000000"), 0);
	/* One for each open file. */
	assert_int_equal(set_trigger(fd, "full 500000 2000000"), -EBUSY);
	assert_int_equal(set_trigger(fd, "nonsense"), -EBUSY);
}

/* It sleeps until the ceiling is exceeded, is woken once for it, and not by others' ceilings. */
SCENARIO(test_trigger_wakes)
{
	_cleanup_close_ int some = open_pressure(), full = open_pressure();
	_cleanup_close_ int some_epoll = -EBADF, full_epoll = -EBADF;

	host_not_compared(s, "pressure is not in /sys");
	assert_int_equal(set_trigger(some, "some 200000 2000000"), 0); /* 10 % */
	assert_int_equal(set_trigger(full, "full 40000 2000000"), 0);  /* 2 % */
	some_epoll = watch(some);
	full_epoll = watch(full);
	assert_int_equal(look(some_epoll, 0), 0);
	assert_int_equal(press(s, "'some':9.99,'full':1.99"), 0);
	assert_int_equal(look(some_epoll, 0), 0);
	assert_int_equal(press(s, "'some':10,'full':1.99"), 1);
	assert_int_equal(look(some_epoll, 5000), EPOLLPRI);
	assert_int_equal(look(some_epoll, 0), 0); /* told once */
	assert_int_equal(look(full_epoll, 0), 0);
	assert_int_equal(press(s, "'some':50,'full':50,'fire':false"), 0);
	assert_int_equal(look(some_epoll, 0), 0);
	assert_int_equal(press(s, "'some':0,'full':2"), 1);
	assert_int_equal(look(full_epoll, 5000), EPOLLPRI);
	assert_int_equal(look(some_epoll, 0), 0);
}

/* One that is closed is gone; one without a trigger is an error, as is a kernel without PSI. */
SCENARIO(test_triggers_end)
{
	_cleanup_close_ int fd = open_pressure(), epoll = -EBADF;
	int closed = open_pressure();
	struct pollfd none = { .fd = fd, .events = POLLPRI };
	usec_t deadline = deadline_in(5);
	char text[64];

	host_not_compared(s, "pressure is not in /sys");
	assert_int_equal(poll(&none, 1, 0), 1);
	assert_int_equal(none.revents, POLLPRI | POLLERR);
	assert_int_equal(set_trigger(fd, "some 200000 2000000"), 0);
	assert_int_equal(poll(&none, 1, 0), 0);
	assert_int_equal(set_trigger(closed, "some 200000 2000000"), 0);
	assert_int_equal(press(s, "'some':20"), 2);
	(void)close(closed);
	/* The simulator hears of that a little later. */
	while (press(s, "'some':20") != 1)
		assert_false(deadline_passed(deadline));
	epoll = watch(fd);
	while (look(epoll, 0) != 0)
		;
	(void)press(s, "'present':false");
	assert_int_equal(look(epoll, 5000), EPOLLPRI | EPOLLERR);
	assert_int_equal(pread(fd, text, sizeof(text), 0), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(set_trigger(fd, "some 200000 2000000"), -EOPNOTSUPP);
}

SCENARIO(test_huge_pages)
{
	struct host *before = host_save(s);

	sim_ok(s, "{'cmd':'hugepages','node':0,'size':'1G','total':2,'free':1}");
	sysfs_assert(s, "devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages",
		     "2");
	sysfs_assert(s, "devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages",
		     "1");
	assert_int_equal(
		sim_write(s, "devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
			  "7"),
		0);
	sysfs_assert(s, "devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "7");
	sim_ok(s, "{'cmd':'hugepages','total':0}");
	sim_ok(s, "{'cmd':'hugepages','size':'1G','total':0}");
	host_assert_same(s, before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		scenario_test_with(test_averages, &host_only),
		scenario_test_with(test_triggers_are_checked, &host_only),
		scenario_test_with(test_trigger_wakes, &host_only),
		scenario_test_with(test_triggers_end, &host_only),
		scenario_test_with(test_huge_pages, &host_only),
	};

	return cmocka_run_group_tests_name("simulated memory", tests, NULL, NULL);
}
