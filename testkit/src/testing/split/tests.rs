//! `every_split` finds what it is for, and passes what is right.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::*;
use sinew_transports::{ConnectionLost, Transport};

fn fault_of<P: Protocol>(make: impl FnMut() -> P, input: &[u8], expect: &[u8]) -> String {
    let checked = catch_unwind(AssertUnwindSafe(|| every_split(make, input, expect)));
    *checked.expect_err("it has a fault").downcast::<String>().expect("it is said in words")
}

struct Upper;

impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(&data.to_ascii_uppercase());
    }
}

#[test]
fn one_that_minds_no_cut_passes() {
    let input =
        b"the quick brown fox jumps over the lazy dog; the quick brown fox jumps over the lazy dog";
    every_split(|| Upper, input, &input.to_ascii_uppercase());
}

/// Takes what one call brings for a message.
struct TakesReadsForMessages;

impl Protocol for TakesReadsForMessages {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(format!("[{}]", data.len()).as_bytes());
    }
}

#[test]
fn one_that_takes_reads_for_messages_is_found_out() {
    let fault = fault_of(|| TakesReadsForMessages, b"abc", b"[3]");
    assert_eq!(fault, "3 bytes byte by byte: sent [1][1][1]\nexpected [3]");
}

/// Forgets its timer's cause, but not its timer.
struct Leaves;

impl Protocol for Leaves {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        transport.reactor().unwrap().call_later(Duration::from_secs(1 << 20), |_| {});
    }
}

#[test]
fn what_is_left_is_found() {
    assert_eq!(fault_of(|| Leaves, b"abc", b""), "left on the reactor: 1 timer");
}

struct Panics;

impl Protocol for Panics {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        assert_ne!(data, b"b", "on purpose");
    }
}

#[test]
fn a_panic_in_a_callback_is_no_secret() {
    assert!(fault_of(|| Panics, b"abc", b"").starts_with("1 panics in callbacks"));
}

/// Reads no more once it has something.
struct ReadsOnce;

impl Protocol for ReadsOnce {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        transport.pause_reading();
    }
}

#[test]
fn one_that_sees_no_end_is_cut() {
    every_split(|| ReadsOnce, b"abc", b"");
}
