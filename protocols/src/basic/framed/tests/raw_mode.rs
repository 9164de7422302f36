//! Switching to raw mode and back.

use proptest::prelude::*;
use sinew_transports::{Protocol, Transport};

use super::{Callback, drive_pausing, script};
use crate::basic::{
    LineHandler, LineReceiver, LineTransport,
    testing::{any_cut, pieces},
};

proptest! {
    /// `raw N` is followed by N raw bytes that look like lines, and then by lines again.
    #[test]
    fn raw_mode_and_back_at_any_cut(
        sections in prop::collection::vec((0..3_usize, 1..30_usize), 0..6),
        cut in any_cut(),
        pausing: bool,
    ) {
        let mut input = String::new();
        let mut expected = Vec::new();
        for (count, raw) in sections {
            for n in 0..count {
                input += &format!("line {n}\r\n");
                expected.push(Callback::Line(format!("line {n}")));
            }
            let bytes: String = "ab\r\nraw 3\r\n".chars().cycle().take(raw).collect();
            input += &format!("raw {raw}\r\n{bytes}");
            expected.extend([Callback::Line(format!("raw {raw}")), Callback::Raw(bytes)]);
        }
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            prop_assert_eq!(&switching(&pieces(input.as_bytes(), cut), pausing), &expected);
        }
        for at in 0..input.len() {
            let (one, other) = input.as_bytes().split_at(at);
            prop_assert_eq!(&switching(&[one, other], pausing), &expected);
        }
    }
}

/// The callbacks for `input`, where `raw N` switches to raw mode for N bytes. Raw pieces are joined.
fn switching(input: &[&[u8]], pausing: bool) -> Vec<Callback> {
    let (transport, _wire) = Transport::memory();
    let mut missing = 0;
    let mut framed = script(move |transport, callback| {
        match callback {
            Callback::Line(line) => {
                if let Some(raw) = line.strip_prefix("raw ") {
                    missing = raw.parse().unwrap();
                    transport.set_raw_mode();
                }
            }
            Callback::Raw(data) => {
                let (wanted, rest) = data.split_at(data.len().min(missing));
                missing -= wanted.len();
                if missing == 0 {
                    transport.set_line_mode(rest.as_bytes());
                }
            }
            _ => {}
        }
        if pausing && *callback != Callback::Resumed {
            transport.pause_reading();
        }
    });
    drive_pausing(&mut framed, &transport, input);
    let mut callback = Vec::new();
    let mut missing = 0;
    for next in framed.take_callbacks() {
        match (next, callback.last_mut()) {
            (Callback::Raw(data), last) => {
                let wanted = &data[..data.len().min(missing)];
                missing -= wanted.len();
                match last {
                    Some(Callback::Raw(raw)) => raw.push_str(wanted),
                    _ => callback.push(Callback::Raw(wanted.to_owned())),
                }
            }
            (Callback::Line(line), _) => {
                missing = line.strip_prefix("raw ").map_or(0, |raw| raw.parse().unwrap());
                callback.push(Callback::Line(line));
            }
            _ => {}
        }
    }
    callback
}

#[test]
fn switching_modes_does_not_recurse() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| match callback {
        Callback::Line(_) => transport.set_raw_mode(),
        Callback::Raw(data) => transport.set_line_mode(data.as_bytes()),
        _ => {}
    });
    let count = 2000;
    framed.data_received(&transport, &b"x\r\n".repeat(count));
    // One raw callback after each line except the last, after which there is no input.
    assert_eq!(framed.take_callbacks().len(), 2 * count - 1);
}

#[test]
fn raw_input_that_is_kept_comes_again_with_what_follows() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| match callback {
        Callback::Line(_) => transport.set_raw_mode(),
        Callback::Raw(data) if data.len() > 1 => {
            transport.pause_reading();
            transport.keep_raw(&data.as_bytes()[1..]);
        }
        _ => {}
    });
    framed.data_received(&transport, b"x\r\nabc");
    framed.data_received(&transport, b"d");
    for _ in 0..3 {
        transport.resume_reading();
        framed.reading_resumed(&transport);
    }
    let raw: Vec<_> = framed.take_callbacks();
    let raw = raw.into_iter().filter(|callback| matches!(callback, Callback::Raw(_)));
    let expected = ["abc", "bcd", "cd", "d"].map(|data| Callback::Raw(data.into()));
    assert_eq!(raw.collect::<Vec<_>>(), expected);
}

#[test]
#[should_panic(expected = "more bytes handed back")]
fn handing_back_more_than_the_data_panics() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| match callback {
        Callback::Line(_) => transport.set_raw_mode(),
        _ => transport.set_line_mode(b"something else"),
    });
    framed.data_received(&transport, b"x\r\nabc");
}

#[test]
fn raw_mode_without_a_handler_ends_the_connection() {
    struct NoRawReceived;
    impl LineHandler for NoRawReceived {
        fn line_received(&mut self, transport: &mut LineTransport<'_>, _: &[u8]) {
            transport.set_raw_mode();
        }
    }
    let (transport, wire) = Transport::memory();
    LineReceiver::new(NoRawReceived).data_received(&transport, b"x\r\nabc");
    assert!(wire.is_closing());
}

#[test]
fn the_last_requested_mode_wins() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| {
        if let Callback::Raw(data) = callback {
            transport.set_line_mode(data.as_bytes());
        }
        transport.set_raw_mode();
    });
    framed.data_received(&transport, b"x\r\nabc");
    assert_eq!(framed.take_callbacks(), [Callback::Line("x".into()), Callback::Raw("abc".into())]);
}

#[test]
fn raw_mode_in_the_middle_of_a_line() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| match callback {
        Callback::WritingResumed => transport.set_raw_mode(),
        Callback::Raw(data) => transport.set_line_mode(&data.as_bytes()[1..]),
        _ => {}
    });
    framed.data_received(&transport, b"one\r\ntwo");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"\r");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"\n");
    let expected = [
        Callback::Line("one".into()),
        Callback::WritingResumed,
        Callback::Raw("two".into()),
        Callback::WritingResumed,
        Callback::Raw("wo\r".into()),
        Callback::Line("o".into()),
    ];
    assert_eq!(framed.take_callbacks(), expected);
}
