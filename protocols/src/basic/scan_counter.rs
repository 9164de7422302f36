//! Counts bytes scanned and copied, for the tests that check that decoding takes linear time. Compiled for tests
//! only.

use std::cell::Cell;

thread_local! {
    static SCANNED: Cell<usize> = const { Cell::new(0) };
    static COPIED: Cell<usize> = const { Cell::new(0) };
}

/// Records that a decoder examined `bytes` bytes of input.
pub(super) fn scanned(bytes: usize) {
    SCANNED.set(SCANNED.get() + bytes);
}

/// Records that `bytes` bytes of input were copied or moved.
pub(super) fn copied(bytes: usize) {
    COPIED.set(COPIED.get() + bytes);
}

/// Returns and resets the bytes scanned and copied in this thread.
pub(super) fn take() -> (usize, usize) {
    (SCANNED.take(), COPIED.take())
}
