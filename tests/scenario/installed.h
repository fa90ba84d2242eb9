/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of whole configurations share: a daemon that reads its files from where they are
 * installed, in an /etc, a /run and a /usr/lib of its own, with the time zone that is in there.
 */
#pragma once

#include <dcdd/base.h>

#include <signal.h>
#include <sys/stat.h>

#include "conditions.h"

#define ETC "etc/dcdd/"
#define RUN "run/dcdd/"
#define USR "usr/lib/dcdd/"
#define D "dcdd.conf.d/"

/* Decided at once, and again only when something happens. */
#define AT_ONCE "[daemon]\nsettle-time = 50ms\nrefuse-hold = 0\n[release]\n" NO_LOOKS

#define RAM(s) ((void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 384 * MiB)))

static const struct scenario_options installed = { .no_daemon = true };

/* Below here is what the daemon sees as etc, run and usr/lib. */
static inline const char *installed_root(struct scenario *s, char buf[static 96])
{
	(void)snprintf(buf, 96, "%s/root", scenario_dir(s));
	return buf;
}

static inline void installed_path(struct scenario *s, const char *name, char buf[static 192])
{
	char root[96];

	(void)snprintf(buf, 192, "%s/%s", installed_root(s, root), name);
}

/*
 * Empty directories, and daemons started from now on live with them. A directory cannot be added to
 * /usr/lib as it is; one of links to all that is in there does as well.
 */
static inline void installed_prepare(struct scenario *s)
{
	const char *dir = scenario_dir(s);
	char mounts[768];

	assert_int_equal(command(s, NULL,
				 "r=%s/root; mkdir -p %s/lib $r/" ETC D " $r/" RUN D " $r/" USR D,
				 dir, dir),
			 0);
	(void)snprintf(mounts, sizeof(mounts),
		       "mount --bind /usr/lib %s/lib\n"
		       "for f in %s/lib/*; do\n"
		       "  test -e %s/root/usr/lib/${f##*/} || ln -s $f %s/root/usr/lib/\n"
		       "done\n"
		       "for d in etc run usr/lib; do mount --bind %s/root/$d /$d; done\n",
		       dir, dir, dir, dir, dir);
	daemon_mounts(s, mounts);
}

/* @name: below installed_root(), "etc/dcdd/dcdd.conf". Whole or not at all, as an admin should. */
static inline void installed_write(struct scenario *s, const char *name, const char *text)
{
	char path[192], new[200];
	FILE *f;

	installed_path(s, name, path);
	(void)snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "we");
	if (!f || fputs(text, f) == EOF || fclose(f) != 0 || rename(new, path) < 0)
		scenario_fail(s, "cannot write %s: %m", path);
}

static inline void installed_remove(struct scenario *s, const char *name)
{
	char path[192];

	installed_path(s, name, path);
	if (unlink(path) < 0)
		scenario_fail(s, "cannot remove %s: %m", path);
}

/* The daemon reads its files again; not waited for. */
static inline void installed_signal(struct scenario *s)
{
	if (kill(daemon_pid(s), SIGHUP) < 0)
		scenario_fail(s, "cannot signal the daemon: %m");
}

/* The same, once it has said so. */
static inline void installed_reload(struct scenario *s)
{
	_cleanup_free_ char *output = NULL;

	if (command(s, &output, "dcdctl reload") != 0)
		scenario_fail(s, "the configuration is not taken: %s", output);
}

static inline void put_be32(unsigned char *p, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(value >> (8 * (3 - i)));
}

enum weekday { MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY };

/*
 * A time zone in which it is that time now, as a file (tzfile(5), version 1: no transition, one
 * local time type). Some days away from the one that is told elsewhere, to get the weekday.
 */
static inline void installed_clock(struct scenario *s, enum weekday weekday, int hour, int minute,
				   int second)
{
	unsigned char zone[44 + 6 + 4] = "TZif";
	time_t now = time(NULL), today = now / 86400;
	int days = ((int)weekday - (int)((today + THURSDAY) % 7) + 10) % 7 - 3;
	int32_t offset = (int32_t)(days * 86400 + hour * 3600 + minute * 60 + second - now % 86400);
	char path[192], new[200];
	FILE *f;

	put_be32(zone + 36, 1); /* local time types */
	put_be32(zone + 40, 4); /* characters of abbreviations */
	put_be32(zone + 44, (uint32_t)offset);
	memcpy(zone + 50, "TST", 4);
	installed_path(s, "etc/localtime", path);
	(void)snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "we");
	if (!f || fwrite(zone, sizeof(zone), 1, f) != 1 || fclose(f) != 0 || rename(new, path) < 0)
		scenario_fail(s, "cannot write %s: %m", path);
}

/*
 * `dcdctl @arguments -- COMMAND`, in the background: it has what it asked for, and COMMAND runs
 * until hold_end(), which returns dcdctl's exit status. COMMAND's own is HOLD_STATUS.
 */
#define HOLD_STATUS 9

static inline void hold_begin(struct scenario *s, const char *arguments)
{
	const char *dir = scenario_dir(s);
	_cleanup_free_ char *output = NULL;

	if (command(s, &output,
		    "d=%s; rm -f $d/held $d/status; touch $d/hold; export d; { dcdctl %s -- sh -c "
		    "'touch $d/held; while test -e $d/hold; do sleep 0.05; done; exit %d'; "
		    "echo $? >$d/status.new; mv $d/status.new $d/status; } >$d/hold.log 2>&1 & "
		    "i=0; until test -e %s/held; do sleep 0.05; i=$((i+1)); test $i -lt 200 || "
		    "{ cat %s/hold.log; exit 1; }; done",
		    dir, arguments, HOLD_STATUS, dir, dir) != 0)
		scenario_fail(s, "dcdctl %s: %s", arguments, output);
}

static inline int hold_end(struct scenario *s)
{
	_cleanup_free_ char *output = NULL;

	assert_int_equal(command(s, &output,
				 "d=%s; rm -f $d/hold; i=0; until test -e $d/status; do sleep "
				 "0.05; i=$((i+1)); test $i -lt 200 || exit 1; done; cat $d/status",
				 scenario_dir(s)),
			 0);
	return atoi(output);
}

/*
 * What `$BUILD/@program @arguments` says where the daemon is, that is with its files. Returns the
 * exit status; the output is the caller's (may be NULL).
 */
static inline int inside(struct scenario *s, char **ret_output, const char *program,
			 const char *arguments)
{
	return command(s, ret_output, "p=$(realpath $(command -v %s)); nsenter -t %d -m $p %s",
		       program, (int)daemon_pid(s), arguments);
}

/*
 * The cgroup of systemd unit @unit, in a hierarchy mounted aside since /sys is the simulator's:
 * the process and what it forks are in it. Skips the test where there is no unified hierarchy.
 */
static inline void enter_unit(struct scenario *s, pid_t pid, const char *unit)
{
	_cleanup_free_ char *output = NULL;
	int r = command(
		s, &output,
		"c=%s/cgroup; mkdir $c && mount -t cgroup2 cgroup2 $c && { test -d $c/%s || "
		"mkdir $c/%s; } || exit 99; echo %d >$c/%s/cgroup.procs",
		scenario_dir(s), unit, unit, (int)pid, unit);

	if (r == 99)
		scenario_skip(s, "no cgroup can be made here");
	if (r != 0)
		scenario_fail(s, "cannot move %d to its cgroup: %s", (int)pid, output);
}

/* Once all of its processes have ended. */
static inline void leave_unit(struct scenario *s, const char *unit)
{
	(void)command(s, NULL, "rmdir %s/cgroup/%s; umount %s/cgroup", scenario_dir(s), unit,
		      scenario_dir(s));
}
