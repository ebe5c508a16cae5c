/* A second file, so that traces have more than one. */
#ifndef POT_H
#define POT_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

u32 pour(u32 cups, u32 guests);
u32 refill(u32 depth);
u32 stir(u32 spoons);

/* Inlined wherever it is used. */
static inline __attribute__((always_inline)) u32 sip(const u32 *cup) {
	return *cup; /* traps out of bounds */
}

#endif
