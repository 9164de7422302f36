//! Changing the decoder in the middle of a stream, and sending by its rules.

use sinew_transports::{Protocol, Transport};

use super::{Script, Told, lines, script, text};
use crate::basic::{
    Decoded, Decoder, EncodeError, FrameError, FrameHandler, FrameTransport, Framed, Int8, Line,
    LineTransport,
};

#[test]
fn another_decoder_from_the_next_frame_on() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| {
        if *told == Told::Line("lf".into()) {
            transport.set_decoder(Line::new(b"\n"));
        }
    });
    framed.data_received(&transport, b"on\ne\r\nlf\r\ntwo\nthr");
    assert_eq!(framed.take_told(), lines(&["on\ne", "lf", "two"]));
    // Another callback does not make the unfinished line begin anew.
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"ee\n");
    assert_eq!(framed.take_told(), [&[Told::WritingResumed][..], &lines(&["three"])].concat());
}

#[test]
fn another_decoder_after_raw_mode() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|transport, told| match told {
        Told::Line(line) if line == "raw" => transport.set_raw_mode(),
        Told::Raw(data) => {
            transport.set_decoder(Line::new(b"\n"));
            transport.set_line_mode(data.strip_prefix('!').unwrap().as_bytes());
        }
        _ => {}
    });
    framed.data_received(&transport, b"raw\r\n!on");
    framed.writing_resumed(&transport);
    framed.data_received(&transport, b"e\n");
    let expected = [
        Told::Line("raw".into()),
        Told::Raw("!on".into()),
        Told::WritingResumed,
        Told::Line("one".into()),
    ];
    assert_eq!(framed.take_told(), expected);
}

#[test]
fn changes_from_elsewhere_begin_with_the_unfinished_frame() {
    for (raw, expected) in [
        (false, vec![Told::Line("a".into()), Told::WritingResumed, Told::Line("b".into())]),
        (true, vec![Told::Line("a".into()), Told::WritingResumed, Told::Raw("b\nc".into())]),
    ] {
        let (transport, _wire) = Transport::memory();
        let mut framed = script(move |transport, told| {
            if *told == Told::WritingResumed {
                if raw { transport.set_raw_mode() } else { transport.set_decoder(Line::new(b"\n")) }
            }
        });
        framed.data_received(&transport, b"a\r\nb\nc");
        framed.writing_resumed(&transport);
        assert_eq!(framed.take_told(), expected);
        framed.data_received(&transport, b"d\n");
        let last = if raw { Told::Raw("d\n".into()) } else { Told::Line("cd".into()) };
        assert_eq!(framed.take_told(), [last]);
    }
}

#[test]
fn a_decoder_may_be_of_any_kind_at_run_time() {
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
fn lines_are_sent_with_the_delimiter_in_use() {
    let (transport, wire) = Transport::memory();
    let mut framed = Framed::with_decoder(
        Line::new(b"\n"),
        Script {
            told: Vec::new(),
            act: |transport: &mut LineTransport<'_>, _: &Told| {
                transport.send_line("hello").unwrap();
                assert_eq!(transport.send_line("a\nb"), Err(EncodeError::DelimiterInside));
            },
        },
    );
    framed.data_received(&transport, b"x\n");
    assert_eq!(wire.sent(), b"hello\n");
}

#[test]
#[should_panic(expected = "a frame of no bytes")]
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
