/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus connection under the loop: a bus that is not there, goes, returns, pauses or hangs; a
 * name that is taken; a client that floods. What it must never do is spin, block or grow.
 */
#include <sys/resource.h>

#include "bus/bus_internal.h" /* how much is queued cannot be seen from outside */
#include "bus_client.h"

static void test_name_is_taken(void **state)
{
	struct fake *f = fake_get(state);
	struct bus *second = NULL;

	assert_int_equal(bus_new(f->base, &fake_ops, f, &second), -EEXIST);
	assert_null(second);
	/* The first one has not been disturbed. */
	assert_text(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Version", DCDD_VERSION);
}

static void test_no_bus(void **state)
{
	struct event_base *base = event_base_new();
	struct bus *bus = NULL;

	(void)state;
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
	assert_true(bus_new(base, &fake_ops, NULL, &bus) < 0);
	assert_null(bus);
	event_base_free(base);
}

/* Every public function is fine without a bus at all. */
static void test_null_bus(void **state)
{
	struct release r = { .id = 1 };

	(void)state;
	bus_release_added(NULL, &r);
	bus_release_changed(NULL, &r);
	bus_release_ready(NULL, &r);
	bus_release_finished(NULL, &r);
	bus_release_removed(NULL, 1);
	bus_status_changed(NULL);
	bus_free(NULL);
}

static usec_t cpu_time(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (usec_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * USEC_PER_SEC +
	       (usec_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void on_pause_end(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	(void)event_base_loopbreak(userdata);
}

/* Only the daemon's end, asleep when it has nothing to do, as in the daemon. */
static void run_daemon_alone(struct fake *f, usec_t duration)
{
	struct timeval tv = { .tv_sec = (time_t)(duration / USEC_PER_SEC),
			      .tv_usec = (suseconds_t)(duration % USEC_PER_SEC) };

	assert_int_equal(event_base_once(f->base, -1, EV_TIMEOUT, on_pause_end, f->base, &tv), 0);
	(void)event_base_dispatch(f->base);
}

static void test_bus_goes_and_returns(void **state)
{
	struct fake *f = fake_get(state);
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	usec_t before;

	bus_release_added(f->bus, r);
	f->client = sd_bus_flush_close_unref(f->client);
	fake_bus_kill(f);

	before = cpu_time();
	run_daemon_alone(f, 500 * USEC_PER_MSEC);
	r->state = RELEASE_READY;
	bus_release_changed(f->bus, r);
	bus_release_ready(f->bus, r);
	r->records++;
	bus_release_changed(f->bus, r);
	bus_status_changed(f->bus);
	/* Long enough for a futile try. */
	run_daemon_alone(f, 3500 * USEC_PER_MSEC);
	assert_true(cpu_time() - before < 200 * USEC_PER_MSEC);

	fake_bus_start(f);
	run_daemon_alone(f, 3500 * USEC_PER_MSEC);
	f->client = fake_connect();
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "State", "ready");
	assert_int_equal(get_uint64(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Records"), 4);
}

/* When the bus comes back and somebody else was faster, the name is taken as soon as it is free. */
static void test_name_taken_while_away(void **state)
{
	struct fake *f = fake_get(state);
	sd_bus *other;

	f->client = sd_bus_flush_close_unref(f->client);
	fake_bus_kill(f);
	run_daemon_alone(f, 100 * USEC_PER_MSEC);
	fake_bus_start(f);
	other = fake_connect();
	assert_true(sd_bus_request_name(other, DCDD_BUS_NAME, 0) >= 0);
	run_daemon_alone(f, 3500 * USEC_PER_MSEC);
	sd_bus_flush_close_unref(other);
	run_daemon_alone(f, 3500 * USEC_PER_MSEC);
	f->client = fake_connect();
	assert_text(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Version", DCDD_VERSION);
}

static void test_idle_costs_nothing(void **state)
{
	struct fake *f = fake_get(state);
	usec_t before;

	fake_run_for(f, 50 * USEC_PER_MSEC);
	before = cpu_time();
	run_daemon_alone(f, 500 * USEC_PER_MSEC);
	assert_true(cpu_time() - before < 50 * USEC_PER_MSEC);
}

static int on_count(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	if (!sd_bus_message_is_method_error(m, NULL))
		(*(unsigned *)userdata)++;
	return 1;
}

/* A client that floods the daemon does not keep the loop from its other work, and loses nothing. */
static void test_flood(void **state)
{
	struct fake *f = fake_get(state);
	enum { CALLS = 1000 };
	unsigned answers = 0, most = 0;
	usec_t end = now_usec(CLOCK_MONOTONIC) + FAKE_TIMEOUT_USEC;

	for (unsigned i = 0; i < CALLS; i++)
		assert_true(sd_bus_call_method_async(f->client, NULL, DCDD_BUS_NAME,
						     DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,
						     "Explain", on_count, &answers, "s",
						     FAKE_TAG_A) >= 0);
	assert_true(sd_bus_flush(f->client) >= 0);
	/* Let them pile up in front of the daemon. */
	(void)poll(NULL, 0, 200);
	while (answers < CALLS && now_usec(CLOCK_MONOTONIC) < end) {
		unsigned before = f->explains;

		(void)event_base_loop(f->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		most = MAX(most, f->explains - before);
		while (sd_bus_process(f->client, NULL) > 0)
			;
	}
	assert_int_equal(answers, CALLS);
	/* Some at once, but never without end: the socket holds more than this limit of one turn.
	 */
	assert_true(most >= 2 && most <= 32);
}

/*
 * Stops the bus daemon and announces changes until @target messages, which the socket does not
 * take, are queued, or the connection is given up. Returns how many changes that were.
 */
static unsigned change_until_queued(struct fake *f, uint64_t target)
{
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	uint64_t queued = 0;
	unsigned n = 0;

	assert_int_equal(kill(f->daemon, SIGSTOP), 0);
	while (f->bus->conn && queued < target) {
		assert_true(n++ < 1000000);
		r->state = n % 2 ? RELEASE_ROLLING_BACK : RELEASE_OFFLINING;
		bus_release_changed(f->bus, r);
		if (f->bus->conn)
			assert_true(sd_bus_get_n_queued_write(f->bus->conn, &queued) >= 0);
	}
	return n;
}

/* What is queued is sent as soon as the bus reads again, without any other reason to wake up. */
static void test_bus_pauses(void **state)
{
	struct fake *f = fake_get(state);
	struct heard changed = { 0 };
	unsigned n;

	listen_to(f, RELEASE_1, "org.freedesktop.DBus.Properties", "PropertiesChanged", &changed);
	fake_run_for(f, 50 * USEC_PER_MSEC);
	n = change_until_queued(f, 200);
	assert_non_null(f->bus->conn);
	assert_int_equal(kill(f->daemon, SIGCONT), 0);
	fake_run_until(f, changed.n == n);
	free(changed.last);
}

/* At the end, what is queued is sent for a bounded time only. */
static void test_end_with_stuck_bus(void **state)
{
	struct fake *f = fake_get(state);
	usec_t begin;

	(void)change_until_queued(f, 200);
	begin = now_usec(CLOCK_MONOTONIC);
	(void)alarm(10);
	bus_free(f->bus);
	(void)alarm(0);
	f->bus = NULL;
	assert_true(now_usec(CLOCK_MONOTONIC) - begin < 2 * USEC_PER_SEC);
	assert_int_equal(kill(f->daemon, SIGCONT), 0);
}

/* The queue itself is bounded: beyond that the connection is given up, and made anew. */
static void test_stuck_bus_is_dropped(void **state)
{
	struct fake *f = fake_get(state);

	(void)change_until_queued(f, 20000);
	assert_null(f->bus->conn);
	assert_int_equal(kill(f->daemon, SIGCONT), 0);
	fake_run_until(f, f->bus->conn);
	fake_run_for(f, 500 * USEC_PER_MSEC);
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Tag", FAKE_TAG_A);
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_name_is_taken),
		cmocka_unit_test(test_no_bus),
		cmocka_unit_test(test_null_bus),
		BUS_TEST(test_bus_goes_and_returns),
		BUS_TEST(test_name_taken_while_away),
		BUS_TEST(test_idle_costs_nothing),
		BUS_TEST(test_flood),
		BUS_TEST(test_bus_pauses),
		BUS_TEST(test_end_with_stuck_bus),
		BUS_TEST(test_stuck_bus_is_dropped),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("bus_connection", tests, NULL, NULL);
}
