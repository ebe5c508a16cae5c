// Room that lasts until the callback returns. With the run-time "stub" that the SDK is built with
// everything is taken from the front of one heap, texts, builders and the response as well as the
// objects of a handler, and nothing is ever collected: a callback writes to few pages, each of which
// the host has to put back. Where the host does not put the memory back, release does.

const header: usize = sizeof<usize>(); // of a block of the run-time: its size

/** Room that is there when a callback begins, so that few have to have the memory grown. */
const slack: usize = 256 << 10;

let mark: usize = 0; // the block at the end of what lasts; 0 while the module is initialised

/** take returns room for size bytes, aligned to 16. */
export function take(size: usize): usize {
  return heap.alloc(size);
}

/** shrink gives back what of the room taken last is not needed. */
export function shrink(at: usize, size: usize): void {
  heap.realloc(at, size);
}

/** seal makes all that was taken so far last. */
export function seal(): void {
  heap.free(heap.alloc(slack));
  mark = heap.alloc(0);
}

/** unseal lets the block in front of the place of seal grow. */
export function unseal(): void {
  release();
  if (mark != 0) heap.free(mark);
  mark = 0;
}

/**
 * release gives back all that was taken since seal. The run-time frees the block that was taken
 * last; for it to be the one of seal, that is made to reach to the end.
 */
export function release(): void {
  if (mark == 0) return;
  const last = heap.alloc(0);
  store<usize>(mark - header, last + load<usize>(last - header) - mark);
  heap.free(mark);
  mark = heap.alloc(0);
}
