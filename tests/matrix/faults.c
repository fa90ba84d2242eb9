/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fault matrix: a release, one that has to be rolled back, and one that the next daemon has to
 * roll back, are recorded, and then done again once for every operation on /sys that was seen and
 * every way in which it can fail.
 */
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>

#include "faults_io.h"

#define SETTLE_SECONDS 30
#define LATE_USEC (600 * USEC_PER_MSEC) /* twice the time limit of a step */
#define SCAN_MARK "bus/dax/devices"	/* is listed once in each look at the host */
#define CI_LOTS 120			/* cases of --ci that are drawn by lot */

/*
 * What a release is: to the end; or until a step fails, and all is put back; or until the daemon is
 * killed in that step, and the next one puts all back.
 */
enum path {
	PATH_RELEASE,
	PATH_BACK,
	PATH_RECOVERY,
	_PATH_MAX,
};

static const char *const path_names[_PATH_MAX] = {
	[PATH_RELEASE] = "release",
	[PATH_BACK] = "roll-back",
	[PATH_RECOVERY] = "recovery",
};

/* The step that fails then, or in which the daemon is killed: the last before the group is free. */
#define BACK_PATH "*/" MATRIX_DEVICE "/size"
#define BACK_VALUE "0"

struct way {
	const char *name;
	const char *fault; /* members of the simulator's request */
	bool late;	   /* is let go of when it is overdue */
	bool writes, reads;
	bool for_ever; /* where something is tried again; elsewhere it is like once */
};

#define ERRNO_WAY(e)                                                                               \
	{                                                                                          \
		.name = e, .fault = "'action':'errno','error':'" e "'", .writes = true,            \
		.reads = true,                                                                     \
	}

static const struct way ways[] = {
	ERRNO_WAY("EBUSY"),
	ERRNO_WAY("EINTR"),
	ERRNO_WAY("EAGAIN"),
	ERRNO_WAY("EIO"),
	ERRNO_WAY("ENOMEM"),
	ERRNO_WAY("ENOENT"),
	ERRNO_WAY("EACCES"),
	ERRNO_WAY("ENODEV"),
	{ .name = "hang", .fault = "'action':'hang'", .writes = true, .reads = true },
	{ .name = "short", .fault = "'action':'short'", .writes = true, .reads = true },
	/* The kernel does not let itself be interrupted, and does it when nobody waits any more. */
	{
		.name = "late",
		.fault = "'action':'hang-uninterruptible'",
		.late = true,
		.writes = true,
	},
	{
		.name = "EIO for ever",
		.fault = "'action':'errno','error':'EIO','count':0",
		.writes = true,
		.for_ever = true,
	},
};

/* Ways in which a kind of read fails are taken in turn; this is how far it has got. */
struct turn {
	char kind[256];
	unsigned n;
};

struct options {
	bool all_reads;
	unsigned long lots_max;
};

struct faults {
	const struct options *options;
	struct recording recordings[8][_PATH_MAX]; /* by mode */
	struct turn turns[1024];
	size_t n_turns;
};

/* ---- recording ---- */

struct record_case {
	const struct matrix_mode *mode;
	enum path path;
	struct recording *ret;
};

static void force_back(struct scenario *s)
{
	(void)sim_fault_errno(s, BACK_PATH, BACK_VALUE, "EIO", 1, 1);
}

/* The kernel comes back of itself when the time limit is long over. */
static void let_go_late(struct scenario *s, unsigned fault)
{
	usec_t due;

	sim_fault_wait(s, fault, 1);
	due = now_usec(CLOCK_MONOTONIC) + LATE_USEC;
	while (!deadline_passed(due))
		;
	sim_release_hang(s, fault);
}

/* Up to where what follows is the path's. */
static void begin(struct matrix *m, const struct matrix_mode *mode, enum path path)
{
	struct scenario *s = matrix_scenario(m);
	usec_t deadline = deadline_in(SETTLE_SECONDS);
	unsigned hang;

	matrix_host(m, mode);
	matrix_daemon_start(m, NULL);
	if (path != PATH_RECOVERY)
		return;
	hang = sim_fault(s, BACK_PATH, "'value':'" BACK_VALUE "','action':'hang'");
	matrix_ask(m);
	sim_fault_wait(s, hang, 1);
	(void)daemon_kill(s, SIGKILL);
	while (matrix_daemon_workers(m) > 0)
		if (deadline_passed(deadline))
			scenario_fail(s, "the killed daemon's workers are left");
	sim_fault_clear(s);
}

/* All of the path, to where nothing is under way any more; fault @late is let go of meanwhile. */
static void go(struct matrix *m, enum path path, unsigned late)
{
	struct scenario *s = matrix_scenario(m);

	if (path == PATH_BACK)
		force_back(s);
	if (path == PATH_RECOVERY)
		matrix_daemon_start(m, NULL);
	else
		matrix_ask(m);
	if (late)
		let_go_late(s, late);
	matrix_settle(m, true, SETTLE_SECONDS);
}

static bool is_forced(const struct io *io)
{
	return io->value && streq(io->value, BACK_VALUE) && fnmatch(BACK_PATH, io->path, 0) == 0;
}

static void record(struct matrix *m, void *argument)
{
	const struct record_case *c = argument;
	_cleanup_json_ struct json_object *entries = NULL;
	struct scenario *s = matrix_scenario(m);
	bool behind = false;
	uint64_t since;

	begin(m, c->mode, c->path);
	sim_set(s, "{'log_io':true}");
	since = sim_log_next(s);
	go(m, c->path, 0);
	sim_set(s, "{'log_io':false}");
	entries = sim_log(s, since, "write,read,open,list,link");
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		struct json_object *e = json_object_array_get_idx(entries, i);

		if (member_int(e, "pid") == 0)
			continue;
		recording_add(s, c->ret, e);
		c->ret->items[c->ret->n - 1].behind = behind;
		behind |= is_forced(&c->ret->items[c->ret->n - 1]);
	}
	matrix_judge(m);
}

/* ---- a case ---- */

struct fault_case {
	const struct matrix_mode *mode;
	enum path path;
	const struct io *io;
	const struct way *way;
};

static unsigned inject(struct scenario *s, const struct fault_case *c)
{
	_cleanup_free_ char *value = NULL;

	if (asprintf(&value, ",'value':'%s'", c->io->value ? c->io->value : "") < 0) {
		value = NULL;
		scenario_fail(s, "out of memory");
	}
	return sim_fault(s, c->io->path, "'op':'%s','nth':%u,%s%s", c->io->op, c->io->nth,
			 c->way->fault, c->io->value ? value : "");
}

static void fault_case(struct matrix *m, void *argument)
{
	const struct fault_case *c = argument;
	struct scenario *s = matrix_scenario(m);
	unsigned fault;

	begin(m, c->mode, c->path);
	fault = inject(s, c);
	go(m, c->path, c->way->late ? fault : 0);
	if (sim_fault_hits(s, fault) == 0)
		matrix_missed(m);
	matrix_judge(m);
}

/* What is deleted is tried twice on the way forward as well. */
static bool is_deletion(const struct io *io)
{
	size_t n = strlen(io->path), m = strlen("/delete");

	return n > m && streq(io->path + n - m, "/delete");
}

static bool applies(const struct way *way, enum path path, const struct io *io)
{
	/* A listing or a symlink has no length to be short of. */
	if (streq(way->name, "short") &&
	    (streq(io->op, "list") || streq(io->op, "link") || streq(io->op, "open")))
		return false;
	if (way->for_ever && path == PATH_RELEASE && !is_deletion(io))
		return false;
	return io_is_change(io) ? way->writes : way->reads;
}

static unsigned *turn_of(struct matrix *m, struct faults *f, const struct io *io)
{
	char kind[256];

	io_kind(io, kind, sizeof(kind));
	for (size_t i = 0; i < f->n_turns; i++)
		if (streq(f->turns[i].kind, kind))
			return &f->turns[i].n;
	if (f->n_turns == ARRAY_SIZE(f->turns))
		scenario_fail(matrix_scenario(m), "too many kinds of attributes");
	(void)str_copy(f->turns[f->n_turns].kind, sizeof(kind), kind);
	return &f->turns[f->n_turns++].n;
}

typedef void (*each_t)(struct matrix *m, struct fault_case *c, void *userdata);

/* All ways for a change; for a read the one whose turn it is with its kind. */
static void each_way(struct matrix *m, struct faults *f, struct fault_case *c, each_t each,
		     void *userdata)
{
	bool all = io_is_change(c->io) || f->options->all_reads;
	unsigned *turn = turn_of(m, f, c->io);

	for (bool found = false; !found;) {
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			c->way = &ways[i];
			if (!applies(c->way, c->path, c->io) ||
			    (!all && i != *turn % ARRAY_SIZE(ways)))
				continue;
			/* These take their time: there, one of a kind is enough. */
			if ((c->way->for_ever || c->way->late) && matrix_is_ci(m) && *turn > 0)
				continue;
			each(m, c, userdata);
			found = true;
		}
		++*turn;
	}
}

/* Calls @each for every case there is, in order. */
static void for_each_case(struct matrix *m, struct faults *f, each_t each, void *userdata)
{
	f->n_turns = 0;
	memset(f->turns, 0, sizeof(f->turns));
	for (size_t mode = 0; mode < matrix_n_modes; mode++) {
		for (enum path path = 0; path < _PATH_MAX; path++) {
			struct recording *r = &f->recordings[mode][path];

			for (size_t i = 0; i < r->n; i++) {
				struct fault_case c = { &matrix_modes[mode], path, &r->items[i],
							NULL };

				if (c.io->chosen && (path != PATH_BACK || c.io->behind))
					each_way(m, f, &c, each, userdata);
			}
		}
	}
}

/* Which of the cases are drawn that need not be in every run. */
struct lot {
	uint64_t state;
	unsigned long left, wanted;
};

/* In CI also what a recovery writes: it is what a roll-back does. */
static bool is_by_lot(const struct matrix *m, const struct fault_case *c)
{
	return !io_is_change(c->io) || (matrix_is_ci(m) && c->path == PATH_RECOVERY);
}

static void count_lots(struct matrix *m, struct fault_case *c, void *userdata)
{
	struct lot *lot = userdata;

	lot->left += is_by_lot(m, c);
}

static bool is_drawn(struct lot *lot)
{
	bool drawn = matrix_random(&lot->state) % lot->left < lot->wanted;

	lot->left--;
	lot->wanted -= drawn;
	return drawn;
}

static void run_case(struct matrix *m, struct fault_case *c, void *userdata)
{
	_cleanup_free_ char *point = NULL, *name = NULL;
	char kind[256];

	if (is_by_lot(m, c) && !is_drawn(userdata))
		return;
	io_kind(c->io, kind, sizeof(kind));
	if (asprintf(&point, "%s: %s", path_names[c->path], kind) < 0)
		point = NULL;
	if (asprintf(&name, "%s %s: %s %s%s%s, %u: %s", c->mode->name, path_names[c->path],
		     c->io->op, c->io->path, c->io->value ? " " : "",
		     c->io->value ? c->io->value : "", c->io->nth, c->way->name) < 0)
		name = NULL;
	if (!point || !name)
		scenario_fail(matrix_scenario(m), "out of memory");
	(void)matrix_case(m, point, name, fault_case, c);
}

static void run(struct matrix *m, void *userdata)
{
	const struct options *options = userdata;
	static struct faults f;
	struct lot lot = { .state = matrix_seed(m) };

	f.options = options;
	if (matrix_n_modes > ARRAY_SIZE(f.recordings))
		scenario_fail(matrix_scenario(m), "too many modes");
	for (size_t mode = 0; mode < matrix_n_modes; mode++) {
		for (enum path path = 0; path < _PATH_MAX; path++) {
			struct record_case c = { &matrix_modes[mode], path,
						 &f.recordings[mode][path] };

			matrix_prepare(m, record, &c);
			recording_choose(c.ret, options->all_reads, path != PATH_RECOVERY);
			printf("%s, %s: %zu operations\n", c.mode->name, path_names[path],
			       c.ret->n);
		}
	}
	for_each_case(m, &f, count_lots, &lot);
	lot.wanted = MIN(lot.left, matrix_is_ci(m) ? CI_LOTS : options->lots_max);
	printf("%lu of %lu cases drawn by lot\n", lot.wanted, lot.left);
	for_each_case(m, &f, run_case, &lot);
	for (size_t i = 0; i < ARRAY_SIZE(f.recordings) * _PATH_MAX; i++)
		recording_done(&f.recordings[i / _PATH_MAX][i % _PATH_MAX]);
}

static bool option(const char *argument, void *userdata)
{
	struct options *options = userdata;

	if (streq(argument, "--all-reads"))
		options->all_reads = true;
	else if (streq(argument, "--no-reads"))
		options->lots_max = 0;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static const struct matrix_program program = {
		.name = "faults",
		.usage = "  --all-reads  every read, not one of each kind of attribute\n"
			 "  --no-reads   only writes\n",
		.option = option,
		.run = run,
	};
	struct options options = { .lots_max = ULONG_MAX };

	return matrix_main(argc, argv, &program, &options);
}
