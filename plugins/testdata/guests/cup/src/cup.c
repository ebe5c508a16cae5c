/* A guest in C without a library, compiled with debug information: handle_in does what
 * the first letter of its payload says, most of which is a mistake, and replies with
 * its payload. */
#include "pot.h"

#define EXPORT(name) __attribute__((export_name(#name)))

/* The request behind the response, whose offsets then reach it. */
static struct {
	u8 response[64], request[65536];
} __attribute__((aligned(8))) buffer;

EXPORT(aviary_abi_v1) u64 marker(void) { return 0; }

EXPORT(aviary_alloc) u8 *alloc(u32 size) { return size <= sizeof buffer.request ? buffer.request : 0; }

static u32 word(const u8 *at) { return *(const u32 *)at; }

/* Replies with the payload. */
static u64 reply(const u8 *req) {
	u8 *out = buffer.response;
	*(u16 *)out = sizeof buffer.response;
	out[2] = 1; /* reply */
	out[3] = req[3] & 1;
	u32 offset = word(req + 80), size = word(req + 84);
	*(u32 *)(out + 24) = sizeof buffer.response + offset;
	*(u32 *)(out + 28) = size;
	return (u64)(u32)out << 32 | sizeof buffer;
}

static __attribute__((noinline)) u32 spill(u32 much) {
	if (much > 3) {
		__builtin_trap();
	}
	return much;
}

static __attribute__((noinline)) u32 act(u8 what) {
	switch (what) {
	case 'u': /* unreachable */
		return spill(what);
	case 'd': /* division by zero, in another file */
		return pour(8, what - 'd');
	case 'i': /* out of bounds, in what is inlined */
		return sip((const u32 *)0xfffffff0);
	case 'l': /* loop */
		return stir(what);
	case 'r': /* recursion */
		return refill(what);
	}
	return 0;
}

EXPORT(join) u64 join(u8 *req, u32 len) {
	(void)len;
	return reply(req);
}

EXPORT(handle_in) u64 handle_in(u8 *req, u32 len) {
	if (len > 136 && act(req[word(req + 80)])) {
		return 0;
	}
	return reply(req);
}
