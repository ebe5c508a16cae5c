// The module's imports: abi/SPEC.md, section 6.

// @ts-ignore: decorator
@external("aviary", "log")
declare function importLog(level: i32, text: usize, length: i32): void;
// @ts-ignore: decorator
@external("aviary", "presence_list")
declare function importPresenceList(topic: usize, length: i32, out: usize, room: i32): i32;
// @ts-ignore: decorator
@external("aviary", "config")
declare function importConfig(key: usize, length: i32, out: usize, room: i32): i32;
// @ts-ignore: decorator
@external("aviary", "panic")
declare function importPanic(text: usize, length: i32, file: usize, fileLength: i32, line: i32): void;

import { shrink, take } from "./arena";
import { utf8 } from "./utf8";

/** The severity of a log line. */
export enum Level {
  Debug = 0,
  Info = 1,
  Warn = 2,
  Error = 3,
}

const messageRoom = 1024; // as much as the host takes of a line
const fileRoom = 256;
const message: usize = memory.data(messageRoom);
const file: usize = memory.data(fileRoom);

/**
 * abort ends the callback with a message and its place: asc calls it for whatever
 * is thrown, a failed assert and an index out of range (--use abort=...). It takes
 * no memory, since the lack of it may be the reason.
 */
export function abort(text: string | null, name: string | null, line: u32, column: u32): void {
  const length = clip(message, messageRoom, text);
  importPanic(message, length, file, clip(file, fileRoom, name), line);
  unreachable();
}

/** clip writes what of text fits, in UTF-8, and returns its length. */
function clip(to: usize, room: i32, text: string | null): i32 {
  if (text === null) return 0;
  let length = text.length;
  if (length > room / 3) length = room / 3;
  return <i32>String.UTF8.encodeUnsafe(changetype<usize>(text), length, to, false, String.UTF8.ErrorMode.REPLACE);
}

export function logLine(level: Level, line: string): void {
  const text = take(line.length * 3);
  importLog(level, text, utf8(text, line));
}

/** What the host said last: its length, -1 for no answer. */
export let answered: i32 = 0;

const answerRoom = 1024;

/** askConfig returns where the JSON text of a setting lies. */
export function askConfig(key: string): usize {
  const name = take(key.length * 3);
  const length = utf8(name, key);
  let out = take(answerRoom);
  answered = importConfig(name, length, out, answerRoom);
  if (answered > answerRoom) {
    out = take(answered);
    answered = importConfig(name, length, out, answered);
  } else {
    shrink(out, max(answered, 0));
  }
  return out;
}

/** askPresences returns where the JSON text of a topic's presences lies. */
export function askPresences(topic: string): usize {
  const name = take(topic.length * 3);
  const length = utf8(name, topic);
  let out = take(answerRoom);
  answered = importPresenceList(name, length, out, answerRoom);
  if (answered > answerRoom) {
    out = take(answered);
    answered = importPresenceList(name, length, out, answered);
  } else {
    shrink(out, max(answered, 0));
  }
  return out;
}
