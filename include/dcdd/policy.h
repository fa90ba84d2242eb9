/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy: what the configuration file says, and the pure decision over it. The decision looks
 * at an inventory and changes nothing; the same input gives the same output.
 */
#pragma once

#include <dcdd/inventory.h>

#define RULE_NAME_MAX 64
#define RULE_TEXT_MAX 160 /* of a list in a rule, or a sentence of it */

enum policy_action {
	ACTION_FREE,
	ACTION_KEEP,
	ACTION_ASK, /* wait for a person */
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

/* What to do about processes and mounts that hold a device. */
enum holders_action {
	HOLDERS_WAIT,
	HOLDERS_REFUSE,
	HOLDERS_TERMINATE, /* those that terminate_units names; the others are waited for */
	_HOLDERS_ACTION_MAX,
};

/* Who wants the memory. */
enum origin {
	ORIGIN_DEVICE,
	ORIGIN_ADMIN,
	_ORIGIN_MAX,
};

/* "Mon..Fri 22:00-06:00": on each of the days from begin, to end, which may be the next day. */
struct time_window {
	uint8_t days;	     /* bit 0 is Monday, bit 6 Sunday; never 0 */
	bool utc;	     /* else local time */
	uint16_t begin, end; /* minutes, 0 to 1440; end <= begin: of the next day */
};

#define WINDOWS_MAX 8
struct time_windows {
	struct time_window items[WINDOWS_MAX];
	unsigned n; /* 0: always open */
};

/*
 * The knobs of a release; [release] gives the defaults, each [rule] inherits them. The *_wait of a
 * condition is how long it may hold a release before that is refused: 0 not at all, USEC_INFINITY
 * for ever.
 */
struct release_settings {
	enum policy_action action[_DAX_MODE_MAX]; /* by the mode of the group's devices */
	char message[RULE_TEXT_MAX]; /* the operator's own words, when it is kept or asked about */
	usec_t ask_timeout;	     /* how long a person may take, USEC_INFINITY: for ever */
	enum policy_action ask_outcome; /* then: ACTION_FREE or ACTION_KEEP */

	enum offline_method method;
	usec_t block_timeout;	/* for one write that offlines */
	usec_t release_timeout; /* for one attempt, roll-back not counted */
	unsigned retries;	/* attempts after the first before it is refused */
	usec_t backoff_initial; /* before the first retry; doubles each time */
	usec_t backoff_max;
	enum recovery recovery;

	usec_t state_wait; /* for what cannot be told, or is in between: states, zones, sizes */

	uint64_t headroom_bytes;	  /* must stay available on the rest of the host */
	unsigned headroom_permyriad;	  /* same, in 1/10000 of its total */
	uint64_t node_headroom_bytes;	  /* the same on each other node: what moves there may */
	unsigned node_headroom_permyriad; /* take only what is above */
	usec_t headroom_wait;

	unsigned pressure_some; /* ceilings of PSI memory, 1/10000 of time; 0: none */
	unsigned pressure_full;
	usec_t pressure_settle; /* quiet for so long before it counts as calm */
	usec_t pressure_wait;

	enum holders_action holders;
	usec_t holders_wait;
	char terminate_units[RULE_TEXT_MAX]; /* globs on unit names or, with a '/', on cgroups */
	usec_t terminate_grace;		     /* from SIGTERM to SIGKILL */
	int ignore_unseen; /* 1: a process that cannot be looked into holds nothing */

	struct time_windows windows; /* a release begins only in one of them */
	usec_t windows_wait;

	usec_t inhibit_delay_max; /* a delay inhibitor holds it so long, then it goes on */
	usec_t inhibit_wait;	  /* a block inhibitor so long, then it is refused */

	uint64_t rate_bytes, rate_memdev_bytes;	  /* freed in an hour, in all and of one memdev; */
	unsigned rate_groups, rate_memdev_groups; /* 0: no limit */
	usec_t rate_wait;

	uint64_t reserve_node, reserve_host; /* dynamic capacity that stays online; 0: none need */
	usec_t reserve_wait;
};

#define MODE_UNCLAIMED _DAX_MODE_MAX /* in policy_rule.modes: no device claims any of it */

/* Bounds, both included. */
struct bounds {
	uint64_t min, max; /* 0, UINT64_MAX: no bound */
};

#define KEY_SET_WORDS 2
#define RULE_NODES_MAX 16

struct policy_rule {
	char name[RULE_NAME_MAX];
	/* Temporary: set at run time, not by a file. */
	bool temporary;
	char who[RULE_NAME_MAX]; /* who set it */
	usec_t until;		 /* CLOCK_REALTIME, USEC_INFINITY: as long as its owner lives */
	unsigned file, line;	 /* else: index in policy.files, and where it begins there */

	/* What it matches; all that are given must match. Lists are separated by blanks or commas.
	 */
	char tags[RULE_TEXT_MAX];      /* fnmatch() patterns on the tag's text, "": all */
	char memdevs[RULE_TEXT_MAX];   /* names (patterns) or serial numbers, "": all */
	char regions[RULE_TEXT_MAX];   /* names (patterns), "": all */
	int32_t nodes[RULE_NODES_MAX]; /* target nodes: all of the devices are on one of them */
	unsigned n_nodes;	       /* 0: all */
	unsigned partitions;	       /* bit N: dynamic capacity partition N; 0: all */
	unsigned modes;		       /* bit of enum dax_mode or MODE_UNCLAIMED; 0: all */
	int sharable;		       /* 1, 0, or -1: all */
	struct bounds size;	       /* bytes of the group */
	struct bounds extents;	       /* how many it has */
	int origin;		       /* enum origin, -1: all */

	int action; /* enum policy_action for the modes it matches, -1: not given */
	uint64_t set[KEY_SET_WORDS]; /* bit N: key N of the table in settings.c is given here */
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
	int dry_run;	      /* 1: decide and say what would be done, change nothing */
	int log_level;	      /* syslog priority */
	/* [release], and [rule NAME] in the order in which they are tried; temporary ones first */
	struct release_settings defaults;
	struct policy_rule *rules;
	size_t n_rules, n_temporary;
	/* What was read, in that order. Owned. */
	char **files;
	size_t n_files;
};

/* ---- what a decision looks at, besides the inventory ---- */

enum inhibit_mode {
	INHIBIT_BLOCK,
	INHIBIT_DELAY,
	_INHIBIT_MODE_MAX,
};

/* "Not now": somebody keeps releases from beginning, as long as it lives. */
struct inhibitor {
	uint64_t id;
	enum inhibit_mode mode;
	char scope[RULE_NAME_MAX]; /* fnmatch() pattern on the tag's text; "*": all */
	char who[RULE_NAME_MAX];
	char why[RULE_TEXT_MAX];
	uint32_t uid;
	int32_t pid;
	usec_t since; /* CLOCK_REALTIME */
};

/* The kernel says by a trigger when memory pressure goes over a ceiling; nothing says it is over.
 */
struct pressure_ceiling {
	bool full; /* else: some */
	unsigned permyriad;
	usec_t exceeded; /* CLOCK_MONOTONIC, when the kernel last said so; 0: never */
};

/* A group that was freed, or is being freed; or several, as if all were freed when the last was. */
struct freed {
	usec_t when; /* CLOCK_MONOTONIC */
	char memdev[DEV_NAME_MAX];
	uint64_t bytes; /* of all */
	unsigned more;	/* groups it stands for besides one */
};

/* Borrowed; valid for one decision. */
struct policy_facts {
	usec_t now;				 /* CLOCK_MONOTONIC */
	usec_t realtime;			 /* CLOCK_REALTIME */
	bool pressure_known;			 /* the host has PSI */
	unsigned pressure_some, pressure_full;	 /* avg10, 1/10000 of time */
	const struct pressure_ceiling *ceilings; /* those that are watched */
	size_t n_ceilings;
	const struct inhibitor *inhibitors;
	size_t n_inhibitors;
	const struct freed *freed; /* in the last hour, those under way included; any order */
	size_t n_freed;
	const struct group_key *leaving; /* other groups that are being freed right now */
	size_t n_leaving;
	int32_t own_pid; /* never terminated; nor is process 1 */
};

/* The conditions of a release, in the order in which they are told. */
enum condition_kind {
	CONDITION_STATE, /* all of it can be seen, and nothing is in between */
	CONDITION_APPROVAL,
	CONDITION_WINDOW,
	CONDITION_RATE,
	CONDITION_RESERVE,
	CONDITION_HEADROOM,
	CONDITION_PRESSURE,
	CONDITION_INHIBITORS,
	CONDITION_HOLDERS,
	_CONDITION_MAX,
};

enum approval {
	APPROVAL_NONE,
	APPROVAL_GIVEN,
	APPROVAL_DENIED,
	_APPROVAL_MAX,
};

/* What a decision must know of the request it is made for. All zero: it has just been made. */
struct policy_request {
	enum origin origin;
	enum approval approval;
	char answer[RULE_TEXT_MAX]; /* the words that came with it, "" if none */
	/*
	 * CLOCK_MONOTONIC since when each condition has not been met without a break; 0: it was. As
	 * long as approval, window or rate are waited for the others do not count, and have 0. One
	 * that is met only because its time is over (a delay inhibitor, an ask that then frees)
	 * keeps it, or it would begin anew when something else holds the release.
	 */
	usec_t since[_CONDITION_MAX];
	usec_t blocked; /* the same for block inhibitors alone: a delay before them does not count
			 */
};

/* ---- what comes out ---- */

enum verdict {
	VERDICT_NOTHING, /* nothing claims the group: the kernel releases it by itself */
	VERDICT_FREE,	 /* offline and detach it now */
	VERDICT_WAIT,	 /* not now; may be possible later */
	VERDICT_REFUSE,	 /* no, and asking again does not change that */
	_VERDICT_MAX,
};

enum outcome {
	OUTCOME_MET,
	OUTCOME_WAIT,
	OUTCOME_REFUSE, /* it has waited as long as it may, or may not wait at all */
	_OUTCOME_MAX,
};

#define CONDITION_VALUE_MAX 192
#define CONDITION_NO_LIMIT "none" /* in `limit`: the settings ask for nothing */
#define CONDITION_TEXT_MAX 384	  /* a rule, a device and the whole of its message fit in */

struct condition {
	enum condition_kind kind;
	enum outcome outcome;
	char measured[CONDITION_VALUE_MAX]; /* "12.5G available after", "closed" */
	char limit[CONDITION_VALUE_MAX];    /* "at least 2G", "Mon..Fri 22:00-06:00" */
	char text[CONDITION_TEXT_MAX]; /* the whole of it as a sentence that names the object */
	usec_t deadline;   /* CLOCK_MONOTONIC: OUTCOME_WAIT ends in a refusal (or, of a delay
			      inhibitor or an ask that then frees, in going on); USEC_INFINITY */
	usec_t again;	   /* CLOCK_MONOTONIC: may be met by time alone; USEC_INFINITY: not */
	usec_t again_wall; /* the same by the clock on the wall (CLOCK_REALTIME) */
	bool permanent; /* OUTCOME_REFUSE: by itself it is never met, however often it is asked */
};

/*
 * Whether its sentence says what the two values do not: that it is not met, or why it is, although
 * nobody answered or an inhibitor is there still (its time is over), or who approved.
 */
bool condition_is_news(const struct condition *condition);

#define DECISION_REASON_MAX 448

struct decision {
	enum verdict verdict;
	char rule[RULE_NAME_MAX];	  /* "default" if no [rule] matched */
	char rule_source[RULE_TEXT_MAX];  /* "/etc/dcdd/dcdd.conf:12", "temporary, by …", "" */
	char reason[DECISION_REASON_MAX]; /* names the object and the value that decided */
	/* VERDICT_FREE, _WAIT, and _REFUSE by one of them: all there are; else those before it. */
	struct condition conditions[_CONDITION_MAX];
	unsigned n_conditions;
	/*
	 * VERDICT_WAIT: the earliest of the deadlines and of the times to look again; if approval,
	 * window or rate are waited for, of these alone.
	 */
	usec_t deadline, again, again_wall;
	/* VERDICT_WAIT: something is waited for that nobody tells us of: look at intervals, too. */
	bool unsignalled;
	bool draining;	/* VERDICT_WAIT: only for inhibitors and holders */
	bool terminate; /* VERDICT_WAIT: only for holders, and some of them are to be ended */
	bool blocked;	/* a block inhibitor is among what is in the way */
	bool permanent; /* VERDICT_REFUSE: for a reason that only an admin can change */
	struct release_settings settings; /* in force for this release */
};

/*
 * Decides about one group. Pure: the same input gives the same output (the time zone's rules, which
 * windows in local time need, are input as well).
 *
 * First what no waiting changes (refuse, permanent): the rule's action, a block in a kernel zone or
 * one that reaches beyond the device, memory left behind without its driver, a device that also
 * claims memory outside the group, huge pages that have nowhere to go. Then the conditions, each
 * of which is evaluated although one before it is not met, so that a person sees all of them.
 * One that refuses decides; else one that waits; else it is free.
 */
void policy_decide(const struct inventory *inv, const struct tag_group *group,
		   const struct policy *policy, const struct policy_facts *facts,
		   const struct policy_request *request, struct decision *ret);

/* Brings request->since up to date with what was decided at facts->now. */
void policy_request_update(struct policy_request *request, const struct decision *decision,
			   usec_t now);

/*
 * Whether @holder is to be ended by these settings: its unit or cgroup is named, it is a process,
 * and neither process 1 nor @own_pid.
 */
bool policy_may_terminate(const struct release_settings *settings, const struct holder *holder,
			  int32_t own_pid);

/*
 * The decision for people: several lines, each ended by a newline, the same for journal, D-Bus and
 * command line: the verdict with its reason, the rule and where it is from, each condition with its
 * measured value and limit. 0 and *@ret (caller frees), or -ENOMEM.
 */
int decision_explain(const struct decision *decision, char **ret);

/* One table each; the _from_ forms return -EINVAL. */
const char *verdict_to_string(enum verdict verdict);
const char *policy_action_to_string(enum policy_action action);
int policy_action_from_string(const char *s, enum policy_action *ret);
const char *offline_method_to_string(enum offline_method method);
int offline_method_from_string(const char *s, enum offline_method *ret);
const char *recovery_to_string(enum recovery recovery); /* "roll-back", "resume" */
int recovery_from_string(const char *s, enum recovery *ret);
const char *holders_action_to_string(enum holders_action action);
int holders_action_from_string(const char *s, enum holders_action *ret);
const char *origin_to_string(enum origin origin); /* "device", "admin" */
int origin_from_string(const char *s, enum origin *ret);
const char *inhibit_mode_to_string(enum inhibit_mode mode); /* "block", "delay" */
int inhibit_mode_from_string(const char *s, enum inhibit_mode *ret);
const char *condition_kind_to_string(enum condition_kind kind); /* "headroom", … */
const char *outcome_to_string(enum outcome outcome);		/* "met", "wait", "refuse" */
const char *approval_to_string(enum approval approval);		/* "none", "given", "denied" */

/* ---- time windows (windows.c) ---- */

/*
 * "Mon..Fri 22:00-06:00, Sat,Sun 00:00-24:00 UTC": up to WINDOWS_MAX, days and UTC optional; ""
 * for none. 0, or -EINVAL.
 */
int time_windows_parse(const char *s, struct time_windows *ret);
/* In the form that time_windows_parse() reads. Returns @buf. */
#define TIME_WINDOWS_STRLEN 320
char *time_windows_format(const struct time_windows *windows, char buf[static TIME_WINDOWS_STRLEN]);
/*
 * Whether one is open at @realtime (CLOCK_REALTIME, µs). If not, *@ret_opens (may be NULL) is when
 * the next one does; USEC_INFINITY if none is found within 15 days.
 */
bool time_windows_open(const struct time_windows *windows, usec_t realtime, usec_t *ret_opens);

/* ---- where it comes from ---- */

/* The built-in defaults: what no configuration means. @ret owns nothing yet. */
void policy_init(struct policy *ret);
/* Frees what it owns, not the struct. */
void policy_done(struct policy *policy);

/*
 * Reads one file over what @policy holds: a key replaces the one before, rules of the file are put
 * in front of those that @policy got from files before it, in the order of the file. @path is for
 * messages, @f is read to its end. 0, or -EINVAL with "PATH:LINE: what was expected" in *@ret_error
 * (caller frees); -ENOMEM; -EIO. *@ret_error is NULL unless -EINVAL. After an error @policy is good
 * for policy_done() only.
 */
int policy_parse(const char *path, FILE *f, struct policy *policy, char **ret_error);

/*
 * Reads all there is, over policy_init(), which it calls. With @file only that. Else below @root
 * ("" or "/" for the host itself, or of an image): dcdd.conf of the first of DCDD_CONFIG_DIRS that
 * has one, then dcdd.conf.d/NAME.conf of all of them in the order of the names; the first
 * directory's hides those of the same name in the others, and one that is empty or a symlink to
 * /dev/null is only that. No file at all is fine. Keys of a later file replace those of one before
 * it; rules stand in the order of the files, but those of dcdd.conf behind all others. What
 * contradicts each other is looked for in the whole, when everything was read. 0; -EINVAL as
 * policy_parse(); or a negative errno, and *@ret_error says which file (may be NULL). After an
 * error @policy is empty.
 */
int policy_load(const char *root, const char *file, struct policy *policy, char **ret_error);

/*
 * Writes the policy in the file's own syntax: every key of [daemon] and [release], and of each
 * rule what it sets itself, in the order in which they are tried; comments say where each rule is
 * from. Parsing that over policy_init() gives a policy that decides the same: a rule that one of
 * another file hides is only mentioned. Temporary rules are left out. 0 or -EIO.
 */
int policy_dump(const struct policy *policy, FILE *f);

/*
 * Tells what differs, a line of text each, "[release] headroom: 256M -> 1G", "rule night: added".
 * Temporary rules do not count. Returns how many there are, or -ENOMEM.
 */
int policy_diff(const struct policy *old, const struct policy *new,
		void (*line)(const char *text, void *userdata), void *userdata);

/*
 * Puts a temporary rule in front of all others (the newest first). @text is what would stand in
 * its section, lines of KEY = VALUE. 0; -EEXIST: there is a temporary rule of that name; -E2BIG:
 * too many; -EINVAL with *@ret_error (caller frees) as policy_parse(), the path being "rule NAME";
 * -ENOMEM. On error @policy is as before.
 */
int policy_add_temporary(struct policy *policy, const char *name, const char *text, usec_t until,
			 const char *who, char **ret_error);
int policy_remove_temporary(struct policy *policy, const char *name); /* 0 or -ENOENT */
/* The earliest until of all, USEC_INFINITY if none ends by itself. */
usec_t policy_next_expiry(const struct policy *policy);
/* The first whose until is not after @realtime; NULL if there is none. */
const struct policy_rule *policy_expired(const struct policy *policy, usec_t realtime);
/* Moves the temporary rules of @from in front of @to's, inheriting from @to's [release]. 0,
 * -ENOMEM. */
int policy_move_temporary(struct policy *to, struct policy *from);

/* Writes what a rule sets itself, lines of KEY = VALUE. 0 or -EIO. */
int policy_rule_dump(const struct policy_rule *rule, FILE *f);
