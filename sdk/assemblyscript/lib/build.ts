import { take } from "./arena";
import { floatText, putInt } from "./number";
import { decodeUTF8 } from "./utf8";
import { Kind, Payload } from "./value";

const firstRoom: i32 = 120;
const hexDigits: usize = memory.data<u8>([48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102]);

/**
 * Builder appends JSON text, in room that lasts until the callback returns. The text is whole
 * after every member: the closing bracket stands behind what will be overwritten by the next.
 */
export class Builder extends Payload {
  private room: i32 = 0;
  private close: u8 = 0;

  protected begin(open: u8, close: u8, kind: Kind): void {
    this.kind = kind;
    this.close = close;
    this.room = firstRoom;
    this.at = take(firstRoom);
    store<u8>(this.at, open);
    store<u8>(this.at, close, 1);
    this.size = 2;
  }

  /** text is the JSON text so far. */
  get text(): string {
    return decodeUTF8(this.at, this.size);
  }

  held(): bool {
    return false;
  }

  /** reserve makes room for more bytes, the comma and the bracket, and returns where they go. */
  private reserve(more: i32): usize {
    const size = this.size - 1;
    if (size + more + 2 > this.room) {
      this.room = max(2 * this.room, size + more + 2);
      const larger = take(this.room);
      memory.copy(larger, this.at, size);
      this.at = larger;
    }
    let to = this.at + size;
    if (size > 1 && load<u8>(to - 1) != 0x3a) store<u8>(to++, 0x2c);
    return to;
  }

  /** end closes the text at a place. */
  private end(to: usize): void {
    store<u8>(to, this.close);
    this.size = <i32>(to - this.at) + 1;
  }

  protected putKey(key: string): void {
    const to = quote(this.reserve(6 * key.length + 3), key);
    store<u8>(to, 0x3a);
    this.end(to + 1);
  }

  protected putStr(s: string): void {
    this.end(quote(this.reserve(6 * s.length + 2), s));
  }

  protected putInt(n: i64): void {
    this.end(putInt(this.reserve(20), n));
  }

  protected putWord(word: string): void {
    const to = this.reserve(word.length);
    for (let i = 0; i < word.length; i++) store<u8>(to + i, word.charCodeAt(i));
    this.end(to + word.length);
  }

  protected putPayload(p: Payload | null): void {
    if (p === null || p.kind == Kind.Missing) return this.putWord("null");
    if (p.kind == Kind.Bytes) throw new Error("bytes inside JSON");
    const to = this.reserve(p.size);
    memory.copy(to, p.at, p.size);
    this.end(to + p.size);
  }
}

/** Obj is a JSON object under construction; see object. */
export class Obj extends Builder {
  constructor() {
    super();
    this.begin(0x7b, 0x7d, Kind.Object);
  }

  /** str adds a string. Half a surrogate pair becomes U+FFFD. */
  str(key: string, s: string): this {
    this.putKey(key);
    this.putStr(s);
    return this;
  }

  /** int adds a whole number. JavaScript reads numbers over 2^53 inexactly. */
  int(key: string, n: i64): this {
    this.putKey(key);
    this.putInt(n);
    return this;
  }

  /** float adds a number; NaN and the infinities become null. */
  float(key: string, f: f64): this {
    this.putKey(key);
    this.putWord(floatText(f));
    return this;
  }

  bool(key: string, b: bool): this {
    this.putKey(key);
    this.putWord(b ? "true" : "false");
    return this;
  }

  null(key: string): this {
    this.putKey(key);
    this.putWord("null");
    return this;
  }

  /** set adds any JSON: an object, an array, a part of a payload. What is missing becomes null. */
  set(key: string, p: Payload | null): this {
    this.putKey(key);
    this.putPayload(p);
    return this;
  }
}

/** Arr is a JSON array under construction; see array. */
export class Arr extends Builder {
  constructor() {
    super();
    this.begin(0x5b, 0x5d, Kind.Array);
  }

  str(s: string): this {
    this.putStr(s);
    return this;
  }

  int(n: i64): this {
    this.putInt(n);
    return this;
  }

  float(f: f64): this {
    this.putWord(floatText(f));
    return this;
  }

  bool(b: bool): this {
    this.putWord(b ? "true" : "false");
    return this;
  }

  null(): this {
    this.putWord("null");
    return this;
  }

  add(p: Payload | null): this {
    this.putPayload(p);
    return this;
  }
}

/**
 * object begins a JSON object. Its methods add members and return it. It is good until the
 * handler returns.
 *
 *   object().str("name", name).set("tags", array().str("a").str("b"))
 */
export function object(): Obj {
  return new Obj();
}

/** array begins a JSON array, as object does an object. */
export function array(): Arr {
  return new Arr();
}

/** text returns a JSON string as a payload. */
export function text(s: string): Payload {
  const p = new Payload();
  p.kind = Kind.String;
  p.at = take(6 * s.length + 2);
  p.size = <i32>(quote(p.at, s) - p.at);
  return p;
}

/**
 * quote writes a JSON string and returns the place behind it; a unit of s takes up to six bytes.
 * Half a surrogate pair becomes U+FFFD: a frame with one in it would make every browser that
 * receives it close its connection.
 */
export function quote(to: usize, s: string): usize {
  const units = changetype<usize>(s);
  const length = s.length;
  store<u8>(to++, 0x22);
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    const four = plainFour(load<u64>(units + (i << 1)));
    if (four == 0) break;
    store<u32>(to, four);
    to += 4;
  }
  for (; i < length; i++) {
    const c = load<u16>(units + (i << 1));
    if (c >= 0x20 && c < 0x80 && c != 0x22 && c != 0x5c) {
      store<u8>(to++, c);
    } else if (c < 0x80) {
      to = escape(to, <u8>c);
    } else {
      // Let the library look for the pairs in what is not ASCII.
      let j = i + 1;
      while (j < length && load<u16>(units + (j << 1)) >= 0x80) j++;
      to += String.UTF8.encodeUnsafe(units + (i << 1), j - i, to, false, String.UTF8.ErrorMode.REPLACE);
      i = j - 1;
    }
  }
  store<u8>(to, 0x22);
  return to + 1;
}

/** plainFour packs four units into bytes, and returns 0 if one of them is no plain ASCII. */
function plainFour(units: u64): u32 {
  if (units & 0xff80ff80ff80ff80) return 0;
  const pairs = (units | (units >> 8)) & 0x0000ffff0000ffff;
  const w = <u32>(pairs | (pairs >> 16));
  const quote = w ^ 0x22222222;
  const reverse = w ^ 0x5c5c5c5c;
  const hits = ((w - 0x20202020) & ~w) | ((quote - 0x01010101) & ~quote) | ((reverse - 0x01010101) & ~reverse);
  return hits & 0x80808080 ? 0 : w;
}

function escape(to: usize, c: u8): usize {
  store<u8>(to, 0x5c);
  if (c == 0x22 || c == 0x5c || c == 0x0a) {
    store<u8>(to, c == 0x0a ? 0x6e : c, 1);
    return to + 2;
  }
  store<u8>(to, 0x75, 1);
  store<u16>(to, 0x3030, 2);
  store<u8>(to, load<u8>(hexDigits + (c >> 4)), 4);
  store<u8>(to, load<u8>(hexDigits + (c & 15)), 5);
  return to + 6;
}
