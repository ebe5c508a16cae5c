import { array, object, Obj } from "./build";
import { check } from "./check";
import { nameOf, nextMember, Kind, Payload, Value, valueOf } from "./value";

/**
 * State is what a channel remembers: the host keeps it from one callback to the next. A subclass
 * names its fields once, for both ways, so the two cannot disagree:
 *
 *   class Member extends State {
 *     name: string = "";
 *     seen: i64 = 0;
 *
 *     fields(f: Fields): void {
 *       this.name = f.str("name", this.name);
 *       this.seen = f.int("seen", this.seen);
 *     }
 *   }
 *
 * The bytes are a JSON object. A field that they lack keeps the value that it has, and one that
 * nobody asks for is dropped; so fields can be added and removed without a version. A field of
 * another type ends the callback, with a message. For bytes of your own override load and save.
 */
export class State {
  fields(f: Fields): void {}

  /** version is kept beside the state. A later version of the module finds it in codeChange. */
  version(): u32 {
    return 0;
  }

  /** load reads what save made, and trusts that it is JSON. It is not called for the empty state. */
  load(state: Payload): void {
    const v = valueOf(state.at, state.size, "state");
    if (!v.isObject) throw new Error("state is " + nameOf(v.kind) + ", not an object");
    this.fields(new Fields(v, null));
  }

  /** save makes the same bytes of the same state, so that an unchanged one is not sent to the host again. */
  save(): Payload {
    const f = new Fields(new Value(), object());
    this.fields(f);
    return f.out();
  }
}

/** Fields reads the fields of a state, or writes them; see State. Each method returns what the field holds. */
export class Fields {
  private next: usize = 0; // the key behind the one that was read last

  constructor(
    private from: Value,
    private to: Obj | null,
  ) {
    if (to === null) this.next = from.first();
  }

  /** out is what was written. For the SDK. */
  out(): Obj {
    return this.to!;
  }

  /**
   * read returns the member key. Fields are written in the order in which they are read, so it is
   * nearly always the next one.
   */
  private read(key: string): Value {
    const end = this.from.at + this.from.size;
    const at = this.next;
    if (at < end && isKey(at, end, key)) {
      this.next = nextMember(at, end);
      return this.from.member(at, key);
    }
    return this.from.get(key);
  }

  str(key: string, value: string): string {
    const to = this.to;
    if (to !== null) to.str(key, value);
    else {
      const v = this.read(key);
      if (v.exists) return v.str();
    }
    return value;
  }

  int(key: string, value: i64): i64 {
    const to = this.to;
    if (to !== null) to.int(key, value);
    else {
      const v = this.read(key);
      if (v.exists) return v.int();
    }
    return value;
  }

  /** float is a field of a number. NaN and the infinities come back as NaN. */
  float(key: string, value: f64): f64 {
    const to = this.to;
    if (to !== null) to.float(key, value);
    else {
      const v = this.read(key);
      if (v.exists) return v.isNull ? NaN : v.float();
    }
    return value;
  }

  bool(key: string, value: bool): bool {
    const to = this.to;
    if (to !== null) to.bool(key, value);
    else {
      const v = this.read(key);
      if (v.exists) return v.bool();
    }
    return value;
  }

  /** json is a field of any JSON, as text: "" is none. */
  json(key: string, value: string): string {
    const to = this.to;
    if (to !== null) {
      if (value != "") to.set(key, rawText(value));
      return value;
    }
    const v = this.read(key);
    return v.exists ? v.raw : value;
  }

  strs(key: string, value: string[]): string[] {
    const to = this.to;
    if (to !== null) {
      const list = array();
      for (let i = 0; i < value.length; i++) list.str(value[i]);
      to.set(key, list);
      return value;
    }
    const v = this.read(key);
    if (!v.exists) return value;
    const elements = listed(v);
    const all = new Array<string>();
    for (let i = 0; i < elements.length; i++) all.push(elements[i].str());
    return all;
  }

  /** object is a field that has fields of its own. */
  object<T extends State>(key: string, value: T): T {
    const to = this.to;
    if (to !== null) {
      to.set(key, value.save());
      return value;
    }
    const v = this.read(key);
    if (v.exists) value.load(v);
    return value;
  }

  /** list is a field of things that have fields of their own. */
  list<T extends State>(key: string, value: T[]): T[] {
    const to = this.to;
    if (to !== null) {
      const all = array();
      for (let i = 0; i < value.length; i++) all.add(value[i].save());
      to.set(key, all);
      return value;
    }
    const v = this.read(key);
    if (!v.exists) return value;
    const elements = listed(v);
    const all = new Array<T>();
    for (let i = 0; i < elements.length; i++) {
      const one = instantiate<T>();
      one.load(elements[i]);
      all.push(one);
    }
    return all;
  }
}

function listed(v: Value): Value[] {
  if (!v.isArray) throw new Error(v.where + " is " + nameOf(v.kind) + ", not an array");
  return v.elements();
}

/** isKey tells whether the key at a place is that one; false for keys with escapes, or such as need them. */
function isKey(at: usize, end: usize, key: string): bool {
  const length = key.length;
  if (end - at < <usize>length + 2 || load<u8>(at + 1 + length) != 0x22) return false;
  for (let i = 0; i < length; i++) {
    const c = load<u16>(changetype<usize>(key) + (i << 1));
    if (c >= 0x80 || load<u8>(at + 1 + i) != c) return false;
  }
  return true;
}

function rawText(s: string): Payload {
  const b = String.UTF8.encode(s);
  const problem = check(changetype<usize>(b), b.byteLength, 0);
  if (problem != "") throw new Error("field of JSON: " + problem);
  const p = new RawText();
  p.kind = Kind.Object;
  p.at = changetype<usize>(b);
  p.size = b.byteLength;
  p.kept = b;
  return p;
}

/** RawText keeps the buffer that it is a view of. */
class RawText extends Payload {
  kept: ArrayBuffer | null = null;

  held(): bool {
    return false;
  }
}
