//! Pausing and closing inside callbacks: the very next frame is held back or dropped.

use proptest::prelude::*;
use sinew_transports::{Protocol, Transport};

use super::{Callback, drive_pausing, lines, script};
use crate::basic::{
    scan_counter,
    testing::{any_cut, pieces},
};

proptest! {
    #[test]
    fn pausing_at_every_frame_loses_no_frame(count in 0..40_usize, cut in any_cut()) {
        let input: String = (0..count).map(|n| format!("line {n}\r\n")).collect();
        let expected: Vec<_> = (0..count).map(|n| Callback::Line(format!("line {n}"))).collect();
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            let (transport, _wire) = Transport::memory();
            let mut framed = script(|transport, callback| {
                if matches!(callback, Callback::Line(_)) {
                    transport.pause_reading();
                }
            });
            drive_pausing(&mut framed, &transport, &pieces(input.as_bytes(), cut));
            let mut callback = framed.take_callbacks();
            callback.retain(|callback| *callback != Callback::Resumed);
            prop_assert_eq!(callback, expected.clone());
            prop_assert!(!framed.buffers());
        }
    }

    #[test]
    fn closing_at_any_frame_drops_the_later_ones(last in 0..20_usize, abort: bool, cut in any_cut()) {
        let input: String = (0..20).map(|n| format!("line {n}\r\n")).collect();
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            let (transport, _wire) = Transport::memory();
            let mut framed = script(move |transport, callback| {
                if *callback == Callback::Line(format!("line {last}")) {
                    if abort { transport.abort() } else { transport.lose_connection() }
                }
            });
            for piece in pieces(input.as_bytes(), cut) {
                framed.data_received(&transport, piece);
            }
            let expected: Vec<_> = (0..=last).map(|n| Callback::Line(format!("line {n}"))).collect();
            prop_assert_eq!(framed.take_callbacks(), expected);
            prop_assert!(!framed.buffers());
        }
    }
}

#[test]
fn pausing_at_each_of_many_frames_is_not_quadratic() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| {
        if *callback != Callback::Resumed {
            transport.pause_reading();
        }
    });
    let input = b"x\r\n".repeat(20_000);
    scan_counter::take();
    drive_pausing(&mut framed, &transport, &[&input]);
    let (scanned, copied) = scan_counter::take();
    assert_eq!(scanned, input.len());
    assert!(copied <= 2 * input.len(), "{copied}");
}

#[test]
fn a_pause_in_the_middle_of_a_frame_holds_it_back() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    framed.data_received(&transport, b"on");
    transport.pause_reading();
    framed.data_received(&transport, b"e\r\ntwo\r\n");
    assert_eq!(framed.take_callbacks(), []);
    transport.resume_reading();
    framed.reading_resumed(&transport);
    assert_eq!(
        framed.take_callbacks(),
        [&lines(&["one", "two"])[..], &[Callback::Resumed]].concat()
    );
    assert!(!framed.buffers());
}
