/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bus to test on: a private dbus-daemon, the daemon's real bus code over a hand-made host, and a
 * client in the same process. Both ends run on one loop, so nothing here is a matter of timing.
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bus_host.h"

#define FAKE_TIMEOUT_USEC (10 * USEC_PER_SEC)

/* ---- the bus ---- */

static inline bool fake_have_dbus(void)
{
	return access("/usr/bin/dbus-daemon", X_OK) == 0;
}

/*
 * Either everything is allowed, so that it is the daemon's own checks that are tested, or what a
 * distribution's system bus allows, and the shipped policy. The shipped activation file is there
 * too: who looks must not start a daemon by it (here that fails, which is told from not running).
 */
static inline void fake_bus_configure(const struct fake *f, FILE *file)
{
	static const char open_policy[] =
		"<allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"method_call\"/>";
	static const char system_policy[] =
		"<allow user=\"*\"/><deny own=\"*\"/><deny send_type=\"method_call\"/>"
		"<allow send_destination=\"org.freedesktop.DBus\"/>";
	_cleanup_free_ char *dbus = realpath("dbus", NULL);

	if (!dbus)
		print_error("no folder dbus/: tests run in the top directory of the tree\n");
	assert_non_null(dbus);
	(void)fprintf(file,
		      "<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>"
		      "<limit name=\"max_replies_per_connection\">10000</limit>"
		      "<policy context=\"default\">%s"
		      "<allow send_type=\"signal\"/>"
		      "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
		      "<allow send_requested_reply=\"true\" send_type=\"error\"/>"
		      "<allow receive_type=\"method_call\"/><allow receive_type=\"signal\"/>"
		      "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>"
		      "</policy>",
		      f->address, f->shipped_policy ? system_policy : open_policy);
	if (f->shipped_policy)
		(void)fprintf(file, "<include>%s/org.dcdd1.conf</include>", dbus);
	(void)fprintf(file, "<servicedir>%s</servicedir></busconfig>\n", dbus);
}

/* Starts the bus daemon on the address of @f; again after fake_bus_kill(). */
static inline void fake_bus_start(struct fake *f)
{
	char config[96], pipe_fd[48], text[256];
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	_cleanup_fclose_ FILE *file = NULL;
	int fds[2];

	/* A killed bus daemon leaves its socket behind. */
	(void)snprintf(config, sizeof(config), "%s/bus", f->dir);
	(void)unlink(config);
	(void)snprintf(config, sizeof(config), "%s/bus.conf", f->dir);
	file = fopen(config, "we");
	assert_non_null(file);
	fake_bus_configure(f, file);
	assert_int_equal(fflush(file), 0);

	assert_int_equal(pipe(fds), 0);
	in = fds[0];
	out = fds[1];
	assert_int_equal(fcntl(in, F_SETFD, FD_CLOEXEC), 0);
	(void)snprintf(pipe_fd, sizeof(pipe_fd), "--print-address=%d", out);
	(void)snprintf(text, sizeof(text), "--config-file=%s", config);
	f->daemon = fork();
	assert_true(f->daemon >= 0);
	if (f->daemon == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* It complains that it may not raise its limits. */
		(void)dup2(null, STDERR_FILENO);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile",
		      "--nosyslog", text, pipe_fd, NULL);
		_exit(127);
	}
	out = safe_close(out);
	/* The address is written when the bus listens. */
	assert_true(read(in, text, sizeof(text)) > 0);
}

static inline void fake_bus_kill(struct fake *f)
{
	if (f->daemon <= 0)
		return;
	(void)kill(f->daemon, SIGKILL);
	(void)waitpid(f->daemon, NULL, 0);
	f->daemon = 0;
}

static inline sd_bus *fake_connect(void)
{
	sd_bus *client = NULL;
	const char *name;

	assert_true(sd_bus_open_system(&client) >= 0);
	/* The bus daemon is another process: waiting for its greeting is safe. */
	assert_true(sd_bus_get_unique_name(client, &name) >= 0);
	return client;
}

/* The client is somebody else from now on: the bus reads its uid when it connects. */
static inline void fake_become(struct fake *f, uid_t uid)
{
	f->client = sd_bus_flush_close_unref(f->client);
	assert_int_equal(seteuid(uid), 0);
	f->client = fake_connect();
	assert_int_equal(seteuid(0), 0);
}

/* Gives both ends a turn; waits 1 ms if the client has nothing to do. */
static inline void fake_turn(struct fake *f)
{
	int r = 0;

	(void)event_base_loop(f->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	if (f->client)
		r = sd_bus_process(f->client, NULL);
	if (r <= 0)
		(void)poll(NULL, 0, 1);
}

/* Runs both ends until @condition holds; fails the test if it does not in time. */
#define fake_run_until(f, condition)                                                               \
	do {                                                                                       \
		usec_t _end = now_usec(CLOCK_MONOTONIC) + FAKE_TIMEOUT_USEC;                       \
                                                                                                   \
		while (!(condition)) {                                                             \
			if (now_usec(CLOCK_MONOTONIC) > _end)                                      \
				fail_msg("not within 10 s: %s", #condition);                       \
			fake_turn(f);                                                              \
		}                                                                                  \
	} while (0)

static inline void fake_run_for(struct fake *f, usec_t duration)
{
	usec_t end = now_usec(CLOCK_MONOTONIC) + duration;

	while (now_usec(CLOCK_MONOTONIC) < end)
		fake_turn(f);
}

static inline int fake_on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(m);
	return 1;
}

/* Calls with both ends on the loop. The reply, which may be an error (caller unrefs). */
static inline sd_bus_message *fake_call(struct fake *f, sd_bus_message *call)
{
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	sd_bus_message *reply = NULL;

	assert_true(sd_bus_call_async(f->client, &slot, call, fake_on_reply, &reply,
				      FAKE_TIMEOUT_USEC) >= 0);
	fake_run_until(f, reply);
	return reply;
}

static inline sd_bus_message *fake_method(struct fake *f, const char *path, const char *interface,
					  const char *member, const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	va_list ap;

	assert_true(sd_bus_message_new_method_call(f->client, &call, DCDD_BUS_NAME, path, interface,
						   member) >= 0);
	va_start(ap, types);
	if (types)
		assert_true(sd_bus_message_appendv(call, types, ap) >= 0);
	va_end(ap);
	return fake_call(f, call);
}

/* ---- set-up ---- */

static inline void fake_stop(struct fake *f)
{
	char path[96];

	bus_free(f->bus);
	sd_bus_flush_close_unref(f->client);
	if (f->base)
		event_base_free(f->base);
	fake_bus_kill(f);
	inventory_free(f->inventory);
	policy_done(&f->policy);
	f->lease = safe_close(f->lease);
	(void)snprintf(path, sizeof(path), "%s/bus.conf", f->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/bus", f->dir);
	(void)unlink(path);
	(void)rmdir(f->dir);
	free(f);
}

static inline int fake_setup_policy(void **state, bool shipped_policy)
{
	struct fake *f;

	*state = NULL;
	if (!fake_have_dbus())
		return 0;
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	(void)str_copy(f->dir, sizeof(f->dir), "/tmp/dcdd-test-bus.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	/* Reachable for the client that is nobody. */
	assert_int_equal(chmod(f->dir, 0755), 0);
	(void)snprintf(f->address, sizeof(f->address), "unix:path=%s/bus", f->dir);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", f->address, 1), 0);
	f->shipped_policy = shipped_policy;
	fake_bus_start(f);

	f->inventory = fake_inventory();
	f->status = (struct bus_status){
		.event_available = true,
		.records = 12,
		.records_lost = 1,
		.records_bad = 2,
		.last_scan = 1234567,
	};
	f->decision = (struct decision){
		.verdict = VERDICT_REFUSE,
		.rule = "keep-db",
		.reason = "memory48 is in zone Normal",
	};
	f->lease = -EBADF;
	f->snapshot = "{}\n";
	policy_init(&f->policy);
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(bus_new(f->base, &fake_ops, f, &f->bus), 0);
	f->client = fake_connect();
	*state = f;
	return 0;
}

static inline int fake_setup(void **state)
{
	return fake_setup_policy(state, false);
}

static inline int fake_teardown(void **state)
{
	if (*state)
		fake_stop(*state);
	return 0;
}

/* At the start of each test. */
#define fake_get(state)                                                                            \
	({                                                                                         \
		if (!*(state)) {                                                                   \
			print_message("skipped: /usr/bin/dbus-daemon is not installed\n");         \
			skip();                                                                    \
		}                                                                                  \
		(struct fake *)*(state);                                                           \
	})
