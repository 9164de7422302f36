//! Replacing the decoder in the middle of a stream, and sending with the current one.

use sinew_transports::{Protocol, Transport};

use super::{Callback, Script, lines, script, text};
use crate::basic::{
    Decoded, Decoder, EncodeError, FrameError, FrameHandler, FrameTransport, Framed, Int8, Line,
    LineTransport,
};

#[test]
fn a_new_decoder_starts_at_the_next_frame() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| {
        if *callback == Callback::Line("lf".into()) {
            transport.set_decoder(Line::new(b"\n"));
        }
    });
    framed.data_received(&transport, b"on\ne\r\nlf\r\ntwo\nthr");
    assert_eq!(framed.take_callbacks(), lines(&["on\ne", "lf", "two"]));
    // Other callbacks do not restart decoding of the unfinished line.
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"ee\n");
    assert_eq!(
        framed.take_callbacks(),
        [&[Callback::WritingResumed][..], &lines(&["three"])].concat()
    );
}

#[test]
fn a_new_decoder_after_raw_mode() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, callback| match callback {
        Callback::Line(line) if line == "raw" => transport.set_raw_mode(),
        Callback::Raw(data) => {
            transport.set_decoder(Line::new(b"\n"));
            transport.set_line_mode(data.strip_prefix('!').unwrap().as_bytes());
        }
        _ => {}
    });
    framed.data_received(&transport, b"raw\r\n!on");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"e\n");
    let expected = [
        Callback::Line("raw".into()),
        Callback::Raw("!on".into()),
        Callback::WritingResumed,
        Callback::Line("one".into()),
    ];
    assert_eq!(framed.take_callbacks(), expected);
}

#[test]
fn changes_outside_of_a_frame_restart_the_unfinished_frame() {
    for (raw, expected) in [
        (
            false,
            vec![Callback::Line("a".into()), Callback::WritingResumed, Callback::Line("b".into())],
        ),
        (
            true,
            vec![
                Callback::Line("a".into()),
                Callback::WritingResumed,
                Callback::Raw("b\nc".into()),
            ],
        ),
    ] {
        let (transport, _wire) = Transport::memory();
        let mut framed = script(move |transport, callback| {
            if *callback == Callback::WritingResumed {
                if raw { transport.set_raw_mode() } else { transport.set_decoder(Line::new(b"\n")) }
            }
        });
        framed.data_received(&transport, b"a\r\nb\nc");
        framed.writing_resumed(&transport);
        assert_eq!(framed.take_callbacks(), expected);
        framed.data_received(&transport, b"d\n");
        let last = if raw { Callback::Raw("d\n".into()) } else { Callback::Line("cd".into()) };
        assert_eq!(framed.take_callbacks(), [last]);
    }
}

#[test]
fn a_boxed_decoder_can_be_replaced_by_another_type() {
    #[derive(Default)]
    struct Upgrade(Vec<String>);
    impl FrameHandler<Box<dyn Decoder>> for Upgrade {
        fn frame_received(
            &mut self,
            transport: &mut FrameTransport<'_, Box<dyn Decoder>>,
            frame: &[u8],
        ) {
            self.0.push(text(frame));
            if frame == b"upgrade" {
                transport.set_decoder(Box::new(Int8::default()));
            }
        }
    }
    let (transport, _wire) = Transport::memory();
    let decoder: Box<dyn Decoder> = Box::new(Line::default());
    let mut framed = Framed::with_decoder(decoder, Upgrade::default());
    framed.data_received(&transport, b"upgrade\r\n\x03abc\x01");
    framed.data_received(&transport, b"d");
    assert_eq!(framed.into_handler().0, ["upgrade", "abc", "d"]);
}

#[test]
fn lines_are_sent_with_the_current_delimiter() {
    let (transport, wire) = Transport::memory();
    let mut framed = Framed::with_decoder(
        Line::new(b"\n"),
        Script {
            callbacks: Vec::new(),
            act: |transport: &mut LineTransport<'_>, _: &Callback| {
                transport.send_line("hello").unwrap();
                assert_eq!(transport.send_line("a\nb"), Err(EncodeError::DelimiterInside));
            },
        },
    );
    framed.data_received(&transport, b"x\n");
    assert_eq!(wire.sent(), b"hello\n");
}

#[test]
#[should_panic(expected = "a decoder returned an empty frame")]
fn a_decoder_that_makes_no_progress_does_not_hang_the_loop() {
    struct Stuck;
    impl Decoder for Stuck {
        fn decode(&mut self, _: &[u8]) -> Result<Decoded, FrameError> {
            Ok(Decoded::Frame { consumed: 0, payload: 0..0 })
        }

        fn reset(&mut self) {}
    }
    struct Ignore;
    impl FrameHandler<Stuck> for Ignore {
        fn frame_received(&mut self, _: &mut FrameTransport<'_, Stuck>, _: &[u8]) {}
    }
    let (transport, _wire) = Transport::memory();
    Framed::with_decoder(Stuck, Ignore).data_received(&transport, b"x");
}
