// What comes in is checked once, as a whole, before a handler sees it: that it is JSON,
// and JSON of which there is one reading. The host lets pass what the grammar allows; a
// key that is there twice, half a surrogate pair and nesting without end are in it.

import { take } from "./arena";
import { decodeUTF8 } from "./utf8";
import { hexValue, isDigit, plainEnd, skipSpace, unquote } from "./scan";

/** How deep arrays and objects may be in each other. */
export const maxDepth = 128;

/** Up to so many keys are compared with each other one by one. */
const fewKeys: u32 = 16;

const keySize: u32 = 12; // hash, address, length
const firstKeys: u32 = 64;

let at: usize = 0;
let begin: usize = 0;
let end: usize = 0;
let problem: string = "";
let salt: u32 = 0;

let keys: usize = 0; // of all open objects
let keysRoom: u32 = 0;
let keysUsed: u32 = 0;

/**
 * check returns what is wrong with a JSON text, "" if nothing is. The salt is a number
 * that nobody can foresee: keys that were made to collide do so for another.
 */
export function check(text: usize, length: i32, random: u32): string {
  at = begin = text;
  end = text + length;
  problem = "";
  salt = random;
  keysRoom = keysUsed = 0;
  if (!checkValue(0)) return problem + " at byte " + (at - begin).toString();
  space();
  return at == end ? "" : "no JSON at byte " + (at - begin).toString();
}

function fail(why: string): bool {
  problem = why;
  return false;
}

function broken(): bool {
  return fail("no JSON");
}

function space(): void {
  at = skipSpace(at, end);
}

function checkValue(depth: i32): bool {
  space();
  if (at >= end) return broken();
  const c = load<u8>(at);
  switch (c) {
    case 0x22: // a string
      return checkString();
    case 0x7b: // {
      return checkObject(depth + 1);
    case 0x5b: // [
      return checkArray(depth + 1);
    case 0x74: // true
      return checkWord(0x65757274, 4);
    case 0x6e: // null
      return checkWord(0x6c6c756e, 4);
    case 0x66: // false
      at++;
      return checkWord(0x65736c61, 4);
  }
  return checkNumber();
}

function checkWord(word: u32, size: usize): bool {
  if (end - at < size || load<u32>(at) != word) return broken();
  at += size;
  return true;
}

function digits(): bool {
  const from = at;
  while (at < end && isDigit(load<u8>(at))) at++;
  return at > from;
}

function checkNumber(): bool {
  if (load<u8>(at) == 0x2d) at++; // -
  const first = at;
  if (!digits()) return broken();
  if (load<u8>(first) == 0x30 && at - first > 1) return broken();
  if (at < end && load<u8>(at) == 0x2e) { // .
    at++;
    if (!digits()) return broken();
  }
  if (at < end && (load<u8>(at) | 0x20) == 0x65) { // e
    at++;
    if (at < end && (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d)) at++;
    if (!digits()) return broken();
  }
  return true;
}

/** Whether the string that was checked last has an escape. */
let escaped = false;

function checkString(): bool {
  at++;
  escaped = false;
  while (true) {
    at = plainEnd(at, end);
    if (at >= end) return broken();
    const c = load<u8>(at);
    if (c == 0x22) break;
    if (c < 0x20) return broken();
    escaped = true;
    if (!checkEscape()) return false;
  }
  at++;
  return true;
}

function checkEscape(): bool {
  if (end - at < 2) return broken();
  switch (load<u8>(at + 1)) {
    case 0x22:
    case 0x5c:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      at += 2;
      return true;
    case 0x75: // u
      return checkUnit();
  }
  return broken();
}

function checkUnit(): bool {
  const unit = unitAt(at);
  if (unit < 0) return broken();
  if ((unit & 0xf800) == 0xd800) {
    const low = unit < 0xdc00 ? unitAt(at + 6) : -1;
    if ((low & ~0x3ff) != 0xdc00) return fail("half a surrogate pair");
    at += 6;
  }
  at += 6;
  return true;
}

/** unitAt returns the number of the escape \uXXXX at a place, -1 if there is none. */
function unitAt(place: usize): i32 {
  if (place > end || end - place < 6 || load<u16>(place) != 0x755c) return -1;
  return hexValue(place + 2);
}

function checkArray(depth: i32): bool {
  if (depth > maxDepth) return fail("more than " + maxDepth.toString() + " levels");
  at++;
  space();
  if (at < end && load<u8>(at) == 0x5d) {
    at++;
    return true;
  }
  while (true) {
    if (!checkValue(depth)) return false;
    space();
    if (at >= end) return broken();
    const c = load<u8>(at);
    if (c != 0x2c && c != 0x5d) return broken();
    at++;
    if (c == 0x5d) return true;
  }
}

function checkObject(depth: i32): bool {
  if (depth > maxDepth) return fail("more than " + maxDepth.toString() + " levels");
  at++;
  space();
  if (at < end && load<u8>(at) == 0x7d) {
    at++;
    return true;
  }
  const from = keysUsed;
  let table: usize = 0;
  while (true) {
    space();
    if (!checkKey(from)) return false;
    if (keysUsed - from > fewKeys) {
      table = enter(table, from);
      if (table == 0) return twice();
    }
    if (!checkValue(depth)) return false;
    space();
    if (at >= end) return broken();
    const c = load<u8>(at);
    if (c != 0x2c && c != 0x7d) return broken();
    at++;
    if (c == 0x7d) break;
  }
  keysUsed = from;
  return true;
}

/** checkKey reads a key and its colon, and compares it with the others while they are few. */
function checkKey(from: u32): bool {
  if (at >= end || load<u8>(at) != 0x22) return broken();
  let key = at + 1;
  if (!checkString()) return false;
  let length = <i32>(at - 1 - key);
  if (escaped) {
    const plain = take(length);
    length = unquote(plain, key, length);
    key = plain;
  }
  push(key, length);
  if (keysUsed - from <= fewKeys) {
    const newest = keysUsed - 1;
    const hash = load<u32>(keys + newest * keySize);
    for (let i = from; i < newest; i++) {
      if (load<u32>(keys + i * keySize) == hash && same(i, newest)) return twice();
    }
  }
  space();
  if (at >= end || load<u8>(at) != 0x3a) return broken();
  at++;
  return true;
}

function twice(): bool {
  const entry = keys + (keysUsed - 1) * keySize;
  const length = min(load<i32>(entry, 8), 64);
  return fail('duplicate key "' + decodeUTF8(load<usize>(entry, 4), length) + '"');
}

function push(key: usize, length: i32): void {
  if (keysUsed == keysRoom) {
    const room = keysRoom == 0 ? firstKeys : keysRoom * 2;
    const more = take(room * keySize);
    memory.copy(more, keys, keysUsed * keySize);
    keys = more;
    keysRoom = room;
  }
  const entry = keys + keysUsed * keySize;
  store<u32>(entry, hashOf(key, length));
  store<usize>(entry, key, 4);
  store<i32>(entry, length, 8);
  keysUsed++;
}

/** hashOf mixes eight bytes at once; what it reads behind the key it masks. */
function hashOf(key: usize, length: i32): u32 {
  let hash: u64 = salt ^ length;
  for (; length >= 8; length -= 8) {
    hash = rotl((hash ^ load<u64>(key)) * 0x9e3779b97f4a7c15, 29);
    key += 8;
  }
  const rest = load<u64>(key) & (((<u64>1) << (<u64>length << 3)) - 1);
  hash = (hash ^ rest) * 0x9e3779b97f4a7c15;
  return <u32>(hash >> 32) ^ <u32>hash;
}

function same(i: u32, j: u32): bool {
  const a = keys + i * keySize;
  const b = keys + j * keySize;
  if (load<u32>(a) != load<u32>(b) || load<i32>(a, 8) != load<i32>(b, 8)) return false;
  return memory.compare(load<usize>(a, 4), load<usize>(b, 4), load<i32>(a, 8)) == 0;
}

/**
 * enter puts the newest key of an object into its table of places by hash, which begins
 * with its size, and makes the table or a larger one where there is none or it is half
 * full. It returns the table, 0 if the key is there already.
 */
function enter(table: usize, from: u32): usize {
  const count = keysUsed - from;
  if (table != 0 && count * 2 <= load<u32>(table)) {
    return place(table, keysUsed - 1) ? table : 0;
  }
  const size: u32 = table == 0 ? fewKeys * 8 : load<u32>(table) * 2;
  const larger = take(4 + size * 4);
  store<u32>(larger, size);
  memory.fill(larger + 4, 0, size * 4);
  for (let i = from; i < keysUsed; i++) {
    if (!place(larger, i)) return 0;
  }
  return larger;
}

function place(table: usize, key: u32): bool {
  const mask = load<u32>(table) - 1;
  let slot = load<u32>(keys + key * keySize) & mask;
  while (true) {
    const spot = table + 4 + slot * 4;
    const other = load<u32>(spot);
    if (other == 0) {
      store<u32>(spot, key + 1);
      return true;
    }
    if (same(other - 1, key)) return false;
    slot = (slot + 1) & mask;
  }
}
