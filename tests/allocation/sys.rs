//! A global allocator that counts per thread: allocations made, and bytes held.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

pub(crate) struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static INPUT_HELD: Cell<i64> = const { Cell::new(0) };
}

/// Allocations of this thread so far, including reallocations.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread has allocated and not freed. Memory freed by other threads counts as held.
pub(crate) fn held() -> i64 {
    INPUT_HELD.get()
}

fn count(allocations: u64, bytes: i64) {
    // A thread frees memory after its counters are destroyed.
    let _ = ALLOCATIONS.try_with(|sum| sum.set(sum.get() + allocations));
    let _ = INPUT_HELD.try_with(|sum| sum.set(sum.get() + bytes));
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call is handed to the system's allocator as it came; the counters are plain numbers of the thread, made
// without an allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, size(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -size(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, size(new_size) - size(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
