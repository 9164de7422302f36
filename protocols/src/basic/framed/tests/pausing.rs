//! Pausing and closing inside of callbacks: the very next frame waits, or is dropped.

use proptest::prelude::*;
use sinew_transports::{Protocol, Transport};

use super::{Told, drive_pausing, lines, script};
use crate::basic::{
    scan_counter,
    testing::{any_cut, pieces},
};

proptest! {
    #[test]
    fn pausing_at_every_frame_loses_none(count in 0..40_usize, cut in any_cut()) {
        let input: String = (0..count).map(|n| format!("line {n}\r\n")).collect();
        let expected: Vec<_> = (0..count).map(|n| Told::Line(format!("line {n}"))).collect();
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            let (transport, _wire) = Transport::memory();
            let mut framed = script(|transport, told| {
                if matches!(told, Told::Line(_)) {
                    transport.pause_reading();
                }
            });
            drive_pausing(&mut framed, &transport, &pieces(input.as_bytes(), cut));
            let mut told = framed.take_told();
            told.retain(|told| *told != Told::Resumed);
            prop_assert_eq!(told, expected.clone());
            prop_assert!(!framed.buffers());
        }
    }

    #[test]
    fn closing_at_any_frame_drops_all_others(last in 0..20_usize, abort: bool, cut in any_cut()) {
        let input: String = (0..20).map(|n| format!("line {n}\r\n")).collect();
        for cut in [&cut[..], &[1], &[usize::MAX]] {
            let (transport, _wire) = Transport::memory();
            let mut framed = script(move |transport, told| {
                if *told == Told::Line(format!("line {last}")) {
                    if abort { transport.abort() } else { transport.lose_connection() }
                }
            });
            for piece in pieces(input.as_bytes(), cut) {
                framed.data_received(&transport, piece);
            }
            let expected: Vec<_> = (0..=last).map(|n| Told::Line(format!("line {n}"))).collect();
            prop_assert_eq!(framed.take_told(), expected);
            prop_assert!(!framed.buffers());
        }
    }
}

#[test]
fn pausing_at_each_of_many_frames_is_not_quadratic() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| {
        if *told != Told::Resumed {
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
fn a_pause_in_the_middle_of_a_frame_holds_it_back_too() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    framed.data_received(&transport, b"on");
    transport.pause_reading();
    framed.data_received(&transport, b"e\r\ntwo\r\n");
    assert_eq!(framed.take_told(), []);
    transport.resume_reading();
    framed.reading_resumed(&transport);
    assert_eq!(framed.take_told(), [&lines(&["one", "two"])[..], &[Told::Resumed]].concat());
    assert!(!framed.buffers());
}
