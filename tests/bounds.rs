//! What a peer can make a reactor hold, and how much of the loop's time it can have, on every engine. The conformance table proves
//! equal bytes; this proves equal bounds. Counted are bytes and turns, never time.
//!
//! Descriptors are the whole process's, so what a port may hold is in `scale/accepting.rs`, where one test runs at a time.

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
