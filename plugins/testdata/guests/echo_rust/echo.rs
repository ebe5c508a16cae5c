//! A guest in Rust with its standard library: it echoes like echo.wat, with vectors that grow when they have to.

use std::cell::RefCell;

const HEADER: usize = 64;
const PAYLOAD: usize = 80;
const STATE: usize = 88;

#[derive(Default)]
struct Room {
    request: Vec<u64>, // aligned to 8
    response: Vec<u8>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Returns what the pair at an offset of the request names.
fn field(request: &[u8], at: usize) -> &[u8] {
    let (offset, size) = (word(request, at) as usize, word(request, at + 4) as usize);
    &request[offset..offset + size]
}

#[no_mangle]
pub extern "C" fn aviary_abi_v1() -> u64 {
    0
}

#[no_mangle]
pub extern "C" fn aviary_alloc(size: u32) -> *mut u64 {
    ROOM.with(|room| {
        let mut room = room.borrow_mut();
        // The small one first, so that short requests are in the same page: each page that a callback writes is put back.
        room.response = Vec::with_capacity(2048);
        room.request = vec![0; (size as usize + 7) / 8];
        room.request.as_mut_ptr()
    })
}

/// Replies with the payload of the request and counts in the state.
fn echo(n: usize) -> u64 {
    ROOM.with(|room| {
        let room = &mut *room.borrow_mut();
        let bytes = unsafe { std::slice::from_raw_parts(room.request.as_ptr().cast::<u8>(), room.request.len() * 8) };
        let request = &bytes[..n];
        let payload = field(request, PAYLOAD);
        let state = field(request, STATE);
        let count = if state.len() == 4 { word(state, 0) } else { 0 };
        let mut header = [0u8; HEADER];
        header[0] = HEADER as u8;
        header[2] = 1; // reply
        header[3] = 2 | request[3] & 1; // state given, payload as it came
        header[24..28].copy_from_slice(&(HEADER as u32 + 4).to_le_bytes());
        header[28..32].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[40..44].copy_from_slice(&(HEADER as u32).to_le_bytes());
        header[44..48].copy_from_slice(&4u32.to_le_bytes());
        room.response.clear();
        room.response.extend_from_slice(&header);
        room.response.extend_from_slice(&(count + 1).to_le_bytes());
        room.response.extend_from_slice(payload);
        (room.response.as_ptr() as u64) << 32 | room.response.len() as u64
    })
}

#[no_mangle]
pub extern "C" fn join(_request: *const u8, n: u32) -> u64 {
    echo(n as usize)
}

#[no_mangle]
pub extern "C" fn handle_in(_request: *const u8, n: u32) -> u64 {
    echo(n as usize)
}
