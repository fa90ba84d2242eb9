/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a configuration file. inih splits keys from values; lines, comments and sections are ours,
 * because inih cuts long lines and long section names without a word, does not report empty
 * sections, takes an indented line for a continuation, and differs between builds in what it takes
 * for a comment. What it gets is one clean "KEY = VALUE" at a time.
 */
#include <ini.h>
#include <stdarg.h>

#include "config.h"
#include "config_check.h"
#include "suggest.h"

#define LINE_LENGTH_MAX 1024 /* of a line, with its comment */
#define KEY_LENGTH_MAX 198   /* of "KEY = VALUE"; inih as it is mostly built takes no more */

struct parser {
	const char *path;
	unsigned file; /* its index in policy.files */
	FILE *f;
	struct policy *policy;
	struct config_places *places;
	size_t next_rule; /* where the next one is put in, behind the present one */
	bool rule_only;	  /* no sections: the text of one rule */
	unsigned line;	  /* the one read last, from 1 */
	char content[LINE_LENGTH_MAX + 1];
	enum config_section section;
	bool pending; /* inih has a line and has not called back */
	int error;    /* the first one, then everything stops */
	char *message;
};

static void fail_at(struct parser *p, unsigned line, const char *format, ...) _printf_(3, 4);

/* Records the first error; later ones are but its consequences. */
static void fail_at(struct parser *p, unsigned line, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list ap;
	int n;

	if (p->error)
		return;
	va_start(ap, format);
	n = vasprintf(&what, format, ap);
	va_end(ap);
	if (n < 0) {
		what = NULL;
		p->error = -ENOMEM;
		return;
	}
	if (asprintf(&p->message, "%s:%u: %s", p->path, line, what) < 0) {
		p->message = NULL;
		p->error = -ENOMEM;
		return;
	}
	p->error = -EINVAL;
}

#define fail(p, ...) fail_at(p, (p)->line, __VA_ARGS__)

/*
 * Reads one line into p->content, without its end. False at the end of the file or on error. Byte
 * by byte, since fgets() would hide a NUL.
 */
static bool read_line(struct parser *p)
{
	size_t n = 0;
	int c;

	c = getc_unlocked(p->f);
	if (c == EOF)
		return false;
	p->line++;
	for (; c != EOF && c != '\n'; c = getc_unlocked(p->f)) {
		if (c == '\0') {
			fail(p, "the line contains a NUL byte; expected a text file");
			return false;
		}
		if (n == LINE_LENGTH_MAX) {
			fail(p, "the line is too long; expected at most %d bytes", LINE_LENGTH_MAX);
			return false;
		}
		p->content[n++] = (char)c;
	}
	p->content[n] = '\0';
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Cuts the comment (from a ';' or '#' that begins the line or follows a blank) and the blanks
 * around. Returns the start of what is left.
 */
static char *strip(char *s)
{
	char *end;

	for (char *c = s; *c; c++)
		if ((*c == ';' || *c == '#') && (c == s || is_blank(c[-1]))) {
			*c = '\0';
			break;
		}
	while (is_blank(*s))
		s++;
	end = s + strlen(s);
	while (end > s && (is_blank(end[-1]) || end[-1] == '\r'))
		*--end = '\0';
	return s;
}

/* What is left of a line without its comment is printable ASCII: every key and value is. */
static bool check_bytes(struct parser *p, const char *s)
{
	for (; *s; s++)
		if (!is_blank(*s) && (*s < 0x20 || *s > 0x7e)) {
			fail(p, "unexpected byte 0x%02x; expected printable ASCII outside comments",
			     (unsigned char)*s);
			return false;
		}
	return true;
}

bool config_is_rule_name(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n < RULE_NAME_MAX && !streq(s, "default") &&
	       s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-")] ==
		       '\0';
}

static struct config_place here(const struct parser *p)
{
	return (struct config_place){ p->file, p->line };
}

/* Makes room for a rule and begins it. */
static void insert_rule(struct parser *p, const char *name)
{
	struct policy *policy = p->policy;
	size_t at = p->next_rule;
	struct policy_rule *rules;
	int r;

	rules = reallocarray(policy->rules, policy->n_rules + 1, sizeof(*rules));
	if (!rules) {
		p->error = -ENOMEM;
		return;
	}
	policy->rules = rules;
	r = config_places_insert_rule(p->places, at, here(p));
	if (r < 0) {
		p->error = r;
		return;
	}
	memmove(rules + at + 1, rules + at, (policy->n_rules - at) * sizeof(*rules));
	policy_rule_init(&rules[at], name);
	rules[at].file = p->file;
	rules[at].line = p->line;
	policy->n_rules++;
	p->next_rule++;
	p->section = SECTION_RULE;
}

static void begin_rule(struct parser *p, const char *name)
{
	const struct policy *policy = p->policy;

	if (!config_is_rule_name(name)) {
		fail(p,
		     "rule name \"%s\": expected 1 to %d letters, digits and . _ -, and not "
		     "\"default\"",
		     name, RULE_NAME_MAX - 1);
		return;
	}
	for (size_t i = policy->n_temporary; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (!streq(rule->name, name))
			continue;
		if (rule->file == p->file)
			fail(p, "rule \"%s\" is there already, at line %u", name, rule->line);
		else
			fail(p, "rule \"%s\" is there already, at %s:%u", name,
			     policy->files[rule->file], rule->line);
		return;
	}
	if (policy->n_rules - policy->n_temporary == RULES_MAX) {
		fail(p, "too many rules; expected at most %d", RULES_MAX);
		return;
	}
	insert_rule(p, name);
}

/* The places of the section that the parser is in. */
static struct section_places *present_section(struct parser *p)
{
	if (p->section == SECTION_RULE)
		return &p->places->rules[p->next_rule - 1];
	return p->section == SECTION_RELEASE ? &p->places->release : &p->places->daemon;
}

/* In another file it may have been said as well. */
static bool said_here(const struct parser *p, const struct config_place *place)
{
	return place->line && place->file == p->file;
}

static void begin_plain_section(struct parser *p, enum config_section section)
{
	struct config_place *header;

	p->section = section;
	header = &present_section(p)->header;
	if (said_here(p, header))
		fail(p, "section [%s] is there already, at line %u",
		     config_section_to_string(section), header->line);
	*header = here(p);
}

/* @s: the line, "[...". It is changed. */
static void begin_section(struct parser *p, char *s)
{
	static const char *const words[] = { "daemon", "release", "rule" };
	const char *best = NULL, *rest;
	size_t distance = 0, n;
	char *name = s + 1;

	if (p->rule_only) {
		fail(p, "expected KEY = VALUE, and no section, in the text of a rule");
		return;
	}
	n = strlen(s);
	if (s[n - 1] != ']' || strchr(name, '[') || strchr(s, ']') != s + n - 1) {
		fail(p, "expected [daemon], [release] or [rule NAME], alone on its line");
		return;
	}
	s[n - 1] = '\0';
	if (streq(name, "daemon")) {
		begin_plain_section(p, SECTION_DAEMON);
		return;
	}
	if (streq(name, "release")) {
		begin_plain_section(p, SECTION_RELEASE);
		return;
	}
	rest = startswith(name, "rule");
	if (rest && (*rest == '\0' || is_blank(*rest))) {
		begin_rule(p, rest + strspn(rest, " \t"));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		suggest(name, words[i], &best, &distance);
	if (best)
		fail(p, "unknown section [%s], did you mean [%s%s]?", name, best,
		     streq(best, "rule") ? " NAME" : "");
	else
		fail(p, "unknown section [%s]; expected [daemon], [release] or [rule NAME]", name);
}

static void unknown_key(struct parser *p, const char *name)
{
	const char *best = NULL, *section = config_section_to_string(p->section);
	size_t distance = 0;

	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (streq(config_keys[i].name, name)) {
			fail(p, "key \"%s\" belongs in [%s%s], not in [%s]", name,
			     config_section_to_string(config_keys[i].section),
			     config_keys[i].section == SECTION_RULE ? " NAME" : "", section);
			return;
		}
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_key_allowed(&config_keys[i], p->section))
			suggest(name, config_keys[i].name, &best, &distance);
	if (best)
		fail(p, "unknown key \"%s\" in [%s], did you mean \"%s\"?", name, section, best);
	else
		fail(p, "unknown key \"%s\" in [%s]; dcdd.conf(5) lists what is expected there",
		     name, section);
}

static void set_key(struct parser *p, const char *name, const char *value)
{
	struct config_place *place;
	struct policy_rule *rule = NULL;
	const struct config_key *key;
	void *base;

	key = config_key_find(p->section, name);
	if (!key) {
		unknown_key(p, name);
		return;
	}
	if (p->section == SECTION_RULE) {
		rule = &p->policy->rules[p->next_rule - 1];
		base = rule_key_base(rule, key);
	} else {
		base = key->section == SECTION_RELEASE ? (void *)&p->policy->defaults : p->policy;
	}
	place = &present_section(p)->key[key - config_keys];
	if (said_here(p, place)) {
		fail(p, "key \"%s\" is set already, at line %u", name, place->line);
		return;
	}
	if (config_key_parse(key, value, base) < 0) {
		char expected[CONFIG_EXPECTED_STRLEN];

		fail(p, "%s = \"%s\": expected %s", name, value,
		     config_key_expected(key, expected));
		return;
	}
	*place = here(p);
	if (rule)
		rule_set_given(rule, key);
}

/* Called by inih for the line that next_line() gave it. Nonzero: go on. */
static int on_key(void *userdata, _unused_ const char *section, const char *name, const char *value)
{
	struct parser *p = userdata;

	if (!name || !value) /* builds of inih that report sections, or keys without a value */
		return 1;
	p->pending = false;
	set_key(p, name, value);
	return p->error == 0;
}

/* inih had the last line and found no key in it. */
static bool answered(struct parser *p)
{
	if (p->pending)
		fail(p, "expected KEY = VALUE%s", p->rule_only ? "" : " or a [section]");
	return p->error == 0;
}

/* The reader that inih calls like fgets(): the next line with a key. */
static char *next_line(char *buf, int size, void *userdata)
{
	struct parser *p = userdata;

	if (!answered(p))
		return NULL;
	while (read_line(p)) {
		char *s = p->content;

		if (p->line == 1 && startswith(s, "\xef\xbb\xbf")) /* byte order mark */
			s += 3;
		s = strip(s);
		if (!*s)
			continue;
		if (!check_bytes(p, s))
			return NULL;
		if (*s == '[') {
			begin_section(p, s);
			if (p->error)
				return NULL;
			continue;
		}
		if (p->section == SECTION_NONE) {
			fail(p, "expected a [section] before the first key");
			return NULL;
		}
		/* -1: inih reallocates a buffer that it finds full. */
		if (size < 2 || strlen(s) > KEY_LENGTH_MAX ||
		    str_copy(buf, (size_t)size - 1, s) < 0) {
			fail(p, "key and value are too long; expected at most %d bytes",
			     MIN(size - 2, KEY_LENGTH_MAX));
			return NULL;
		}
		p->pending = true;
		return buf;
	}
	return NULL;
}

static int add_file(struct policy *policy, const char *path, unsigned *ret_index)
{
	_cleanup_free_ char *copy = strdup(path);
	char **files;

	if (!copy)
		return -ENOMEM;
	files = reallocarray(policy->files, policy->n_files + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	policy->files = files;
	*ret_index = (unsigned)policy->n_files;
	files[policy->n_files++] = TAKE_PTR(copy);
	return 0;
}

static int parse(struct parser *p, char **ret_error)
{
	int r;

	r = ini_parse_stream(next_line, p, on_key, p);
	if (p->error == 0 && r == -2)
		p->error = -ENOMEM;
	if (p->error == 0 && ferror(p->f))
		p->error = -EIO;
	(void)answered(p);
	*ret_error = p->message;
	return p->error;
}

int config_read(const char *path, FILE *f, struct policy *policy, size_t at,
		struct config_places *places, char **ret_error)
{
	struct parser p = {
		.path = path, .f = f, .policy = policy, .places = places, .next_rule = at
	};
	int r;

	*ret_error = NULL;
	r = add_file(policy, path, &p.file);
	return r < 0 ? r : parse(&p, ret_error);
}

int config_read_rule(const char *path, const char *name, FILE *f, struct policy *policy, size_t at,
		     struct config_places *places, char **ret_error)
{
	struct parser p = { .path = path,
			    .f = f,
			    .policy = policy,
			    .places = places,
			    .next_rule = at,
			    .rule_only = true,
			    .line = 1 };
	int r;

	*ret_error = NULL;
	r = add_file(policy, path, &p.file);
	if (r < 0)
		return r;
	begin_rule(&p, name); /* as if in the first line */
	p.line = 0;
	if (p.error) {
		*ret_error = p.message;
		return p.error;
	}
	return parse(&p, ret_error);
}

int config_finish(struct policy *policy, const struct config_places *places, char **ret_error)
{
	_cleanup_free_ char *what = NULL;
	struct config_place place;
	int r;

	*ret_error = NULL;
	policy_resolve(policy);
	r = config_check(policy, places, &place, &what);
	if (r != -EINVAL)
		return r;
	if (!place.line) /* cannot be: then it was wrong before anything was read */
		*ret_error = TAKE_PTR(what);
	else if (asprintf(ret_error, "%s:%u: %s", policy->files[place.file], place.line, what) < 0)
		*ret_error = NULL;
	return *ret_error ? -EINVAL : -ENOMEM;
}

int policy_parse(const char *path, FILE *f, struct policy *policy, char **ret_error)
{
	struct config_places places = { 0 };
	int r = 0;

	*ret_error = NULL;
	/* Where the files before it say what is not known any more. */
	for (size_t i = 0; r == 0 && i < policy->n_rules; i++)
		r = config_places_insert_rule(&places, i, (struct config_place){ 0 });
	if (r == 0)
		r = config_read(path, f, policy, policy->n_temporary, &places, ret_error);
	if (r == 0)
		r = config_finish(policy, &places, ret_error);
	config_places_done(&places);
	return r;
}
