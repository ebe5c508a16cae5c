//! The memory of a guest.
//!
//! A callback writes to few pages, as the host puts each page that was written back. So what a callback allocates lies
//! densely, one thing behind the other; what was allocated last can grow and go where it is. Nothing else is reused while
//! the callback runs, but when all that it has made is dropped the arena is as it was after initialisation. That holds
//! whatever a guest does: what it keeps against the rules is never given out again, it only costs memory.

use std::alloc::{GlobalAlloc, Layout};
use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::UnsafeCell;

const PAGE: usize = 64 << 10;

/// What the allocator knows.
struct Arena {
    next: usize, // where the next thing may lie
    end: usize,  // of the memory; 0 before the first one
    mark: usize, // where things begin that callbacks have made; 0 while there are none
    live: usize, // how many of them there are
}

/// The allocator. There is one thread.
struct Allocator(UnsafeCell<Arena>);

unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Arena { next: 0, end: 0, mark: 0, live: 0 }));

extern "C" {
    static __heap_base: u8;
}

/// Ends the initialisation: what is allocated from now on is a callback's. What there is stays where it is.
pub(crate) fn initialised() {
    let arena = unsafe { &mut *ALLOCATOR.0.get() };
    arena.mark = arena.next;
    arena.live = 0;
}

impl Arena {
    fn take(&mut self, layout: Layout) -> *mut u8 {
        if self.end == 0 {
            self.next = unsafe { std::ptr::addr_of!(__heap_base) as usize };
            self.end = memory_size(0) * PAGE;
        }
        let start = (self.next + layout.align() - 1) & !(layout.align() - 1);
        match start.checked_add(layout.size()) {
            Some(end) if self.reaches(end) => {
                self.next = end;
                self.live += usize::from(self.mark != 0);
                start as *mut u8
            }
            _ => std::ptr::null_mut(),
        }
    }

    /// Has the memory end at or after end, and tells whether it does.
    fn reaches(&mut self, end: usize) -> bool {
        if end > self.end {
            let pages = (end - self.end + PAGE - 1) / PAGE;
            if memory_grow(0, pages) == usize::MAX {
                return false;
            }
            self.end += pages * PAGE;
        }
        true
    }

    fn give_back(&mut self, at: usize, size: usize) {
        if at + size == self.next && at >= self.mark {
            self.next = at;
        }
        if self.mark == 0 || at < self.mark {
            return;
        }
        self.live -= 1;
        if self.live == 0 {
            self.next = self.mark;
        }
    }
}

unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        (*self.0.get()).take(layout)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        (*self.0.get()).give_back(at as usize, layout.size());
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let arena = &mut *self.0.get();
        let start = at as usize;
        let last = start + layout.size() == arena.next && start >= arena.mark;
        if last && start.checked_add(size).map_or(false, |end| arena.reaches(end)) {
            arena.next = start + size;
            return at;
        }
        if size <= layout.size() {
            return at;
        }
        let new = arena.take(Layout::from_size_align_unchecked(size, layout.align()));
        if !new.is_null() {
            std::ptr::copy_nonoverlapping(at, new, layout.size());
            arena.give_back(start, layout.size());
        }
        new
    }
}
