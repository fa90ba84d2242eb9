/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people and their programs may ask of the manager: answers, inhibitors, temporary rules,
 * another configuration, and what would be decided. Who may is the bus' business.
 */
#include "manager_internal.h"
#include "snapshot/snapshot.h"

/* A temporary rule that lasts as long as somebody holds a descriptor. */
struct rule_lease {
	struct manager *manager;
	struct lease *lease;
	char name[RULE_NAME_MAX];
	LIST_ENTRY(rule_lease) link;
};

static void rule_lease_free(struct rule_lease *l)
{
	LIST_REMOVE(l, link);
	lease_free(l->lease);
	free(l);
}

void hands_done(struct manager *m)
{
	struct rule_lease *l;

	while ((l = LIST_FIRST(&m->rule_leases)))
		rule_lease_free(l);
}

int hands_explain(const struct group_key *key, struct decision *ret, void *userdata)
{
	const struct policy_request none = { 0 };
	const struct release *release = NULL;
	struct manager *m = userdata;
	struct tag_group group;
	struct entry *e;

	if (!m->inventory || inventory_find_group(m->inventory, key, &key->dpa, &group) < 0)
		return -ENOENT;
	e = queue_find_live(&m->queue, key);
	if (e)
		release = e->release;
	policy_decide(m->inventory, &group, &m->policy, facts_take(m, release),
		      release ? &release->request : &none, ret);
	return 0;
}

int hands_answer(uint64_t id, bool approve, const char *why, const char *who, void *userdata)
{
	enum approval approval = approve ? APPROVAL_GIVEN : APPROVAL_DENIED;
	struct manager *m = userdata;
	struct entry *e = queue_find_id(&m->queue, id);
	struct report_fields fields = { 0 };
	char key[GROUP_KEY_STRLEN];
	struct machine_input in;
	struct release *r;

	if (!e || release_state_is_final(e->release->state))
		return -ENOENT;
	r = e->release;
	if (r->request.approval == approval)
		return -EALREADY;
	/* A no is heard as long as nothing was begun, also if nobody asked or somebody had said
	 * yes. */
	if (release_state_is_active(r->state) || r->state == RELEASE_READY ||
	    (approve && r->request.since[CONDITION_APPROVAL] == 0))
		return -EBADE;
	r->request.approval = approval;
	(void)str_copy(r->request.answer, sizeof(r->request.answer), why);
	fields.tag = tag_is_null(&r->key.tag) ? NULL : &r->key.tag;
	fields.memdev = r->key.memdev;
	fields.release = r->id;
	report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_POLICY, &fields,
		    "Release of %s was %s by %s%s%s", group_key_format(&r->key, key),
		    approve ? "approved" : "denied", who, why[0] ? ": " : "", why);
	in = manager_input_deciding(m, r);
	manager_apply(m, e, machine_reconsider(r, &in, true));
	manager_settle(m);
	return 0;
}

int hands_reload(char **ret_error, void *userdata)
{
	struct manager *m = userdata;

	*ret_error = NULL;
	return m->setup.reload(ret_error, m->setup.userdata);
}

int hands_snapshot(char **ret, void *userdata)
{
	struct manager *m = userdata;

	if (!m->inventory)
		return -EAGAIN;
	return snapshot_format(m->inventory, facts_take(m, NULL), ret);
}

static void report_inhibitor(struct manager *m, const struct inhibitor *inhibitor, const char *what)
{
	report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_POLICY, NULL,
		    "%s: %s inhibitor of releases of %s, by %s (process %d, uid %u): %s", what,
		    inhibit_mode_to_string(inhibitor->mode), inhibitor->scope, inhibitor->who,
		    inhibitor->pid, inhibitor->uid, inhibitor->why);
}

void hands_inhibitor_over(const struct inhibitor *inhibitor, void *userdata)
{
	struct manager *m = userdata;

	report_inhibitor(m, inhibitor, "Over");
	manager_reconsider(m, false);
	manager_settle(m);
}

int hands_inhibit(const struct inhibitor *inhibitor, int *ret_fd, void *userdata)
{
	struct manager *m = userdata;
	struct inhibitor added = *inhibitor;
	int r;

	added.since = now_usec(CLOCK_REALTIME);
	r = inhibitors_add(m->facts.inhibitors, &added, ret_fd);
	if (r < 0)
		return r;
	report_inhibitor(m, &added, "Taken");
	manager_reconsider(m, false);
	manager_settle(m);
	return 0;
}

const struct inhibitor *hands_inhibitors(size_t *ret_n, void *userdata)
{
	struct manager *m = userdata;

	return inhibitors_list(m->facts.inhibitors, ret_n);
}

const struct policy *hands_policy(void *userdata)
{
	struct manager *m = userdata;

	return &m->policy;
}

/* The rules have changed. */
static void rules_changed(struct manager *m)
{
	facts_policy_changed(m);
	manager_reconsider(m, true);
	manager_settle(m);
}

static struct rule_lease *find_lease(struct manager *m, const char *name)
{
	struct rule_lease *l;

	LIST_FOREACH(l, &m->rule_leases, link)
		if (streq(l->name, name))
			return l;
	return NULL;
}

/* The rule goes, and its lease with it. 0 or -ENOENT. */
static int remove_rule(struct manager *m, const char *name)
{
	struct rule_lease *l = find_lease(m, name);

	if (l)
		rule_lease_free(l);
	return policy_remove_temporary(&m->policy, name);
}

static void report_rule_over(struct manager *m, const char *name, const char *why)
{
	struct report_fields fields = { .rule = name };

	report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_POLICY, &fields,
		    "Temporary rule \"%s\" is over: %s", name, why);
}

static void on_rule_lease_over(struct lease *lease, void *userdata)
{
	struct rule_lease *l = userdata;
	struct manager *m = l->manager;
	char name[RULE_NAME_MAX];

	(void)lease;
	(void)str_copy(name, sizeof(name), l->name);
	report_rule_over(m, name, "who set it has let go of it");
	(void)remove_rule(m, name);
	rules_changed(m);
}

bool hands_expire(struct manager *m)
{
	const struct policy_rule *rule;
	bool any = false;

	while ((rule = policy_expired(&m->policy, now_usec(CLOCK_REALTIME)))) {
		char name[RULE_NAME_MAX];

		(void)str_copy(name, sizeof(name), rule->name);
		report_rule_over(m, name, "its time has come");
		if (remove_rule(m, name) < 0)
			break;
		any = true;
	}
	if (any)
		facts_policy_changed(m);
	return any;
}

static int take_lease(struct manager *m, const char *name, int *ret_fd)
{
	struct rule_lease *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->manager = m;
	(void)str_copy(l->name, sizeof(l->name), name);
	r = lease_new(m->setup.base, on_rule_lease_over, l, &l->lease, ret_fd);
	if (r < 0) {
		free(l);
		return r;
	}
	LIST_INSERT_HEAD(&m->rule_leases, l, link);
	return 0;
}

static void report_rule(struct manager *m, const struct policy_rule *rule)
{
	struct report_fields fields = { .rule = rule->name };
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r = f ? policy_rule_dump(rule, f) : -ENOMEM;

	if (f && fclose(f) != 0)
		r = -ENOMEM;
	if (r >= 0 && text)
		for (char *c = text; *c; c++)
			if (*c == '\n')
				*c = c[1] ? ';' : '\0';
	report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_POLICY, &fields,
		    "Temporary rule \"%s\" set by %s: %s", rule->name, rule->who,
		    r >= 0 && text ? text : "");
}

int hands_add_rule(const char *name, const char *text, usec_t until, const char *who, int *ret_fd,
		   char **ret_error, void *userdata)
{
	struct manager *m = userdata;
	int r;

	*ret_error = NULL;
	r = policy_add_temporary(&m->policy, name, text, until, who, ret_error);
	if (r < 0)
		return r;
	if (ret_fd) {
		r = take_lease(m, name, ret_fd);
		if (r < 0) {
			(void)policy_remove_temporary(&m->policy, name);
			return r;
		}
	}
	report_rule(m, &m->policy.rules[0]);
	rules_changed(m);
	return 0;
}

int hands_remove_rule(const char *name, const char *who, void *userdata)
{
	struct manager *m = userdata;
	char by[RULE_NAME_MAX + 16];
	int r = remove_rule(m, name);

	if (r < 0)
		return r;
	(void)snprintf(by, sizeof(by), "removed by %s", who);
	report_rule_over(m, name, by);
	rules_changed(m);
	return 0;
}
