//! Payloads as they are read.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::number::whole;
use crate::scan::{space_end, Walk};
use crate::unquote::{reads_as, unquoted};

/// How deep a payload may be nested to be read. Passed on unread it may be deeper.
pub const DEPTH: i32 = 128;

/// What a [`Value`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there.
    Missing,
    /// null
    Null,
    /// true or false
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// A binary payload.
    Bytes,
    /// No JSON. The host lets none of that through, but a guest may make it.
    Malformed,
}

impl Kind {
    /// Says in words what it is, after "is".
    fn words(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Null => "null",
            Kind::Bool => "true or false",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Array => "an array",
            Kind::Object => "an object",
            Kind::Bytes => "bytes",
            Kind::Malformed => "not JSON",
        }
    }
}

/// A payload or a part of one: a view of JSON text that is read only as far as it is asked for, or the bytes of a binary
/// payload. Given to an effect it is passed on as it came, so that no number changes.
///
/// A question that cannot be answered is an [`Error`] that says what is the matter with which key: the wrong type, a key
/// that is there twice, half a surrogate pair, a number that does not fit. Nothing here panics or recurses, whatever the
/// text. Each question scans the text anew, so keep what you need twice.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    text: &'a [u8], // or the bytes
    kind: Kind,
    name: &'a str,
}

impl<'a> Value<'a> {
    /// Returns the JSON text as a value. It is not checked.
    pub fn json(text: &'a str) -> Self {
        Value::payload(text.as_bytes())
    }

    /// Returns a binary payload.
    pub fn binary(bytes: &'a [u8]) -> Self {
        Value { text: bytes, kind: Kind::Bytes, name: "payload" }
    }

    /// Returns the value of a whole text.
    pub(crate) fn payload(text: &'a [u8]) -> Self {
        let mut text = &text[space_end(text, 0)..];
        while let [rest @ .., b' ' | b'\n' | b'\t' | b'\r'] = text {
            text = rest;
        }
        Value::of(text, "payload")
    }

    /// Returns what is not there.
    fn missing(name: &'a str) -> Self {
        Value { text: &[], kind: Kind::Missing, name }
    }

    /// Returns the value of text, which has no space around it.
    pub(crate) fn of(text: &'a [u8], name: &'a str) -> Self {
        let kind = match text.first() {
            None => Kind::Missing,
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Malformed,
        };
        Value { text, kind, name }
    }

    /// Tells what it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Tells whether it is there at all; null is.
    pub fn exists(&self) -> bool {
        self.kind != Kind::Missing
    }

    /// Returns the JSON text, or the bytes, as they came.
    pub fn raw(&self) -> &'a [u8] {
        self.text
    }

    /// Returns the member key of an object; of anything else it is missing. It is an error if the key is there twice, or
    /// if something is nested deeper than [`DEPTH`].
    pub fn get(&self, key: &'a str) -> Result<Value<'a>> {
        let mut found = Value::missing(key);
        if self.kind != Kind::Object {
            return Ok(found);
        }
        let mut walk = self.walk();
        while let Some(member) = walk.step().map_err(|broken| found.error(broken.words()))? {
            if reads_as(member.key, key) {
                if found.exists() {
                    return Err(found.error("there twice"));
                }
                found = Value::of(member.text, key);
            }
        }
        Ok(found)
    }

    pub(crate) fn walk(&self) -> Walk<'a> {
        Walk::new(self.text)
    }

    /// Returns the elements of an array.
    pub fn elements(&self) -> Result<Vec<Value<'a>>> {
        self.must(Kind::Array)?;
        let mut all = Vec::new();
        let mut walk = self.walk();
        while let Some(member) = walk.step().map_err(|broken| self.error(broken.words()))? {
            all.push(Value::of(member.text, self.name));
        }
        Ok(all)
    }

    /// Returns the members of an object in the order of its text.
    pub fn members(&self) -> Result<Vec<(Cow<'a, str>, Value<'a>)>> {
        self.must(Kind::Object)?;
        let mut all: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        let mut walk = self.walk();
        while let Some(member) = walk.step().map_err(|broken| self.error(broken.words()))? {
            let key = unquoted(member.key).ok_or_else(|| self.error("a key with half a surrogate pair"))?;
            all.push((key, Value::of(member.text, self.name)));
        }
        let mut keys: Vec<&str> = all.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Error::new(format!("{}: {} is there twice", self.name, pair[0]))),
            None => Ok(all),
        }
    }

    /// Returns a string without its escapes. It copies only where there are some.
    pub fn str(&self) -> Result<Cow<'a, str>> {
        self.must(Kind::String)?;
        let inside = self.text.get(1..self.text.len().max(2) - 1).unwrap_or(&[]);
        unquoted(inside).ok_or_else(|| self.error("a string with half a surrogate pair"))
    }

    /// Returns a string of its own.
    pub fn string(&self) -> Result<String> {
        Ok(self.str()?.into_owned())
    }

    /// Returns a whole number. 1.0 and 1e2 are whole.
    pub fn int(&self) -> Result<i64> {
        self.must(Kind::Number)?;
        self.digits().and_then(whole).ok_or_else(|| self.number("a whole number of 64 bits"))
    }

    /// Returns a number that an f64 can come near: not 1e999.
    pub fn float(&self) -> Result<f64> {
        self.must(Kind::Number)?;
        let near = self.digits().and_then(|s| s.parse::<f64>().ok()).filter(|f| f.is_finite());
        near.ok_or_else(|| self.number("a number within the range of 64 bits"))
    }

    /// Returns true or false.
    pub fn bool(&self) -> Result<bool> {
        self.must(Kind::Bool)?;
        match self.text {
            b"true" => Ok(true),
            b"false" => Ok(false),
            _ => Err(self.error(Kind::Malformed.words())),
        }
    }

    /// Returns the bytes of a binary payload.
    pub fn as_bytes(&self) -> Result<&'a [u8]> {
        self.must(Kind::Bytes)?;
        Ok(self.text)
    }

    /// Returns the text of a number.
    fn digits(&self) -> Option<&'a str> {
        std::str::from_utf8(self.text).ok()
    }

    fn must(&self, kind: Kind) -> Result<()> {
        if self.kind == kind {
            return Ok(());
        }
        match self.kind {
            Kind::Missing | Kind::Malformed => Err(self.error(self.kind.words())),
            is => Err(Error::new(format!("{}: has to be {}, is {}", self.name, kind.words(), is.words()))),
        }
    }

    fn error(&self, is: &str) -> Error {
        Error::new(format!("{}: is {}", self.name, is))
    }

    /// Says that a number is not what it has to be. A long one is cut: it comes from a client.
    fn number(&self, wanted: &str) -> Error {
        let shown = self.text.get(..40).unwrap_or(self.text);
        let shown = String::from_utf8_lossy(shown);
        Error::new(format!("{}: has to be {}, is {}", self.name, wanted, shown))
    }
}
