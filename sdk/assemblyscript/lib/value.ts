import { take, shrink } from "./arena";
import { check } from "./check";
import { decodeUTF8, utf8 } from "./utf8";
import { readFloat, readWhole, whole } from "./number";
import { hasEscape, isDigit, skipSpace, stringEnd, unquote, valueEnd } from "./scan";

/** What a payload, or a part of one, is. All but Missing and Bytes are the kinds of JSON. */
export enum Kind {
  Missing,
  Null,
  Bool,
  Number,
  String,
  Array,
  Object,
  Bytes,
}

/** nameOf is a kind in words, for messages. */
export function nameOf(kind: Kind): string {
  switch (kind) {
    case Kind.Null:
      return "null";
    case Kind.Bool:
      return "a boolean";
    case Kind.Number:
      return "a number";
    case Kind.String:
      return "a string";
    case Kind.Array:
      return "an array";
    case Kind.Object:
      return "an object";
    case Kind.Bytes:
      return "bytes";
  }
  return "missing";
}

/** What goes out: an object, an array, a Value that came in, bytes, text or json. */
export class Payload {
  /** The text or bytes: where they lie, and how many bytes they are. For the SDK. */
  at: usize = 0;
  size: i32 = 0;
  /** What it is. */
  kind: Kind = Kind.Missing;

  /** held says whether the bytes stay as they are until the callback ends. For the SDK. */
  held(): bool {
    return true;
  }
}

/**
 * A payload, or a part of one: a view of JSON text, or of bytes, that is read as far as it is
 * asked for and good until the handler returns. As an argument of push and its like it goes on
 * as it came.
 *
 * str, int, float and bool end the callback with a message if it is of another kind; asString,
 * isInt and their like tell, and the Or methods take a value for that case.
 */
export class Value extends Payload {
  private parent: Value | null = null;
  private name: string = "";

  /** The JSON text as it came. */
  get raw(): string {
    return decodeUTF8(this.at, this.size);
  }

  /** exists tells whether it is there at all; null is. */
  get exists(): bool {
    return this.kind != Kind.Missing;
  }

  get isNull(): bool {
    return this.kind == Kind.Null;
  }
  get isString(): bool {
    return this.kind == Kind.String;
  }
  get isArray(): bool {
    return this.kind == Kind.Array;
  }
  get isObject(): bool {
    return this.kind == Kind.Object;
  }
  get isBool(): bool {
    return this.kind == Kind.Bool;
  }
  get isNumber(): bool {
    return this.kind == Kind.Number;
  }
  get isBytes(): bool {
    return this.kind == Kind.Bytes;
  }

  /** isInt tells whether it is a whole number that an i64 holds. 1.0 and 1e2 are whole. */
  get isInt(): bool {
    return this.kind == Kind.Number && readWhole(this.at, this.size);
  }

  /** asString returns a string without quotes and escapes, null if it is none. */
  asString(): string | null {
    return this.kind == Kind.String ? this.decoded() : null;
  }

  /** str is asString of what has to be a string. */
  str(): string {
    if (this.kind != Kind.String) this.wrong("a string");
    return this.decoded();
  }

  strOr(otherwise: string): string {
    return this.kind == Kind.String ? this.decoded() : otherwise;
  }

  /** chars is the number of characters of a string, Unicode code points, and -1 of anything else. */
  get chars(): i32 {
    return this.kind == Kind.String ? charsOf(this.at + 1, this.size - 2) : -1;
  }

  int(): i64 {
    if (!this.isInt) this.wrong("a whole number of 64 bits");
    return whole;
  }

  intOr(otherwise: i64): i64 {
    return this.isInt ? whole : otherwise;
  }

  float(): f64 {
    const f = this.floatOr(NaN);
    if (isNaN(f)) this.wrong("a number that an f64 holds");
    return f;
  }

  floatOr(otherwise: f64): f64 {
    if (this.kind != Kind.Number) return otherwise;
    const f = readFloat(this.at, this.size);
    return isFinite(f) ? f : otherwise;
  }

  bool(): bool {
    if (this.kind != Kind.Bool) this.wrong("a boolean");
    return load<u8>(this.at) == 0x74;
  }

  boolOr(otherwise: bool): bool {
    return this.kind == Kind.Bool ? load<u8>(this.at) == 0x74 : otherwise;
  }

  /** bytes returns a copy of a binary payload. */
  bytes(): Uint8Array {
    if (this.kind != Kind.Bytes) this.wrong("bytes");
    const copy = new Uint8Array(this.size);
    memory.copy(copy.dataStart, this.at, this.size);
    return copy;
  }

  /** get returns the member key of an object. */
  get(key: string): Value {
    const found = this.part(key);
    if (this.kind != Kind.Object) return found;
    const name = take(key.length * 3);
    const length = utf8(name, key);
    const end = this.at + this.size;
    for (let at = this.first(); at < end; ) {
      const after = stringEnd(at, end);
      const value = valueAfter(after, end);
      if (keyIs(at + 1, <i32>(after - at) - 2, name, length)) {
        found.setText(value, <i32>(valueEnd(value, end) - value));
        break;
      }
      at = nextElement(value, end);
    }
    shrink(name, 0);
    return found;
  }

  /** index returns the element of an array, from 0. */
  index(i: i32): Value {
    const found = this.part(i.toString());
    if (this.kind != Kind.Array) return found;
    const end = this.at + this.size;
    for (let at = this.first(); at < end; at = nextElement(at, end)) {
      if (i-- == 0) {
        found.setText(at, <i32>(valueEnd(at, end) - at));
        break;
      }
    }
    return found;
  }

  /** length is the number of elements of an array or members of an object. */
  get length(): i32 {
    let n = 0;
    const end = this.at + this.size;
    if (this.kind == Kind.Array) {
      for (let at = this.first(); at < end; at = nextElement(at, end)) n++;
    } else if (this.kind == Kind.Object) {
      for (let at = this.first(); at < end; at = nextMember(at, end)) n++;
    }
    return n;
  }

  /** elements returns what is in an array, nothing of anything else. */
  elements(): Value[] {
    const all = new Array<Value>();
    if (this.kind != Kind.Array) return all;
    const end = this.at + this.size;
    for (let at = this.first(); at < end; at = nextElement(at, end)) {
      const one = this.part(all.length.toString());
      one.setText(at, <i32>(valueEnd(at, end) - at));
      all.push(one);
    }
    return all;
  }

  /** keys returns the keys of an object in the order of its text. */
  keys(): string[] {
    const all = new Array<string>();
    if (this.kind != Kind.Object) return all;
    const end = this.at + this.size;
    for (let at = this.first(); at < end; at = nextMember(at, end)) {
      all.push(decode(at + 1, <i32>(stringEnd(at, end) - at) - 2));
    }
    return all;
  }

  /** member returns the value of the key that begins at an address, in the same object. For the SDK. */
  member(at: usize, name: string): Value {
    const one = this.part(name);
    const end = this.at + this.size;
    const value = valueAfter(stringEnd(at, end), end);
    one.setText(value, <i32>(valueEnd(value, end) - value));
    return one;
  }

  /** first is the address of the first member or element, the end if there is none. For the SDK. */
  first(): usize {
    const end = this.at + this.size - 1; // the bracket
    const at = skipSpace(this.at + 1, end);
    return at < end ? at : end + 1;
  }

  /** setText makes it a view of JSON text without space around. For the SDK. */
  setText(at: usize, size: i32): void {
    this.at = at;
    this.size = size;
    this.kind = kindOf(at, size);
  }

  /** named gives it a name, for messages. For the SDK. */
  named(name: string): Value {
    this.name = name;
    return this;
  }

  /** where says in words which part of what it is: payload.user.name. */
  get where(): string {
    const parent = this.parent;
    return parent === null ? this.name : parent.where + "." + this.name;
  }

  private part(name: string): Value {
    const v = new Value();
    v.parent = this;
    v.name = name;
    return v;
  }

  private decoded(): string {
    return decode(this.at + 1, this.size - 2);
  }

  private wrong(wanted: string): void {
    throw new Error(this.where + " is " + nameOf(this.kind) + ", not " + wanted);
  }
}

/** decode returns what stands between quotes, without its escapes. */
function decode(at: usize, size: i32): string {
  if (!hasEscape(at, size)) return decodeUTF8(at, size);
  const plain = take(size);
  return decodeUTF8(plain, unquote(plain, at, size));
}

/** charsOf is the number of characters of what stands between quotes. */
function charsOf(at: usize, size: i32): i32 {
  if (hasEscape(at, size)) {
    const plain = take(size);
    size = unquote(plain, at, size);
    at = plain;
  }
  let n = 0;
  for (const end = at + size; at < end; at++) n += <i32>((load<u8>(at) & 0xc0) != 0x80);
  return n;
}

/** keyIs compares a key as it is written, which is longer than what it says if it has escapes. */
function keyIs(at: usize, size: i32, name: usize, length: i32): bool {
  if (size == length) return memory.compare(at, name, size) == 0 && !hasEscape(at, size);
  if (size < length || !hasEscape(at, size)) return false;
  const plain = take(size);
  return unquote(plain, at, size) == length && memory.compare(plain, name, length) == 0;
}

/** valueAfter returns where the value behind a key begins. */
function valueAfter(at: usize, end: usize): usize {
  return skipSpace(skipSpace(at, end) + 1, end); // over the colon
}

/** nextMember returns where the key behind the member at a place begins, end if there is none. */
export function nextMember(at: usize, end: usize): usize {
  return nextElement(valueAfter(stringEnd(at, end), end), end);
}

function nextElement(at: usize, end: usize): usize {
  at = skipSpace(valueEnd(at, end), end);
  return at < end && load<u8>(at) == 0x2c ? skipSpace(at + 1, end) : end;
}

function kindOf(at: usize, size: i32): Kind {
  if (size == 0) return Kind.Missing;
  const c = load<u8>(at);
  switch (c) {
    case 0x7b:
      return Kind.Object;
    case 0x5b:
      return Kind.Array;
    case 0x22:
      return Kind.String;
    case 0x74:
    case 0x66:
      return Kind.Bool;
    case 0x6e:
      return Kind.Null;
  }
  return c == 0x2d || isDigit(c) ? Kind.Number : Kind.Missing;
}

/** valueOf returns the view of a JSON text that may have space around it. For the SDK. */
export function valueOf(at: usize, size: i32, name: string): Value {
  const end = at + size;
  const from = skipSpace(at, end);
  const v = new Value().named(name);
  if (from < end) v.setText(from, <i32>(valueEnd(from, end) - from));
  return v;
}

/** json returns text as a Value; text that is not JSON ends the callback. */
export function json(text: string): Value {
  const at = take(text.length * 3);
  const size = utf8(at, text);
  shrink(at, size);
  const problem = check(at, size, 0);
  if (problem != "") throw new Error("json: " + problem);
  return valueOf(at, size, "json");
}

/** bytes returns a binary payload. It is copied. */
export function bytes(b: Uint8Array): Payload {
  const p = new Payload();
  p.kind = Kind.Bytes;
  p.size = b.length;
  p.at = take(b.length);
  memory.copy(p.at, b.dataStart, b.length);
  return p;
}

/** codePoints is the number of characters of a text: its length counts some twice. */
export function codePoints(s: string): i32 {
  let n = s.length;
  for (let i = 0; i < s.length - 1; i++) {
    if ((s.charCodeAt(i) & 0xfc00) == 0xd800 && (s.charCodeAt(i + 1) & 0xfc00) == 0xdc00) {
      n--;
      i++;
    }
  }
  return n;
}
