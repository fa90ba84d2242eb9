/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon is killed, or the power fails, at each point that matters: before and after every
 * write to sysfs and every operation on the state directory, going forward, rolling back and
 * recovering, once and several times; and the state directory fails at each of them. Then it is
 * started again, and the group must be free or as before.
 */
#include <dcdd/base.h>

#include "kill_cases.h"
#include "kill_script.h"
#include "kill_selftest.h"

#define RANDOM_CI 500
#define RANDOM_FULL 3000
#define SETTLE_SECONDS 20
#define RESTARTS_MAX 3

struct kill {
	struct matrix *m;
	struct run *run;
	unsigned rounds; /* --rounds, 0: as many as fit the occasion */
	bool expects_rounds;
	bool show; /* --operations */
	unsigned n_again,
		n_late; /* further kills, and those that came too late to be in the middle */
	struct cases *cases;
};

static const enum interpose_action kills[] = {
	INTERPOSE_KILL_BEFORE,
	INTERPOSE_KILL_MIDDLE,
	INTERPOSE_KILL_AFTER,
};

/* ---- one case ---- */

struct kill_case {
	struct kill *k;
	const struct script *script;
	struct run_order order;
	struct run_order restarts[RESTARTS_MAX]; /* of the daemons behind it */
	size_t n_restarts;
	size_t variant; /* index into point.variants */
	bool reboot;
};

/*
 * One more daemon, that nothing happens to. Unless another hand destroyed something, which cannot
 * always be mended, all is free or as before then.
 */
static void recover_and_judge(const struct kill_case *c)
{
	struct scenario *s = matrix_scenario(c->k->m);
	_cleanup_json_ struct json_object *release = NULL;

	if (run_daemon(c->k->run, &(struct run_order){ .action = INTERPOSE_NOTHING }, false) !=
	    RUN_SETTLED)
		scenario_fail(s, "the daemon died, but was not to");
	release = release_find(s, MATRIX_TAG);
	if (!c->script->destroyed && release && streq(member_string(release, "State"), "failed"))
		scenario_fail(s, "a release that was cut off ends as failed: %s",
			      member_string(release, "Reason"));
	matrix_judge(c->k->m);
}

/* What was hit must be what was hit in the reference run. */
static void check_hit(const struct kill_case *c)
{
	struct scenario *s = matrix_scenario(c->k->m);
	const struct interpose_shared *shared = run_shared(c->k->run);
	const struct point *point = &c->script->points[c->order.at - 1];
	char text[INTERPOSE_TEXT_MAX];

	if (interpose_count(shared) < c->order.at)
		scenario_fail(s, "only %u operations were made", interpose_count(shared));
	/* What is written is known only once it was written; and see script.destroyed. */
	if (point->kind == INTERPOSE_SYSFS || c->script->destroyed)
		return;
	(void)interpose_op_text(shared, &shared->ops[c->order.at - 1], false, text);
	if (!streq(text, point->text))
		scenario_fail(s, "operation %u is \"%s\" and not \"%s\"", c->order.at, text,
			      point->text);
}

static void killed(struct matrix *m, void *argument)
{
	const struct kill_case *c = argument;

	script_prepare(m, c->k->run, c->script);
	if (script_run(c->k->run, c->script, &c->order) != RUN_KILLED)
		scenario_fail(matrix_scenario(m), "the daemon was not killed");
	check_hit(c);
	c->k->n_again += (unsigned)c->n_restarts;
	for (size_t i = 0; i < c->n_restarts; i++) {
		if (run_daemon(c->k->run, &c->restarts[i], false) == RUN_KILLED)
			continue;
		/* It had settled before it came to that. */
		c->k->n_late++;
		run_kill(c->k->run);
	}
	recover_and_judge(c);
}

static void power_cut(struct matrix *m, void *argument)
{
	const struct kill_case *c = argument;
	struct scenario *s = matrix_scenario(m);
	const struct point *point = &c->script->points[c->order.at - 1];
	_cleanup_(disk_freep) struct disk *disk = NULL;
	const char *dir = matrix_state_dir(m);
	int r;

	script_prepare(m, c->k->run, c->script);
	disk = script_disk(m);
	if (script_run(c->k->run, c->script, &c->order) != RUN_KILLED)
		scenario_fail(s, "the daemon was not killed");
	check_hit(c);
	script_disk_follow(m, c->k->run, disk);
	r = disk_restore(disk, &point->variants[c->variant], dir);
	if (r < 0)
		scenario_fail(s, "cannot write %s: %s", dir, strerror(-r));
	if (c->reboot) {
		/* A host that has come up has nothing of what was done to it before. */
		matrix_host(m, c->script->mode);
		run_reboot(c->k->run);
	}
	recover_and_judge(c);
}

static void state_error(struct matrix *m, void *argument)
{
	const struct kill_case *c = argument;
	enum run_end end;

	script_prepare(m, c->k->run, c->script);
	end = script_run(c->k->run, c->script, &c->order);
	if (run_shared(c->k->run)->hits == 0)
		matrix_missed(m);
	if (end == RUN_SETTLED && c->n_restarts == 0) {
		matrix_judge(m);
		return;
	}
	/* The disk works again, and there is another daemon. */
	if (end == RUN_SETTLED)
		run_kill(c->k->run);
	recover_and_judge(c);
}

/* The daemon dies while its worker is in the kernel, which does not let go of it. */
static void killed_in_kernel(struct matrix *m, void *argument)
{
	const struct kill_case *c = argument;
	struct scenario *s = matrix_scenario(m);
	const struct point *point = &c->script->points[c->order.at - 1];
	/* "memory338/state <- offline" */
	size_t path = strcspn(point->text, " "), value = path + strlen(" <- ");
	char glob[INTERPOSE_TEXT_MAX];
	unsigned fault;

	script_prepare(m, c->k->run, c->script);
	(void)snprintf(glob, sizeof(glob), "*/%.*s", (int)path, point->text);
	fault = sim_fault(s, glob, "'value':'%s','action':'hang-uninterruptible'",
			  point->text + value);
	matrix_daemon_start(m, NULL);
	matrix_ask(m);
	sim_fault_wait(s, fault, 1);
	run_kill_only(c->k->run);
	matrix_daemon_start(m, NULL);
	sim_release_hang(s, fault);
	matrix_settle(m, false, SETTLE_SECONDS);
	matrix_judge(m);
}

/* ---- the matrices ---- */

/* How the state directory fails. */
static const struct failure {
	const char *name;
	enum interpose_action action;
	int error;
	uint32_t kinds;	   /* of which operations; 0: all */
	uint32_t count;	   /* how many from there on; 0: all */
	size_t n_restarts; /* whether it works again only for the next daemon */
} failures[] = {
	{ .name = "ENOSPC once", .action = INTERPOSE_FAIL, .error = ENOSPC, .count = 1 },
	{ .name = "EIO once", .action = INTERPOSE_FAIL, .error = EIO, .count = 1 },
	{ .name = "EINTR once", .action = INTERPOSE_FAIL, .error = EINTR, .count = 1 },
	{ .name = "short write", .action = INTERPOSE_SHORT, .kinds = 1u << INTERPOSE_WRITE },
	/* Full: what needs no room goes on. */
	{ .name = "ENOSPC from there on",
	  .action = INTERPOSE_FAIL,
	  .error = ENOSPC,
	  .kinds = 1u << INTERPOSE_CREATE | 1u << INTERPOSE_WRITE | 1u << INTERPOSE_FSYNC },
	{ .name = "EIO from there on", .action = INTERPOSE_FAIL, .error = EIO, .n_restarts = 1 },
};

static struct kill_case *add(struct kill *k, const struct script *script, uint32_t at,
			     void (*body)(struct matrix *m, void *argument))
{
	struct kill_case *c = cases_add(k->cases, body);

	if (c)
		*c = (struct kill_case){ .k = k, .script = script, .order.at = at };
	else
		scenario_fail(matrix_scenario(k->m), "out of memory");
	return c;
}

static void kill_points(struct kill *k, const struct script *script)
{
	for (uint32_t at = 1; at <= script->n_points; at++) {
		const struct point *p = &script->points[at - 1];

		for (size_t a = 0; a < ARRAY_SIZE(kills); a++) {
			struct kill_case *c;

			if (kills[a] == INTERPOSE_KILL_MIDDLE && p->kind != INTERPOSE_WRITE)
				continue;
			c = add(k, script, at, killed);
			c->order.action = kills[a];
			/*
			 * Without time for all: all of the way forward; of the others one of each
			 * kind. (Behind one is before the next, for all that outlives the daemon.)
			 */
			if (script->destroyed)
				cases_class(k->cases, "%s", script->name);
			else if (kills[a] != INTERPOSE_KILL_BEFORE)
				cases_class(k->cases, "%s %s", interpose_action_to_string(kills[a]),
					    p->general);
			else if (script->fault_path || script->killed_before)
				cases_class(k->cases, "%s %s", script->name, p->general);
			cases_name(k->cases, "kill %s %s %u %s", script->name,
				   interpose_action_to_string(kills[a]), at, p->text);
			cases_point(k->cases, "kill, %s: %s", script->name, p->general);
		}
	}
}

static void hang_points(struct kill *k, const struct script *script)
{
	for (uint32_t at = 1; at <= script->n_points; at++) {
		const struct point *p = &script->points[at - 1];

		if (p->kind != INTERPOSE_SYSFS)
			continue;
		(void)add(k, script, at, killed_in_kernel);
		cases_class(k->cases, "hang %s %s", script->name, p->general);
		cases_name(k->cases, "hang %s %u %s", script->name, at, p->text);
		cases_point(k->cases, "kill in the kernel, %s: %s", script->name, p->general);
	}
}

static void cut_points(struct kill *k, const struct script *script, bool reboot)
{
	for (uint32_t at = 1; at <= script->n_points; at++) {
		const struct point *p = &script->points[at - 1];

		/* A reboot takes away what was done to the host. */
		if (reboot && p->kind == INTERPOSE_SYSFS)
			continue;
		for (size_t v = 0; v < p->n_variants; v++) {
			struct kill_case *c = add(k, script, at, power_cut);

			c->order.action = INTERPOSE_KILL_AFTER;
			c->variant = v;
			c->reboot = reboot;
			cases_class(k->cases, "%d %s 0x%x %d", reboot, p->general,
				    p->variants[v].names, p->variants[v].data);
			cases_name(k->cases, "%s %s %u %s, names 0x%x, data %s",
				   reboot ? "boot" : "cut", script->name, at, p->text,
				   p->variants[v].names, disk_data_to_string(p->variants[v].data));
			cases_point(k->cases, "%s, %s: %s",
				    reboot ? "power cut and boot" : "power cut", script->name,
				    p->general);
		}
	}
}

static void error_points(struct kill *k, const struct script *script)
{
	for (uint32_t at = 1; at <= script->n_points; at++) {
		const struct point *p = &script->points[at - 1];

		for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
			const struct failure *f = &failures[i];
			struct kill_case *c;

			if (p->kind == INTERPOSE_SYSFS || (f->kinds && !(f->kinds & 1u << p->kind)))
				continue;
			c = add(k, script, at, state_error);
			c->order = (struct run_order){ .at = at,
						       .action = f->action,
						       .error = f->error,
						       .kinds = f->kinds,
						       .count = f->count };
			c->n_restarts = f->n_restarts;
			cases_class(k->cases, "%s %s", f->name, p->general);
			cases_name(k->cases, "error %s %u %s: %s", script->name, at, p->text,
				   f->name);
			cases_point(k->cases, "%s, %s: %s", f->name, script->name, p->general);
		}
	}
}

static struct run_order draw(uint64_t *random, uint32_t max)
{
	struct run_order order = { .action = kills[matrix_random(random) % ARRAY_SIZE(kills)] };

	order.at = 1 + (uint32_t)(matrix_random(random) % max);
	return order;
}

/*
 * In a recovery, rather early: it has about as much to do as was done before, or next to nothing if
 * that was not much; and what comes too late is no kill.
 */
static struct run_order draw_again(uint64_t *random, uint32_t before)
{
	return draw(random, 1 + (uint32_t)(matrix_random(random) % MAX(before, 3u)));
}

/* Twice, three times, four times. */
static void kill_often(struct kill *k)
{
	uint64_t random = matrix_seed(k->m);

	for (unsigned i = 1; i <= k->rounds; i++) {
		const struct script *script = &scripts[matrix_random(&random) % N_WHOLE_SCRIPTS];
		size_t n = matrix_random(&random) % 2 ? 1
						      : 1 + matrix_random(&random) % RESTARTS_MAX;
		struct kill_case *c = add(k, script, 0, killed);
		char text[INTERPOSE_TEXT_MAX];
		size_t used;

		c->order = draw(&random, script->n_points);
		used = (size_t)snprintf(text, sizeof(text), "%s %u",
					interpose_action_to_string(c->order.action), c->order.at);
		for (; c->n_restarts < n; c->n_restarts++) {
			struct run_order *order = &c->restarts[c->n_restarts];

			*order = draw_again(&random, c->order.at);
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", %s %u",
						 interpose_action_to_string(order->action),
						 order->at);
		}
		cases_name(k->cases, "random %u %s: %s", i, script->name, text);
		cases_point(k->cases, "killed %zu times, %s", n + 1, script->name);
	}
}

static void run_matrices(struct matrix *m, void *userdata)
{
	struct kill *k = userdata;

	k->m = m;
	k->run = run_new(m);
	k->cases = cases_new(sizeof(struct kill_case));
	if (!k->cases)
		scenario_fail(matrix_scenario(m), "out of memory");
	if (k->rounds == 0)
		k->rounds = matrix_is_ci(m) ? RANDOM_CI : RANDOM_FULL;
	scripts_record(m, k->run, k->show);
	for (size_t i = 0; i < N_SCRIPTS; i++) {
		const struct script *script = &scripts[i];

		kill_points(k, script);
		if (script->destroyed)
			continue;
		error_points(k, script);
		cut_points(k, script, false);
		cut_points(k, script, true);
		if (!script->fault_path && !script->killed_before)
			hang_points(k, script);
	}
	kill_often(k);
	cases_run(k->cases, m);
	printf("%u daemons were killed again, %u of them in the middle of a recovery\n", k->n_again,
	       k->n_again - k->n_late);
}

static bool option(const char *argument, void *userdata)
{
	struct kill *k = userdata;
	char *end;

	if (streq(argument, "--operations")) {
		k->show = true;
		return true;
	}
	if (!k->expects_rounds) {
		k->expects_rounds = streq(argument, "--rounds");
		return k->expects_rounds;
	}
	k->expects_rounds = false;
	k->rounds = (unsigned)strtoul(argument, &end, 10);
	return k->rounds > 0 && *end == '\0';
}

int main(int argc, char **argv)
{
	static const struct matrix_program program = {
		.name = "kill",
		.usage =
			"  --rounds N   so many of those drawn by lot\n"
			"  --self-test  of the interposer and the model of the disk; needs no dcdsim\n",
		.option = option,
		.run = run_matrices,
	};
	struct kill k = { .m = NULL };
	int r;

	if (selftest_wanted(argc, argv))
		return selftest_main(argc, argv);
	r = selftest_run(argv[0]);
	if (r == 0)
		r = matrix_main(argc, argv, &program, &k);
	run_free(k.run);
	cases_free(k.cases);
	scripts_free();
	return r;
}
