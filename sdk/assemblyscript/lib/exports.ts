// The module's exports: abi/SPEC.md, section 2.

import { marker, serve } from "./channel";

const requestAlign: usize = 16;
let requestRoom: usize = 0;
let requestBuffer: usize = 0;
let pages: i32 = 0;

export function aviary_abi_v1(): u64 {
  const mark = marker();
  pages = memory.size();
  return mark;
}

export function aviary_alloc(size: u32): usize {
  if (<usize>size > requestRoom) {
    if (requestBuffer != 0) heap.free(requestBuffer);
    requestBuffer = heap.alloc(size);
    requestRoom = size;
  }
  return requestBuffer;
}

/**
 * run answers a request. Nothing is collected while a handler runs; between two, where the host does
 * not put the memory back, it is when the memory has grown.
 */
function run(request: usize): u64 {
  if (memory.size() > pages) {
    __collect();
    pages = memory.size();
  }
  return serve(request);
}

export function connect(request: usize, size: u32): u64 {
  return run(request);
}

export function join(request: usize, size: u32): u64 {
  return run(request);
}

export function handle_in(request: usize, size: u32): u64 {
  return run(request);
}

export function handle_info(request: usize, size: u32): u64 {
  return run(request);
}

export function handle_out(request: usize, size: u32): u64 {
  return run(request);
}

export function terminate(request: usize, size: u32): u64 {
  return run(request);
}

export function code_change(request: usize, size: u32): u64 {
  return run(request);
}
