/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a round: every unit is judged by what is there, what the daemon says and what the
 * model allows; then everything that the round has touched is put away.
 */
#include "soak.h"

#define RELEASED_SECONDS 5

static void _printf_(2, 3) because(char *why, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, SOAK_WHY_MAX, format, ap);
	va_end(ap);
}

/* ---- policy ---- */

/* Whether any configuration of the round frees what the unit may have been used as. */
static bool policy_frees(const struct soak *k, const struct soak_unit *u)
{
	unsigned uses = 0;

	if (u->drivers & DRIVER_KMEM)
		uses |= 1U << SOAK_MOVABLE;
	if (u->drivers & DRIVER_DEVDAX)
		uses |= 1U << SOAK_DEVDAX;
	if (u->drivers & DRIVER_FSDEV)
		uses |= 1U << SOAK_FSDEV;
	if (u->drivers & DRIVER_NONE)
		uses |= 1U << SOAK_UNBOUND;
	return k->free_uses & uses && !u->held;
}

/* Nothing stood in the way, so it must not have been left in use. */
static bool must_be_free(const struct soak *k, const struct soak_unit *u)
{
	bool harmless_zone = u->use != SOAK_KERNEL;

	return k->script.quiet && u->may_free && harmless_zone && k->config.refuse_hold_ms == 1;
}

/* Records may have been lost, or were read by a daemon that died before it did anything. */
bool soak_may_be_unheard(const struct soak *k)
{
	static const enum soak_kind losing[] = { EVENT_FLOOD, EVENT_MODULE, EVENT_KILL,
						 EVENT_TERM };

	for (size_t i = 0; i < k->script.n_events; i++)
		for (size_t n = 0; n < ARRAY_SIZE(losing); n++)
			if (k->script.events[i].kind == losing[n])
				return true;
	return false;
}

/* ---- one unit ---- */

static bool says(const char *state, const char *a, const char *b, const char *c)
{
	return streq(state, a) || streq(state, b) || (c && streq(state, c));
}

/* Whether what the daemon says fits to what there is. It may have been right when it said so. */
static bool word_is_true(const struct soak_unit *u, const char *state, char *why)
{
	bool fits = true;

	switch (u->verdict) {
	case SOAK_GONE:
		/* Another hand may have released what was left as it was. */
		fits = u->claims & CLAIM_GONE || says(state, "released", "vanished", NULL);
		break;
	case SOAK_FREE:
		fits = u->claims & CLAIM_FREE || says(state, "ready", "released", NULL);
		break;
	case SOAK_WHOLE:
		fits = !says(state, "ready", "released", "vanished");
		break;
	case SOAK_HALF:
		break;
	}
	if (!fits)
		because(why, "the daemon says %s, but %s", state,
			u->verdict == SOAK_GONE	  ? "its extents are gone"
			: u->verdict == SOAK_FREE ? "it is free"
						  : "it is claimed");
	return fits;
}

/*
 * Destroyed with memory online, by another hand: the kernel would hand that back. What the daemon
 * can do is claim it again, or at least never say that it is free.
 */
static bool forced_is_told(const struct soak_unit *u, const struct soak_seen *seen,
			   const char *state, char *why)
{
	for (size_t i = 0; i < u->n_blocks; i++) {
		if (seen->claimed > 0 || !says(state, "ready", "released", NULL) ||
		    seen->blocks[i] & (BLOCK_IS_ABSENT | BLOCK_IS_OFFLINE))
			continue;
		because(why, "the daemon says %s, with memory%llu in use", state,
			(unsigned long long)u->blocks[i].number);
		return false;
	}
	return true;
}

static enum matrix_outcome outcome_of(const struct soak_unit *u)
{
	if (u->failed)
		return MATRIX_FAILED;
	switch (u->verdict) {
	case SOAK_GONE:
	case SOAK_FREE:
		return MATRIX_FREE;
	case SOAK_WHOLE:
		return MATRIX_AS_BEFORE;
	default:
		return MATRIX_HALF;
	}
}

/* How the unit ended; @why if half. */
static enum matrix_outcome judge_unit(struct soak *k, struct json_object *state,
				      struct soak_unit *u, char *why)
{
	_cleanup_json_ struct json_object *release = soak_release(k, u);
	const char *said = release ? member_string(release, "State") : "";
	struct soak_seen seen;

	u->may_free = u->asked && policy_frees(k, u);
	u->failed = false;
	soak_see(state, u, &seen);
	u->verdict = soak_judge(u, &seen, why);
	if (u->forced)
		return forced_is_told(u, &seen, said, why) ? MATRIX_FAILED : MATRIX_HALF;
	if (streq(said, "failed")) {
		u->failed = soak_leftovers_true(state, u, &seen, release, why);
		return u->failed ? MATRIX_FAILED : MATRIX_HALF;
	}
	if (u->verdict == SOAK_HALF)
		return MATRIX_HALF;
	if (release && !word_is_true(u, said, why))
		return MATRIX_HALF;
	if (!release && u->heard && u->verdict != SOAK_GONE && !soak_may_be_unheard(k)) {
		because(why, "the device asked, and the daemon knows of no release");
		return MATRIX_HALF;
	}
	if (u->verdict == SOAK_WHOLE && must_be_free(k, u)) {
		because(why, "nothing stood in the way, and it is still in use");
		return MATRIX_HALF;
	}
	if (!u->asked && !u->touched && soak_was_touched(k, u)) {
		because(why, "nobody asked for it, and the daemon has written to it");
		return MATRIX_HALF;
	}
	return outcome_of(u);
}

static void report(struct soak *k, const struct soak_unit *u, const char *why)
{
	_cleanup_json_ struct json_object *release = soak_release(k, u);
	char text[SOAK_TEXT_MAX];

	soak_problem(k, "half: %s, %s: %s\n  the daemon: %s", soak_unit_text(u, text), u->device,
		     why,
		     release ? json_object_to_json_string_ext(release, JSON_C_TO_STRING_PLAIN)
			     : "knows no release of it");
}

static void tell(struct soak *k, const struct soak_unit *u, enum matrix_outcome outcome)
{
	_cleanup_json_ struct json_object *release = soak_release(k, u);

	printf("  %u.%u is %s; the daemon: %s: %s\n", u->slot, u->index,
	       matrix_outcome_to_string(outcome), release ? member_string(release, "State") : "-",
	       release ? member_string(release, "Reason") : "");
}

/*
 * @final: what is half is reported. Otherwise the number of halves is all that is wanted: the
 * daemon may just be about to see what another hand did a moment ago.
 */
static unsigned judge_all(struct soak *k, bool final)
{
	_cleanup_json_ struct json_object *state = soak_state(k);
	char why[SOAK_WHY_MAX], stray[DEV_NAME_MAX];
	unsigned halves = 0;

	soak_foreach_unit(u, k)
	{
		enum matrix_outcome outcome = judge_unit(k, state, u, why);

		halves += outcome == MATRIX_HALF;
		if (!final)
			continue;
		if (u->asked || outcome == MATRIX_HALF)
			k->outcomes[outcome]++;
		if (k->verbose && u->asked)
			tell(k, u, outcome);
		if (outcome == MATRIX_HALF)
			report(k, u, why);
	}
	soak_find_stray(k, state, stray);
	if (stray[0] && !final)
		halves++;
	else if (stray[0] && !soak_may_stray(k, stray))
		soak_problem(k, "%s is left, and claims nothing", stray);
	return halves;
}

void soak_judge_round(struct soak *k)
{
	_cleanup_json_ struct json_object *reply = NULL;
	int violations;

	if (judge_all(k, false) > 0)
		manager_wait_idle(k->s);
	(void)judge_all(k, true);

	violations = host_violations(k->s);
	if (violations != 0) {
		k->violations += violations > 0 ? (unsigned)violations : 1;
		soak_problem(k, "%d violations: memory was handed back while in use", violations);
	}
	(void)sim_request(k->s, &reply, "{'cmd':'check'}");
	if (!reply || !member_bool(reply, "ok"))
		soak_problem(k, "the simulator's check: %s",
			     reply ? json_object_to_json_string(reply) : "no answer");
}

/* ---- putting away ---- */

/* The extents of the slot that are there, as the device's list. Returns how many. */
static size_t list_extents(struct soak *k, struct json_object *state, unsigned slot, char *ret,
			   size_t size)
{
	size_t n = 0, at = 0;

	*ret = '\0';
	for (size_t i = 0; i < k->slots[slot].n_units; i++) {
		const struct soak_unit *u = &k->slots[slot].units[i];
		struct soak_seen seen;

		soak_see(state, u, &seen);
		for (size_t e = 0; e < u->n_extents && seen.extents == u->n_extents; e++, n++)
			at += (size_t)snprintf(ret + at, size - at, "%s{'dpa':%llu,'length':%llu}",
					       n ? "," : "", (unsigned long long)u->extents[e].dpa,
					       (unsigned long long)u->extents[e].length);
	}
	return n;
}

/* The device takes back what the slot had; nothing must keep the kernel from it. */
static void take_back(struct soak *k, unsigned slot, const char *what)
{
	_cleanup_json_ struct json_object *state = soak_state(k), *reply = NULL, *after = NULL;
	const struct soak_unit *first = &k->slots[slot].units[0];
	char extents[1024], tag[64] = "";

	if (list_extents(k, state, slot, extents, sizeof(extents)) == 0)
		return;
	if (first->tag[0])
		(void)snprintf(tag, sizeof(tag), "'tag':'%s',", first->tag);
	(void)sim_request(k->s, &reply, "{'cmd':'release','memdev':'%s',%s'extents':[%s]}",
			  soak_memdev(slot), tag, extents);
	after = soak_state(k);
	if (list_extents(k, after, slot, extents, sizeof(extents)) > 0)
		soak_problem(k, "slot %u is %s, but the kernel does not release it: %s", slot, what,
			     reply ? json_object_to_json_string(reply) : "no answer");
}

/* The daemon has to see that what was ready is released. */
static void see_released(struct soak *k, const struct soak_unit *u)
{
	usec_t deadline = deadline_in(RELEASED_SECONDS);

	for (;;) {
		_cleanup_json_ struct json_object *release = soak_release(k, u);

		if (!release || !streq(member_string(release, "State"), "ready"))
			return;
		if (deadline_passed(deadline)) {
			soak_problem(k, "%s was released, and the daemon says ready", u->device);
			return;
		}
	}
}

static bool all_are(const struct soak_slot *slot, enum soak_verdict verdict)
{
	for (size_t i = 0; i < slot->n_units; i++)
		if (slot->units[i].verdict != verdict && slot->units[i].verdict != SOAK_GONE)
			return false;
	return true;
}

static void mend_unit(struct soak *k, struct soak_unit *u)
{
	_cleanup_json_ struct json_object *state = NULL;
	char why[SOAK_WHY_MAX];
	struct soak_seen seen;

	if (!soak_mend(k, u)) {
		k->unmended++;
		return;
	}
	state = soak_state(k);
	soak_see(state, u, &seen);
	if (soak_judge(u, &seen, why) == SOAK_HALF)
		soak_problem(k, "%s failed and was mended, but %s", u->device, why);
	k->mended++;
}

/* Devices that were made and could not be given a claim, or not be deleted, while luck was bad. */
static void delete_strays(struct soak *k)
{
	char stray[DEV_NAME_MAX], path[128];

	for (unsigned i = 0; i < SOAK_SLOTS * SOAK_UNITS; i++) {
		_cleanup_json_ struct json_object *state = soak_state(k);
		int r;

		soak_find_stray(k, state, stray);
		if (!stray[0])
			return;
		(void)snprintf(path, sizeof(path),
			       "bus/cxl/devices/dax_region%lu/dax_region/delete",
			       strtoul(stray + strlen("dax"), NULL, 10));
		r = sim_write(k->s, path, stray);
		if (r < 0) {
			soak_problem(k, "%s cannot be deleted: %s", stray, strerror(-r));
			return;
		}
	}
}

static bool is_touched(const struct soak_slot *slot)
{
	for (size_t i = 0; i < slot->n_units; i++)
		if (slot->units[i].touched && slot->units[i].present)
			return true;
	return false;
}

void soak_clear_away(struct soak *k)
{
	for (unsigned i = 0; i < SOAK_SLOTS; i++) {
		struct soak_slot *slot = &k->slots[i];
		bool free = all_are(slot, SOAK_FREE);

		if (!is_touched(slot))
			continue;
		for (size_t n = 0; n < slot->n_units; n++)
			if (slot->units[n].failed)
				mend_unit(k, &slot->units[n]);
		/* What is free is the kernel's to give back without anybody's hand. */
		for (size_t n = 0; !free && n < slot->n_units; n++)
			soak_retire(k, &slot->units[n]);
		take_back(k, i, free ? "free" : "out of use");
		for (size_t n = 0; n < slot->n_units; n++)
			see_released(k, &slot->units[n]);
		for (size_t n = 0; n < slot->n_units; n++)
			if (free)
				soak_retire(k, &slot->units[n]);
	}
	delete_strays(k);
}
