//! Raw mode and back.

use proptest::prelude::*;
use sinew_transports::{Protocol, Transport};

use super::{Told, drive_pausing, script};
use crate::basic::{
    LineHandler, LineReceiver, LineTransport,
    testing::{any_cut, pieces},
};

proptest! {
    /// `raw N` is followed by N raw bytes, which look like lines, and by lines again.
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
                expected.push(Told::Line(format!("line {n}")));
            }
            let bytes: String = "ab\r\nraw 3\r\n".chars().cycle().take(raw).collect();
            input += &format!("raw {raw}\r\n{bytes}");
            expected.extend([Told::Line(format!("raw {raw}")), Told::Raw(bytes)]);
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

/// What is told of `input` when `raw N` switches to raw mode for N bytes; raw pieces are joined.
fn switching(input: &[&[u8]], pausing: bool) -> Vec<Told> {
    let (transport, _wire) = Transport::memory();
    let mut missing = 0;
    let mut framed = script(move |transport, told| {
        match told {
            Told::Line(line) => {
                if let Some(raw) = line.strip_prefix("raw ") {
                    missing = raw.parse().unwrap();
                    transport.set_raw_mode();
                }
            }
            Told::Raw(data) => {
                let (wanted, rest) = data.split_at(data.len().min(missing));
                missing -= wanted.len();
                if missing == 0 {
                    transport.set_line_mode(rest.as_bytes());
                }
            }
            _ => {}
        }
        if pausing && *told != Told::Resumed {
            transport.pause_reading();
        }
    });
    drive_pausing(&mut framed, &transport, input);
    let mut told = Vec::new();
    let mut missing = 0;
    for next in framed.take_told() {
        match (next, told.last_mut()) {
            (Told::Raw(data), last) => {
                let wanted = &data[..data.len().min(missing)];
                missing -= wanted.len();
                match last {
                    Some(Told::Raw(raw)) => raw.push_str(wanted),
                    _ => told.push(Told::Raw(wanted.to_owned())),
                }
            }
            (Told::Line(line), _) => {
                missing = line.strip_prefix("raw ").map_or(0, |raw| raw.parse().unwrap());
                told.push(Told::Line(line));
            }
            _ => {}
        }
    }
    told
}

#[test]
fn switching_often_takes_no_stack() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| match told {
        Told::Line(_) => transport.set_raw_mode(),
        Told::Raw(data) => transport.set_line_mode(data.as_bytes()),
        _ => {}
    });
    let count = 2000;
    framed.data_received(&transport, &b"x\r\n".repeat(count));
    // One raw callback after each line but the last, behind which nothing came.
    assert_eq!(framed.take_told().len(), 2 * count - 1);
}

#[test]
#[should_panic(expected = "more bytes handed back")]
fn nothing_but_the_data_can_be_handed_back() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| match told {
        Told::Line(_) => transport.set_raw_mode(),
        _ => transport.set_line_mode(b"something else"),
    });
    framed.data_received(&transport, b"x\r\nabc");
}

#[test]
fn raw_mode_without_a_handler_ends_the_connection() {
    struct Forgetful;
    impl LineHandler for Forgetful {
        fn line_received(&mut self, transport: &mut LineTransport<'_>, _: &[u8]) {
            transport.set_raw_mode();
        }
    }
    let (transport, wire) = Transport::memory();
    LineReceiver::new(Forgetful).data_received(&transport, b"x\r\nabc");
    assert!(wire.is_closing());
}

#[test]
fn raw_and_line_mode_asked_for_at_once_is_raw_mode() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| {
        if let Told::Raw(data) = told {
            transport.set_line_mode(data.as_bytes());
        }
        transport.set_raw_mode();
    });
    framed.data_received(&transport, b"x\r\nabc");
    assert_eq!(framed.take_told(), [Told::Line("x".into()), Told::Raw("abc".into())]);
}

#[test]
fn raw_mode_asked_for_in_the_middle_of_a_line() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| match told {
        Told::WritingResumed => transport.set_raw_mode(),
        Told::Raw(data) => transport.set_line_mode(&data.as_bytes()[1..]),
        _ => {}
    });
    framed.data_received(&transport, b"one\r\ntwo");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"\r");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"\n");
    let expected = [
        Told::Line("one".into()),
        Told::WritingResumed,
        Told::Raw("two".into()),
        Told::WritingResumed,
        Told::Raw("wo\r".into()),
        Told::Line("o".into()),
    ];
    assert_eq!(framed.take_told(), expected);
}
