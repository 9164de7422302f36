//! Counts the work done, for the tests that hold its cost linear. Not compiled into anything else.

use std::cell::Cell;

thread_local! {
    static SCANNED: Cell<usize> = const { Cell::new(0) };
    static COPIED: Cell<usize> = const { Cell::new(0) };
}

/// A decoder has looked at so many bytes of input.
pub(super) fn scanned(bytes: usize) {
    SCANNED.set(SCANNED.get() + bytes);
}

/// So many bytes of input were copied or moved.
pub(super) fn copied(bytes: usize) {
    COPIED.set(COPIED.get() + bytes);
}

/// What was scanned and copied in this thread since the last call.
pub(super) fn take() -> (usize, usize) {
    (SCANNED.take(), COPIED.take())
}
