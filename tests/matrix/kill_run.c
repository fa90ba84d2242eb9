/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of the daemon above the interposer; see kill_run.h. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "matrix_internal.h"
#include "kill_run.h"

#define SETTLE_SECONDS 20
#define GONE_SECONDS 15
#define QUIET_USEC (10 * USEC_PER_MSEC)	    /* nothing in this time: nothing more comes */
#define PROGRESS_USEC (150 * USEC_PER_MSEC) /* and while it looks at the host, in this */
#define QUIET_SECONDS 2			    /* a journal that stays belongs to a failed release */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

struct run {
	struct matrix *m;
	struct interpose_shared *shared;
	char *preload, *shared_path, *asan; /* variables for the daemon */
	char *boot_id;			    /* the file that stands in for the kernel's */
	unsigned boots;
};

static void write_boot_id(struct run *run)
{
	FILE *f = fopen(run->boot_id, "we");

	if (!f || fprintf(f, "%08x-0000-4000-8000-000000000000\n", ++run->boots) < 0 ||
	    fclose(f) != 0)
		scenario_fail(run->m->s, "cannot write %s: %m", run->boot_id);
}

/* In dcdsim's mount namespace, so it goes with it. */
static void stand_in_boot_id(struct run *run)
{
	if (asprintf(&run->boot_id, "%s/boot_id", scenario_dir(run->m->s)) < 0)
		run->boot_id = NULL;
	if (!run->boot_id)
		scenario_fail(run->m->s, "out of memory");
	write_boot_id(run);
	if (mount(run->boot_id, BOOT_ID, NULL, MS_BIND, NULL) < 0)
		scenario_fail(run->m->s, "cannot mount %s over " BOOT_ID ": %m", run->boot_id);
}

static void *must(struct matrix *m, void *p)
{
	if (!p)
		scenario_fail(m->s, "out of memory");
	return p;
}

static char *variable(struct matrix *m, const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		text = NULL;
	return must(m, text);
}

struct run *run_new(struct matrix *m)
{
	char library[PATH_MAX], path[PATH_MAX];
	struct run *run = must(m, calloc(1, sizeof(*run)));
	const char *options = getenv("ASAN_OPTIONS");
	int r;

	run->m = m;
	(void)snprintf(path, sizeof(path), "%s/tests/libinterpose.so", scenario_build());
	if (!realpath(path, library))
		scenario_fail(m->s, "%s: %m", path);
	(void)snprintf(path, sizeof(path), "%s/interpose", scenario_dir(m->s));
	r = interpose_map(path, &run->shared);
	if (r < 0)
		scenario_fail(m->s, "%s: %s", path, strerror(-r));
	run->preload = variable(m, "LD_PRELOAD", library);
	run->shared_path = variable(m, INTERPOSE_ENV, path);
	/* AddressSanitizer's own library wants to be the first, but works behind this one too. */
	(void)snprintf(path, sizeof(path), "%s%sverify_asan_link_order=0", options ? options : "",
		       options ? ":" : "");
	run->asan = variable(m, "ASAN_OPTIONS", path);
	/* So that every daemon finds it, and not only all but the first. */
	if (mkdir(matrix_state_dir(m), 0700) < 0 && errno != EEXIST)
		scenario_fail(m->s, "%s: %m", matrix_state_dir(m));
	stand_in_boot_id(run);
	return run;
}

void run_free(struct run *run)
{
	if (!run)
		return;
	(void)umount2(BOOT_ID, MNT_DETACH);
	interpose_unmap(run->shared);
	free(run->preload);
	free(run->shared_path);
	free(run->asan);
	free(run->boot_id);
	free(run);
}

struct interpose_shared *run_shared(struct run *run)
{
	return run->shared;
}

static void arm(struct run *run, const struct run_order *order)
{
	interpose_reset(run->shared, matrix_state_dir(run->m));
	run->shared->action = order->action;
	run->shared->at = order->at;
	run->shared->error = order->error;
	run->shared->count = order->count;
	if (order->kinds != 0)
		run->shared->kinds = order->kinds;
}

static void wait_workers_gone(struct run *run)
{
	usec_t deadline = deadline_in(GONE_SECONDS);

	while (matrix_daemon_workers(run->m) > 0)
		if (deadline_passed(deadline))
			scenario_fail(run->m->s, "a worker outlives its daemon");
}

/*
 * Until there is no journal and nothing happens any more, without asking the daemon anything, which
 * takes time from it. The journal goes behind the change of state that the bus tells of; one that
 * stays is that of a failed release.
 */
static void wait_quiet(struct run *run)
{
	usec_t deadline = deadline_in(QUIET_SECONDS), since = 0;
	uint32_t n = 0;

	while (!run->shared->dead) {
		usec_t now = now_usec(CLOCK_MONOTONIC);

		if (since == 0 || run->shared->n != n || matrix_state_files(run->m, "") > 0)
			since = now;
		n = run->shared->n;
		if (now - since >= QUIET_USEC || now >= deadline)
			break;
		(void)usleep(1000);
	}
}

/* The same for a death that was ordered: as long as the daemon goes on doing something. */
static void wait_dead(struct run *run)
{
	usec_t since = now_usec(CLOCK_MONOTONIC);
	uint32_t n = run->shared->n;

	while (!run->shared->dead &&
	       now_usec(CLOCK_MONOTONIC) - since < PROGRESS_USEC * (usec_t)scenario_slowness()) {
		if (run->shared->n != n)
			since = now_usec(CLOCK_MONOTONIC);
		n = run->shared->n;
		(void)usleep(1000);
	}
}

struct attempt {
	struct run *run;
	bool ask;
};

static void attempt(struct scenario *s, void *userdata)
{
	const struct attempt *a = userdata;
	const char *const environment[] = { a->run->preload, a->run->shared_path, a->run->asan,
					    NULL };
	enum interpose_action action = a->run->shared->action;

	matrix_daemon_start(a->run->m, environment);
	if (a->ask)
		matrix_ask(a->run->m);
	if (action == INTERPOSE_KILL_BEFORE || action == INTERPOSE_KILL_MIDDLE ||
	    action == INTERPOSE_KILL_AFTER)
		wait_dead(a->run);
	else if (!a->ask)
		wait_quiet(a->run);
	if (a->run->shared->dead)
		return;
	matrix_settle(a->run->m, a->ask, SETTLE_SECONDS);
	wait_quiet(a->run);
	/* Since then it may have died, or the last thing it did was not what it was to do. */
	if (!a->run->shared->dead && !daemon_alive(s))
		scenario_fail(s, "the daemon has ended by itself");
}

/* It could not use its state directory, said so, and did nothing. */
static bool refused(struct run *run)
{
	struct scenario *s = run->m->s;

	return run->shared->action == INTERPOSE_FAIL && run->shared->hits > 0 && !s->daemon_ready &&
	       !daemon_alive(s) && WIFEXITED(s->daemon_status) &&
	       WEXITSTATUS(s->daemon_status) != 0;
}

enum run_end run_daemon(struct run *run, const struct run_order *order, bool ask)
{
	struct scenario *s = run->m->s;
	struct attempt a = { .run = run, .ask = ask };
	_cleanup_free_ char *failure = NULL;

	arm(run, order);
	if (!scenario_try(s, attempt, &a))
		failure = strdup(s->failure);
	if (run->shared->daemon == 0)
		scenario_fail(s, "the daemon runs without the interposer");
	if (interpose_overflow(run->shared))
		scenario_fail(s, "more operations than the interposer has room for");
	if (run->shared->dead) {
		if (daemon_wait(s) != 128 + SIGKILL)
			scenario_fail(s, "the daemon did not end by the interposer's hand");
		wait_workers_gone(run);
		return RUN_KILLED;
	}
	if (failure && refused(run)) {
		(void)daemon_wait(s);
		wait_workers_gone(run);
		return RUN_REFUSED;
	}
	if (failure)
		scenario_fail(s, "%s", failure);
	return RUN_SETTLED;
}

void run_kill_only(struct run *run)
{
	if (daemon_kill(run->m->s, SIGKILL) != 128 + SIGKILL)
		scenario_fail(run->m->s, "the daemon ended by itself");
}

void run_kill(struct run *run)
{
	run_kill_only(run);
	wait_workers_gone(run);
}

void run_reboot(struct run *run)
{
	write_boot_id(run);
}

void run_aside(struct run *run, void (*body)(struct scenario *s, void *userdata), void *userdata)
{
	struct scenario *s = run->m->s;
	_cleanup_free_ char *failure = NULL, *log = NULL;

	if (!scenario_try(s, body, userdata)) {
		failure = strdup(s->failure);
		log = daemon_log(s);
		printf("---- the daemon said:\n%s----\n", log);
	}
	matrix_clean(run->m);
	if (failure)
		scenario_fail(s, "before the first case: %s", failure);
}
