//! The system's allocator with a counter for the threads that asked for it.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait; this is a measuring program, not the library")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    /// Reallocations count as allocations.
    pub(crate) n_allocations: usize,
    pub(crate) n_bytes: usize,
}

/// From here on the calling thread's allocations are counted.
pub(crate) fn count_this_thread() {
    IS_COUNTED.set(true);
}

pub(crate) fn counts() -> Counts {
    Counts { n_allocations: N_ALLOCATIONS.load(Ordering::Relaxed), n_bytes: N_BYTES.load(Ordering::Relaxed) }
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(n_bytes: usize) {
    // `try_with`: an allocator is also called while a thread is being torn down.
    if IS_COUNTED.try_with(Cell::get).unwrap_or(false) {
        N_ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        N_BYTES.fetch_add(n_bytes, Ordering::Relaxed);
    }
}

thread_local! {
    // A constant without a destructor: looking at it never allocates.
    static IS_COUNTED: Cell<bool> = const { Cell::new(false) };
}

static N_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static N_BYTES: AtomicUsize = AtomicUsize::new(0);
