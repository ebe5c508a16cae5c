//! The state of a channel, which the host keeps as bytes from one callback to the next.

use crate::call::Ref;
use crate::error::{Error, Result};
use crate::payload::{append_quoted, Payload};
use crate::scan::Walk;
use crate::unquote::reads_as;
use crate::value::{Kind, Value};

/// What a channel remembers. `()` is the state of one that remembers nothing, `Vec<u8>` is bytes as they are.
///
/// ```
/// #[derive(Default)]
/// struct Member { name: String, seen: i64 }
///
/// impl aviary::State for Member {
///     fn fields(&mut self, f: &mut aviary::Fields) {
///         f.field("name", &mut self.name).field("seen", &mut self.seen);
///     }
/// }
/// ```
pub trait State: Default {
    /// Is kept beside the state. A later version of the module finds it in its code_change handler.
    const VERSION: u32 = 0;

    /// Names the fields. It serves to read them and to write them, so the two cannot disagree. The bytes are a JSON object.
    /// A field that they lack stays as it is by default, and one that nobody asks for is dropped, so fields can be added
    /// and removed without a version; one of another type is an error.
    fn fields(&mut self, f: &mut Fields);

    /// Reads what save wrote. The bytes are never empty.
    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        let all = Value::payload(bytes);
        if all.kind() != Kind::Object {
            return Err(Error::new("is no object"));
        }
        let mut f = Fields(Mode::Load { all, rest: all.walk(), error: None });
        self.fields(&mut f);
        match f.0 {
            Mode::Load { error: Some(error), .. } => Err(error),
            _ => Ok(()),
        }
    }

    /// Appends the state. It must give the same bytes for the same state, so that an unchanged one is not sent again.
    fn save(&mut self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut f = Fields(Mode::Save(std::mem::take(out)));
        self.fields(&mut f);
        if let Mode::Save(text) = f.0 {
            *out = text;
        }
        out.push(b'}');
    }
}

impl State for () {
    fn fields(&mut self, _: &mut Fields) {}

    fn load(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn save(&mut self, _: &mut Vec<u8>) {}
}

impl State for Vec<u8> {
    fn fields(&mut self, _: &mut Fields) {}

    fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn save(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Reads the fields of a state from bytes, or writes them: see [`State::fields`]. Fields that hold their default are left
/// out.
pub struct Fields<'a>(Mode<'a>);

enum Mode<'a> {
    /// rest walks through all behind the field read last: fields are written in the order in which they are read.
    Load { all: Value<'a>, rest: Walk<'a>, error: Option<Error> },
    Save(Vec<u8>),
}

impl<'a> Fields<'a> {
    /// Names a field that has fields of its own.
    pub fn group(&mut self, key: &'a str, to: &mut impl State) -> &mut Self {
        match &mut self.0 {
            Mode::Load { all, rest, error } => {
                let load = |v: Value| to.load(v.raw()).map_err(|e| Error::new(format!("{}: {}", key, e)));
                read(next(all, rest, key), error, load);
            }
            Mode::Save(out) => {
                begin(out, key);
                to.save(out);
            }
        }
        self
    }

    /// Names a field.
    pub fn field(&mut self, key: &'a str, to: &mut impl Field) -> &mut Self {
        match &mut self.0 {
            Mode::Load { all, rest, error } => read(next(all, rest, key), error, |v| to.read(v)),
            Mode::Save(out) if !to.is_default() => {
                begin(out, key);
                to.write(out);
            }
            Mode::Save(_) => {}
        }
        self
    }
}

/// Reads what was found, and keeps the first error.
fn read(found: Result<Value>, error: &mut Option<Error>, read: impl FnOnce(Value) -> Result<()>) {
    if error.is_none() {
        *error = found.and_then(|v| if v.exists() { read(v) } else { Ok(()) }).err();
    }
}

/// Returns the member key: nearly always the next one.
fn next<'a>(all: &Value<'a>, rest: &mut Walk<'a>, key: &'a str) -> Result<Value<'a>> {
    let mut ahead = rest.clone();
    if let Ok(Some(member)) = ahead.step() {
        if reads_as(member.key, key) {
            *rest = ahead;
            return Ok(Value::of(member.text, key));
        }
    }
    all.get(key)
}

fn begin(out: &mut Vec<u8>, key: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    append_quoted(out, key);
    out.push(b':');
}

/// What can be a field of a state.
pub trait Field {
    /// Reads what write wrote.
    fn read(&mut self, v: Value) -> Result<()>;

    /// Appends it as JSON.
    fn write(&self, out: &mut Vec<u8>);

    /// Tells whether it need not be written.
    fn is_default(&self) -> bool;
}

macro_rules! field {
    ($type:ty, $read:ident) => {
        impl Field for $type {
            fn read(&mut self, v: Value) -> Result<()> {
                *self = v.$read()?;
                Ok(())
            }

            fn write(&self, out: &mut Vec<u8>) {
                Payload::write(self, out);
            }

            fn is_default(&self) -> bool {
                *self == Self::default()
            }
        }
    };
}

field!(String, string);
field!(i64, int);
field!(f64, float);
field!(bool, bool);

impl Field for Ref {
    fn read(&mut self, v: Value) -> Result<()> {
        self.0.read(v)
    }

    fn write(&self, out: &mut Vec<u8>) {
        Field::write(&self.0, out);
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Field + Default> Field for Vec<T> {
    fn read(&mut self, v: Value) -> Result<()> {
        for element in v.elements()? {
            let mut one = T::default();
            one.read(element)?;
            self.push(one);
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut bracket = b'[';
        for one in self {
            out.push(bracket);
            one.write(out);
            bracket = b',';
        }
        out.push(b']');
    }

    fn is_default(&self) -> bool {
        self.is_empty()
    }
}

impl<T: Field + Default> Field for Option<T> {
    fn read(&mut self, v: Value) -> Result<()> {
        let mut one = T::default();
        one.read(v)?;
        *self = Some(one);
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(one) = self {
            one.write(out);
        }
    }

    fn is_default(&self) -> bool {
        self.is_none()
    }
}
