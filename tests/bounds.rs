//! Resource bounds against hostile peers, on every engine: memory held for a peer, and its share of the loop's time.
//! Counts bytes and turns, never time. That all engines deliver the same bytes is tested in the conformance suite. A binary of
//! its own for its allocator.
//!
//! Descriptors are per process, so the bound of a listener is tested in `tests/scale/`, where one test runs at a time.

#![cfg(unix)]

mod support;

mod bounds {
    mod flooding;
    mod holding;
    mod pausing;
}

#[path = "allocation/sys.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod sys;

#[global_allocator]
static COUNTING: sys::Counting = sys::Counting;
