/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second opinion on policy_decide(): the rules of dcdd.conf(5) once more, as plainly as possible,
 * over a host of policy_host.h and a configuration of random_policy.h. Shares nothing with the code
 * that it judges but the structures that both look at.
 */
#pragma once

#include "tests/unit/random_policy.h"

struct judgement {
	enum verdict verdict;
	int rule; /* -1: none */
	bool permanent, terminate;
	char outcome[_CONDITION_MAX]; /* m, w or r */
};

/* What it is about, with the settings that apply. */
struct matter {
	const struct test_case *c;
	const struct host *host;
	const struct policy_facts *facts;
	const uint64_t *set; /* by enum random_key */
	uint32_t n;	     /* devices of the group: the first ones */
};

static inline const struct dax_device *matter_device(const struct matter *m, uint32_t i)
{
	return &m->host->devices[i];
}

static inline unsigned judge_mode(const struct matter *m, uint32_t i)
{
	return (unsigned)(strchr("usdfo", m->c->modes[i]) - "usdfo");
}

/* ---- which rule ---- */

static inline bool judge_match(const struct matter *m, enum random_match what, uint64_t want)
{
	bool all = true;

	switch (what) {
	case M_TAG:
		return want == 1 || (want == 2 && !(m->c->flags & UNTAGGED)) ||
		       (want == 3 && m->c->flags & UNTAGGED);
	case M_MEMDEV:
		return want && !(m->c->flags & NO_MEMDEV);
	case M_REGION:
		return want;
	case M_NODE:
		for (uint32_t i = 0; i < m->n; i++)
			all = all && want >> matter_device(m, i)->target_node & 1;
		return m->n > 0 && all;
	case M_PARTITION:
		if (m->c->flags & NO_PARTITION)
			return false;
		return want >> (m->c->flags & PARTITION_A ? 1 : 2) & 1;
	case M_MODE:
		for (uint32_t i = 0; i < m->n; i++)
			all = all && judge_mode(m, i) < 4 && want >> judge_mode(m, i) & 1;
		return m->n ? all : want >> 4 & 1;
	case M_SHARABLE:
		return want ? !(m->c->flags & NOT_SHARABLE) : m->c->flags & NOT_SHARABLE;
	case M_SIZE:
		return 3 * MAX(m->n, 1u) >= want;
	case M_EXTENTS:
		return 2 * MAX(m->n, 1u) <= want;
	case M_ORIGIN:
		return m->c->request.origin == (enum origin)want;
	default:
		return false;
	}
}

static inline int judge_rule(const struct matter *m, const struct random_policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		bool all = true;

		for (unsigned what = 0; what < _M_MAX; what++)
			all = all && (!policy->rules[i].matches[what] ||
				      judge_match(m, (enum random_match)what,
						  policy->rules[i].match[what]));
		if (all)
			return (int)i;
	}
	return -1;
}

/* ---- what no waiting changes ---- */

static inline bool judge_forbidden(const struct matter *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		const struct dax_device *device = matter_device(m, i);

		if (judge_mode(m, i) == 4 || m->set[judge_mode(m, i)] == KEEP)
			return true;
		for (uint32_t b = 0; b < device->n_blocks; b++) {
			char letter = m->c->blocks[i][b];

			if (strchr("kFK", letter))
				return true;
			if (judge_mode(m, i) != 1 && letter != 'O')
				return true; /* without its driver */
			/* Begins in the device, and holds the page structures of others. */
			if (letter == 'O' && judge_mode(m, i) == 1 && m->c->flags & MEMMAP &&
			    m->host->inv.block_size &&
			    (b < 2 || !(m->c->flags & (CUT | ONE_CLAIMS))))
				return true;
		}
	}
	return m->c->flags & (LEFTOVER | OUTSIDE | MERGED | WRAPS);
}

/* ---- conditions ---- */

static inline char judge_since(const struct matter *m, usec_t since, uint64_t wait)
{
	return wait != FOREVER && m->facts->now - (since ? since : m->facts->now) >= wait ? 'r'
											  : 'w';
}

/* What becomes of a condition that is not met. */
static inline char judge_wait(const struct matter *m, enum condition_kind kind, uint64_t wait)
{
	return judge_since(m, m->c->request.since[kind], wait);
}

static inline bool judge_settled(const struct matter *m)
{
	if (m->c->flags & (BROKEN | CUT))
		return !(m->c->flags & BROKEN) && m->n == 0;
	for (uint32_t i = 0; i < m->n; i++) {
		if (judge_mode(m, i) == 1 && m->c->flags & NO_BLOCK_SIZE)
			return false;
		if (strpbrk(m->c->blocks[i] ? m->c->blocks[i] : "", "g?nz"))
			return false;
	}
	return true;
}

static inline char judge_approval(const struct matter *m)
{
	bool ask = false;
	char outcome;

	for (uint32_t i = 0; i < m->n; i++)
		ask = ask || (judge_mode(m, i) < 4 && m->set[judge_mode(m, i)] == ASK);
	if (m->c->request.approval == APPROVAL_DENIED)
		return 'r';
	if (!ask || m->c->request.approval == APPROVAL_GIVEN)
		return 'm';
	outcome = judge_wait(m, CONDITION_APPROVAL, m->set[K_ASK_TIMEOUT]);
	return outcome == 'r' && m->set[K_ASK_OUTCOME] == FREE ? 'm' : outcome;
}

static inline __int128 judge_group_bytes(const struct matter *m)
{
	return (__int128)(3 * MAX(m->n, 1u)) * BLOCK;
}

/* Larger alone than what may be freed in an hour: no hour helps. */
static inline bool judge_too_large(const struct matter *m)
{
	const __int128 group = judge_group_bytes(m);

	return (m->set[K_RATE_BYTES] && group > m->set[K_RATE_BYTES]) ||
	       (m->set[K_RATE_MEMDEV_BYTES] && group > m->set[K_RATE_MEMDEV_BYTES]);
}

static inline char judge_rate(const struct matter *m)
{
	const __int128 group = judge_group_bytes(m);
	__int128 all = 0, own = 0;
	uint64_t n_all = 0, n_own = 0;
	bool met = true;

	for (size_t i = 0; i < m->facts->n_freed; i++) {
		const struct freed *freed = &m->facts->freed[i];

		all += freed->bytes;
		n_all += 1 + (uint64_t)freed->more;
		if (streq(freed->memdev, "mem0")) {
			own += freed->bytes;
			n_own += 1 + (uint64_t)freed->more;
		}
	}
	if (judge_too_large(m))
		return 'r';
	met = met && (!m->set[K_RATE_BYTES] || all + group <= m->set[K_RATE_BYTES]);
	met = met && (!m->set[K_RATE_GROUPS] || n_all + 1 <= m->set[K_RATE_GROUPS]);
	met = met && (!m->set[K_RATE_MEMDEV_BYTES] || own + group <= m->set[K_RATE_MEMDEV_BYTES]);
	met = met && (!m->set[K_RATE_MEMDEV_GROUPS] || n_own + 1 <= m->set[K_RATE_MEMDEV_GROUPS]);
	return met ? 'm' : judge_wait(m, CONDITION_RATE, m->set[K_RATE_WAIT]);
}

/* Online bytes on @node (-1: any) of the group's devices, of dax0.9 if @other, of the whole of
 * both if @shared blocks count, too. */
static inline __int128 judge_online(const struct matter *m, int node, bool group, bool other,
				    bool shared)
{
	__int128 bytes = 0;

	for (uint32_t i = 0; i < m->host->inv.n_devices; i++) {
		const struct dax_device *device = matter_device(m, i);

		if ((i < m->n ? !group : !other) || (node >= 0 && device->target_node != node))
			continue;
		for (uint32_t b = 0; b < device->n_blocks; b++) {
			const struct memory_block *block =
				&m->host->blocks[device->first_block + b];

			if (block->state == BLOCK_ONLINE && (shared || !block->foreign))
				bytes += m->host->inv.block_size;
		}
	}
	return bytes;
}

static inline char judge_reserve(const struct matter *m)
{
	bool leaves = m->facts->n_leaving > 0, met = true;

	/* What is left is that of dax0.9, unless it leaves as well. */
	for (uint32_t i = 0; i < m->n; i++) {
		int node = matter_device(m, i)->target_node;

		if (judge_online(m, node, true, false, true) > 0 &&
		    judge_online(m, node, false, !leaves, false) < (__int128)m->set[K_RESERVE_NODE])
			met = false;
	}
	if (judge_online(m, -1, true, false, true) > 0 &&
	    judge_online(m, -1, false, !leaves, false) < (__int128)m->set[K_RESERVE_HOST])
		met = false;
	return met ? 'm' : judge_wait(m, CONDITION_RESERVE, m->set[K_RESERVE_WAIT]);
}

/* The larger of a number of bytes and a part of @total. */
static inline __int128 judge_floor(uint64_t bytes, uint64_t permyriad, __int128 total)
{
	return MAX((__int128)bytes, total * (__int128)permyriad / 10000);
}

/*
 * The balance of headroom in numbers that cannot overflow: what is in use of what leaves must fit
 * into what stays, and leave the floors. Of a node of which a part leaves nobody knows which pages
 * are in use: if as many as possible are in what leaves, as much is free in what stays.
 */
static inline char judge_headroom(const struct matter *m)
{
	const struct inventory *inv = &m->host->inv;
	bool other = m->facts->n_leaving > 0;
	__int128 move = 0, room = 0, above = 0, total = 0;
	__int128 unlisted = judge_online(m, -1, true, other, true);
	bool met;

	if (judge_online(m, -1, true, false, true) == 0 || inv->n_nodes == 0)
		return 'm';
	for (uint32_t i = 0; i < inv->n_nodes; i++) {
		const struct numa_node *node = &inv->nodes[i];
		__int128 size = node->total, used = MAX(size - (__int128)node->free, 0), free;
		__int128 leaving = MIN(judge_online(m, node->id, true, other, true), size);

		unlisted -= leaving;
		move += MIN(used, leaving);
		total += size - leaving;
		if (leaving == 0)
			free = MIN((__int128)node->free + node->reclaimable, size);
		else
			free = used <= leaving ? size - leaving : size - used;
		room += free;
		above += MAX(free - judge_floor(m->set[K_NODE_HEADROOM],
						m->set[K_NODE_HEADROOM_PERCENT], size - leaving),
			     0);
	}
	move += unlisted;
	/* The sum of all nodes is more than 64 bits can say: the daemon's view ends there. */
	total = MIN(total, (__int128)UINT64_MAX);
	met = room >= move + judge_floor(m->set[K_HEADROOM], m->set[K_HEADROOM_PERCENT], total) &&
	      above >= move;
	return met ? 'm' : judge_wait(m, CONDITION_HEADROOM, m->set[K_HEADROOM_WAIT]);
}

static inline bool judge_calm(const struct matter *m, bool full)
{
	uint64_t ceiling = m->set[full ? K_PRESSURE_FULL : K_PRESSURE_SOME];

	if (ceiling == 0)
		return true;
	for (size_t i = 0; i < m->facts->n_ceilings; i++) {
		const struct pressure_ceiling *c = &m->facts->ceilings[i];

		if (c->full == full && c->permyriad == ceiling)
			return !c->exceeded ||
			       m->facts->now - c->exceeded >= m->set[K_PRESSURE_SETTLE];
	}
	return (full ? m->facts->pressure_full : m->facts->pressure_some) < ceiling;
}

static inline char judge_pressure_condition(const struct matter *m)
{
	bool asked = m->set[K_PRESSURE_SOME] || m->set[K_PRESSURE_FULL];

	if (asked && m->c->flags & NO_PSI)
		return judge_wait(m, CONDITION_PRESSURE, m->set[K_PRESSURE_WAIT]);
	if (judge_calm(m, false) && judge_calm(m, true))
		return 'm';
	return judge_wait(m, CONDITION_PRESSURE, m->set[K_PRESSURE_WAIT]);
}

static inline char judge_inhibitors(const struct matter *m)
{
	bool block = false, delay = false;

	for (size_t i = 0; i < m->facts->n_inhibitors; i++) {
		const struct inhibitor *inhibitor = &m->facts->inhibitors[i];

		/* Scopes are "*", "5*" or "7*". */
		if (*inhibitor->scope == '7' ||
		    (*inhibitor->scope == '5' && m->c->flags & UNTAGGED))
			continue;
		block = block || inhibitor->mode == INHIBIT_BLOCK;
		delay = delay || inhibitor->mode == INHIBIT_DELAY;
	}
	if (block)
		return judge_since(m, m->c->request.blocked, m->set[K_INHIBIT_WAIT]);
	if (delay && judge_wait(m, CONDITION_INHIBITORS, m->set[K_DELAY_MAX]) == 'w')
		return 'w';
	return 'm';
}

static inline char judge_holders(const struct matter *m)
{
	bool held = m->host->inv.n_holders > 0;

	for (uint32_t i = 0; i < m->n; i++)
		if (judge_mode(m, i) != 1 && m->c->flags & UNSEEN && !m->set[K_IGNORE_UNSEEN])
			held = true;
	if (!held)
		return 'm';
	if (m->set[K_HOLDERS] == HOLD_REFUSE)
		return 'r';
	return judge_wait(m, CONDITION_HOLDERS, m->set[K_HOLDERS_WAIT]);
}

static inline bool judge_terminate(const struct matter *m)
{
	if (m->set[K_HOLDERS] != HOLD_TERMINATE || !m->set[K_UNITS])
		return false;
	for (uint32_t i = 0; i < m->host->inv.n_holders; i++) {
		const struct holder *holder = &m->host->holders[i];

		if (startswith(holder->unit, "batch@") && !holder->mounted && holder->pid != 1 &&
		    holder->pid != OWN_PID)
			return true;
	}
	return false;
}

static inline void judge(const struct test_case *c, const struct host *host,
			 const struct policy_facts *facts, const struct random_policy *policy,
			 struct judgement *ret)
{
	struct matter m = { .c = c, .host = host, .facts = facts, .n = (uint32_t)strlen(c->modes) };
	bool wait = false, refuse = false;

	*ret = (struct judgement){ .rule = judge_rule(&m, policy), .verdict = VERDICT_FREE };
	m.set = ret->rule < 0 ? policy->release.value : policy->rules[ret->rule].value;
	if (!(c->flags & BROKEN)) {
		if (m.n == 0 && !(c->flags & LEFTOVER)) {
			ret->verdict = VERDICT_NOTHING;
			return;
		}
		if (judge_forbidden(&m)) {
			ret->verdict = VERDICT_REFUSE;
			ret->permanent = true;
			return;
		}
	}
	memset(ret->outcome, 'm', sizeof(ret->outcome));
	if (!judge_settled(&m))
		ret->outcome[CONDITION_STATE] = judge_wait(&m, CONDITION_STATE,
							   m.set[K_STATE_WAIT]);
	ret->outcome[CONDITION_APPROVAL] = judge_approval(&m);
	if (m.set[K_WINDOWS])
		ret->outcome[CONDITION_WINDOW] = judge_wait(&m, CONDITION_WINDOW,
							    m.set[K_WINDOWS_WAIT]);
	ret->outcome[CONDITION_RATE] = judge_rate(&m);
	ret->outcome[CONDITION_RESERVE] = judge_reserve(&m);
	ret->outcome[CONDITION_HEADROOM] = judge_headroom(&m);
	ret->outcome[CONDITION_PRESSURE] = judge_pressure_condition(&m);
	ret->outcome[CONDITION_INHIBITORS] = judge_inhibitors(&m);
	ret->outcome[CONDITION_HOLDERS] = judge_holders(&m);
	for (unsigned i = 0; i < _CONDITION_MAX; i++) {
		wait = wait || ret->outcome[i] == 'w';
		refuse = refuse || ret->outcome[i] == 'r';
	}
	ret->permanent = judge_too_large(&m);
	ret->verdict = refuse ? VERDICT_REFUSE : wait ? VERDICT_WAIT : VERDICT_FREE;
	if (ret->verdict == VERDICT_WAIT && ret->outcome[CONDITION_HOLDERS] == 'w' &&
	    memchr(ret->outcome, 'w', sizeof(ret->outcome)) == &ret->outcome[CONDITION_HOLDERS])
		ret->terminate = judge_terminate(&m);
}
