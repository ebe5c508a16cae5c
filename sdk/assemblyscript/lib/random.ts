// ChaCha (D. J. Bernstein) of 8 rounds over the seed of the request: numbers that nobody can
// foresee, not even from others of the same callback, and the same ones when it is run again.

import { request, req } from "./machine";

const block: StaticArray<u32> = new StaticArray<u32>(16);
const input: StaticArray<u32> = new StaticArray<u32>(16);
let used: i32 = -1; // words of block; -1: there is none yet

/** forget begins anew, for another callback. */
export function forget(): void {
  used = -1;
}

/** randomWord returns 32 random bits. */
export function randomWord(): u32 {
  if (used < 0) start();
  if (used == 16) next();
  return block[used++];
}

function start(): void {
  input[0] = 0x61707865; // expand 32-byte k
  input[1] = 0x3320646e;
  input[2] = 0x79622d32;
  input[3] = 0x6b206574;
  for (let i = 0; i < 4; i++) {
    const word = load<u32>(request + req.seed + (i << 2));
    input[4 + i] = word;
    input[8 + i] = word;
    input[12 + i] = 0;
  }
  next();
}

function next(): void {
  for (let i = 0; i < 16; i++) block[i] = input[i];
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 4; i++) quarter(i, 4 + i, 8 + i, 12 + i);
    for (let i = 0; i < 4; i++) quarter(i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3));
  }
  for (let i = 0; i < 16; i++) block[i] += input[i];
  input[12]++;
  used = 0;
}

function quarter(a: i32, b: i32, c: i32, d: i32): void {
  block[a] += block[b];
  block[d] = rotl(block[d] ^ block[a], 16);
  block[c] += block[d];
  block[b] = rotl(block[b] ^ block[c], 12);
  block[a] += block[b];
  block[d] = rotl(block[d] ^ block[a], 8);
  block[c] += block[d];
  block[b] = rotl(block[b] ^ block[c], 7);
}
