/** utf8 writes text to a place that has room for three bytes a unit, and returns the length. */
export function utf8(to: usize, text: string): i32 {
  return <i32>String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, to, false, String.UTF8.ErrorMode.REPLACE);
}

/** decodeUTF8 returns the text of bytes. Most is ASCII, which the library takes a byte at a time. */
export function decodeUTF8(from: usize, size: i32): string {
  const end = from + size;
  let at = from;
  for (; at + 8 <= end; at += 8) {
    if (load<u64>(at) & 0x8080808080808080) return String.UTF8.decodeUnsafe(from, size);
  }
  for (; at < end; at++) {
    if (load<u8>(at) & 0x80) return String.UTF8.decodeUnsafe(from, size);
  }
  const units = __new(<usize>size << 1, idof<string>());
  let to = units;
  for (at = from; at + 4 <= end; at += 4) {
    const four: u64 = load<u32>(at);
    const pairs = (four | (four << 16)) & 0x0000ffff0000ffff;
    store<u64>(to, (pairs | (pairs << 8)) & 0x00ff00ff00ff00ff);
    to += 8;
  }
  for (; at < end; at++) {
    store<u16>(to, load<u8>(at));
    to += 2;
  }
  return changetype<string>(units);
}
