/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harness' own view of a scenario; tests include harness.h only.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "harness.h"

#define SCENARIO_CHILDREN_MAX 64

/* Something to be freed at the end of the test. */
struct keep {
	struct keep *next;
	void (*destroy)(void *object);
	void *object;
};

struct scenario {
	const struct scenario_options *options;
	bool finished;	   /* the test's body came to its end, or was skipped */
	bool compared;	   /* it looked at the whole host, or said why not */
	unsigned problems; /* found by the teardown */

	char dir[64], state_dir[72];
	bool keeps_journal; /* there is to be one at the end */
	struct keep *keep;
	unsigned n_files;

	int sim_fd;
	char *sim_buffer; /* what was read behind the last reply */
	size_t sim_size;

	pid_t bus_daemon;
	char bus_address[128];
	sd_bus *bus;
	int64_t ended_id; /* the last release that was waited for to its end */

	pid_t daemon;	   /* 0: none */
	int daemon_status; /* of waitpid(), valid if daemon_reaped */
	bool daemon_reaped;
	bool daemon_ready;   /* it said READY=1 */
	const char *config;  /* its configuration file, NULL: as installed */
	char *daemon_mounts; /* shell script that runs it, or NULL; among keep */
	int notify_fd;

	jmp_buf *escape;    /* of scenario_try() */
	char failure[4096]; /* why it came out there */

	size_t violations_expected; /* acknowledged ones of this test */

	pid_t children[SCENARIO_CHILDREN_MAX]; /* holders; 0: free */
};

/* Takes over @object until the end of the test. Returns it; fails the test if it is NULL. */
void *scenario_keep(struct scenario *s, void *object, void (*destroy)(void *object));
#define scenario_keep_free(s, p) ((__typeof__(p))scenario_keep(s, p, free))

/*
 * Outside of cmocka: runs @body; a function of the harness that fails in it ends it, and false is
 * returned, with the message in s->failure.
 */
bool scenario_try(struct scenario *s, void (*body)(struct scenario *s, void *userdata),
		  void *userdata);

/* Frees what scenario_keep() has taken so far. */
void scenario_forget(struct scenario *s);

/* For the teardown, which must go on: prints the message and remembers that there was one. */
void scenario_problem(struct scenario *s, const char *format, ...) _printf_(2, 3);

/* The factor of $DCDD_TEST_SLOW, at least 1. */
double scenario_slowness(void);

/* $BUILD, default "build". */
const char *scenario_build(void);

/* 0 or negative errno. */
int sim_connect(struct scenario *s);
void sim_disconnect(struct scenario *s);

/* sim_request() with the reply's "ok":false as negative errno; for the teardown. */
int sim_try(struct scenario *s, struct json_object **ret, const char *format, ...) _printf_(3, 4);

int bus_daemon_start(struct scenario *s);
void bus_daemon_stop(struct scenario *s);

/* Stops what runs, checks how it ended, reports by scenario_problem(). Never fails the test. */
void daemon_teardown(struct scenario *s);
void process_teardown(struct scenario *s);

/* fork() of a child that dies with the test program. 0 in the child; negative errno. */
pid_t process_fork(void);

/* waitpid() until @deadline; the status as daemon_kill() has it, or -ETIMEDOUT. */
int process_wait(pid_t pid, usec_t deadline);
int process_status(int wait_status);

/* The file's whole text, or NULL; at most @max bytes of its end. */
char *file_text(const char *path, size_t max);
