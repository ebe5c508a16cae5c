// Room that lasts until the callback returns: texts, builders and the response. It is
// taken from the front of one block, so that a callback writes to few pages, each of
// which the host has to put back. What does not fit gets a block of its own.

const room: usize = 64 << 10;
const first: usize = heap.alloc(room);
const headerSize: usize = 16; // of a further block: the address of the one before it

let next: usize = first;
let end: usize = first + room;
let further: usize = 0;

/** take returns room for size bytes, aligned to 8. */
export function take(size: usize): usize {
  const at = next;
  const after = at + ((size + 7) & ~7);
  if (after > end || after < at) return takeFurther(size);
  next = after;
  return at;
}

function takeFurther(size: usize): usize {
  const block = heap.alloc(max(size + 8 + headerSize, room));
  store<usize>(block, further);
  further = block;
  if (size >= room / 4) return block + headerSize; // and go on in the block before
  next = block + headerSize;
  end = block + room;
  return take(size);
}

/** shrink gives back what of the room taken last lies at or after the address. */
export function shrink(to: usize): void {
  if (to <= next && to >= end - room) next = (to + 7) & ~7;
}

/** reset gives everything back, at the beginning of a callback. */
export function reset(): void {
  while (further != 0) {
    const block = further;
    further = load<usize>(block);
    heap.free(block);
  }
  next = first;
  end = first + room;
}
