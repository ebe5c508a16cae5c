//! Responses to the host: SPEC.md sections 4 and 5.

use crate::payload::{Form, Payload};

/// Results.
pub(crate) const NO_REPLY: u8 = 0;
pub(crate) const REPLY: u8 = 1;
pub(crate) const REPLY_ERROR: u8 = 2;
pub(crate) const STOP: u8 = 4;
pub(crate) const PASS: u8 = 5;

const HEADER: usize = 64;
const RECORD: usize = 48;

/// Flags of an effect.
const BYTES: u16 = 1;
pub(crate) const LOCAL: u16 = 2;
pub(crate) const OFF: u16 = 4;

/// Kinds of effects.
#[derive(Clone, Copy)]
#[repr(u16)]
pub(crate) enum EffectKind {
    Reply = 1,
    Push,
    Broadcast,
    BroadcastFrom,
    SendInfo,
    SendAfter,
    Cancel,
    Subscribe,
    Unsubscribe,
    Track,
    UpdatePresence,
    Untrack,
    PushPresence,
    GroupAdd,
    GroupRemove,
    GroupBroadcast,
    Disconnect,
    Stop,
    Log,
    Intercept,
}

/// The fixed fields of an effect, and the texts that it names.
#[derive(Clone, Copy)]
pub(crate) struct Effect<'a> {
    pub(crate) kind: EffectKind,
    pub(crate) flags: u16,
    pub(crate) number: u32,
    pub(crate) value: i64,
    pub(crate) topic: &'a str,
    pub(crate) event: &'a str,
    pub(crate) key: &'a str,
}

impl<'a> Effect<'a> {
    pub(crate) fn of(kind: EffectKind) -> Self {
        Effect { kind, flags: 0, number: 0, value: 0, topic: "", event: "", key: "" }
    }
}

/// A response in the making. Effects are written at once; their offsets count from the bytes they name until the whole
/// is put together.
#[derive(Default)]
pub(crate) struct Response {
    pub(crate) result: u8,
    pub(crate) number: u32,
    pub(crate) state: Option<(Vec<u8>, u32)>,
    pub(crate) event: String,
    pub(crate) id_topic: String,
    pub(crate) text: String,
    payload: Vec<u8>,
    binary: bool,
    records: Vec<[u8; RECORD]>,
    named: Vec<u8>,
}

impl Response {
    /// Sets the payload of the result.
    pub(crate) fn set_payload(&mut self, p: &impl Payload) {
        self.payload.clear();
        self.binary = p.write(&mut self.payload) == Form::Bytes;
    }

    /// Moves the payload of the result into an effect, which takes place before it.
    pub(crate) fn reply_first(&mut self, status: &str) {
        let payload = std::mem::take(&mut self.payload);
        let effect = Effect { event: status, ..Effect::of(EffectKind::Reply) };
        let form = if self.binary { Form::Bytes } else { Form::Json };
        self.effect(effect, &Written(&payload, form));
        self.binary = false;
    }

    /// Returns how many effects there are.
    pub(crate) fn effects(&self) -> usize {
        self.records.len()
    }

    /// Forgets the first n effects.
    pub(crate) fn forget(&mut self, n: usize) {
        self.records.drain(..n);
    }

    /// Adds an effect.
    pub(crate) fn effect(&mut self, e: Effect<'_>, p: &impl Payload) {
        if self.records.capacity() == 0 {
            self.records.reserve(8);
            self.named.reserve(1024);
        }
        let mut record = [0; RECORD];
        put_pair(&mut record, 16, self.name(e.topic));
        put_pair(&mut record, 24, self.name(e.event));
        let before = self.named.len();
        let mut flags = e.flags;
        if p.write(&mut self.named) == Form::Bytes {
            flags |= BYTES;
        }
        put_pair(&mut record, 32, (before, self.named.len() - before));
        put_pair(&mut record, 40, self.name(e.key));
        record[0..2].copy_from_slice(&(e.kind as u16).to_le_bytes());
        record[2..4].copy_from_slice(&flags.to_le_bytes());
        record[4..8].copy_from_slice(&e.number.to_le_bytes());
        record[8..16].copy_from_slice(&e.value.to_le_bytes());
        self.records.push(record);
    }

    fn name(&mut self, text: &str) -> (usize, usize) {
        let before = self.named.len();
        self.named.extend_from_slice(text.as_bytes());
        (before, text.len())
    }

    /// Puts the response together.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let state = self.state.as_ref().map_or(&[][..], |(bytes, _)| bytes);
        let parts = [&self.payload, self.event.as_bytes(), state, self.id_topic.as_bytes(), self.text.as_bytes()];
        let own: usize = parts.iter().map(|part| part.len()).sum();
        let fixed = HEADER + RECORD * self.records.len();
        let mut out = Vec::with_capacity(fixed + own + self.named.len());
        out.resize(HEADER, 0);
        self.header(&mut out);
        let mut at = fixed;
        for (i, part) in parts.iter().enumerate() {
            put_pair(&mut out, 24 + 8 * i, (at, part.len()));
            at += part.len();
        }
        for record in &self.records {
            out.extend_from_slice(record);
            let start = out.len() - RECORD;
            move_pairs(&mut out[start..], at as u32);
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(&self.named);
        out
    }

    fn header(&self, out: &mut [u8]) {
        out[0] = HEADER as u8;
        out[2] = self.result;
        out[3] = u8::from(self.binary) | if self.state.is_some() { 2 } else { 0 };
        if let Some((_, version)) = &self.state {
            out[4..8].copy_from_slice(&version.to_le_bytes());
        }
        out[8..12].copy_from_slice(&self.number.to_le_bytes());
        out[12] = RECORD as u8;
        out[16..20].copy_from_slice(&(HEADER as u32).to_le_bytes());
        out[20..24].copy_from_slice(&(self.records.len() as u32).to_le_bytes());
    }
}

/// A payload that has been written before.
struct Written<'a>(&'a [u8], Form);

impl Payload for Written<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        out.extend_from_slice(self.0);
        self.1
    }
}

/// Writes a pair; the empty one stays zero.
fn put_pair(to: &mut [u8], at: usize, (offset, size): (usize, usize)) {
    if size != 0 {
        to[at..at + 4].copy_from_slice(&(offset as u32).to_le_bytes());
        to[at + 4..at + 8].copy_from_slice(&(size as u32).to_le_bytes());
    }
}

/// Adds base to the offsets of a record's pairs.
fn move_pairs(record: &mut [u8], base: u32) {
    for at in [16, 24, 32, 40] {
        let mut word = [0; 4];
        word.copy_from_slice(&record[at + 4..at + 8]);
        if word != [0; 4] {
            word.copy_from_slice(&record[at..at + 4]);
            record[at..at + 4].copy_from_slice(&(u32::from_le_bytes(word) + base).to_le_bytes());
        }
    }
}
