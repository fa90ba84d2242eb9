/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame around each scenario: fresh host, bus and daemon before it; afterwards the daemon is
 * stopped, its end and the simulator's violations are checked, whatever the test itself asserted.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "scenario.h"

static const struct scenario_options no_options;

double scenario_slowness(void)
{
	const char *text = getenv("DCDD_TEST_SLOW");
	double factor = text ? strtod(text, NULL) : 1;

	return factor < 1 ? 1 : factor;
}

const char *scenario_build(void)
{
	const char *build = getenv("BUILD");

	return build && *build ? build : "build";
}

usec_t deadline_in(double seconds)
{
	return now_usec(CLOCK_MONOTONIC) +
	       (usec_t)(seconds * scenario_slowness() * (double)USEC_PER_SEC);
}

bool deadline_passed(usec_t deadline)
{
	if (now_usec(CLOCK_MONOTONIC) >= deadline)
		return true;
	/* To ask costs the daemon time too, and most where it is slowed down. */
	(void)usleep((useconds_t)(5000 * MIN(scenario_slowness(), 20)));
	return false;
}

void scenario_fail_at(struct scenario *s, const char *file, int line, const char *format, ...)
{
	va_list ap;

	if (s->escape) {
		jmp_buf *escape = s->escape;
		int n = snprintf(s->failure, sizeof(s->failure), "%s:%d: ", file, line);

		va_start(ap, format);
		(void)vsnprintf(s->failure + n, sizeof(s->failure) - (size_t)n, format, ap);
		va_end(ap);
		longjmp(*escape, 1);
	}
	/* Not print_error(), which cuts at 1024 characters. */
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	_fail(file, line);
	abort(); /* _fail() jumps to the end of the test */
}

bool scenario_try(struct scenario *s, void (*body)(struct scenario *s, void *userdata),
		  void *userdata)
{
	jmp_buf here, *outer = s->escape;
	volatile bool fine = false;

	if (setjmp(here) == 0) {
		s->escape = &here;
		body(s, userdata);
		fine = true;
	}
	s->escape = outer;
	return fine;
}

void scenario_skip(struct scenario *s, const char *reason)
{
	s->finished = s->compared = true;
	print_message("%s\n", reason);
	_skip(__FILE__, __LINE__);
	abort(); /* as above */
}

void scenario_problem(struct scenario *s, const char *format, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print_error("after the test: %s\n", text);
	s->problems++;
}

void *scenario_keep(struct scenario *s, void *object, void (*destroy)(void *object))
{
	struct keep *k = object ? malloc(sizeof(*k)) : NULL;

	if (!k)
		scenario_fail(s, "out of memory");
	*k = (struct keep){ .next = s->keep, .destroy = destroy, .object = object };
	s->keep = k;
	return object;
}

const char *scenario_dir(const struct scenario *s)
{
	return s->dir;
}

const char *scenario_state_dir(const struct scenario *s)
{
	return s->state_dir;
}

unsigned scenario_journals(const struct scenario *s, const char *suffix)
{
	DIR *dir = opendir(s->state_dir);
	struct dirent *entry;
	unsigned found = 0;

	while (dir && (entry = readdir(dir))) {
		size_t n = strlen(entry->d_name), m = strlen(suffix);

		found += entry->d_name[0] != '.' && n >= m && streq(entry->d_name + n - m, suffix);
	}
	if (dir)
		(void)closedir(dir);
	return found;
}

void scenario_keeps_journal(struct scenario *s)
{
	s->keeps_journal = true;
}

const char *scenario_file(struct scenario *s, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = NULL;
	char *path;

	if (asprintf(&path, "%s/%s", s->dir, name) < 0)
		path = NULL;
	path = scenario_keep_free(s, path);
	f = fopen(path, "we");
	if (!f || fputs(text, f) == EOF || fflush(f) != 0)
		scenario_fail(s, "cannot write %s: %m", path);
	return path;
}

char *file_text(const char *path, size_t max)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	size_t n;
	long size;

	if (!f || fseek(f, 0, SEEK_END) != 0)
		return NULL;
	size = ftell(f);
	if (size < 0)
		return NULL;
	if ((size_t)size > max && fseek(f, size - (long)max, SEEK_SET) != 0)
		return NULL;
	if ((size_t)size <= max)
		rewind(f);
	text = malloc(MIN((size_t)size, max) + 1);
	if (!text)
		return NULL;
	n = fread(text, 1, MIN((size_t)size, max), f);
	text[n] = '\0';
	return TAKE_PTR(text);
}

static int remove_one(const char *path, const struct stat *st _unused_, int type _unused_,
		      struct FTW *ftw _unused_)
{
	return remove(path);
}

void scenario_forget(struct scenario *s)
{
	while (s->keep) {
		struct keep *k = s->keep;

		s->keep = k->next;
		k->destroy(k->object);
		free(k);
	}
}

static void scenario_free(struct scenario *s)
{
	scenario_forget(s);
	sim_disconnect(s);
	(void)safe_close(s->notify_fd);
	if (s->dir[0])
		(void)nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(s);
}

static void prepare(struct scenario *s)
{
	const struct scenario_options *o = s->options;
	_cleanup_json_ struct json_object *request = json_object_new_object();
	const char *topology = o->topology ? o->topology : "default";
	struct json_object *parsed = topology[0] == '{' ? json_tokener_parse(topology) : NULL;

	(void)json_object_object_add(request, "cmd", json_object_new_string("reset"));
	(void)json_object_object_add(request, "topology",
				     parsed ? parsed : json_object_new_string(topology));
	(void)json_object_object_add(request, "naming",
				     json_object_new_string(o->naming ? o->naming : "v11"));
	if (o->settings)
		(void)json_object_object_add(request, "settings", json_tokener_parse(o->settings));
	sim_ok(s, "%s", json_object_to_json_string(request));
}

static int set_up(struct scenario *s)
{
	int r;

	(void)str_copy(s->dir, sizeof(s->dir), "/tmp/dcdd-scenario-XXXXXX");
	if (!mkdtemp(s->dir)) {
		r = -errno;
		s->dir[0] = '\0';
		print_error("cannot make a directory in /tmp: %s\n", strerror(-r));
		return r;
	}
	(void)snprintf(s->state_dir, sizeof(s->state_dir), "%s/state", s->dir);
	r = sim_connect(s);
	if (r < 0) {
		print_error("no simulated host here (%s); run me by: %s/dcdsim -- %s\n",
			    strerror(-r), scenario_build(), program_invocation_name);
		return r;
	}
	r = s->options->no_bus ? 0 : bus_daemon_start(s);
	if (r < 0)
		print_error("cannot start a D-Bus daemon: %s\n", strerror(-r));
	return r;
}

int scenario_setup(void **state)
{
	struct scenario *s = calloc(1, sizeof(*s));

	if (!s)
		return -1;
	s->options = *state ? *state : &no_options;
	s->sim_fd = s->notify_fd = -EBADF;
	if (set_up(s) < 0) {
		bus_daemon_stop(s);
		scenario_free(s);
		return -1;
	}
	*state = s;
	return 0;
}

/* $TEST_FILTER, with * and ?, chooses tests of any scenario program. */
__attribute__((constructor)) static void choose_tests(void)
{
	const char *filter = getenv("TEST_FILTER");

	if (filter)
		cmocka_set_test_filter(filter);
}

/*
 * Host and daemon are made ready in the test's own context, not in the setup: cmocka runs no
 * teardown after a setup that failed, and the simulated host must be cleaned up and checked.
 */
void scenario_run(void **state, void (*body)(struct scenario *s))
{
	struct scenario *s = *state;

	prepare(s);
	if (!s->options->no_daemon)
		daemon_start(s, NULL);
	body(s);
	s->finished = true;
}

static void print_log(struct scenario *s)
{
	_cleanup_free_ char *path = NULL, *text = NULL;

	if (asprintf(&path, "%s/dcdd.stderr", s->dir) < 0) {
		path = NULL;
		return;
	}
	text = file_text(path, 64 * KiB);
	if (text && *text)
		(void)fprintf(stderr, "---- the daemon said:\n%s----\n", text);
}

int scenario_teardown(void **state)
{
	struct scenario *s = *state;
	int r;

	daemon_teardown(s);
	process_teardown(s);
	bus_daemon_stop(s);

	r = host_violations(s);
	if (r < 0)
		scenario_problem(s, "cannot ask for violations: %s", strerror(-r));
	else if (r > 0)
		scenario_problem(s, "%d violations: memory was handed back while in use", r);

	if (s->finished && (scenario_journals(s, "") > 0) != s->keeps_journal)
		scenario_problem(s, s->keeps_journal ? "no undo journal was left"
						     : "an undo journal was left");
	if (s->finished && !s->compared)
		scenario_problem(s, "the whole host was never compared with what it should be");

	if (!s->finished || s->problems > 0)
		print_log(s);
	r = s->problems > 0 ? -1 : 0;
	scenario_free(s);
	*state = NULL;
	return r;
}
