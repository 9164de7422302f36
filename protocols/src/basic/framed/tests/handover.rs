//! Handover of a connection: exactly the undelivered bytes are handed back.

use proptest::prelude::*;
use sinew_transports::{Protocol, Transport};

use super::{Callback, script};
use crate::basic::{
    FrameHandler, FrameTransport, Framed, Int8,
    testing::{any_cut, pieces},
};

proptest! {
    /// The delivered and the handed-back bytes together are the whole input.
    #[test]
    fn delivered_and_unread_bytes_are_the_whole_input(
        count in 1..20_usize,
        last in 0..20_usize,
        half in 0..5_usize,
        cut in any_cut(),
    ) {
        let mut input: Vec<u8> = (0..count).flat_map(|n| format!("line {n}\r\n").into_bytes()).collect();
        input.extend_from_slice(&b"half\r"[..half]);
        let (transport, _wire) = Transport::memory();
        let mut framed = script(move |transport, callback| {
            if *callback == Callback::Line(format!("line {last}")) {
                transport.pause_reading();
            }
        });
        for piece in pieces(&input, &cut) {
            framed.data_received(&transport, piece);
        }
        let delivered: usize = framed
            .take_callbacks()
            .iter()
            .map(|callback| match callback {
                Callback::Line(line) => line.len() + 2,
                other => panic!("{other:?}"),
            })
            .sum();
        let unread = framed.take_unread(&transport);
        prop_assert_eq!(&unread[..], &input[delivered..]);
        prop_assert!(!framed.buffers());
        prop_assert!(framed.take_unread(&transport).is_empty());
    }
}

#[test]
fn decoding_starts_over_after_take_unread() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    framed.data_received(&transport, b"hal");
    assert_eq!(framed.take_unread(&transport), &b"hal"[..]);
    framed.data_received(&transport, b"whole\r\n");
    assert_eq!(framed.take_callbacks(), [Callback::Line("whole".to_owned())]);
}

/// A length prefix is handed back with its frame, and so are raw bytes that were not consumed.
#[test]
fn prefixes_and_raw_bytes_are_returned() {
    struct Raw;
    impl FrameHandler<Int8> for Raw {
        fn frame_received(&mut self, transport: &mut FrameTransport<'_, Int8>, _: &[u8]) {
            transport.set_raw_mode();
        }

        fn raw_received(&mut self, transport: &mut FrameTransport<'_, Int8>, data: &[u8]) {
            transport.set_frame_mode(&data[1..]);
            transport.pause_reading();
        }
    }
    let (transport, _wire) = Transport::memory();
    let mut framed = Framed::<Int8, _>::new(Raw);
    framed.data_received(&transport, b"\x05hel");
    assert_eq!(framed.take_unread(&transport), &b"\x05hel"[..]);
    framed.data_received(&transport, b"\x01ar\x02bc");
    assert_eq!(framed.take_unread(&transport), &b"\x02bc"[..]);
}
