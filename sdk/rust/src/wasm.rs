//! The module's side of the contract: exports (SPEC.md, 2) and imports (6).

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::Location;

use crate::arena;
use crate::call::Level;
use crate::guest::{Guest, Host};

#[link(wasm_import_module = "aviary")]
extern "C" {
    #[link_name = "log"]
    fn import_log(level: u32, line: *const u8, size: usize);
    #[link_name = "presence_list"]
    fn import_presences(topic: *const u8, size: usize, out: *mut u8, room: usize) -> i32;
    #[link_name = "config"]
    fn import_config(key: *const u8, size: usize, out: *mut u8, room: usize) -> i32;
    #[link_name = "panic"]
    fn import_panic(message: *const u8, size: usize, file: *const u8, file_size: usize, line: u32);
}

/// What outlasts a callback: nothing of it carries a meaning from one to the next.
struct Kept {
    guest: Option<Guest>,
    request: Vec<u64>, // the host's buffer, aligned to 8
    response: Vec<u8>, // stays until the next call
}

/// There is one thread.
struct Cell(UnsafeCell<Kept>);

unsafe impl Sync for Cell {}

static KEPT: Cell = Cell(UnsafeCell::new(Kept { guest: None, request: Vec::new(), response: Vec::new() }));

/// What a question to the host has room for at first.
const ROOM: usize = 1024;

/// Declares the guest and returns its marker.
pub fn marker(declare: fn() -> Guest) -> u64 {
    std::panic::set_hook(Box::new(|info| report(info.payload(), info.location())));
    let kept = unsafe { &mut *KEPT.0.get() };
    kept.guest.insert(declare()).marker()
}

/// Returns the address of a request buffer of that size.
pub fn alloc(size: usize) -> *mut u64 {
    let kept = unsafe { &mut *KEPT.0.get() };
    kept.response = Vec::new();
    kept.request = vec![0; (size + 7) / 8];
    arena::initialised();
    kept.request.as_mut_ptr()
}

/// Runs a callback and packs where its response lies.
pub fn serve(request: *const u8, size: usize) -> u64 {
    let kept = unsafe { &mut *KEPT.0.get() };
    kept.response = Vec::new();
    let request = unsafe { std::slice::from_raw_parts(request, size) };
    if let Some(guest) = &kept.guest {
        kept.response = guest.serve(&Imports, request);
    }
    (kept.response.as_ptr() as u64) << 32 | kept.response.len() as u64
}

/// Tells the host of a panic: its text and its place. The callback ends there.
fn report(payload: &dyn Any, place: Option<&Location>) {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text.as_str(),
        _ => "panic with a value that is no text",
    };
    let (file, line) = place.map_or(("", 0), |at| (at.file(), at.line()));
    unsafe { import_panic(message.as_ptr(), message.len(), file.as_ptr(), file.len(), line) }
}

/// Asks the host through the imports.
struct Imports;

impl Host for Imports {
    fn log(&self, level: Level, line: &str) {
        unsafe { import_log(level as u32, line.as_ptr(), line.len()) }
    }

    fn presences(&self, topic: &str) -> String {
        ask(|out, room| unsafe { import_presences(topic.as_ptr(), topic.len(), out, room) }).unwrap_or_default()
    }

    fn config(&self, key: &str) -> Option<String> {
        ask(|out, room| unsafe { import_config(key.as_ptr(), key.len(), out, room) })
    }
}

/// Calls an import that writes its answer to a buffer, again if that was too small. The answer is None if there is none.
fn ask(question: impl Fn(*mut u8, usize) -> i32) -> Option<String> {
    let mut answer = vec![0; ROOM];
    loop {
        let size = usize::try_from(question(answer.as_mut_ptr(), answer.len())).ok()?;
        if size <= answer.len() {
            answer.truncate(size);
            return String::from_utf8(answer).ok();
        }
        answer = vec![0; size];
    }
}

/// Expands to the exports of a module whose guest a function declares.
#[macro_export]
#[doc(hidden)]
macro_rules! exports {
    ($declare:path) => {
        #[no_mangle]
        extern "C" fn aviary_abi_v1() -> u64 {
            $crate::wasm::marker($declare)
        }

        #[no_mangle]
        extern "C" fn aviary_alloc(size: usize) -> *mut u64 {
            $crate::wasm::alloc(size)
        }

        $crate::callbacks!(connect join handle_in handle_info handle_out terminate code_change);
    };
}

/// Expands to the exports of the callbacks.
#[macro_export]
#[doc(hidden)]
macro_rules! callbacks {
    ($($name:ident)*) => {
        mod aviary_exports {
            $(
                #[no_mangle]
                extern "C" fn $name(request: *const u8, size: usize) -> u64 {
                    $crate::wasm::serve(request, size)
                }
            )*
        }
    };
}
