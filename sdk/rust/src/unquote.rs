//! What the inside of a JSON string stands for.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::scan::plain_end;

/// Returns what s stands for without its escapes: s itself where it has none, None where half a surrogate pair, no escape
/// at all or no UTF-8 stands in it.
pub(crate) fn unquoted(s: &[u8]) -> Option<Cow<'_, str>> {
    let s = std::str::from_utf8(s).ok()?;
    if plain_end(s.as_bytes(), 0) >= s.len() {
        return Some(Cow::Borrowed(s));
    }
    let mut text = String::with_capacity(s.len());
    let mut rest = s;
    loop {
        let plain = plain_end(rest.as_bytes(), 0).min(rest.len());
        text.push_str(&rest[..plain]);
        if plain == rest.len() {
            return Some(Cow::Owned(text));
        }
        let (c, size) = escape(&rest[plain..])?;
        text.push(c);
        rest = &rest[plain + size..];
    }
}

/// Tells whether raw, the inside of a JSON string, reads as key. No escape is shorter than what it stands for.
#[inline]
pub(crate) fn reads_as(raw: &[u8], key: &str) -> bool {
    match raw.len().cmp(&key.len()) {
        Ordering::Less => false,
        Ordering::Equal => raw == key.as_bytes() && !key.contains('\\'),
        Ordering::Greater => raw.contains(&b'\\') && unquoted(raw).map_or(false, |text| text == key),
    }
}

/// Reads the escape at the start of s, and how long it is.
fn escape(s: &str) -> Option<(char, usize)> {
    let c = match s.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return escape_u(s),
        _ => return None,
    };
    Some((c, 2))
}

/// Reads a \u escape, or two that make a surrogate pair.
fn escape_u(s: &str) -> Option<(char, usize)> {
    const SIZE: usize = "\\u0000".len();
    let first = hex4(s)?;
    if !(0xd800..0xe000).contains(&first) {
        return Some((char::from_u32(first)?, SIZE));
    }
    let second = hex4(s.get(SIZE..)?)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let c = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(c)?, 2 * SIZE))
}

/// Returns the value of the \u escape at the start of s.
fn hex4(s: &str) -> Option<u32> {
    let digits = s.strip_prefix("\\u")?.get(..4)?;
    if !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None; // from_str_radix takes a sign
    }
    u32::from_str_radix(digits, 16).ok()
}
