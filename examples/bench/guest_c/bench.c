// The guest that the load generator measures, in C without any library: echo and shout of the rooms, in buffers in which nothing moves.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { ROOM = 1 << 16 };

// Offsets of the request (abi/SPEC.md, 3.1), the response (4.1) and an effect (5.1).
enum { EVENT = 56, PAYLOAD = 80 };
enum { HEADER = 64, EFFECTS = 16, RESPONSE_PAYLOAD = 24, RESPONSE_EVENT = 32 };
enum { EFFECT = 48, EFFECT_EVENT = 24, EFFECT_PAYLOAD = 32 };

enum { NO_REPLY, REPLY, REPLY_ERROR, PUSH };
enum { RAW = 1, BROADCAST = 3 };

static uint8_t request[ROOM] __attribute__((aligned(8)));
static uint8_t response[HEADER + EFFECT + ROOM] __attribute__((aligned(8)));

static uint32_t get32(const uint8_t *at) {
  uint32_t v;
  __builtin_memcpy(&v, at, 4);
  return v;
}

static void put16(uint8_t *at, uint16_t v) { __builtin_memcpy(at, &v, 2); }

static void put32(uint8_t *at, uint32_t v) { __builtin_memcpy(at, &v, 4); }

// put copies what the pair `from` of req names behind the n bytes of the response, has the pair `at` name it, and returns the new length.
static uint32_t put(uint32_t at, uint32_t n, const uint8_t *req, uint32_t from) {
  uint32_t size = get32(req + from + 4);
  __builtin_memcpy(response + n, req + get32(req + from), size);
  put32(response + at, n);
  put32(response + at + 4, size);
  return n + size;
}

static void begin(uint8_t result) {
  __builtin_memset(response, 0, HEADER + EFFECT);
  put16(response, HEADER);
  response[2] = result;
}

static uint64_t done(uint32_t n) { return (uint64_t)(uintptr_t)response << 32 | n; }

static int is(const uint8_t *req, const char *event, uint32_t n) {
  const uint8_t *at = req + get32(req + EVENT);
  return get32(req + EVENT + 4) == n && __builtin_memcmp(at, event, n) == 0;
}

// memcmp is what the compiler makes of longer comparisons.
int memcmp(const void *a, const void *b, __SIZE_TYPE__ n) {
  const uint8_t *x = a, *y = b;
  for (; n; n--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

static uint64_t refuse(void) {
  static const char reason[] = "{\"reason\":\"unknown event\"}";
  begin(REPLY_ERROR);
  __builtin_memcpy(response + HEADER, reason, sizeof reason - 1);
  put32(response + RESPONSE_PAYLOAD, HEADER);
  put32(response + RESPONSE_PAYLOAD + 4, sizeof reason - 1);
  return done(HEADER + sizeof reason - 1);
}

static uint64_t shout(const uint8_t *req) {
  begin(NO_REPLY);
  put16(response + 12, EFFECT);
  put32(response + EFFECTS, HEADER);
  put32(response + EFFECTS + 4, 1);
  put16(response + HEADER, BROADCAST);
  put16(response + HEADER + 2, req[3] & RAW);
  uint32_t n = put(HEADER + EFFECT_EVENT, HEADER + EFFECT, req, EVENT);
  return done(put(HEADER + EFFECT_PAYLOAD, n, req, PAYLOAD));
}

EXPORT("aviary_abi_v1") uint64_t marker(void) { return 0; }

EXPORT("aviary_alloc") uint8_t *alloc(uint32_t size) { return size <= ROOM ? request : 0; }

EXPORT("join") uint64_t join(const uint8_t *req, uint32_t size) {
  (void)req, (void)size;
  begin(REPLY);
  return done(HEADER);
}

EXPORT("handle_in") uint64_t handle_in(const uint8_t *req, uint32_t size) {
  (void)size;
  if (is(req, "shout", 5)) return shout(req);
  if (is(req, "echo", 4)) {
    begin(REPLY);
  } else if (is(req, "push", 4)) {
    begin(PUSH);
  } else {
    return refuse();
  }
  response[3] = req[3] & RAW;
  uint32_t n = put(RESPONSE_PAYLOAD, HEADER, req, PAYLOAD);
  if (response[2] == PUSH) n = put(RESPONSE_EVENT, n, req, EVENT);
  return done(n);
}
