//! The scanner finds where JSON values end. The host has validated every payload, but no index depends on that: text
//! that is not JSON gives an error, not a panic. It never recurses, so the depth of a payload costs no stack.

use crate::value::DEPTH;

/// Why the end of a value was not found.
#[derive(Clone, Copy)]
pub(crate) enum Broken {
    TooDeep,
    Malformed,
}

impl Broken {
    /// Says in words what it is, after "is".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Broken::TooDeep => "nested deeper than 128",
            Broken::Malformed => "not JSON",
        }
    }
}

/// Tells whether c is white space of JSON, or a control character, which stands nowhere in it.
fn is_space(c: u8) -> bool {
    c <= b' '
}

/// Returns the index of the first byte at or after i that is not white space.
pub(crate) fn space_end(s: &[u8], mut i: usize) -> usize {
    while i < s.len() && is_space(s[i]) {
        i += 1;
    }
    i
}

/// Returns the index after the value that begins at s[i], or what is wrong with it.
fn value_end(s: &[u8], i: usize) -> Result<usize, Broken> {
    match s.get(i) {
        Some(b'"') => string_end(s, i),
        Some(b'{' | b'[') => container_end(s, i),
        _ => scalar_end(s, i),
    }
}

fn scalar_end(s: &[u8], start: usize) -> Result<usize, Broken> {
    let mut i = start;
    while i < s.len() && !matches!(s[i], b',' | b']' | b'}') && !is_space(s[i]) {
        i += 1;
    }
    if i == start {
        return Err(Broken::Malformed);
    }
    Ok(i)
}

fn container_end(s: &[u8], mut i: usize) -> Result<usize, Broken> {
    let mut depth = 0;
    while i < s.len() {
        match s[i] {
            b'"' => {
                i = string_end(s, i)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            return Ok(i);
        }
        if depth >= DEPTH {
            return Err(Broken::TooDeep);
        }
    }
    Err(Broken::Malformed)
}

/// Returns the index after the string whose opening quote is s[i].
fn string_end(s: &[u8], i: usize) -> Result<usize, Broken> {
    let mut i = plain_end(s, i + 1);
    loop {
        match s.get(i) {
            Some(b'"') => return Ok(i + 1),
            Some(_) => i = plain_end(s, i + 2), // a backslash and what it escapes; hex digits of \u are plain
            None => return Err(Broken::Malformed),
        }
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

/// Sets the high bit of every byte of w that is c. A borrow may set wrong bits too, but only above a right one, and only
/// the lowest bit is read.
pub(crate) fn equal(w: u64, c: u8) -> u64 {
    let x = w ^ (EACH * u64::from(c));
    x.wrapping_sub(EACH) & !x & HIGH
}

/// Sets, as equal does, the high bit of every byte below c, which is at most 0x80.
pub(crate) fn below(w: u64, c: u8) -> u64 {
    w.wrapping_sub(EACH * u64::from(c)) & !w & HIGH
}

/// Returns the eight bytes at s[i], None if there are fewer.
pub(crate) fn word(s: &[u8], i: usize) -> Option<u64> {
    let bytes = s.get(i..i + 8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// Returns the index of the first quote or backslash at or after i, or some index at or past the end.
pub(crate) fn plain_end(s: &[u8], mut i: usize) -> usize {
    while let Some(w) = word(s, i) {
        let hits = equal(w, b'"') | equal(w, b'\\');
        if hits != 0 {
            return i + hits.trailing_zeros() as usize / 8;
        }
        i += 8;
    }
    while i < s.len() && s[i] != b'"' && s[i] != b'\\' {
        i += 1;
    }
    i
}

/// Walks the members of an object or the elements of an array.
#[derive(Clone)]
pub(crate) struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    keys: bool,
}

/// A member of an object: its key, still escaped, and the text of its value. The key of an element is empty.
pub(crate) struct Member<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) text: &'a [u8],
}

impl<'a> Walk<'a> {
    /// Begins a walk through text, which begins with a bracket if it is a container.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Walk { text, at: 1, keys: text.first() == Some(&b'{') }
    }

    /// Moves to the next member, None at the end.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<Option<Member<'a>>, Broken> {
        let s = self.text;
        let mut i = space_end(s, self.at);
        match s.get(i) {
            Some(b'}' | b']') | None => return Ok(None),
            Some(b',') => i = space_end(s, i + 1),
            _ => {}
        }
        let mut key = &s[..0];
        if self.keys {
            if s.get(i) != Some(&b'"') {
                return Err(Broken::Malformed);
            }
            let end = string_end(s, i)?;
            key = &s[i + 1..end - 1];
            i = space_end(s, end);
            if s.get(i) != Some(&b':') {
                return Err(Broken::Malformed);
            }
            i = space_end(s, i + 1);
        }
        let end = value_end(s, i)?;
        self.at = end;
        Ok(Some(Member { key, text: &s[i..end] }))
    }
}
