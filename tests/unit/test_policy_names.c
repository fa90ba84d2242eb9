/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of what a policy says and decides, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dcdd/policy.h>

/* Each name once, each back to its value, none for what is out of range. */
#define ASSERT_TABLE(type, max, ...)                                                               \
	do {                                                                                       \
		static const char *const names[] = { __VA_ARGS__ };                                \
		enum type back;                                                                    \
                                                                                                   \
		assert_int_equal(ARRAY_SIZE(names), max);                                          \
		for (unsigned i = 0; i < (max); i++) {                                             \
			assert_string_equal(type##_to_string((enum type)i), names[i]);             \
			assert_int_equal(type##_from_string(names[i], &back), 0);                  \
			assert_int_equal(back, i);                                                 \
		}                                                                                  \
		assert_string_equal(type##_to_string((enum type)(max)), "unknown");                \
		assert_string_equal(type##_to_string((enum type) - 1), "unknown");                 \
		back = (enum type)77;                                                              \
		assert_int_equal(type##_from_string("unknown", &back), -EINVAL);                   \
		assert_int_equal(type##_from_string("", &back), -EINVAL);                          \
		assert_int_equal(back, 77);                                                        \
	} while (0)

static void test_both_ways(_unused_ void **state)
{
	ASSERT_TABLE(policy_action, _POLICY_ACTION_MAX, "free", "keep", "ask");
	ASSERT_TABLE(offline_method, _OFFLINE_METHOD_MAX, "auto", "atomic", "blocks");
	ASSERT_TABLE(recovery, _RECOVERY_MAX, "roll-back", "resume");
	ASSERT_TABLE(holders_action, _HOLDERS_ACTION_MAX, "wait", "refuse", "terminate");
	ASSERT_TABLE(origin, _ORIGIN_MAX, "device", "admin");
	ASSERT_TABLE(inhibit_mode, _INHIBIT_MODE_MAX, "block", "delay");
}

#define ASSERT_NAMES(type, max, ...)                                                               \
	do {                                                                                       \
		static const char *const names[] = { __VA_ARGS__ };                                \
                                                                                                   \
		assert_int_equal(ARRAY_SIZE(names), max);                                          \
		for (unsigned i = 0; i < (max); i++)                                               \
			assert_string_equal(type##_to_string((enum type)i), names[i]);             \
		assert_string_equal(type##_to_string((enum type)(max)), "unknown");                \
		assert_string_equal(type##_to_string((enum type) - 1), "unknown");                 \
	} while (0)

static void test_to_string(_unused_ void **state)
{
	ASSERT_NAMES(verdict, _VERDICT_MAX, "nothing", "free", "wait", "refuse");
	ASSERT_NAMES(condition_kind, _CONDITION_MAX, "state", "approval", "window", "rate",
		     "reserve", "headroom", "pressure", "inhibitors", "holders");
	ASSERT_NAMES(outcome, _OUTCOME_MAX, "met", "wait", "refuse");
	ASSERT_NAMES(approval, _APPROVAL_MAX, "none", "given", "denied");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_to_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
