//! What is sent.

use crate::number::append_int;
use crate::scan::{below, equal, word};
use crate::value::{Kind, Value};

/// In which form a [`Payload`] has written itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON text.
    Json,
    /// Bytes, a binary payload.
    Bytes,
}

/// What can be sent, and what can stand in an object or an array.
///
/// At the top, in [`crate::Context::push`] and its like, `()` is the empty object; inside JSON it is null.
pub trait Payload {
    /// Appends it to out.
    fn write(&self, out: &mut Vec<u8>) -> Form;
}

impl<T: Payload + ?Sized> Payload for &T {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        (**self).write(out)
    }
}

impl Payload for () {
    fn write(&self, _out: &mut Vec<u8>) -> Form {
        Form::Json
    }
}

impl<T: Payload> Payload for Option<T> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        match self {
            Some(p) => p.write(out),
            None => literal(out, "null"),
        }
    }
}

impl Payload for Value<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        out.extend_from_slice(self.raw());
        if self.kind() == Kind::Bytes {
            Form::Bytes
        } else {
            Form::Json
        }
    }
}

impl Payload for str {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        append_quoted(out, self);
        Form::Json
    }
}

impl Payload for String {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        self.as_str().write(out)
    }
}

impl Payload for std::borrow::Cow<'_, str> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        (**self).write(out)
    }
}

impl Payload for bool {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        literal(out, if *self { "true" } else { "false" })
    }
}

impl Payload for i64 {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        append_int(out, *self);
        Form::Json
    }
}

impl Payload for i32 {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        i64::from(*self).write(out)
    }
}

impl Payload for u32 {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        i64::from(*self).write(out)
    }
}

/// What is no number becomes null.
impl Payload for f64 {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        if !self.is_finite() {
            return literal(out, "null");
        }
        let size = self.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            return literal(out, &format!("{:e}", self));
        }
        literal(out, &self.to_string())
    }
}

impl<T: Payload> Payload for [T] {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        let mut all = array();
        for one in self {
            all = all.add(one);
        }
        all.write(out)
    }
}

impl<T: Payload> Payload for Vec<T> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        self.as_slice().write(out)
    }
}

fn literal(out: &mut Vec<u8>, text: &str) -> Form {
    out.extend_from_slice(text.as_bytes());
    Form::Json
}

/// A JSON object under construction: see [`object`].
#[derive(Clone, Debug)]
pub struct Object(Vec<u8>);

/// How much room a new object or array has. The arena grows the last thing it gave out where it is.
const ROOM: usize = 64;

/// Begins a JSON object.
///
/// ```
/// # use aviary::{object, Payload};
/// let mut out = Vec::new();
/// object().set("name", "Ada").set("n", 7).write(&mut out);
/// assert_eq!(out, br#"{"name":"Ada","n":7}"#);
/// ```
pub fn object() -> Object {
    let mut text = Vec::with_capacity(ROOM);
    text.push(b'{');
    Object(text)
}

impl Object {
    /// Adds a member. It panics on bytes, which JSON cannot hold.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Payload) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        append_quoted(&mut self.0, key);
        self.0.push(b':');
        append_member(&mut self.0, &value);
        self
    }
}

impl Payload for Object {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        out.extend_from_slice(&self.0);
        out.push(b'}');
        Form::Json
    }
}

/// A JSON array under construction: see [`array`].
#[derive(Clone, Debug)]
pub struct Array(Vec<u8>);

/// Begins a JSON array, as [`object`] does an object.
pub fn array() -> Array {
    let mut text = Vec::with_capacity(ROOM);
    text.push(b'[');
    Array(text)
}

impl Array {
    /// Adds an element. It panics on bytes, which JSON cannot hold.
    #[must_use]
    pub fn add(mut self, value: impl Payload) -> Self {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        append_member(&mut self.0, &value);
        self
    }
}

impl Payload for Array {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        out.extend_from_slice(&self.0);
        out.push(b']');
        Form::Json
    }
}

pub(crate) fn append_member(out: &mut Vec<u8>, value: &impl Payload) {
    let before = out.len();
    if value.write(out) == Form::Bytes {
        panic!("aviary: bytes inside JSON");
    }
    if out.len() == before {
        literal(out, "null");
    }
}

/// Appends s as a JSON string.
pub(crate) fn append_quoted(out: &mut Vec<u8>, s: &str) {
    let s = s.as_bytes();
    out.reserve(s.len() + 2);
    out.push(b'"');
    let mut plain = 0;
    let mut i = verbatim_end(s, 0);
    while i < s.len() {
        out.extend_from_slice(&s[plain..i]);
        append_escaped(out, s[i]);
        plain = i + 1;
        i = verbatim_end(s, plain);
    }
    out.extend_from_slice(&s[plain..]);
    out.push(b'"');
}

/// Returns the index of the first byte at or after i that a string may not hold as it is.
fn verbatim_end(s: &[u8], mut i: usize) -> usize {
    while let Some(w) = word(s, i) {
        let hits = equal(w, b'"') | equal(w, b'\\') | below(w, b' ');
        if hits != 0 {
            return i + hits.trailing_zeros() as usize / 8;
        }
        i += 8;
    }
    while i < s.len() && s[i] >= b' ' && s[i] != b'"' && s[i] != b'\\' {
        i += 1;
    }
    i
}

fn append_escaped(out: &mut Vec<u8>, c: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    match c {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
        b'\n' => out.extend_from_slice(b"\\n"),
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(DIGITS[usize::from(c >> 4)]);
            out.push(DIGITS[usize::from(c & 15)]);
        }
    }
}
