/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdd: frees the memory that a CXL Dynamic Capacity Device wants back. This file is the wiring:
 * it checks what is needed, each with its own message and exit status, and connects the rooms.
 */
#include <dcdd/names.h>

#include "bus/bus.h"
#include "events/events.h"
#include "lock.h"
#include "loop.h"
#include "options.h"
#include "release/manager.h"
#include "undo/undo.h"
#include "worker/worker.h"

#define WORKER_FD 3

/* The process's one context. */
struct daemon {
	struct options options;
	struct report *report;
	struct loop *loop;
	struct undo_store *undo;
	struct manager *manager;
	struct bus *bus;
	struct intake *intake;
	struct uevents *uevents;
	usec_t stop_timeout;
	int lock_fd, tracefs_lock_fd;
	bool started, stopping;
};

/* After an error *@ret_error may be NULL. */
static int load_policy(const struct options *options, struct policy *policy, char **ret_error)
{
	return policy_load(options->root ? options->root : "", options->config, policy, ret_error);
}

/* --check-config and --dump-config. */
static int show_config(const struct options *options)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;
	int r = load_policy(options, &policy, &error);

	if (r < 0) {
		fprintf(stderr, "dcdd: %s\n", error ? error : strerror(-r));
		return DCDD_EXIT_FAILURE;
	}
	if (options->dump_config) {
		r = policy_dump(&policy, stdout);
	} else {
		for (size_t i = 0; i < policy.n_files; i++)
			printf("%s: ok\n", policy.files[i]);
		if (policy.n_files == 0 && options->config)
			printf("%s: empty\n", options->config);
		else if (policy.n_files == 0)
			printf("No configuration file: the defaults apply\n");
		r = fflush(stdout) == 0 ? 0 : -EIO;
	}
	policy_done(&policy);
	if (r < 0) {
		fprintf(stderr, "dcdd: cannot write: %s\n", strerror(-r));
		return DCDD_EXIT_FAILURE;
	}
	return DCDD_EXIT_OK;
}

static void on_record(const struct dc_event *event, void *userdata)
{
	struct daemon *d = userdata;

	manager_record(d->manager, event);
}

static void on_lost(uint64_t lost, void *userdata)
{
	struct daemon *d = userdata;

	manager_lost(d->manager, lost);
}

static void tell_status(struct daemon *d, bool available)
{
	if (available)
		loop_status(d->loop, "Waiting for the devices' requests");
	else
		loop_status(d->loop, "Waiting for trace event %s:%s to appear", DCDD_TRACE_SYSTEM,
			    DCDD_TRACE_EVENT);
}

static void on_available(bool available, void *userdata)
{
	struct daemon *d = userdata;

	tell_status(d, available);
	manager_available(d->manager, available);
}

static void on_bad_record(const char *message, void *userdata)
{
	struct daemon *d = userdata;

	manager_bad_record(d->manager, message);
}

static void on_uevent(const char *action, const char *subsystem, const char *devpath,
		      void *userdata)
{
	struct daemon *d = userdata;

	(void)action;
	(void)devpath;
	if (d->intake && (streq(subsystem, "module") || streq(subsystem, "cpu")))
		intake_refresh(d->intake);
	if (!streq(subsystem, "cpu"))
		manager_world_changed(d->manager);
}

static void on_started(void *userdata)
{
	struct daemon *d = userdata;

	d->started = true;
	tell_status(d, intake_is_available(d->intake));
	loop_ready(d->loop);
}

static void on_stopped(void *userdata)
{
	struct daemon *d = userdata;

	unsigned n = manager_n_failed(d->manager);

	if (n > 0)
		report_warning(d->report,
			       "Stopped; %u release(s) had failed half-way and wait for an admin, "
			       "which the next start will know",
			       n);
	else
		report_notice(d->report, "Stopped; no release is half done");
	loop_exit(d->loop, DCDD_EXIT_OK);
}

static void on_stop(void *userdata)
{
	struct daemon *d = userdata;

	d->stopping = true;
	report_notice(d->report, "Stopping");
	loop_stopping(d->loop, d->stop_timeout);
	manager_stop(d->manager);
}

static void on_stop_timeout(void *userdata)
{
	struct daemon *d = userdata;

	manager_show_left(d->manager);
	report_error(d->report,
		     "stop-timeout is over and the kernel does not let go of %u release(s), named "
		     "above; their undo journals are kept in %s, and the next start puts them back "
		     "or finishes them",
		     manager_n_active(d->manager), d->options.state_dir);
	loop_exit(d->loop, DCDD_EXIT_FAILURE);
}

/* More of them are only counted. */
#define CHANGES_TOLD_MAX 100

struct changes {
	struct report *report;
	int told;
};

static void tell_change(const char *text, void *userdata)
{
	struct changes *changes = userdata;

	if (changes->told++ < CHANGES_TOLD_MAX)
		report_full(changes->report, LOG_NOTICE, DCDD_MESSAGE_POLICY, NULL,
			    "New configuration: %s", text);
}

/* Before it is in force: what is decided anew by it comes after what it says. */
static void tell_changes(struct daemon *d, const struct policy *new)
{
	const struct policy *old = manager_policy(d->manager);
	struct changes changes = { .report = d->report };
	int n = policy_diff(old, new, tell_change, &changes);

	if (n == 0)
		report_notice(d->report, "New configuration: it says the same as the old one");
	if (n > CHANGES_TOLD_MAX)
		report_notice(d->report, "New configuration: and %d changes more",
			      n - CHANGES_TOLD_MAX);
	if (old->buffer_kib != new->buffer_kib)
		report_warning(d->report,
			       "trace-buffer-size takes effect when dcdd is started again");
}

static int apply_policy(struct daemon *d, struct policy *policy)
{
	int old_level = manager_policy(d->manager)->log_level, level = policy->log_level, r;
	usec_t stop_timeout = policy->stop_timeout;

	/* A change from or to silence is told as well. */
	report_set_level(d->report, MAX(old_level, level));
	tell_changes(d, policy);
	r = manager_set_policy(d->manager, policy);
	if (r < 0) {
		report_set_level(d->report, old_level);
		return r;
	}
	d->stop_timeout = stop_timeout;
	report_full(d->report, LOG_NOTICE, DCDD_MESSAGE_POLICY, NULL,
		    "The new configuration is in force");
	report_set_level(d->report, level);
	return 0;
}

/* All of the new configuration or nothing of it. By SIGHUP, or asked for on D-Bus. */
static int reload(char **ret_error, void *userdata)
{
	struct daemon *d = userdata;
	struct policy policy;
	int r;

	*ret_error = NULL;
	if (d->stopping)
		return -ESHUTDOWN;
	loop_reloading(d->loop);
	r = load_policy(&d->options, &policy, ret_error);
	if (r >= 0) {
		r = apply_policy(d, &policy);
		policy_done(&policy); /* empty if it was taken over */
	}
	if (r < 0)
		report_error(d->report, "Keeping the old configuration: %s",
			     *ret_error ? *ret_error : strerror(-r));
	/* Before the first inventory it is the start that has to become ready. */
	if (d->started)
		loop_ready(d->loop);
	return r;
}

static void on_reload(void *userdata)
{
	_cleanup_free_ char *error = NULL;

	(void)reload(&error, userdata);
}

static const struct loop_ops loop_ops = {
	.stop = on_stop,
	.reload = on_reload,
	.timeout = on_stop_timeout,
};

static const struct intake_ops intake_ops = {
	.record = on_record,
	.lost = on_lost,
	.available = on_available,
	.bad_record = on_bad_record,
};

static int take_lock(struct daemon *d)
{
	const char *dir = d->options.runtime_dir;
	int32_t pid;
	int r = host_lock(dir, &d->lock_fd, &pid);

	if (r == -EBUSY) {
		report_error(d->report,
			     "Another dcdd (process %d) runs on this host; stop it first", pid);
		return DCDD_EXIT_RUNNING;
	}
	if (r == -EACCES || r == -EPERM || r == -EROFS) {
		report_error(d->report, "Cannot lock %s: %s; dcdd has to run as root", dir,
			     strerror(-r));
		return DCDD_EXIT_PERMISSION;
	}
	if (r < 0) {
		report_error(d->report, "Cannot lock %s: %s", dir, strerror(-r));
		return DCDD_EXIT_FAILURE;
	}
	if (host_lock_tracefs(&d->tracefs_lock_fd) == -EBUSY) {
		report_error(d->report,
			     "Another dcdd runs on this host, with another runtime directory than "
			     "%s; stop it first",
			     dir);
		return DCDD_EXIT_RUNNING;
	}
	return DCDD_EXIT_OK;
}

/* Behind the lock: what another dcdd has under way is not ours to take up. */
static int open_state(struct daemon *d)
{
	const char *dir = d->options.state_dir;
	int r = undo_store_open(dir, "/proc", &d->undo);

	/* Better found now than at the first request. */
	if (r >= 0 && access(dir, W_OK) < 0)
		r = -errno;
	if (r >= 0)
		return DCDD_EXIT_OK;
	if (r == -EACCES || r == -EROFS) {
		report_error(d->report,
			     "Cannot use the state directory %s: %s; dcdd has to run as root, and "
			     "be able to write there (or use --state-dir)",
			     dir, strerror(-r));
		return DCDD_EXIT_PERMISSION;
	}
	if (r == -EPERM) {
		report_error(d->report,
			     "The state directory %s belongs to somebody else, or others may write "
			     "to it: chown it to root and chmod it to 0700",
			     dir);
		return DCDD_EXIT_PERMISSION;
	}
	if (r == -ENAMETOOLONG)
		report_error(d->report, "The path of the state directory %s is too long", dir);
	else if (r == -ENOENT || r == -ENOTDIR)
		report_error(d->report,
			     "Cannot use the state directory %s: %s; the directory it is in has to "
			     "be there: make it, or use --state-dir",
			     dir, strerror(-r));
	else
		report_error(d->report, "Cannot use the state directory %s: %s", dir, strerror(-r));
	return DCDD_EXIT_FAILURE;
}

static int subscribe(struct daemon *d, size_t buffer_kib)
{
	_cleanup_free_ char *error = NULL;
	int r = intake_new(loop_base(d->loop), DCDD_TRACE_INSTANCE, DCDD_TRACE_SYSTEM,
			   DCDD_TRACE_EVENT, buffer_kib, &intake_ops, d, &d->intake, &error);

	if (r >= 0) {
		manager_available(d->manager, intake_is_available(d->intake));
		return DCDD_EXIT_OK;
	}
	report_error(d->report, "Cannot subscribe to the kernel's records: %s",
		     error ? error : strerror(-r));
	if (r == -ENOENT)
		return DCDD_EXIT_NO_TRACEFS;
	return r == -EACCES || r == -EPERM ? DCDD_EXIT_PERMISSION : DCDD_EXIT_FAILURE;
}

static int connect_bus(struct daemon *d)
{
	int r;

	if (d->options.no_bus)
		return DCDD_EXIT_OK;
	r = bus_new(loop_base(d->loop), &manager_bus_ops, d->manager, &d->bus);
	if (r == -EEXIST)
		report_error(d->report, "D-Bus name %s has another owner already", DCDD_BUS_NAME);
	else if (r < 0)
		report_error(d->report,
			     "Cannot use the system bus: %s; start it, or run dcdd with --no-bus",
			     strerror(-r));
	if (r < 0)
		return DCDD_EXIT_BUS;
	manager_set_bus(d->manager, d->bus);
	return DCDD_EXIT_OK;
}

/*
 * The worker is this very program, also after the file was replaced by an upgrade. Under valgrind
 * /proc/self/exe is valgrind's own, so the path can be given (CONTRIBUTING.md).
 */
static const char *worker_program(void)
{
	const char *program = secure_getenv("DCDD_WORKER");

	return program ? program : "/proc/self/exe";
}

/* In an order such that what fails leaves the host as it was. */
static int daemon_start(struct daemon *d, struct policy *policy)
{
	struct manager_setup setup = {
		.report = d->report,
		.exe = worker_program(),
		.sysfs = "/sys",
		.proc = "/proc",
		.state_dir = d->options.state_dir,
		.started = on_started,
		.stopped = on_stopped,
		.reload = reload,
		.userdata = d,
	};
	size_t buffer_kib = policy->buffer_kib;
	int r, status;

	status = take_lock(d);
	if (status == DCDD_EXIT_OK)
		status = open_state(d);
	if (status != DCDD_EXIT_OK)
		return status;
	setup.undo = d->undo;
	d->stop_timeout = policy->stop_timeout;
	r = loop_new(&loop_ops, d, &d->loop);
	if (r >= 0) {
		setup.base = loop_base(d->loop);
		r = manager_new(&setup, policy, &d->manager);
	}
	if (r < 0) {
		report_error(d->report, "Cannot start: %s", strerror(-r));
		return DCDD_EXIT_FAILURE;
	}
	status = connect_bus(d);
	if (status == DCDD_EXIT_OK)
		status = subscribe(d, buffer_kib);
	if (status != DCDD_EXIT_OK)
		return status;
	r = uevents_new(loop_base(d->loop), on_uevent, d, &d->uevents);
	if (r < 0)
		report_warning(
			d->report,
			"Cannot listen to kernel uevents, changes by others are noticed late: %s",
			strerror(-r));
	return DCDD_EXIT_OK;
}

static void daemon_done(struct daemon *d)
{
	uevents_free(d->uevents);
	intake_free(d->intake);
	if (d->manager)
		manager_set_bus(d->manager, NULL);
	bus_free(d->bus);
	manager_free(d->manager);
	undo_store_free(d->undo);
	if (d->loop)
		worker_forget_all(loop_base(d->loop));
	loop_free(d->loop);
	report_free(d->report);
	(void)safe_close(d->tracefs_lock_fd);
	(void)safe_close(d->lock_fd);
}

static int run(struct daemon *d)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;
	int r, status;

	r = report_new(LOG_INFO, &d->report);
	if (r < 0) {
		fprintf(stderr, "dcdd: %s\n", strerror(-r));
		return DCDD_EXIT_FAILURE;
	}
	r = load_policy(&d->options, &policy, &error);
	if (r < 0) {
		report_error(d->report, "Bad configuration: %s", error ? error : strerror(-r));
		return DCDD_EXIT_CONFIG;
	}
	report_set_level(d->report, policy.log_level);
	status = daemon_start(d, &policy);
	policy_done(&policy);
	if (status != DCDD_EXIT_OK)
		return status;
	r = loop_run(d->loop);
	return r < 0 ? DCDD_EXIT_FAILURE : r;
}

int main(int argc, char **argv)
{
	struct daemon d = { .lock_fd = -EBADF, .tracefs_lock_fd = -EBADF };
	int status;

	/* Not an option for people: how the daemon starts its worker. */
	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(WORKER_FD, argv[2], argv[3]);

	status = options_parse(argc, argv, &d.options);
	if (status >= 0)
		return status;
	if (d.options.check_config || d.options.dump_config)
		return show_config(&d.options);
	status = run(&d);
	daemon_done(&d);
	return status;
}
