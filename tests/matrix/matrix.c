/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of a matrix: arguments, one case after the other, the table, the last line.
 */
#include <fnmatch.h>
#include <limits.h>
#include <sys/prctl.h>

#include "matrix_internal.h"

#define DEFAULT_SEED UINT64_C(0x5be13bceae344a77)
#define MISSED_MAX_PERCENT 5
#define LOG_MAX (64 * KiB) /* of the daemon's log, shown with a case that went wrong */

static const struct scenario_options scenario_options = { .config = "" };

static const char *const outcome_names[_MATRIX_OUTCOME_MAX] = {
	[MATRIX_FREE] = "free",
	[MATRIX_AS_BEFORE] = "as-before",
	[MATRIX_FAILED] = "failed-truthfully",
	[MATRIX_HALF] = "half",
};

const char *matrix_outcome_to_string(enum matrix_outcome outcome)
{
	return outcome < _MATRIX_OUTCOME_MAX ? outcome_names[outcome] : "unknown";
}

struct scenario *matrix_scenario(struct matrix *m)
{
	return m->s;
}

bool matrix_is_ci(const struct matrix *m)
{
	return m->ci;
}

uint64_t matrix_seed(const struct matrix *m)
{
	return m->seed;
}

uint64_t matrix_random(uint64_t *state)
{
	uint64_t x = *state ? *state : DEFAULT_SEED;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- counting ---- */

static struct matrix_point *find_point(struct matrix *m, const char *name)
{
	struct matrix_point *point;

	for (size_t i = 0; i < m->n_points; i++)
		if (streq(m->points[i].name, name))
			return &m->points[i];
	point = m->n_points < MATRIX_POINTS_MAX ? &m->points[m->n_points] : NULL;
	if (!point || !(point->name = strdup(name)))
		scenario_fail(m->s, "too many lines for the table, or out of memory");
	m->n_points++;
	return point;
}

void matrix_count(struct matrix *m, enum matrix_outcome outcome, const char *why, ...)
{
	va_list ap;

	if (m->counted)
		scenario_fail(m->s, "the case is counted twice");
	m->counted = true;
	m->outcome = outcome;
	va_start(ap, why);
	(void)vsnprintf(m->why, sizeof(m->why), why, ap);
	va_end(ap);
}

void matrix_missed(struct matrix *m)
{
	m->n_missed++;
}

void matrix_problem(struct matrix *m, const char *format, ...)
{
	va_list ap;

	(void)fputs("problem: ", stdout);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
	m->n_problems++;
}

/* ---- a case ---- */

static bool is_wanted(const struct matrix *m, unsigned number, const char *name)
{
	if (m->only)
		return number == m->only;
	return (number - 1) % m->parts == m->part - 1 &&
	       (!m->match || fnmatch(m->match, name, 0) == 0);
}

bool matrix_wants(const struct matrix *m, const char *name)
{
	return is_wanted(m, m->n_cases + 1, name);
}

struct body {
	struct matrix *m;
	void (*run)(struct matrix *m, void *argument);
	void *argument;
};

static void run_body(struct scenario *s _unused_, void *userdata)
{
	const struct body *body = userdata;

	body->run(body->m, body->argument);
}

static void clean(struct scenario *s _unused_, void *userdata)
{
	matrix_clean(userdata);
}

static void say_wrong(struct matrix *m, const char *point, const char *name)
{
	_cleanup_free_ char *log = daemon_log(m->s);
	size_t size = strlen(log);

	printf("case %u, %s: %s: %s\n", m->n_cases, point, name, m->why);
	printf("  alone: %s/dcdsim -- %s/tests/matrix/%s%s --seed 0x%llx --case %u\n",
	       scenario_build(), scenario_build(), m->program->name, m->ci ? " --ci" : "",
	       (unsigned long long)m->seed, m->n_cases);
	printf("  or, as its number may change: --match '%s'\n", name);
	printf("  ---- the daemon said:\n%s  ----\n", log + (size > LOG_MAX ? size - LOG_MAX : 0));
	(void)fflush(stdout);
}

/* Runs it and leaves how it ended in m->outcome. */
static void do_body(struct matrix *m, void (*body)(struct matrix *m, void *argument),
		    void *argument)
{
	struct body b = { .m = m, .run = body, .argument = argument };
	int violations;

	m->counted = false;
	m->why[0] = '\0';
	if (!scenario_try(m->s, run_body, &b)) {
		m->counted = false;
		matrix_count(m, MATRIX_HALF, "%s", m->s->failure);
	}
	if (!m->counted)
		matrix_count(m, MATRIX_HALF, "it was never judged");
	violations = host_violations(m->s);
	if (violations != 0) {
		m->n_violations += violations > 0 ? (unsigned)violations : 1;
		m->outcome = MATRIX_HALF;
		(void)str_copy(m->why, sizeof(m->why), "memory was handed back while in use");
	}
}

void matrix_prepare(struct matrix *m, void (*body)(struct matrix *m, void *argument),
		    void *argument)
{
	do_body(m, body, argument);
	if (m->outcome == MATRIX_HALF) {
		say_wrong(m, "preparing", m->program->name);
		scenario_fail(m->s, "cannot prepare: %s", m->why);
	}
	matrix_clean(m);
}

bool matrix_case(struct matrix *m, const char *point, const char *name,
		 void (*body)(struct matrix *m, void *argument), void *argument)
{
	m->n_cases++;
	if (!is_wanted(m, m->n_cases, name))
		return false;
	if (m->list) {
		printf("%u %s: %s\n", m->n_cases, point, name);
		return true;
	}
	do_body(m, body, argument);
	if (m->outcome == MATRIX_HALF)
		say_wrong(m, point, name);
	/* A daemon that does not end well is a fault of this case as well. */
	if (!scenario_try(m->s, clean, m)) {
		if (m->outcome != MATRIX_HALF) {
			(void)str_copy(m->why, sizeof(m->why), m->s->failure);
			say_wrong(m, point, name);
		}
		m->outcome = MATRIX_HALF;
	}
	find_point(m, point)->counts[m->outcome]++;
	m->totals[m->outcome]++;
	m->n_run++;
	return true;
}

/* ---- the program ---- */

static int usage(const struct matrix_program *program, FILE *f, int status)
{
	(void)fprintf(f,
		      "usage: dcdsim -- %s [OPTION...]\n"
		      "  --ci         what fits into `make check`\n"
		      "  --case N     only this case\n"
		      "  --match GLOB only cases whose name matches\n"
		      "  --part K/N   every Nth case, from the Kth on\n"
		      "  --seed N     of what is drawn by lot\n"
		      "  --list       only say which cases there are\n"
		      "%s",
		      program->name, program->usage ? program->usage : "");
	return status;
}

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0';
}

/* How many arguments it has taken, 0 if it takes none of these. @value may be NULL. */
static int parse_one(struct matrix *m, const char *name, const char *value, void *userdata)
{
	uint64_t number = 0;

	if (streq(name, "--ci") || streq(name, "--list")) {
		*(streq(name, "--ci") ? &m->ci : &m->list) = true;
		return 1;
	}
	if (m->program->option && m->program->option(name, userdata))
		return 1;
	if (!value)
		return 0;
	if (streq(name, "--match"))
		m->match = value;
	else if (streq(name, "--seed") && parse_number(value, &number))
		m->seed = number;
	else if (streq(name, "--case") && parse_number(value, &number) && number <= UINT_MAX)
		m->only = (unsigned)number;
	else if (!streq(name, "--part") || sscanf(value, "%u/%u", &m->part, &m->parts) != 2 ||
		 m->part == 0 || m->part > m->parts)
		return 0;
	return 2;
}

/* -1: go on, else the exit status. */
static int parse(struct matrix *m, int argc, char **argv, void *userdata)
{
	for (int i = 1, n; i < argc; i += n) {
		if (streq(argv[i], "--help"))
			return usage(m->program, stdout, 0);
		n = parse_one(m, argv[i], i + 1 < argc ? argv[i + 1] : NULL, userdata);
		if (n == 0)
			return usage(m->program, stderr, 2);
	}
	return -1;
}

static void print_table(const struct matrix *m)
{
	int width = (int)strlen("injection point");

	for (size_t i = 0; i < m->n_points; i++)
		width = MAX(width, (int)strlen(m->points[i].name));
	printf("%-*s  %8s", width, "injection point", "cases");
	for (size_t o = 0; o < _MATRIX_OUTCOME_MAX; o++)
		printf("  %*s", MAX(8, (int)strlen(outcome_names[o])), outcome_names[o]);
	(void)putchar('\n');
	for (size_t i = 0; i < m->n_points; i++) {
		const struct matrix_point *p = &m->points[i];
		unsigned n = 0;

		for (size_t o = 0; o < _MATRIX_OUTCOME_MAX; o++)
			n += p->counts[o];
		printf("%-*s  %8u", width, p->name, n);
		for (size_t o = 0; o < _MATRIX_OUTCOME_MAX; o++)
			printf("  %*u", MAX(8, (int)strlen(outcome_names[o])), p->counts[o]);
		(void)putchar('\n');
	}
}

struct whole {
	struct matrix *m;
	void *userdata;
};

static void run_all(struct scenario *s _unused_, void *userdata)
{
	struct whole *whole = userdata;
	struct matrix *m = whole->m;

	m->program->run(m, whole->userdata);
	if (!m->list)
		matrix_check_leaks(m);
}

/* Returns the program's exit status. */
static int finish(struct matrix *m, double seconds)
{
	if (m->n_run == 0 && !m->list)
		matrix_problem(m, "no case was run");
	if (m->n_missed * 100 > m->n_run * MISSED_MAX_PERCENT)
		matrix_problem(m, "%u of %u cases hit nothing", m->n_missed, m->n_run);
	print_table(m);
	printf("seed 0x%llx, %.0f s, %.1f cases a second; nothing was hit in %u cases\n",
	       (unsigned long long)m->seed, seconds, m->n_run / MAX(seconds, 0.001), m->n_missed);
	printf("cases=%u free=%u as-before=%u failed-truthfully=%u half=%u violations=%u\n",
	       m->n_run, m->totals[MATRIX_FREE], m->totals[MATRIX_AS_BEFORE],
	       m->totals[MATRIX_FAILED], m->totals[MATRIX_HALF], m->n_violations);
	return m->totals[MATRIX_HALF] || m->n_violations || m->n_problems;
}

static void matrix_free(struct matrix *m)
{
	for (size_t i = 0; i < m->n_points; i++)
		free(m->points[i].name);
	free(m);
}
DEFINE_CLEANUP(struct matrix *, matrix_free);

int matrix_main(int argc, char **argv, const struct matrix_program *program, void *userdata)
{
	_cleanup_(matrix_freep) struct matrix *m = calloc(1, sizeof(*m));
	struct whole whole = { .m = m, .userdata = userdata };
	void *state = (void *)(uintptr_t)&scenario_options;
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	int r;

	if (!m)
		return 70;
	m->program = program;
	m->seed = DEFAULT_SEED;
	m->part = m->parts = 1;
	r = parse(m, argc, argv, userdata);
	if (r >= 0)
		return r;
	/* What a daemon leaves behind becomes our child, and so is seen. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (scenario_setup(&state) < 0)
		return 70;
	m->s = state;
	if (!scenario_try(m->s, run_all, &whole))
		matrix_problem(m, "%s", m->s->failure);
	r = finish(m, (double)(now_usec(CLOCK_MONOTONIC) - begin) / (double)USEC_PER_SEC);

	/* Whatever there was to say has been said, case by case. */
	m->s->finished = m->s->compared = true;
	m->s->violations_expected = SIZE_MAX;
	return scenario_teardown(&state) < 0 || r;
}
