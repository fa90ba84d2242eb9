/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dice that scripts are drawn with: numbers that depend on seed and round only, on every
 * machine alike.
 */
#pragma once

#include "soak.h"

struct dice {
	uint64_t state;
};

/* splitmix64 (public domain, S. Vigna): any state will do, also 0 and neighbouring ones. */
static inline uint64_t roll(struct dice *dice)
{
	uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 … n - 1. */
static inline unsigned below(struct dice *dice, unsigned n)
{
	return n > 0 ? (unsigned)(roll(dice) % n) : 0;
}

static inline bool percent(struct dice *dice, unsigned n)
{
	return below(dice, 100) < n;
}

#define PICK(dice, array) ((array)[below(dice, ARRAY_SIZE(array))])

/* An index into @weights, as often as it weighs. */
static inline unsigned weighed(struct dice *dice, const unsigned *weights, size_t n)
{
	unsigned sum = 0, at;

	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	at = below(dice, sum);
	for (unsigned i = 0; i < n; i++) {
		if (at < weights[i])
			return i;
		at -= weights[i];
	}
	return 0;
}

/* ---- soak_luck.c ---- */

/* Something fails, hangs, is late or goes away, anywhere on the way of a release of @u. */
void soak_draw_fault(struct dice *dice, const struct soak_unit *u, struct soak_fault *ret);
/* The fault that the script waits for: the daemon's hand is held in the middle of the unit. */
void soak_draw_hang(struct dice *dice, const struct soak_unit *u, struct soak_fault *ret);
/* A step forward fails, and then one on the way back, so that a release may end as failed. */
void soak_draw_both_ways(struct dice *dice, const struct soak_unit *u, struct soak_fault *forth,
			 struct soak_fault *back);
