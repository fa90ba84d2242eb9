/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of cases; see kill_cases.h. */
#include <dcdd/base.h>

#include "kill_cases.h"

#define TEXT_MAX 256

struct one {
	char name[TEXT_MAX], point[TEXT_MAX], class[TEXT_MAX];
	void (*body)(struct matrix *m, void *argument);
	void *argument;
};

struct cases {
	struct one *items;
	size_t n, allocated, size;
};

struct cases *cases_new(size_t size)
{
	struct cases *cases = calloc(1, sizeof(*cases));

	if (cases)
		cases->size = size;
	return cases;
}

void cases_free(struct cases *cases)
{
	if (!cases)
		return;
	for (size_t i = 0; i < cases->n; i++)
		free(cases->items[i].argument);
	free(cases->items);
	free(cases);
}

void *cases_add(struct cases *cases, void (*body)(struct matrix *m, void *argument))
{
	struct one *one;

	if (cases->n == cases->allocated) {
		size_t n = cases->allocated ? 2 * cases->allocated : 256;

		one = reallocarray(cases->items, n, sizeof(*one));
		if (!one)
			return NULL;
		cases->items = one;
		cases->allocated = n;
	}
	one = &cases->items[cases->n];
	*one = (struct one){ .body = body, .argument = calloc(1, cases->size) };
	if (!one->argument)
		return NULL;
	cases->n++;
	return one->argument;
}

static _printf_(2, 0) void set_text(char text[static TEXT_MAX], const char *format, va_list ap)
{
	(void)vsnprintf(text, TEXT_MAX, format, ap);
}

void cases_name(struct cases *cases, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_text(cases->items[cases->n - 1].name, format, ap);
	va_end(ap);
}

void cases_point(struct cases *cases, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_text(cases->items[cases->n - 1].point, format, ap);
	va_end(ap);
}

void cases_class(struct cases *cases, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_text(cases->items[cases->n - 1].class, format, ap);
	va_end(ap);
}

/* The first of @one's class is @first: draws one of them, and forgets the others. */
static void draw(const struct cases *cases, bool *wanted, size_t first, uint64_t *random)
{
	const char *class = cases->items[first].class;
	size_t n = 0, chosen = first;

	for (size_t i = first; i < cases->n; i++) {
		if (!streq(cases->items[i].class, class))
			continue;
		if (matrix_random(random) % ++n == 0)
			chosen = i;
		wanted[i] = false;
	}
	wanted[chosen] = true;
}

static bool is_first(const struct cases *cases, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (streq(cases->items[k].class, cases->items[i].class))
			return false;
	return true;
}

void cases_run(const struct cases *cases, struct matrix *m)
{
	_cleanup_free_ bool *wanted = malloc(cases->n + 1);
	uint64_t random = matrix_seed(m);

	for (size_t i = 0; wanted && i < cases->n; i++)
		wanted[i] = true;
	for (size_t i = 0; wanted && matrix_is_ci(m) && i < cases->n; i++)
		if (cases->items[i].class[0] && is_first(cases, i))
			draw(cases, wanted, i, &random);
	for (size_t i = 0; i < cases->n; i++) {
		const struct one *one = &cases->items[i];

		if (!wanted || wanted[i])
			(void)matrix_case(m, one->point, one->name, one->body, one->argument);
	}
}
