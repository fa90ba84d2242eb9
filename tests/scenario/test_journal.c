/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo journal itself, and the directory it is in: one that cannot be read, was cut off, is of
 * another version or of another boot; a directory that cannot be used, or is full. Whatever is
 * there, the daemon starts or says why not, and nothing is changed by guessing.
 */
#include "six_blocks.h"

#include <sys/stat.h>
#include <zlib.h>

#include <dcdd/names.h>

#define JOURNAL "mem0-" TAG_A ".undo"

static const struct scenario_options once = { .config = ONCE };
static const struct scenario_options no_daemon = { .no_daemon = true };
static const struct scenario_options soon_again = {
	.config = "[daemon]\nrefuse-hold = 1ms\n" ONCE,
	.no_daemon = true,
};

/* Two blocks are offline, the daemon is dead, and its journal is there. */
static void die_half_way(struct scenario *s)
{
	(void)claim_a(s);
	(void)hold_at_block(s, 2);
	daemon_crash(s);
	sim_fault_clear(s);
	assert_int_equal(scenario_journals(s, ""), 1);
}

static void shell(struct scenario *s, const char *line)
{
	_cleanup_free_ char *output = NULL;

	if (command(s, &output, "cd %s && %s", scenario_state_dir(s), line) != 0)
		scenario_fail(s, "%s: %s", line, output);
}

SCENARIO(only_root_may_read_it)
{
	_cleanup_free_ char *path = NULL;
	struct host *before;
	struct stat st;

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at_block(s, 2);
	assert_true(asprintf(&path, "%s/" JOURNAL, scenario_state_dir(s)) > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(scenario_state_dir(s), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	daemon_stop(s);
	host_assert_same(s, before);
}

/* ---- journals that cannot be read ---- */

/*
 * Moved aside; the group is marked as failed and left alone, until an admin has made it whole. Then
 * it is like any other.
 */
static void spoiled(struct scenario *s, const char *how, const char *why)
{
	struct host *empty = host_save(s), *half, *whole;
	_cleanup_json_ struct json_object *r = NULL;
	uint64_t since;
	char path[96];

	(void)claim_a(s);
	whole = host_save(s);
	(void)hold_at_block(s, 2);
	daemon_crash(s);
	sim_fault_clear(s);
	half = host_save(s);
	shell(s, how);

	since = sim_log_next(s);
	daemon_start(s, NULL);
	r = wait_end(s, "failed", JOURNAL);
	if (!strstr(member_string(r, "Reason"), why))
		scenario_fail(s, "the reason is \"%s\"", member_string(r, "Reason"));
	assert_true(member_bool(r, "Recovered"));
	assert_int_equal(release_leftovers(r), 0);
	assert_int_equal(scenario_journals(s, ".undo"), 0);
	assert_int_equal(scenario_journals(s, ".undo.bad"), 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	daemon_wait_log(s, "failed half-way");
	manager_wait_idle(s);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, half);

	/* It does not forget over a restart either. */
	daemon_stop(s);
	daemon_start(s, NULL);
	assert_end(s, "failed", JOURNAL);

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sim_write(s, block_path(i, path), "online_movable"), 0);
	assert_end(s, "refused", "as before");
	host_assert_same(s, whole);
	assert_int_equal(scenario_journals(s, ""), 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, empty);
}

SCENARIO(garbage)
{
	spoiled(s, "head -c 3000 /dev/urandom >" JOURNAL, "cannot be read");
}

SCENARIO(empty_file)
{
	spoiled(s, ": >" JOURNAL, "cannot be read");
}

/* Behind a line, so that what is left is well-formed: a smaller group than it was. */
SCENARIO(truncated_between_lines)
{
	spoiled(s, "sed -i 3,\\$d " JOURNAL, "cannot be read");
}

SCENARIO(truncated_in_a_line)
{
	spoiled(s, "truncate -s 300 " JOURNAL, "cannot be read");
}

/* One digit of a block's number. */
SCENARIO(one_bit_is_wrong)
{
	spoiled(s, "sed -i s/343/342/ " JOURNAL, "cannot be read");
}

/* Of a later daemon: whole, as its checksum shows, but not for us to understand. */
SCENARIO(another_version)
{
	char line[256], boot_id[64];
	unsigned long sum;

	assert_int_equal(sysfs_get("/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id)), 0);
	/* The first line alone, up to its checksum, which is over just that. */
	(void)snprintf(line, sizeof(line),
		       "{\"dcdd-undo\":999,\"boot\":\"%s\",\"memdev\":\"mem0\",\"tag\":\"%s\"",
		       boot_id, TAG_A);
	sum = crc32(crc32(0, NULL, 0), (const unsigned char *)line, (unsigned)strlen(line));
	(void)snprintf(line + strlen(line), sizeof(line) - strlen(line), ",\"sum\":\"%08lx\"}\n",
		       sum);
	scenario_file(s, "later", line);
	spoiled(s, "cp ../later " JOURNAL, "of version 999");
}

/* Cut off in the steps behind the prior state, which says all that is needed. */
SCENARIO(torn_at_its_end)
{
	struct host *before;

	(void)claim_a(s);
	before = host_save(s);
	(void)hold_at_block(s, 2);
	daemon_crash(s);
	sim_fault_clear(s);
	shell(s, "truncate -s -7 " JOURNAL);
	daemon_start(s, NULL);
	assert_end(s, "refused", "in the middle");
	host_assert_same(s, before);
}

/* A draft is of a release that had not begun. */
SCENARIO(draft)
{
	struct host *before;
	uint64_t since;

	(void)claim_a(s);
	before = host_save(s);
	daemon_stop(s);
	shell(s, "echo '{\"dcdd-undo\":1' >" JOURNAL ".new");
	since = sim_log_next(s);
	daemon_start(s, NULL);
	manager_wait_idle(s);
	assert_int_equal(scenario_journals(s, ""), 0);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

/* Nobody knows whose: the daemon names the file, and works. */
SCENARIO(of_no_group)
{
	struct host *before = host_save(s);

	daemon_stop(s);
	shell(s, "echo hello >whose.undo");
	daemon_start(s, NULL);
	daemon_wait_log(s, "whose.undo");
	(void)claim_a(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, before);
	scenario_keeps_journal(s);
}

/* ---- failed is failed, also for the next daemon ---- */

static size_t n_leftovers(struct scenario *s)
{
	_cleanup_json_ struct json_object *r = release_find(s, TAG_A);

	return release_leftovers(r);
}

SCENARIO(failed_over_a_restart)
{
	_cleanup_json_ struct json_object *r = NULL, *again = NULL;
	struct host *before;
	uint64_t since;
	char path[96];

	(void)claim_a(s);
	before = host_save(s);
	(void)sim_fault_errno(s, block_path(4, path), "offline", "EBUSY", 1, 0);
	(void)sim_fault_errno(s, block_path(1, path), "online_movable", "ENOMEM", 1, 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	r = wait_end(s, "failed", "memory339");
	assert_int_equal(release_leftovers(r), 1);
	release_assert_leftover(s, r, "memory339", "offline", "online in movable");
	daemon_stop(s);
	sim_fault_clear(s);
	assert_int_equal(scenario_journals(s, ".undo"), 1);

	since = sim_log_next(s);
	daemon_start(s, NULL);
	again = wait_end(s, "failed", "memory339");
	WAIT_FOR(s, n_leftovers(s) == 1, 10);
	manager_wait_idle(s);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	release_mend(s, r);
	assert_end(s, "refused", "as before");
	host_assert_same(s, before);
}

/* ---- another boot ---- */

/* Nothing of it exists any more, whatever is under those names now: it ends with a message. */
SCENARIO(host_booted_since)
{
	_cleanup_free_ char *line = NULL;
	struct host *half;
	uint64_t since;

	die_half_way(s);
	half = host_save(s);
	assert_true(asprintf(&line, "mount --bind %s /proc/sys/kernel/random/boot_id",
			     scenario_file(s, "boot_id",
					   "01234567-89ab-4cde-8f01-23456789abcd\n")) > 0);
	daemon_mounts(s, line);
	since = sim_log_next(s);
	daemon_start(s, NULL);
	daemon_wait_log(s, "was booted since");
	manager_wait_idle(s);
	assert_null(release_find(s, TAG_A));
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	assert_int_equal(scenario_journals(s, ""), 0);
	host_assert_same(s, half);
}

/* ---- the directory ---- */

static void assert_no_start(struct scenario *s, const char *prepare, int status, const char *text)
{
	_cleanup_free_ char *output = NULL;
	struct host *before = host_save(s);
	int r = command(s, &output,
			"%s && exec dcdd --no-bus --runtime-dir %s/other --state-dir %s", prepare,
			scenario_dir(s), scenario_state_dir(s));

	if (r != status)
		scenario_fail(s, "exit status %d, not %d:\n%s", r, status, output);
	if (!strstr(output, text) || !strstr(output, scenario_state_dir(s)))
		scenario_fail(s, "\"%s\", or the directory, is not in:\n%s", text, output);
	host_assert_same(s, before);
}

static void assert_no_start_in(struct scenario *s, const char *format, int status, const char *text)
{
	_cleanup_free_ char *prepare = NULL;

	assert_true(asprintf(&prepare, "D=%s; %s", scenario_state_dir(s), format) > 0);
	assert_no_start(s, prepare, status, text);
}

SCENARIO(directory_is_a_file)
{
	assert_no_start_in(s, ": >$D", DCDD_EXIT_FAILURE, "Not a directory");
}

SCENARIO(directory_is_everybodys)
{
	assert_no_start_in(s, "mkdir -m 0777 $D", DCDD_EXIT_PERMISSION, "0700");
}

SCENARIO(directory_of_somebody_else)
{
	assert_no_start_in(s, "mkdir -m 0700 $D && chown 65534 $D", DCDD_EXIT_PERMISSION, "chown");
}

SCENARIO(directory_is_a_link)
{
	assert_no_start_in(s, "mkdir -m 0777 $D.real && ln -s $D.real $D", DCDD_EXIT_PERMISSION,
			   "0700");
}

SCENARIO(directory_is_read_only)
{
	struct host *before = host_save(s);
	_cleanup_free_ char *output = NULL;
	int r;

	r = command(
		s, &output,
		"exec unshare -m sh -c 'mkdir %s && mount -t tmpfs -o ro,mode=0700 tmpfs %s && exec "
		"dcdd --no-bus --runtime-dir %s/other --state-dir %s'",
		scenario_state_dir(s), scenario_state_dir(s), scenario_dir(s),
		scenario_state_dir(s));
	if (r != DCDD_EXIT_PERMISSION || !strstr(output, "Read-only"))
		scenario_fail(s, "exit status %d:\n%s", r, output);
	host_assert_same(s, before);
}

/* No room for the prior state: then nothing is changed, and it works again when there is. */
SCENARIO(disk_full)
{
	struct host *empty = host_save(s), *before;
	_cleanup_free_ char *line = NULL;
	const char *dir = scenario_state_dir(s);
	uint64_t since;

	assert_true(asprintf(&line,
			     "mkdir -m 0700 %s\n"
			     "mount -t tmpfs -o size=64k,mode=0700 tmpfs %s\n"
			     "head -c 65536 /dev/zero >%s/filler",
			     dir, dir, dir) > 0);
	daemon_mounts(s, line);
	daemon_start(s, NULL);
	(void)claim_a(s);
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_end(s, "refused", "No space left");
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);

	assert_int_equal(command(s, NULL, "nsenter -m -t %d rm %s/filler", (int)daemon_pid(s), dir),
			 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 20);
	release_collect(s, TAG_A, empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(only_root_may_read_it, &once),
		scenario_test_with(garbage, &once),
		scenario_test_with(empty_file, &once),
		scenario_test_with(truncated_between_lines, &once),
		scenario_test_with(truncated_in_a_line, &once),
		scenario_test_with(one_bit_is_wrong, &once),
		scenario_test_with(another_version, &once),
		scenario_test_with(torn_at_its_end, &once),
		scenario_test_with(draft, &once),
		scenario_test_with(of_no_group, &once),
		scenario_test_with(failed_over_a_restart, &once),
		scenario_test_with(host_booted_since, &once),
		scenario_test_with(directory_is_a_file, &no_daemon),
		scenario_test_with(directory_is_everybodys, &no_daemon),
		scenario_test_with(directory_of_somebody_else, &no_daemon),
		scenario_test_with(directory_is_a_link, &no_daemon),
		scenario_test_with(directory_is_read_only, &no_daemon),
		scenario_test_with(disk_full, &soon_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
