/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_decide(): a person's word, and windows of time by the clock on the wall. */
#include "tests/unit/policy_check.h"

#define APPROVAL(...) .want = { [CONDITION_APPROVAL] = __VA_ARGS__ }
#define WINDOW(...) .want = { [CONDITION_WINDOW] = __VA_ARGS__ }
#define ASK "[release]\nsystem-ram = ask\n"
#define DAY (24 * USEC_PER_HOUR)

/* Of system-ram, while the windows are these. It is Monday noon in UTC, and 7 in the morning here.
 */
#define OPEN(name_, windows, ...)                                                                  \
	{                                                                                          \
		.name = name_, .conf = "[release]\nwindows = " windows "\n", .modes = "s",         \
		.blocks = { "mmm" }, .verdict = VERDICT_FREE, __VA_ARGS__                          \
	}
#define CLOSED(name_, windows, opens, ...)                                                         \
	{                                                                                          \
		.name = name_, .conf = "[release]\nwindows = " windows "\n", .modes = "s",         \
		.blocks = { "mmm" }, .verdict = VERDICT_WAIT,                                      \
		WINDOW(WAITS(.measured = "closed", .deadline = USEC_INFINITY,                      \
			     .again = USEC_INFINITY, .again_wall = (opens))),                      \
		__VA_ARGS__                                                                        \
	}

static const struct test_case cases[] = {
	/* ---- approval ---- */
	{ .name = "a person is asked",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_WAIT,
	  .reason = "approv",
	  APPROVAL(WAITS(.deadline = NOW + USEC_PER_HOUR, .again = USEC_INFINITY,
			 .again_wall = USEC_INFINITY)) },
	{ .name = "a person is asked by a rule, with its words",
	  .conf = "[rule r]\nmatch-mode = devdax\naction = ask\nmessage = call the storage team\n",
	  .modes = "d",
	  .verdict = VERDICT_WAIT,
	  .rule = "r",
	  .reason = "call the storage team",
	  APPROVAL(WAITS()) },
	{ .name = "a person is asked about one of two devices",
	  .conf = "[release]\ndevdax = ask\n",
	  .modes = "sd",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_WAIT,
	  APPROVAL(WAITS(.text = "dax0.2")) },
	{ .name = "nobody is asked about what is not there",
	  .conf = "[release]\ndevdax = ask\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_FREE },
	{ .name = "nobody is asked about what nobody claims",
	  .conf = "[rule r]\nmatch-tag = *\naction = ask\n",
	  .modes = "",
	  .verdict = VERDICT_NOTHING,
	  .rule = "r" },
	{ .name = "approved",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_GIVEN },
	  .verdict = VERDICT_FREE },
	{ .name = "approved in the end",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_GIVEN,
		       .since = { [CONDITION_APPROVAL] = NOW - 2 * USEC_PER_HOUR } },
	  .verdict = VERDICT_FREE },
	{ .name = "approved, but held",
	  .conf = "[release]\ndevdax = ask\n",
	  .modes = "d",
	  .holders = { { .pid = 9, .open = true, .comm = "b" } },
	  .request = { .approval = APPROVAL_GIVEN },
	  .verdict = VERDICT_WAIT,
	  .reason = "process 9",
	  .want = { [CONDITION_HOLDERS] = WAITS() } },
	{ .name = "denied with words",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_DENIED, .answer = "the benchmark is still running" },
	  .verdict = VERDICT_REFUSE,
	  .reason = "the benchmark is still running",
	  APPROVAL(REFUSES()) },
	{ .name = "denied without a word",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_DENIED },
	  .verdict = VERDICT_REFUSE,
	  .reason = "denied",
	  APPROVAL(REFUSES(.measured = "denied")) },
	{ .name = "denied, whatever the deadline would do",
	  .conf = ASK "ask-outcome = free\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_DENIED,
		       .since = { [CONDITION_APPROVAL] = NOW - 2 * USEC_PER_HOUR } },
	  .verdict = VERDICT_REFUSE,
	  APPROVAL(REFUSES()) },
	{ .name = "nobody answers: kept",
	  .conf = ASK,
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_APPROVAL] = NOW - USEC_PER_HOUR } },
	  .verdict = VERDICT_REFUSE,
	  APPROVAL(REFUSES()) },
	{ .name = "nobody answers: freed",
	  .conf = ASK "ask-outcome = free\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_APPROVAL] = NOW - USEC_PER_HOUR } },
	  .verdict = VERDICT_FREE },
	{ .name = "nobody has answered yet",
	  .conf = ASK "ask-outcome = free\nask-timeout = 2h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_APPROVAL] = NOW - 2 * USEC_PER_HOUR + 1 } },
	  .verdict = VERDICT_WAIT,
	  APPROVAL(WAITS(.deadline = NOW + 1)) },
	{ .name = "a person may take for ever",
	  .conf = ASK "ask-timeout = infinity\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_APPROVAL] = 1 } },
	  .verdict = VERDICT_WAIT,
	  APPROVAL(WAITS(.deadline = USEC_INFINITY)) },
	{ .name = "approved before anybody had to ask",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_GIVEN },
	  .verdict = VERDICT_FREE },
	{ .name = "denied although nobody had to ask",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .approval = APPROVAL_DENIED, .answer = "not today" },
	  .verdict = VERDICT_REFUSE,
	  .reason = "not today",
	  APPROVAL(REFUSES()) },
	/* ---- windows ---- */
	OPEN("open", "Mon 11:00-13:00 UTC"),
	OPEN("open: from its first minute", "Mon 12:00-13:00 UTC"),
	CLOSED("closed: at its last", "Mon 11:00-12:00 UTC", WALL + 7 * DAY - USEC_PER_HOUR),
	CLOSED("closed: not yet", "12:01-13:00 UTC", WALL + USEC_PER_MIN),
	CLOSED("closed: another day", "Tue 11:00-13:00 UTC", WALL + DAY - USEC_PER_HOUR),
	CLOSED("closed: until the night", "22:00-06:00 UTC", WALL + 10 * USEC_PER_HOUR),
	OPEN("open: the morning after", "Mon 22:00-06:00 UTC",
	     .facts = { .realtime = WALL + 14 * USEC_PER_HOUR }),
	CLOSED("closed: the morning before", "Mon 22:00-06:00 UTC", WALL + 10 * USEC_PER_HOUR,
	       .facts = { .realtime = WALL - 10 * USEC_PER_HOUR }),
	OPEN("one of several is open", "Sat,Sun 00:00-24:00 UTC, Mon..Fri 11:30-12:30 UTC"),
	CLOSED("none of several is open", "Sat,Sun 00:00-24:00 UTC, Mon..Fri 22:00-06:00 UTC",
	       WALL + 10 * USEC_PER_HOUR),
	OPEN("open by local time", "Mon 07:00-07:30"),
	CLOSED("closed by local time", "Mon 12:00-13:00", WALL + 5 * USEC_PER_HOUR),
	OPEN("approved or not, a window that is open", "11:00-13:00 UTC",
	     .request = { .approval = APPROVAL_GIVEN }),
	CLOSED("an approval opens no window", "22:00-06:00 UTC", WALL + 10 * USEC_PER_HOUR,
	       .request = { .approval = APPROVAL_GIVEN }),
	{ .name = "no window",
	  .conf = "[rule r]\nmatch-tag = *\nwindows =\n[release]\nwindows = Sun 00:00-01:00 UTC\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "a window that is waited for until its deadline",
	  .conf = "[release]\nwindows = Mon..Fri 22:00-06:00 UTC\nwindows-wait = 3h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_WINDOW] = NOW - USEC_PER_HOUR } },
	  .verdict = VERDICT_WAIT,
	  WINDOW(WAITS(.limit = "22:00-06:00", .deadline = NOW + 2 * USEC_PER_HOUR,
		       .again_wall = WALL + 10 * USEC_PER_HOUR)) },
	{ .name = "a window that is waited for until its deadline, and not longer",
	  .conf = "[release]\nwindows = Mon..Fri 22:00-06:00 UTC\nwindows-wait = 3h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .request = { .since = { [CONDITION_WINDOW] = NOW - 3 * USEC_PER_HOUR } },
	  .verdict = VERDICT_REFUSE,
	  .reason = "22:00-06:00",
	  WINDOW(REFUSES(.measured = "closed")) },
};

TEST_TABLE(cases);

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	(void)setenv("TZ", "EST5", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
