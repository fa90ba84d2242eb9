/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: what the configuration file says, and the pure decision over it. The decision looks
 * at an inventory and changes nothing; the same input gives the same output.
 */
#pragma once

#include <dcdd/inventory.h>

#define RULE_NAME_MAX 64

enum policy_action {
	ACTION_FREE,
	ACTION_KEEP,
	_POLICY_ACTION_MAX,
};

enum offline_method {
	OFFLINE_AUTO,	/* per device: atomic where the kernel has daxX.Y/state, else blocks */
	OFFLINE_ATOMIC, /* same, said aloud; falls back where the kernel cannot */
	OFFLINE_BLOCKS, /* memoryN/state, one by one */
	_OFFLINE_METHOD_MAX,
};

/* What becomes of a release that a daemon before this one left half done. */
enum recovery {
	RECOVERY_ROLL_BACK,
	RECOVERY_RESUME, /* if it may be freed now; else it is rolled back */
	_RECOVERY_MAX,
};

/* The knobs of a release; [release] gives the defaults, each [rule] inherits them. */
struct release_settings {
	enum policy_action action[_DAX_MODE_MAX]; /* by the mode of the group's devices */
	enum offline_method method;
	usec_t block_timeout;	/* for one write that offlines */
	usec_t release_timeout; /* for one attempt, roll-back not counted */
	unsigned retries;	/* attempts after the first before it is refused */
	usec_t backoff_initial; /* before the first retry; doubles each time */
	usec_t backoff_max;
	enum recovery recovery;
	int ignore_unseen;	     /* 1: a process that cannot be looked into holds nothing */
	uint64_t headroom_bytes;     /* must stay available on the other nodes */
	unsigned headroom_permyriad; /* same, in 1/10000 of their total */
};

struct policy_rule {
	char name[RULE_NAME_MAX];
	char tag_glob[64];	   /* fnmatch() pattern on the tag's text, "" matches all */
	char memdev[DEV_NAME_MAX]; /* "" matches all */
	char region[DEV_NAME_MAX]; /* "" matches all */
	int mode;		   /* enum dax_mode, -1 matches all */
	int action;		   /* enum policy_action for the modes it matches, -1: not given */
	uint64_t set;		   /* bit N: key N of the table in settings.c is given here */
	struct release_settings settings; /* in force: what is given here over [release] */
};

struct policy {
	/* [daemon] */
	usec_t settle_time;   /* from a record until its outcome is read from the extents */
	usec_t refuse_hold;   /* records for a refused group only count until this is over */
	size_t buffer_kib;    /* trace buffer per CPU */
	unsigned queue_max;   /* live release requests */
	unsigned history_max; /* ended ones that are remembered */
	usec_t stop_timeout;  /* at SIGTERM, for rolling back */
	usec_t scan_timeout;  /* for one look at the whole host; then its worker is left behind */
	unsigned concurrency; /* releases that may change the host at a time */
	int log_level;	      /* syslog priority */
	/* [release], and [rule NAME] in file order */
	struct release_settings defaults;
	struct policy_rule *rules;
	size_t n_rules;
};

enum verdict {
	VERDICT_NOTHING, /* nothing claims the group: the kernel releases it by itself */
	VERDICT_FREE,	 /* offline and detach it now */
	VERDICT_WAIT,	 /* not now; may be possible later */
	VERDICT_REFUSE,	 /* no, and asking again does not change that */
	_VERDICT_MAX,
};

#define DECISION_REASON_MAX 256

struct decision {
	enum verdict verdict;
	char rule[RULE_NAME_MAX];	  /* "default" if no [rule] matched */
	char reason[DECISION_REASON_MAX]; /* names the object and the value that decided */
	struct release_settings settings; /* in force for this release */
};

/*
 * Decides about one group. Pure. Checks everything that can be known without touching anything;
 * the first check that says no gives the verdict and the reason. A region that could not be read
 * waits before all else. What only an admin can change
 * comes first (refuse): action by rule and mode, block in a kernel zone, block that reaches beyond
 * the device, memory left behind without its driver, device that also claims memory outside the
 * group. Then what may pass (wait): state, zone or size that cannot be told, holders, headroom.
 */
void policy_decide(const struct inventory *inv, const struct tag_group *group,
		   const struct policy *policy, struct decision *ret);

/* One table each; the _from_ forms return -EINVAL. */
const char *verdict_to_string(enum verdict verdict);
const char *policy_action_to_string(enum policy_action action);
int policy_action_from_string(const char *s, enum policy_action *ret);
const char *offline_method_to_string(enum offline_method method);
int offline_method_from_string(const char *s, enum offline_method *ret);
const char *recovery_to_string(enum recovery recovery); /* "roll-back", "resume" */
int recovery_from_string(const char *s, enum recovery *ret);

/* The built-in defaults: what an empty configuration file means. @ret owns nothing yet. */
void policy_init(struct policy *ret);
/* Frees the rules, not the struct. */
void policy_done(struct policy *policy);

/*
 * Reads one file over what @policy holds. @path is for messages, @f is read to its end.
 * 0, or -EINVAL with "PATH:LINE: what was expected" in *@ret_error (caller frees); -ENOMEM; -EIO.
 * *@ret_error is NULL unless -EINVAL. After an error @policy is good for policy_done() only.
 */
int policy_parse(const char *path, FILE *f, struct policy *policy, char **ret_error);

/* Opens and parses @path. As policy_parse(), or the negative errno of open() (-ENOENT, …). */
int policy_load(const char *path, struct policy *policy, char **ret_error);

/*
 * Writes the policy in the file's own syntax: every key of [daemon] and [release], and of each
 * rule what it sets itself. Parsing that over policy_init() gives the same policy. 0 or -EIO.
 */
int policy_dump(const struct policy *policy, FILE *f);
