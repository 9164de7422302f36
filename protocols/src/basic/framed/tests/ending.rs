//! Faults, and the end of the input.

use sinew_transports::{Protocol, Transport};

use super::{Script, Told, lines, script};
use crate::basic::{
    FrameError, FrameHandler, FrameTransport, Framed, Line, LineTransport, Netstring,
};

#[test]
fn a_fault_may_be_answered_and_ends_the_connection() {
    let (transport, wire) = Transport::memory();
    let mut framed = Framed::with_decoder(
        Line::default().len_max(5),
        Script {
            told: Vec::new(),
            act: |transport: &mut LineTransport<'_>, told: &Told| {
                if matches!(told, Told::Failed(_)) {
                    transport.send_line("500").unwrap();
                }
            },
        },
    );
    framed.data_received(&transport, b"one\r\ntoo long\r\nthree\r\n");
    let failed = Told::Failed(FrameError::LineTooLong { max: 5 });
    assert_eq!(framed.take_told(), [&lines(&["one"])[..], &[failed]].concat());
    assert_eq!(wire.sent(), b"500\r\n");
    assert!(wire.is_closing() && !framed.buffers());
    framed.data_received(&transport, b"four\r\n");
    assert_eq!(framed.take_told(), []);
}

#[test]
fn the_end_in_the_middle_of_a_line() {
    let failed = Told::Failed(FrameError::Invalid("not fine"));
    let cases: [(&[u8], Vec<Told>); 4] = [
        (b"", vec![Told::ReadClosed]),
        (b"one\r\n", vec![Told::Line("one".into()), Told::ReadClosed]),
        (b"fine", vec![Told::Unfinished("fine".into()), Told::ReadClosed]),
        (b"one\r", vec![Told::Unfinished("one\r".into()), failed.clone()]),
    ];
    for (input, expected) in cases {
        let (transport, wire) = Transport::memory();
        let mut framed = script(|_, _| {});
        framed.data_received(&transport, input);
        framed.read_closed(&transport);
        assert_eq!(framed.take_told(), expected, "{input:?}");
        assert_eq!(wire.is_closing(), expected.last() == Some(&failed));
        assert!(!framed.buffers());
    }
}

#[test]
fn by_default_a_truncated_frame_is_a_fault() {
    #[derive(Default)]
    struct Frames(Vec<FrameError>);
    impl FrameHandler<Netstring> for Frames {
        fn frame_received(&mut self, _: &mut FrameTransport<'_, Netstring>, _: &[u8]) {}

        fn framing_failed(&mut self, _: &mut FrameTransport<'_, Netstring>, error: &FrameError) {
            self.0.push(*error);
        }

        fn read_closed(&mut self, _: &mut FrameTransport<'_, Netstring>) {
            panic!("told of a clean end");
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
fn the_end_waits_for_frames_held_back() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| {
        if matches!(told, Told::Line(_)) {
            transport.pause_reading();
        }
    });
    framed.data_received(&transport, b"one\r\ntwo\r\nfine");
    framed.read_closed(&transport);
    assert_eq!(framed.take_told(), lines(&["one"]));
    transport.resume_reading();
    framed.reading_resumed(&transport);
    assert_eq!(framed.take_told(), lines(&["two"]));
    transport.resume_reading();
    framed.reading_resumed(&transport);
    let expected = [Told::Resumed, Told::Unfinished("fine".into()), Told::ReadClosed];
    assert_eq!(framed.take_told(), expected);
    framed.reading_resumed(&transport);
    assert!(!framed.take_told().contains(&Told::ReadClosed));
}
