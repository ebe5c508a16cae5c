// The request at hand and the response to it: abi/SPEC.md, sections 3.1, 4 and 5.

import { take, shrink } from "./arena";
import { decodeUTF8, utf8 } from "./utf8";
import { Kind, Payload } from "./value";

/** The callbacks, by their numbers. */
export enum Callback {
  Connect = 1,
  Join = 2,
  HandleIn = 3,
  HandleInfo = 4,
  HandleOut = 5,
  Terminate = 6,
  CodeChange = 7,
}

/** The effects, by their numbers. */
export enum EffectKind {
  Reply = 1,
  Push = 2,
  Broadcast = 3,
  BroadcastFrom = 4,
  SendInfo = 5,
  SendAfter = 6,
  Cancel = 7,
  Subscribe = 8,
  Unsubscribe = 9,
  PresenceTrack = 10,
  PresenceUpdate = 11,
  PresenceUntrack = 12,
  PresencePush = 13,
  GroupAdd = 14,
  GroupRemove = 15,
  GroupBroadcast = 16,
  Disconnect = 17,
  Stop = 18,
  Log = 19,
  Intercept = 20,
}

/** The results, by their numbers. */
export enum ResultKind {
  NoReply = 0,
  Reply = 1,
  ReplyError = 2,
  Push = 3,
  Stop = 4,
  Pass = 5,
}

/** Where the fields of a request are. */
export namespace req {
  export const headerSize: usize = 136;
  export const callback: usize = 2;
  export const flags: usize = 3;
  export const reason: usize = 4;
  export const time: usize = 8;
  export const seed: usize = 16;
  export const stateVersion: usize = 32;
  export const transport: usize = 36;
  export const socketID: usize = 40; // from here on pairs
  export const topic: usize = 48;
  export const event: usize = 56;
  export const ref: usize = 64;
  export const joinRef: usize = 72;
  export const payload: usize = 80;
  export const state: usize = 88;
  export const idTopic: usize = 96;
  export const params: usize = 104;
  export const headers: usize = 112;
  export const config: usize = 120;
  export const source: usize = 128;
}

export const binary: u16 = 1;
export const local: u16 = 2;
export const off: u16 = 4;
const stateGiven: u8 = 2;

const effectSize: u32 = 48;
const effectsAtFirst: u32 = 16;

/** Where the fields of an effect are. Its pairs hold addresses until the response is written. */
export namespace eff {
  export const flags: usize = 2;
  export const number: usize = 4;
  export const value: usize = 8;
  export const topic: usize = 16;
  export const event: usize = 24;
  export const payload: usize = 32;
  export const key: usize = 40;
}

/** Where the fields of a response are. */
export namespace res {
  export const headerSize: usize = 64;
  export const result: usize = 2;
  export const flags: usize = 3;
  export const stateVersion: usize = 4;
  export const number: usize = 8;
  export const effectSize: usize = 12;
  export const effects: usize = 16;
  export const payload: usize = 24;
  export const event: usize = 32;
  export const state: usize = 40;
  export const idTopic: usize = 48;
  export const text: usize = 56;
}

/** The address of the request at hand. */
export let request: usize = 0;

/** The header of the response. Its pairs hold addresses until it is written. */
export let response: usize = 0;

let effects: usize = 0;
let effectsRoom: u32 = 0;
let effectsUsed: u32 = 0;

/** begin readies for a request. */
export function begin(at: usize): void {
  request = at;
  response = take(res.headerSize);
  memory.fill(response, 0, res.headerSize);
  effects = take(effectsAtFirst * effectSize);
  effectsRoom = effectsAtFirst;
  effectsUsed = 0;
}

/** callback is the number of the callback at hand. */
export function callback(): Callback {
  return load<u8>(request, req.callback);
}

/** at is where a field of the request lies. */
export function at(field: usize): usize {
  return request + load<u32>(request + field);
}

/** size is the length of a field of the request. */
export function size(field: usize): i32 {
  return load<i32>(request + field, 4);
}

/** field is a text of the request. */
export function field(which: usize): string {
  return decodeUTF8(at(which), size(which));
}

/** opaque is a field of the request whose bytes need not be text: a unit for each. */
export function opaque(which: usize): string {
  const from = at(which);
  const length = size(which);
  let s = "";
  for (let i = 0; i < length; i++) s += String.fromCharCode(load<u8>(from + i));
  return s;
}

/** setText makes a pair name a text. */
export function setText(pair: usize, s: string): void {
  if (s.length == 0) return;
  const to = take(s.length * 3);
  const length = utf8(to, s);
  shrink(to, length);
  setBytes(pair, to, length);
}

/** setOpaque undoes opaque. */
export function setOpaque(pair: usize, s: string): void {
  const to = take(s.length);
  for (let i = 0; i < s.length; i++) store<u8>(to + i, s.charCodeAt(i));
  setBytes(pair, to, s.length);
}

export function setBytes(pair: usize, from: usize, length: i32): void {
  store<usize>(pair, from);
  store<i32>(pair, length, 4);
}

/** setPayload makes a pair name a payload and returns the flag that goes with it. */
export function setPayload(pair: usize, p: Payload | null): u16 {
  if (p === null) return 0;
  let from = p.at;
  if (!p.held()) {
    from = take(p.size);
    memory.copy(from, p.at, p.size);
  }
  setBytes(pair, from, p.size);
  return p.kind == Kind.Bytes ? binary : 0;
}

/** effect adds an effect and returns its address, for the caller to fill in at once. */
export function effect(kind: EffectKind, p: Payload | null = null): usize {
  if (effectsUsed == effectsRoom) {
    const more = take(effectsRoom * 2 * effectSize);
    memory.copy(more, effects, effectsRoom * effectSize);
    effects = more;
    effectsRoom *= 2;
  }
  const e = effects + effectsUsed * effectSize;
  effectsUsed++;
  memory.fill(e, 0, effectSize);
  store<u16>(e, kind);
  store<u16>(e, setPayload(e + eff.payload, p), eff.flags);
  return e;
}

/** dropEffects takes back the first effects. */
export function dropEffects(n: u32): void {
  effects += n * effectSize;
  effectsUsed -= n;
  effectsRoom -= n;
}

export function setResult(kind: ResultKind, p: Payload | null): void {
  store<u8>(response, kind, res.result);
  const flags = load<u8>(response, res.flags) & ~(<u8>binary);
  store<u8>(response, flags | <u8>setPayload(response + res.payload, p), res.flags);
}

/** setState gives a new state, which may be empty. */
export function setState(from: usize, length: i32, version: u32): void {
  store<u8>(response, load<u8>(response, res.flags) | stateGiven, res.flags);
  store<u32>(response, version, res.stateVersion);
  setBytes(response + res.state, from, length);
}

let out: usize = 0;
let end: usize = 0;

/** finish writes the response and returns its address and length as the host wants them. */
export function finish(): u64 {
  store<u16>(response, <u16>res.headerSize);
  store<u16>(response, <u16>effectSize, res.effectSize);
  const records = effectsUsed * effectSize;
  let room: u32 = <u32>res.headerSize + records;
  for (let pair = res.payload; pair < res.headerSize; pair += 8) room += load<u32>(response + pair, 4);
  for (let i: u32 = 0; i < effectsUsed; i++) {
    for (let pair = eff.topic; pair < <usize>effectSize; pair += 8) room += load<u32>(effects + i * effectSize + pair, 4);
  }
  out = take(room);
  memory.copy(out, response, res.headerSize);
  memory.copy(out + res.headerSize, effects, records);
  store<u32>(out, <u32>res.headerSize, res.effects);
  store<u32>(out, effectsUsed, res.effects + 4);
  end = out + res.headerSize + records;
  for (let pair = res.payload; pair < res.headerSize; pair += 8) move(out + pair);
  for (let i: u32 = 0; i < effectsUsed; i++) {
    const e = out + res.headerSize + i * effectSize;
    for (let pair = eff.topic; pair < <usize>effectSize; pair += 8) move(e + pair);
  }
  return ((<u64>out) << 32) | <u64>(end - out);
}

/** move copies what a pair names behind the response, and makes the pair an offset. */
function move(pair: usize): void {
  const length = load<u32>(pair, 4);
  if (length == 0) return store<u32>(pair, 0);
  memory.copy(end, load<usize>(pair), length);
  store<u32>(pair, <u32>(end - out));
  end += length;
}
