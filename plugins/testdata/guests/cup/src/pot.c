#include "pot.h"

static volatile u32 level;

/* How much everybody gets. */
__attribute__((noinline)) u32 pour(u32 cups, u32 guests) {
	u32 each = cups / guests; /* traps for nobody */
	level -= each;
	return each;
}

/* Calls itself too often. */
__attribute__((noinline)) u32 refill(u32 depth) {
	if (depth == 0) {
		return 0;
	}
	u32 more = refill(depth + 1);
	level += more;
	return more + depth;
}

/* Never ends. */
__attribute__((noinline)) u32 stir(u32 spoons) {
	for (;;) {
		level += spoons;
	}
}
