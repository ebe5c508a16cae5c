//! Why a handler could not do what it was asked.

use std::fmt;

/// What a handler that answers an event answers with.
pub type Result<T = crate::Answer> = std::result::Result<T, Error>;

/// Why a handler did not do what it was asked. In a join the client is refused with it, in an event it gets it as an
/// error reply: `{"reason": text}`. In a message, a broadcast or the end of a channel nobody waits for an answer, so
/// there it fails the callback as a panic does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    /// Returns an error of that text.
    pub fn new(text: impl Into<String>) -> Self {
        Error(text.into())
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Error::new(text)
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Error(text)
    }
}
