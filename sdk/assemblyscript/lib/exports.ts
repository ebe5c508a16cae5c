// The module's exports: abi/SPEC.md, section 2.

import { seal, unseal } from "./arena";
import { marker, serve } from "./channel";

let requestBuffer: usize = 0;

export function aviary_abi_v1(): u64 {
  return marker();
}

/** The buffer is the last of what lasts, so that it can grow where it is. */
export function aviary_alloc(size: u32): usize {
  unseal();
  requestBuffer = requestBuffer == 0 ? heap.alloc(size) : heap.realloc(requestBuffer, size);
  seal();
  return requestBuffer;
}

export function connect(request: usize, size: u32): u64 {
  return serve(request);
}

export function join(request: usize, size: u32): u64 {
  return serve(request);
}

export function handle_in(request: usize, size: u32): u64 {
  return serve(request);
}

export function handle_info(request: usize, size: u32): u64 {
  return serve(request);
}

export function handle_out(request: usize, size: u32): u64 {
  return serve(request);
}

export function terminate(request: usize, size: u32): u64 {
  return serve(request);
}

export function code_change(request: usize, size: u32): u64 {
  return serve(request);
}
