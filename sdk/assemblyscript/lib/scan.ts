// Reading JSON that is known to be JSON.

const eachByte: u64 = 0x0101010101010101;
const eachHigh: u64 = 0x8080808080808080;

// @ts-ignore: decorator
@inline
export function isSpace(c: u8): bool {
  return c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09;
}

// @ts-ignore: decorator
@inline
export function isDigit(c: u8): bool {
  return c - 0x30 < 10;
}

/**
 * plainEnd returns where the first quote, backslash or control character lies, or end. It
 * looks at eight bytes at once: the high bit of each byte of hits tells of one, and a false
 * one only follows a true one.
 */
export function plainEnd(at: usize, end: usize): usize {
  for (; at + 8 <= end; at += 8) {
    const w = load<u64>(at);
    const quote = w ^ (eachByte * 0x22);
    const reverse = w ^ (eachByte * 0x5c);
    const hits =
      (((w - eachByte * 0x20) & ~w) | ((quote - eachByte) & ~quote) | ((reverse - eachByte) & ~reverse)) & eachHigh;
    if (hits != 0) return at + <usize>(ctz(hits) >> 3);
  }
  for (; at < end; at++) {
    const c = load<u8>(at);
    if (c < 0x20 || c == 0x22 || c == 0x5c) break;
  }
  return at;
}

/** stringEnd returns the place behind a string that begins at a place. */
export function stringEnd(at: usize, end: usize): usize {
  at++;
  while (true) {
    at = plainEnd(at, end);
    if (at >= end) return end;
    if (load<u8>(at) == 0x22) return at + 1;
    at += load<u8>(at) == 0x5c ? 2 : 1;
  }
}

/** valueEnd returns the place behind a value that begins at a place. */
export function valueEnd(at: usize, end: usize): usize {
  const c = load<u8>(at);
  if (c == 0x22) return stringEnd(at, end);
  if (c == 0x7b || c == 0x5b) return closedEnd(at, end);
  while (at < end && !endsScalar(load<u8>(at))) at++;
  return at;
}

function endsScalar(c: u8): bool {
  return c == 0x2c || c == 0x7d || c == 0x5d || isSpace(c);
}

/** closedEnd is valueEnd of an array or object. */
function closedEnd(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const c = load<u8>(at);
    if (c == 0x22) {
      at = stringEnd(at, end);
      continue;
    }
    at++;
    if (c == 0x7b || c == 0x5b) depth++;
    else if ((c == 0x7d || c == 0x5d) && --depth == 0) return at;
  }
  return end;
}

// @ts-ignore: decorator
@inline
export function skipSpace(at: usize, end: usize): usize {
  return at < end && load<u8>(at) > 0x20 ? at : spaceEnd(at, end);
}

function spaceEnd(at: usize, end: usize): usize {
  while (at < end && isSpace(load<u8>(at))) at++;
  return at;
}

/** hexValue returns the number that four hexadecimal digits are, -1 if they are none. */
export function hexValue(at: usize): i32 {
  let n = 0;
  for (let i: usize = 0; i < 4; i++) {
    const c = load<u8>(at + i);
    const letter = (c | 0x20) - 0x61;
    if (isDigit(c)) n = (n << 4) | (c - 0x30);
    else if (<u8>letter < 6) n = (n << 4) | (<i32>(<u8>letter) + 10);
    else return -1;
  }
  return n;
}


/** hasEscape tells whether there is a backslash in what stands between quotes: the second one ends the search. */
export function hasEscape(from: usize, length: i32): bool {
  const end = from + length;
  return plainEnd(from, end + 8) < end;
}

/** unquote writes what stands between quotes without its escapes, in UTF-8, and returns the length. */
export function unquote(to: usize, from: usize, length: i32): i32 {
  const begin = to;
  const end = from + length;
  while (from < end) {
    const stop = plainEnd(from, end);
    memory.copy(to, from, stop - from);
    to += stop - from;
    from = stop;
    if (from + 1 >= end) break;
    const c = load<u8>(from + 1);
    if (c != 0x75) {
      store<u8>(to++, escapeOf(c));
      from += 2;
      continue;
    }
    let rune: u32 = end - from < 6 ? 0xfffd : hexValue(from + 2);
    from += 6;
    if ((rune & 0xf800) == 0xd800) {
      const low: u32 = end - from < 6 || load<u16>(from) != 0x755c ? 0 : hexValue(from + 2);
      if (rune < 0xdc00 && (low & ~0x3ff) == 0xdc00) {
        rune = 0x10000 + ((rune & 0x3ff) << 10) + (low & 0x3ff);
        from += 6;
      } else {
        rune = 0xfffd;
      }
    }
    to = putRune(to, rune);
  }
  return <i32>(to - begin);
}

function escapeOf(c: u8): u8 {
  switch (c) {
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
  }
  return c;
}

/** putRune writes a character and returns the place behind it. */
export function putRune(to: usize, rune: u32): usize {
  if (rune < 0x80) {
    store<u8>(to, rune);
    return to + 1;
  }
  if (rune < 0x800) {
    store<u8>(to, 0xc0 | (rune >> 6));
    store<u8>(to, 0x80 | (rune & 0x3f), 1);
    return to + 2;
  }
  if (rune < 0x10000) {
    store<u8>(to, 0xe0 | (rune >> 12));
    store<u8>(to, 0x80 | ((rune >> 6) & 0x3f), 1);
    store<u8>(to, 0x80 | (rune & 0x3f), 2);
    return to + 3;
  }
  store<u8>(to, 0xf0 | (rune >> 18));
  store<u8>(to, 0x80 | ((rune >> 12) & 0x3f), 1);
  store<u8>(to, 0x80 | ((rune >> 6) & 0x3f), 2);
  store<u8>(to, 0x80 | (rune & 0x3f), 3);
  return to + 4;
}
