//! Requests of the host: SPEC.md section 3.1.

use crate::value::Value;

/// Numbers of the callbacks.
pub(crate) const CONNECT: u8 = 1;
pub(crate) const JOIN: u8 = 2;
pub(crate) const HANDLE_IN: u8 = 3;
pub(crate) const HANDLE_INFO: u8 = 4;
pub(crate) const HANDLE_OUT: u8 = 5;
pub(crate) const TERMINATE: u8 = 6;
pub(crate) const CODE_CHANGE: u8 = 7;

/// The size of the header in this revision.
const HEADER: usize = 136;

/// Offsets of the pairs.
pub(crate) const SOCKET_ID: usize = 40;
pub(crate) const TOPIC: usize = 48;
pub(crate) const EVENT: usize = 56;
pub(crate) const REF: usize = 64;
pub(crate) const JOIN_REF: usize = 72;
pub(crate) const PAYLOAD: usize = 80;
pub(crate) const STATE: usize = 88;
pub(crate) const ID_TOPIC: usize = 96;
pub(crate) const PARAMS: usize = 104;
pub(crate) const HEADERS: usize = 112;
pub(crate) const CONFIG: usize = 120;
pub(crate) const SOURCE: usize = 128;

/// An encoded request.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a>(&'a [u8]);

impl<'a> Request<'a> {
    /// Returns the request, and panics where its header is cut off: nothing can be answered then.
    pub(crate) fn new(block: &'a [u8]) -> Self {
        if block.len() < HEADER {
            panic!("aviary: request of {} bytes, less than its header of {}", block.len(), HEADER);
        }
        Request(block)
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[at..at + N]);
        bytes
    }

    pub(crate) fn callback(&self) -> u8 {
        self.0[2]
    }

    pub(crate) fn reason(&self) -> u32 {
        self.word(4)
    }

    pub(crate) fn time(&self) -> i64 {
        i64::from_le_bytes(self.array(8))
    }

    pub(crate) fn seed(&self) -> [u8; 16] {
        self.array(16)
    }

    pub(crate) fn state_version(&self) -> u32 {
        self.word(32)
    }

    pub(crate) fn transport(&self) -> u32 {
        self.word(36)
    }

    /// Returns what the pair at an offset names.
    pub(crate) fn bytes(&self, at: usize) -> &'a [u8] {
        let (offset, size) = (self.word(at) as usize, self.word(at + 4) as usize);
        if size == 0 {
            return &[];
        }
        match offset.checked_add(size).and_then(|end| self.0.get(offset..end)) {
            Some(bytes) => bytes,
            None => panic!("aviary: the pair at {} of the request ends past it", at),
        }
    }

    /// Returns the text that the pair at an offset names.
    pub(crate) fn text(&self, at: usize) -> &'a str {
        match std::str::from_utf8(self.bytes(at)) {
            Ok(text) => text,
            Err(_) => panic!("aviary: the pair at {} of the request is not UTF-8", at),
        }
    }

    pub(crate) fn json(&self, at: usize) -> Value<'a> {
        Value::payload(self.bytes(at))
    }

    pub(crate) fn payload(&self) -> Value<'a> {
        if self.0[3] & 1 != 0 {
            return Value::binary(self.bytes(PAYLOAD));
        }
        self.json(PAYLOAD)
    }
}
