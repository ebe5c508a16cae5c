// A guest in C without any library: it echoes like echo.wat, with buffers of its own in which nothing moves.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { HEADER = 64, EVENT = 56, PAYLOAD = 80, STATE = 88, ROOM = 1 << 16 };

static uint8_t request[ROOM] __attribute__((aligned(8)));
static uint8_t response[HEADER + 4 + ROOM] __attribute__((aligned(8)));

static uint32_t get32(const uint8_t *at) {
  uint32_t v;
  __builtin_memcpy(&v, at, 4);
  return v;
}

static void put32(uint8_t *at, uint32_t v) { __builtin_memcpy(at, &v, 4); }

EXPORT("aviary_abi_v1") uint64_t marker(void) { return 0; }

EXPORT("aviary_alloc") uint8_t *alloc(uint32_t size) { return size <= ROOM ? request : 0; }

// echo replies with the payload of the request and counts in the state.
static uint64_t echo(const uint8_t *req) {
  uint32_t at = get32(req + PAYLOAD), n = get32(req + PAYLOAD + 4), count = 0;
  if (get32(req + STATE + 4) == 4) count = get32(req + get32(req + STATE));
  __builtin_memset(response, 0, HEADER);
  response[0] = HEADER;
  response[2] = 1;                 // reply
  response[3] = 2 | (req[3] & 1);  // state given, payload as it came
  put32(response + 24, HEADER + 4);
  put32(response + 28, n);
  put32(response + 40, HEADER);
  put32(response + 44, 4);
  put32(response + HEADER, count + 1);
  __builtin_memcpy(response + HEADER + 4, req + at, n);
  return (uint64_t)(uintptr_t)response << 32 | (HEADER + 4 + n);
}

EXPORT("join") uint64_t join(const uint8_t *req, uint32_t n) { return echo(req); }

EXPORT("handle_in") uint64_t handle_in(const uint8_t *req, uint32_t n) { return echo(req); }
