//! The guest that the load generator measures, in Rust with its standard library: echo and shout of the rooms, in vectors that grow when they have to.

use std::cell::RefCell;

// Offsets of the request (abi/SPEC.md, 3.1).
const EVENT: usize = 56;
const PAYLOAD: usize = 80;

// Sizes of the response's header (4.1) and of an effect (5.1).
const HEADER: usize = 64;
const EFFECT: usize = 48;

const NO_REPLY: u8 = 0;
const REPLY: u8 = 1;
const REPLY_ERROR: u8 = 2;
const PUSH: u8 = 3;

const RAW: u8 = 1;
const BROADCAST: u8 = 3;

#[derive(Default)]
struct Room {
    request: Vec<u64>, // aligned to 8
    response: Vec<u8>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

struct Request<'a>(&'a [u8]);

impl<'a> Request<'a> {
    fn word(&self, at: usize) -> usize {
        u32::from_le_bytes(self.0[at..at + 4].try_into().unwrap()) as usize
    }

    /// Returns what the pair at an offset names.
    fn field(&self, at: usize) -> &'a [u8] {
        let offset = self.word(at);
        &self.0[offset..offset + self.word(at + 4)]
    }

    fn raw(&self) -> u8 {
        self.0[3] & RAW
    }
}

/// A response that is being written: fixed fields first, what they name behind.
struct Response<'a>(&'a mut Vec<u8>);

impl<'a> Response<'a> {
    fn begin(to: &'a mut Vec<u8>, result: u8, flags: u8) -> Self {
        to.clear();
        to.resize(HEADER, 0);
        to[0] = HEADER as u8;
        to[2] = result;
        to[3] = flags;
        Response(to)
    }

    fn pair(&mut self, at: usize, first: usize, second: usize) {
        self.0[at..at + 4].copy_from_slice(&(first as u32).to_le_bytes());
        self.0[at + 4..at + 8].copy_from_slice(&(second as u32).to_le_bytes());
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.pair(at, self.0.len(), bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn payload(&mut self, bytes: &[u8]) {
        self.put(24, bytes)
    }

    fn event(&mut self, bytes: &[u8]) {
        self.put(32, bytes)
    }

    fn broadcast(&mut self, event: &[u8], payload: &[u8], raw: u8) {
        self.0.resize(HEADER + EFFECT, 0);
        self.0[12] = EFFECT as u8;
        self.pair(16, HEADER, 1);
        self.0[HEADER] = BROADCAST;
        self.0[HEADER + 2] = raw;
        self.put(HEADER + 24, event);
        self.put(HEADER + 32, payload);
    }
}

fn handle(request: Request, to: &mut Vec<u8>) {
    let (event, payload, raw) = (request.field(EVENT), request.field(PAYLOAD), request.raw());
    match event {
        b"echo" => Response::begin(to, REPLY, raw).payload(payload),
        b"push" => {
            let mut response = Response::begin(to, PUSH, raw);
            response.payload(payload);
            response.event(event);
        }
        b"shout" => Response::begin(to, NO_REPLY, 0).broadcast(event, payload, raw),
        _ => Response::begin(to, REPLY_ERROR, 0).payload(br#"{"reason":"unknown event"}"#),
    }
}

/// Has f answer the request of n bytes that the host wrote.
fn answer(n: u32, f: impl FnOnce(Request, &mut Vec<u8>)) -> u64 {
    ROOM.with(|room| {
        let room = &mut *room.borrow_mut();
        let bytes = unsafe { std::slice::from_raw_parts(room.request.as_ptr().cast::<u8>(), room.request.len() * 8) };
        f(Request(&bytes[..n as usize]), &mut room.response);
        (room.response.as_ptr() as u64) << 32 | room.response.len() as u64
    })
}

#[no_mangle]
pub extern "C" fn aviary_abi_v1() -> u64 {
    0
}

#[no_mangle]
pub extern "C" fn aviary_alloc(size: u32) -> *mut u64 {
    ROOM.with(|room| {
        let mut room = room.borrow_mut();
        room.request = vec![0; (size as usize + 7) / 8];
        room.response = Vec::with_capacity(HEADER + EFFECT + size as usize);
        room.request.as_mut_ptr()
    })
}

#[no_mangle]
pub extern "C" fn join(_request: *const u8, n: u32) -> u64 {
    answer(n, |_, to| {
        Response::begin(to, REPLY, 0);
    })
}

#[no_mangle]
pub extern "C" fn handle_in(_request: *const u8, n: u32) -> u64 {
    answer(n, handle)
}
