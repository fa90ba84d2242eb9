/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soak: random rounds on a host that lives on, with everything that device, admin, kernel and
 * bad luck may do to a daemon, and the daemon's own death. After each round every group is free, or
 * as others than the daemon left it, or its release has failed with a list that is true.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/prctl.h>

#include "soak.h"

#define DEFAULT_ROUNDS 1000
/* What fits into `make check`. */
#ifdef __SANITIZE_ADDRESS__
#define CI_ROUNDS 30
#else
#define CI_ROUNDS 60
#endif
#define DEFAULT_SEED 1
/*
 * With bad luck about: a roll-back that fails takes eight rounds, a second each, until the release
 * is said to have failed; less where the kernel does not let go, for that is never. And after it.
 */
#define LUCK_SECONDS 15
#define STUCK_SECONDS 2
#define HEARD_SECONDS 2
#define REST_SECONDS 40
#define LOG_MAX (32 * KiB)
/* So many findings say enough. */
#define PROBLEMS_MAX 20

static const struct scenario_options scenario_options = { .no_daemon = true };

struct options {
	uint64_t seed;
	unsigned rounds, from;
	bool list, verbose;
};

/* ---- findings ---- */

void soak_problem(struct soak *k, const char *format, ...)
{
	va_list ap;

	k->problems++;
	k->spoilt = true;
	printf("PROBLEM in round %u: ", k->script.round);
	va_start(ap, format);
	(void)vprintf(format, ap);
	va_end(ap);
	(void)putchar('\n');
	(void)fflush(stdout);
}

static void print_writes(struct soak *k)
{
	_cleanup_json_ struct json_object *entries = sim_log(k->s, k->since,
							     "write,fault,outcome,violation");

	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i);
		struct json_object *path;

		if (json_object_object_get_ex(entry, "path", &path) &&
		    streq(json_object_get_string(path), "bus/cxl/flush"))
			continue;
		printf("  %s\n", json_object_to_json_string_ext(entry, JSON_C_TO_STRING_PLAIN));
	}
}

/* Everything that a finding of this round needs to be understood, once. */
static void tell_round(struct soak *k)
{
	_cleanup_free_ char *log = soak_log_text(k);
	size_t size = log ? strlen(log) : 0;
	unsigned from = k->script.round / SOAK_ERA * SOAK_ERA;

	soak_print_script(stdout, &k->script, k->slots);
	for (size_t i = 0; i < k->script.n_events; i++)
		printf("  event %zu: %s\n", i + 1,
		       k->done[i] < 0 ? strerrorname_np(-k->done[i]) : "done");
	printf("  ---- the host:\n");
	print_writes(k);
	printf("  ---- the daemon said:\n%s  ----\n",
	       log ? log + (size > LOG_MAX ? size - LOG_MAX : 0) : "");
	printf("  again: make soak SEED=%llu ROUNDS=%u\n", (unsigned long long)k->seed,
	       k->script.round + 1);
	printf("  sooner: %s/dcdsim -- %s/tests/matrix/soak --seed %llu --from %u --rounds %u\n",
	       scenario_build(), scenario_build(), (unsigned long long)k->seed, from,
	       k->script.round + 1 - from);
	(void)fflush(stdout);
}

/* ---- a round ---- */

static bool config_differs(const struct soak_config *a, const struct soak_config *b)
{
	return a->free_uses != b->free_uses || a->retries != b->retries ||
	       a->concurrency != b->concurrency || a->block_timeout_ms != b->block_timeout_ms ||
	       a->settle_ms != b->settle_ms || a->refuse_hold_ms != b->refuse_hold_ms ||
	       a->method != b->method || a->resume != b->resume;
}

/* A fresh host under the daemon that lives, unless it is to have another one. */
static void begin_era(struct soak *k)
{
	bool renamed = k->era.v10 != k->script.era.v10;

	k->era = k->script.era;
	process_teardown(k->s);
	if (renamed || !k->era.calm) {
		soak_daemon_end(k, SIGTERM);
		soak_check_death(k);
	}
	soak_forget_logs(k);
	soak_new_host(k);
}

static void begin_round(struct soak *k)
{
	const struct soak_script *script = &k->script;
	bool reload = config_differs(&k->config, &script->config) && daemon_alive(k->s);

	k->hang_hit = k->hang_missed = false;
	memset(k->done, 0, sizeof(k->done));
	if (script->new_era)
		begin_era(k);
	k->config = script->config;
	if (reload)
		soak_daemon_reload(k, true);
	k->free_uses = k->config.free_uses;
	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		if (script->added & 1U << i)
			soak_add(k, i);
	soak_daemon_start(k);
	if (!soak_settle(k, REST_SECONDS))
		scenario_fail(k->s, "the daemon does not come to rest before the round");
	k->since = sim_log_next(k->s);
	k->last_id = soak_last_id(k);
}

static bool gets_stuck(const struct soak_script *script)
{
	for (size_t i = 0; i < script->n_faults; i++)
		if (startswith(script->faults[i].action, "hang") && !(i == 0 && script->waits))
			return true;
	return script->waits && streq(script->faults[0].action, "hang-uninterruptible");
}

/* A record that is still being looked for in the host leads to no release yet. */
static bool all_heard(struct soak *k)
{
	if (soak_may_be_unheard(k))
		return true;
	soak_foreach_unit(u, k)
	{
		_cleanup_json_ struct json_object *release = NULL;

		if (!u->heard)
			continue;
		release = soak_release(k, u);
		if (!release)
			return false;
	}
	return true;
}

/* What came to nothing because its extents are gone is not waited for in vain for long. */
static bool settle(struct soak *k, double seconds)
{
	usec_t deadline = deadline_in(HEARD_SECONDS);

	while (!all_heard(k) && !deadline_passed(deadline))
		;
	return soak_settle(k, seconds);
}

/* Settled with bad luck about, or else when it has ended; then judged. */
static void end_round(struct soak *k)
{
	soak_daemon_start(k);
	if (gets_stuck(&k->script))
		(void)soak_settle(k, STUCK_SECONDS);
	if (!gets_stuck(&k->script) && settle(k, LUCK_SECONDS)) {
		soak_see_faults(k);
	} else {
		soak_calm(k);
		if (!settle(k, REST_SECONDS)) {
			_cleanup_json_ struct json_object *list = bus_releases(k->s);

			soak_problem(k, "the daemon does not come to rest: %s",
				     json_object_to_json_string(list));
		}
	}
	soak_judge_round(k);
	soak_calm(k);
	if (k->script.fresh_after || k->spoilt)
		return;
	soak_clear_away(k);
	if (!soak_settle(k, REST_SECONDS))
		soak_problem(k, "the daemon does not come to rest behind the round");
	soak_check_life(k);
}

static void run_round(struct scenario *s _unused_, void *userdata)
{
	struct soak *k = userdata;

	begin_round(k);
	soak_place_faults(k);
	sim_ok(k->s, "{'cmd':'set','retry_ms':%u}", k->script.retry_ms);
	for (size_t i = 0; i < k->script.n_events; i++)
		soak_do(k, i);
	end_round(k);
}

/* What the round has done to the host cannot be mended: another one, with what is to be there. */
static void start_over(struct scenario *s, void *userdata)
{
	struct soak *k = userdata;

	process_teardown(s);
	sim_fault_clear(s);
	if (k->spoilt)
		soak_daemon_bury(k);
	soak_new_host(k);
	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		if (k->slots[i].n_units > 0)
			soak_add(k, i);
}

/* The daemon's end, and what is left of it. */
static void finish(struct scenario *s, void *userdata)
{
	struct soak *k = userdata;

	process_teardown(s);
	soak_daemon_end(k, SIGTERM);
	soak_check_death(k);
	soak_forget_logs(k);
}

static void do_rounds(struct soak *k, const struct options *options)
{
	struct soak_era era = { 0 };
	struct soak_config config = { 0 };
	uint64_t hash = 0;

	for (unsigned i = 0; i < options->rounds && k->problems < PROBLEMS_MAX; i++) {
		soak_draw(k->seed, options->from + i, k->slots, &era, &config, &k->script);
		hash = soak_script_hash(&k->script, hash);
		if (options->verbose || options->list)
			soak_print_script(stdout, &k->script, k->slots);
		if (!options->list) {
			k->spoilt = false;
			k->log_begin = soak_log_size(k);
			if (!scenario_try(k->s, run_round, k))
				soak_problem(k, "%s", k->s->failure);
			if (k->spoilt)
				tell_round(k);
			k->rounds++;
		}
		soak_script_end(&k->script, k->slots);
		if (!options->list && (k->spoilt || k->script.fresh_after) &&
		    !scenario_try(k->s, start_over, k)) {
			soak_problem(k, "cannot go on: %s", k->s->failure);
			break;
		}
	}
	printf("sequence %016llx\n", (unsigned long long)hash);
}

/* ---- the program ---- */

static int usage(FILE *f, int status)
{
	(void)fprintf(f,
		      "usage: dcdsim -- soak [OPTION...]\n"
		      "  --seed N     what happens (%d)\n"
		      "  --rounds N   how much of it (%d)\n"
		      "  --ci         as much as fits into `make check`: %d rounds\n"
		      "  --from N     begin with this round, a multiple of %d\n"
		      "  --list       only print what would happen\n"
		      "  --verbose    print it, and what became of it, as it happens\n",
		      DEFAULT_SEED, DEFAULT_ROUNDS, CI_ROUNDS, SOAK_ERA);
	return status;
}

static bool number(const char *text, unsigned long long max, unsigned long long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0' && *ret <= max;
}

/* Returns -1 to go on, or the exit status. */
static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option long_options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "ci", no_argument, NULL, 'c' },
		{ "from", required_argument, NULL, 'f' },
		{ "list", no_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	unsigned long long n;
	int c;

	*ret = (struct options){ .seed = DEFAULT_SEED, .rounds = DEFAULT_ROUNDS };
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			if (!number(optarg, UINT64_MAX, &n))
				return usage(stderr, 2);
			ret->seed = n;
			break;
		case 'r':
		case 'f':
			if (!number(optarg, UINT32_MAX / 2, &n) || (c == 'f' && n % SOAK_ERA != 0))
				return usage(stderr, 2);
			*(c == 'r' ? &ret->rounds : &ret->from) = (unsigned)n;
			break;
		case 'c':
			ret->rounds = CI_ROUNDS;
			break;
		case 'l':
			ret->list = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	return optind < argc ? usage(stderr, 2) : -1;
}

/* Returns the exit status. */
static int say_sums(const struct soak *k, double seconds)
{
	unsigned cases = 0;

	for (unsigned i = 0; i < _MATRIX_OUTCOME_MAX; i++)
		cases += k->outcomes[i];
	printf("seed %llu: %u rounds in %.0f s, %.2f a second; %u daemons, %u of them killed; "
	       "%u failed releases mended by their commands, %u had none that could; "
	       "%u problems\n",
	       (unsigned long long)k->seed, k->rounds, seconds, k->rounds / MAX(seconds, 0.001),
	       k->starts, k->kills, k->mended, k->unmended, k->problems);
	printf("cases=%u free=%u as-before=%u failed-truthfully=%u half=%u violations=%u\n", cases,
	       k->outcomes[MATRIX_FREE], k->outcomes[MATRIX_AS_BEFORE], k->outcomes[MATRIX_FAILED],
	       k->outcomes[MATRIX_HALF], k->violations);
	return k->problems > 0 || k->violations > 0 || k->outcomes[MATRIX_HALF] > 0 || cases == 0;
}

int main(int argc, char **argv)
{
	struct soak *k = calloc(1, sizeof(*k));
	void *state = (void *)(uintptr_t)&scenario_options;
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	struct options options;
	int r = parse(argc, argv, &options);

	if (r >= 0 || !k) {
		free(k);
		return r >= 0 ? r : 70;
	}
	k->seed = options.seed;
	k->verbose = options.verbose;
	if (options.list) {
		do_rounds(k, &options);
		free(k);
		return 0;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %llu, %u rounds from %u\n", (unsigned long long)options.seed, options.rounds,
	       options.from);
	/* What a daemon leaves behind becomes our child, and so is seen. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (scenario_setup(&state) < 0) {
		free(k);
		return 70;
	}
	k->s = state;
	do_rounds(k, &options);
	if (!scenario_try(k->s, finish, k))
		soak_problem(k, "%s", k->s->failure);
	r = say_sums(k, (double)(now_usec(CLOCK_MONOTONIC) - begin) / (double)USEC_PER_SEC);

	/* Whatever there was to say has been said. */
	k->s->finished = k->s->compared = true;
	k->s->violations_expected = SIZE_MAX;
	if (k->problems > 0)
		k->s->keeps_journal = scenario_journals(k->s, "") > 0;
	free(k);
	return scenario_teardown(&state) < 0 || r;
}
