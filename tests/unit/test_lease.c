/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases end with the last copy of their descriptor, and with nothing else. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "watch_run.h"

#include "watch/lease.h"

struct run {
	struct event_base *base;
	struct lease *lease;
	unsigned over;
	bool keep; /* on_over() does not free it */
};

static void on_over(struct lease *lease, void *userdata)
{
	struct run *run = userdata;

	assert_ptr_equal(lease, run->lease);
	run->over++;
	if (run->keep)
		return;
	lease_free(lease);
	run->lease = NULL;
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	run->base = event_base_new();
	assert_non_null(run->base);
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	lease_free(run->lease);
	event_base_free(run->base);
	free(run);
	return 0;
}

static int begin(struct run *run)
{
	int fd = -EBADF;

	assert_int_equal(lease_new(run->base, on_over, run, &run->lease, &fd), 0);
	assert_true(fd >= 0);
	loop_for(run->base, 10 * USEC_PER_MSEC);
	assert_int_equal(run->over, 0);
	return fd;
}

static void test_closed(void **state)
{
	struct run *run = *state;
	int fd = begin(run);

	assert_int_equal(close(fd), 0);
	assert_int_equal(run->over, 0); /* from the loop only */
	loop_until(run->base, &run->over, 1);
	assert_null(run->lease);
}

/* Its owner may take its time with freeing it, and is not called again. */
static void test_told_once(void **state)
{
	struct run *run = *state;
	int fd = begin(run);

	run->keep = true;
	assert_int_equal(close(fd), 0);
	loop_until(run->base, &run->over, 1);
	loop_for(run->base, 50 * USEC_PER_MSEC);
	assert_int_equal(run->over, 1);
}

static void test_copies(void **state)
{
	struct run *run = *state;
	int fd = begin(run), copy = dup(fd);

	assert_true(copy >= 0);
	assert_int_equal(close(fd), 0);
	loop_for(run->base, 20 * USEC_PER_MSEC);
	assert_int_equal(run->over, 0);
	assert_int_equal(close(copy), 0);
	loop_until(run->base, &run->over, 1);
}

static void test_owner_dies(void **state)
{
	struct run *run = *state;
	int fd = begin(run);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		for (;;)
			(void)pause();
	assert_int_equal(close(fd), 0);
	loop_for(run->base, 20 * USEC_PER_MSEC);
	assert_int_equal(run->over, 0);
	assert_int_equal(kill(child, SIGKILL), 0);
	loop_until(run->base, &run->over, 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The owner learns that it is over, too: from us, or from our end. */
static void test_owner_sees_the_end(void **state)
{
	struct run *run = *state;
	int fd = begin(run);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&p, 1, 0), 0);
	lease_free(TAKE_PTR(run->lease));
	assert_int_equal(poll(&p, 1, 0), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
	assert_int_equal(close(fd), 0);
	loop_for(run->base, 10 * USEC_PER_MSEC);
	assert_int_equal(run->over, 0);
}

/* Whatever the owner does with its end, it neither ends the lease nor wakes us up. */
static void test_owner_writes(void **state)
{
	struct run *run = *state;
	int fd = begin(run), writer;
	char path[64], junk[4096] = { 0 };
	ssize_t n;

	assert_int_equal(write(fd, junk, 1), -1);
	assert_int_equal(errno, EBADF);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(writer >= 0);
	while ((n = write(writer, junk, sizeof(junk))) > 0)
		assert_int_equal(event_base_loop(run->base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(errno, EAGAIN);
	while ((n = read(fd, junk, sizeof(junk))) > 0)
		assert_int_equal(event_base_loop(run->base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(run->over, 0);
	assert_int_equal(close(writer), 0);
	loop_for(run->base, 10 * USEC_PER_MSEC);
	assert_int_equal(run->over, 0);
	assert_int_equal(close(fd), 0);
	loop_until(run->base, &run->over, 1);
}

static void test_not_inherited(void **state)
{
	struct run *run = *state;
	unsigned before = count_fds();
	int fd = begin(run), others = 0;

	assert_int_equal(count_fds(), before + 2);
	for (int i = 3; i < 256; i++) {
		int flags = fcntl(i, F_GETFD);

		if (flags >= 0 && i >= fd - 1 && i <= fd + 1) {
			assert_true(flags & FD_CLOEXEC);
			others++;
		}
	}
	assert_true(others >= 2);
	assert_int_equal(close(fd), 0);
	loop_until(run->base, &run->over, 1);
	assert_int_equal(count_fds(), before);
}

static void test_no_descriptors(void **state)
{
	struct run *run = *state;
	unsigned before = count_fds();

	for (unsigned spare = 0; spare < 2; spare++) {
		struct rlimit old = limit_fds(spare);
		int fd = -1, r = lease_new(run->base, on_over, run, &run->lease, &fd);

		unlimit_fds(&old);
		assert_int_equal(r, -EMFILE);
		assert_null(run->lease);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(count_fds(), before);
}

static void test_many(void **state)
{
	struct run *run = *state;
	struct lease *leases[100];
	int fds[100];

	run->keep = true;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(lease_new(run->base, on_over, run, &leases[i], &fds[i]), 0);
	for (unsigned i = 0; i < 100; i++) {
		unsigned which = i * 37 % 100;

		run->lease = leases[which]; /* the one that on_over() expects */
		assert_int_equal(close(fds[which]), 0);
		loop_until(run->base, &run->over, i + 1);
		lease_free(TAKE_PTR(run->lease));
	}
	assert_int_equal(run->over, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_sees_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_inherited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
