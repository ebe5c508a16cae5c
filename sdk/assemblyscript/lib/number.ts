// Numbers as JSON writes them.

import { isDigit } from "./scan";

/** What readWhole found. */
export let whole: i64 = 0;

const most: u64 = 1 << 63; // of a negative one

/** readWhole reads a number into whole, and tells whether it is one that an i64 holds exactly. */
export function readWhole(at: usize, size: i32): bool {
  const end = at + size;
  const negative = load<u8>(at) == 0x2d;
  if (negative) at++;
  let digits: u64 = 0;
  let exponent = 0;
  let point = false;
  let zeros = 0; // that follow the digits, and matter only if another digit does
  for (; at < end; at++) {
    const c = load<u8>(at);
    if (c == 0x2e) {
      point = true;
      continue;
    }
    if (!isDigit(c)) break;
    if (point) exponent--;
    if (c == 0x30) {
      if (digits != 0) zeros++;
      continue;
    }
    for (; zeros > 0; zeros--) {
      if (digits > u64.MAX_VALUE / 10) return false;
      digits *= 10;
    }
    if (digits > (u64.MAX_VALUE - 9) / 10) return false;
    digits = digits * 10 + (c - 0x30);
  }
  if (digits == 0) {
    whole = 0;
    return true;
  }
  exponent += zeros + readExponent(at, end);
  if (exponent < 0) return false; // a fraction is left
  for (; exponent > 0; exponent--) {
    if (digits > u64.MAX_VALUE / 10) return false;
    digits *= 10;
  }
  if (digits > (negative ? most : most - 1)) return false;
  whole = negative ? -(<i64>digits) : <i64>digits;
  return true;
}

/** readExponent reads what follows the digits of a number, nothing or e and a number. */
function readExponent(at: usize, end: usize): i32 {
  if (at >= end) return 0;
  at++;
  const negative = load<u8>(at) == 0x2d;
  if (negative || load<u8>(at) == 0x2b) at++;
  let n = 0;
  for (; at < end && n < 1000000; at++) n = n * 10 + (load<u8>(at) - 0x30);
  return negative ? -n : n;
}

/** readFloat reads a number; one that is too large is infinite. */
export function readFloat(at: usize, size: i32): f64 {
  return F64.parseFloat(String.UTF8.decodeUnsafe(at, size));
}

/** putInt writes a whole number and returns the place behind it; it takes up to 20 bytes. */
export function putInt(to: usize, n: i64): usize {
  let rest: u64 = n < 0 ? 0 - <u64>n : <u64>n;
  if (n < 0) store<u8>(to++, 0x2d);
  let length = 1;
  for (let r = rest; r >= 10; r /= 10) length++;
  for (let i = length - 1; i >= 0; i--) {
    store<u8>(to + i, 0x30 + <u8>(rest % 10));
    rest /= 10;
  }
  return to + length;
}

/** floatText is a number as JavaScript writes it, null what is none. */
export function floatText(f: f64): string {
  if (!isFinite(f)) return "null";
  const text = f.toString();
  return text.endsWith(".0") ? text.substring(0, text.length - 2) : text;
}
