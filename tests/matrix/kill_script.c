/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scripts of the kill matrix and their reference runs; see kill_script.h. */
#include <dcdd/base.h>

#include "kill_script.h"

#define POINTS_MAX 256
#define JOURNAL_SUFFIX ".undo"

#define MODE_BLOCKS (&matrix_modes[0])
#define MODE_ATOMIC (&matrix_modes[1])
#define MODE_DEVDAX (&matrix_modes[2])

static const struct matrix_mode blocks_resume = {
	.name = "blocks",
	.driver = "kmem",
	.zone = "movable",
	.config = "recovery = resume\n",
};

/* What is rolled back, and what is to be recovered, has everything behind it but the claim. */
#define FAULT .fault_path = "*/size", .fault_value = "0"
#define KILLED .killed_before = "daxN.N/size <- 0"

struct script scripts[N_SCRIPTS] = {
	{ .name = "blocks", .mode = MODE_BLOCKS },
	{ .name = "atomic", .mode = MODE_ATOMIC },
	{ .name = "devdax", .mode = MODE_DEVDAX },
	{ .name = "blocks-back", .mode = MODE_BLOCKS, FAULT },
	{ .name = "atomic-back", .mode = MODE_ATOMIC, FAULT },
	{ .name = "devdax-back", .mode = MODE_DEVDAX, FAULT },
	{ .name = "blocks-recovery", .mode = MODE_BLOCKS, KILLED },
	{ .name = "atomic-recovery", .mode = MODE_ATOMIC, KILLED },
	{ .name = "devdax-recovery", .mode = MODE_DEVDAX, KILLED },
	/* The recovery goes forward. */
	{ .name = "blocks-resume",
	  .mode = &blocks_resume,
	  .killed_before = "kmem/unbind <- daxN.N" },
	/* The recovery makes the device anew, so that the memory is not handed back in use. */
	{ .name = "blocks-destroyed",
	  .mode = MODE_BLOCKS,
	  .killed_before = "memoryN/state <- offline",
	  .destroyed = true },
};

/* ---- a script up to where it is measured ---- */

/* What `daxctl destroy-device -f` does, and the kernel lets it: the memory stays online. */
static void destroy(struct matrix *m)
{
	struct scenario *s = matrix_scenario(m);
	const struct {
		const char *path, *value;
	} writes[] = {
		{ "bus/dax/drivers/kmem/unbind", MATRIX_DEVICE },
		{ "bus/dax/devices/" MATRIX_DEVICE "/size", "0" },
		{ "bus/cxl/devices/dax_region0/dax_region/delete", MATRIX_DEVICE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		int r = sim_write(s, writes[i].path, writes[i].value);

		if (r < 0)
			scenario_fail(s, "%s <- %s: %s", writes[i].path, writes[i].value,
				      strerror(-r));
	}
}

void script_prepare(struct matrix *m, struct run *run, const struct script *script)
{
	matrix_host(m, script->mode);
	if (script->fault_path)
		(void)sim_fault_errno(matrix_scenario(m), script->fault_path, script->fault_value,
				      "EIO", 1, 1);
	if (script->killed_before) {
		const struct run_order order = { .action = INTERPOSE_KILL_BEFORE,
						 .at = script->first_kill };

		if (run_daemon(run, &order, true) != RUN_KILLED)
			scenario_fail(matrix_scenario(m), "the first daemon was not killed");
	}
	if (script->destroyed) {
		destroy(m);
		matrix_unmendable(m);
	}
}

enum run_end script_run(struct run *run, const struct script *script, const struct run_order *order)
{
	return run_daemon(run, order, !script->killed_before);
}

/* ---- the state directory ---- */

struct disk *script_disk(struct matrix *m)
{
	const char *dir = matrix_state_dir(m);
	struct disk *disk = disk_new();
	int r = disk ? disk_load(disk, dir) : -ENOMEM;

	if (r < 0) {
		disk_free(disk);
		scenario_fail(matrix_scenario(m), "cannot read %s: %s", dir, strerror(-r));
	}
	return disk;
}

static void follow_one(struct matrix *m, struct disk *disk, const struct interpose_shared *shared,
		       const struct interpose_op *op)
{
	char text[INTERPOSE_TEXT_MAX];
	int r = disk_apply(disk, shared, op);

	if (r < 0)
		scenario_fail(matrix_scenario(m), "\"%s\" does not fit what was before: %s",
			      interpose_op_text(shared, op, false, text), strerror(-r));
}

static void compare(struct matrix *m, const struct disk *disk)
{
	const char *dir = matrix_state_dir(m);
	int r = disk_compare(disk, dir);

	if (r == -EUCLEAN)
		scenario_fail(matrix_scenario(m),
			      "%s is not what the operations that were seen make of it", dir);
	if (r < 0)
		scenario_fail(matrix_scenario(m), "cannot read %s: %s", dir, strerror(-r));
}

void script_disk_follow(struct matrix *m, struct run *run, struct disk *disk)
{
	const struct interpose_shared *shared = run_shared(run);

	for (uint32_t i = 0; i < interpose_count(shared); i++)
		follow_one(m, disk, shared, &shared->ops[i]);
	compare(m, disk);
}

/* ---- the reference run ---- */

static const struct run_order no_order = { .action = INTERPOSE_NOTHING };

struct recording {
	struct matrix *m;
	struct run *run;
	struct script *script;
};

/* Where the daemon before the one that the script is about is killed. */
static void find_first_kill(struct scenario *s, void *userdata)
{
	struct recording *r = userdata;
	const struct interpose_shared *shared = run_shared(r->run);
	struct script *script = r->script;
	char text[INTERPOSE_TEXT_MAX];

	matrix_host(r->m, script->mode);
	(void)run_daemon(r->run, &no_order, true);
	for (uint32_t i = 0; i < interpose_count(shared); i++) {
		(void)interpose_op_text(shared, &shared->ops[i], true, text);
		if (streq(text, script->killed_before)) {
			script->first_kill = i + 1;
			return;
		}
	}
	scenario_fail(s, "no operation is \"%s\"", script->killed_before);
}

static void record(struct scenario *s, void *userdata)
{
	struct recording *r = userdata;
	struct script *script = r->script;
	const struct interpose_shared *shared = run_shared(r->run);
	_cleanup_(disk_freep) struct disk *disk = NULL;
	bool changed = false;

	script_prepare(r->m, r->run, script);
	disk = script_disk(r->m);
	(void)script_run(r->run, script, &no_order);
	if (interpose_count(shared) > POINTS_MAX)
		scenario_fail(s, "more than %d operations", POINTS_MAX);
	script->n_points = interpose_count(shared);
	script->points = calloc(script->n_points + 1, sizeof(*script->points));
	if (!script->points)
		scenario_fail(s, "out of memory");
	for (uint32_t i = 0; i < script->n_points; i++) {
		const struct interpose_op *op = &shared->ops[i];
		struct point *point = &script->points[i];

		(void)interpose_op_text(shared, op, false, point->text);
		(void)interpose_op_text(shared, op, true, point->general);
		point->kind = op->kind;
		/* The host is not changed without a journal that survives everything. */
		if (op->kind == INTERPOSE_SYSFS && !changed &&
		    !disk_has_durable(disk, JOURNAL_SUFFIX))
			scenario_fail(s, "\"%s\" comes before there is a durable journal",
				      point->text);
		changed = changed || op->kind == INTERPOSE_SYSFS;
		follow_one(r->m, disk, shared, op);
		point->n_variants = disk_variants(disk, point->variants, DISK_VARIANTS_MAX);
	}
	compare(r->m, disk);
}

/* The same run once more must be the same operations, else numbers mean nothing. */
static void repeat(struct scenario *s, void *userdata)
{
	struct recording *r = userdata;
	const struct script *script = r->script;
	const struct interpose_shared *shared = run_shared(r->run);
	char text[INTERPOSE_TEXT_MAX];

	script_prepare(r->m, r->run, script);
	(void)script_run(r->run, script, &no_order);
	for (uint32_t i = 0; i < MIN(interpose_count(shared), script->n_points); i++)
		if (!streq(interpose_op_text(shared, &shared->ops[i], false, text),
			   script->points[i].text))
			scenario_fail(s, "operation %u is \"%s\", and \"%s\" when repeated", i + 1,
				      script->points[i].text, text);
	if (interpose_count(shared) != script->n_points)
		scenario_fail(s, "%u operations, and %u when repeated", script->n_points,
			      interpose_count(shared));
}

void scripts_record(struct matrix *m, struct run *run, bool show)
{
	for (size_t i = 0; i < N_SCRIPTS; i++) {
		struct recording r = { .m = m, .run = run, .script = &scripts[i] };

		printf("%s: ", scripts[i].name);
		if (scripts[i].killed_before)
			run_aside(run, find_first_kill, &r);
		run_aside(run, record, &r);
		printf("%u operations\n", scripts[i].n_points);
		for (uint32_t at = 1; show && at <= scripts[i].n_points; at++)
			printf("  %u %s\n", at, scripts[i].points[at - 1].text);
		if (!scripts[i].destroyed)
			run_aside(run, repeat, &r);
	}
}

void scripts_free(void)
{
	for (size_t i = 0; i < N_SCRIPTS; i++)
		free(scripts[i].points);
}
