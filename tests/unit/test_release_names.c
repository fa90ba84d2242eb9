/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of release states and plan steps, and which states are the end, or half-way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dcdd/release.h>

static const struct {
	enum release_state state;
	const char *name;
	bool final, active;
} states[] = {
	{ RELEASE_REQUESTED, "requested", false, false },
	{ RELEASE_HELD, "held", false, false },
	{ RELEASE_DRAINING, "draining", false, false },
	{ RELEASE_OFFLINING, "offlining", false, true },
	{ RELEASE_DETACHING, "detaching", false, true },
	{ RELEASE_READY, "ready", false, false },
	{ RELEASE_ROLLING_BACK, "rolling-back", false, true },
	{ RELEASE_DEFERRED, "deferred", false, false },
	{ RELEASE_RELEASED, "released", true, false },
	{ RELEASE_REFUSED, "refused", true, false },
	{ RELEASE_VANISHED, "vanished", true, false },
	{ RELEASE_FAILED, "failed", true, false },
};

static void test_states(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_SIZE(states), _RELEASE_STATE_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		enum release_state back = _RELEASE_STATE_MAX;

		assert_string_equal(release_state_to_string(states[i].state), states[i].name);
		assert_int_equal(release_state_from_string(states[i].name, &back), 0);
		assert_int_equal(back, states[i].state);
		assert_int_equal(release_state_is_final(states[i].state), states[i].final);
		assert_int_equal(release_state_is_active(states[i].state), states[i].active);
		assert_int_equal(release_state_is_held(states[i].state),
				 states[i].state == RELEASE_HELD ||
					 states[i].state == RELEASE_DRAINING);
	}
}

static void test_unknown(void **state)
{
	static const char *const bad[] = { "", "unknown", "Ready", "ready ", "rolling_back" };
	enum release_state kept = RELEASE_READY;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(release_state_from_string(bad[i], &kept), -EINVAL);
	assert_int_equal(kept, RELEASE_READY);
	assert_string_equal(release_state_to_string(_RELEASE_STATE_MAX), "unknown");
	assert_string_equal(release_state_to_string((enum release_state) - 1), "unknown");
	assert_string_equal(step_kind_to_string(_STEP_KIND_MAX), "unknown");
}

static void test_steps(void **state)
{
	static const char *const names[] = { "save",	    "offline-block", "unplug",
					     "unbind",	    "size-zero",     "delete",
					     "create",	    "claim",	     "bind",
					     "new-id",	    "plug",	     "offline-block-again",
					     "online-block" };

	(void)state;
	assert_int_equal(ARRAY_SIZE(names), _STEP_KIND_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(step_kind_to_string((enum step_kind)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests_name("release_names", tests, NULL, NULL);
}
