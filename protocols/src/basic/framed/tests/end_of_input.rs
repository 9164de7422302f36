//! Framing errors, and the end of the input.

use sinew_transports::{Protocol, Transport};

use super::{Callback, Script, lines, script};
use crate::basic::{
    FrameError, FrameHandler, FrameTransport, Framed, Line, LineTransport, Netstring,
};

#[test]
fn a_framing_error_can_be_answered_and_ends_the_connection() {
    let (transport, wire) = Transport::memory();
    let mut framed = Framed::with_decoder(
        Line::default().len_max(5),
        Script {
            callbacks: Vec::new(),
            act: |transport: &mut LineTransport<'_>, callback: &Callback| {
                if matches!(callback, Callback::Failed(_)) {
                    transport.send_line("500").unwrap();
                }
            },
        },
    );
    framed.data_received(&transport, b"one\r\ntoo long\r\nthree\r\n");
    let failed = Callback::Failed(FrameError::LineTooLong { max: 5 });
    assert_eq!(framed.take_callbacks(), [&lines(&["one"])[..], &[failed]].concat());
    assert_eq!(wire.sent(), b"500\r\n");
    assert!(wire.is_closing() && !framed.buffers());
    framed.data_received(&transport, b"four\r\n");
    assert_eq!(framed.take_callbacks(), []);
}

#[test]
fn the_input_ends_in_the_middle_of_a_line() {
    let failed = Callback::Failed(FrameError::Invalid("not fine"));
    let cases: [(&[u8], Vec<Callback>); 4] = [
        (b"", vec![Callback::ReadClosed]),
        (b"one\r\n", vec![Callback::Line("one".into()), Callback::ReadClosed]),
        (b"fine", vec![Callback::Unfinished("fine".into()), Callback::ReadClosed]),
        (b"one\r", vec![Callback::Unfinished("one\r".into()), failed.clone()]),
    ];
    for (input, expected) in cases {
        let (transport, wire) = Transport::memory();
        let mut framed = script(|_, _| {});
        framed.data_received(&transport, input);
        framed.read_closed(&transport);
        assert_eq!(framed.take_callbacks(), expected, "{input:?}");
        assert_eq!(wire.is_closing(), expected.last() == Some(&failed));
        assert!(!framed.buffers());
    }
}

#[test]
fn a_truncated_frame_is_an_error_by_default() {
    #[derive(Default)]
    struct Frames(Vec<FrameError>);
    impl FrameHandler<Netstring> for Frames {
        fn frame_received(&mut self, _: &mut FrameTransport<'_, Netstring>, _: &[u8]) {}

        fn framing_failed(&mut self, _: &mut FrameTransport<'_, Netstring>, error: &FrameError) {
            self.0.push(*error);
        }

        fn read_closed(&mut self, _: &mut FrameTransport<'_, Netstring>) {
            panic!("read_closed was called after a truncated frame");
        }
    }
    let (transport, wire) = Transport::memory();
    let mut framed = Framed::new(Frames::default());
    framed.data_received(&transport, b"1:a,5:hel");
    framed.read_closed(&transport);
    assert_eq!(framed.handler().0, [FrameError::Truncated { received: 5 }]);
    assert!(wire.is_closing());
}

#[test]
fn read_closed_is_called_after_held_back_frames() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| {
        if matches!(callback, Callback::Line(_)) {
            transport.pause_reading();
        }
    });
    framed.data_received(&transport, b"one\r\ntwo\r\nfine");
    framed.read_closed(&transport);
    assert_eq!(framed.take_callbacks(), lines(&["one"]));
    transport.resume_reading();
    framed.reading_resumed(&transport);
    assert_eq!(framed.take_callbacks(), lines(&["two"]));
    transport.resume_reading();
    framed.reading_resumed(&transport);
    let expected = [Callback::Resumed, Callback::Unfinished("fine".into()), Callback::ReadClosed];
    assert_eq!(framed.take_callbacks(), expected);
    framed.reading_resumed(&transport);
    assert!(!framed.take_callbacks().contains(&Callback::ReadClosed));
}
