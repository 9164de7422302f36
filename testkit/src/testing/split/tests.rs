//! Tests of `every_split`: it accepts a correct protocol and finds faults.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use super::*;
use sinew_transports::{ConnectionLost, Transport};

fn message_of<P: Protocol>(make: impl FnMut() -> P, input: &[u8], expect: &[u8]) -> String {
    let checked = catch_unwind(AssertUnwindSafe(|| every_split(make, input, expect)));
    *checked
        .expect_err("the protocol is faulty")
        .downcast::<String>()
        .expect("the panic has a message")
}

struct Upper;

impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(&data.to_ascii_uppercase());
    }
}

#[test]
fn a_correct_protocol_passes() {
    let input =
        b"the quick brown fox jumps over the lazy dog; the quick brown fox jumps over the lazy dog";
    every_split(|| Upper, input, &input.to_ascii_uppercase());
}

/// Treats each read as a message.
struct ReadsAreMessages;

impl Protocol for ReadsAreMessages {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(format!("[{}]", data.len()).as_bytes());
    }
}

#[test]
fn treating_reads_as_messages_is_detected() {
    let fault = message_of(|| ReadsAreMessages, b"abc", b"[3]");
    assert_eq!(fault, "3 bytes byte by byte: sent [1][1][1]\nexpected [3]");
}

/// Leaves a timer behind.
struct LeavesTimer;

impl Protocol for LeavesTimer {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        transport.reactor().unwrap().call_later(Duration::from_secs(1 << 20), |_| {});
    }
}

#[test]
fn leaked_timers_are_detected() {
    assert_eq!(message_of(|| LeavesTimer, b"abc", b""), "left on the reactor: 1 timer");
}

struct Panics;

impl Protocol for Panics {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        assert_ne!(data, b"b", "on purpose");
    }
}

#[test]
fn panics_in_callbacks_are_detected() {
    assert!(message_of(|| Panics, b"abc", b"").starts_with("1 panics in callbacks"));
}

/// Pauses reading after the first data.
struct ReadsOnce;

impl Protocol for ReadsOnce {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        transport.pause_reading();
    }
}

#[test]
fn a_paused_protocol_is_disconnected() {
    every_split(|| ReadsOnce, b"abc", b"");
}
