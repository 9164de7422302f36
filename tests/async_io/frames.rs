//! Frames for tasks: the frames and errors of each decoder, however the input arrives, and dropped futures.

use std::pin::Pin;

use sinew::{
    prelude::*,
    protocols::basic::{
        AsyncFrames, Decoder, EncodeError, Encoder, Fixed, FrameError, FramesError, Int16, Line,
        Netstring,
    },
};

use super::{
    kinds::everywhere,
    steps::{Steps, once},
};

/// The frames of an input, one byte at a time, with a dropped `next` before each byte; then the end of the input.
fn bytewise<D: Decoder>(decoder: D, input: &[u8]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let Steps { reactor, wire, stream } = Steps::new();
    let turn = || reactor.advance(std::time::Duration::ZERO).unwrap();
    let mut frames = AsyncFrames::new(stream, decoder);
    let mut found = Vec::new();
    let mut take = |frames: &mut AsyncFrames<D>| {
        loop {
            match once(frames.next()) {
                None => return None,
                Some(Some(Ok(frame))) => found.push(frame.to_vec()),
                Some(Some(Err(FramesError::Frame(error)))) => return Some(Some(error)),
                Some(Some(Err(error))) => panic!("{error}"),
                Some(None) => return Some(None),
            }
        }
    };
    let mut error = None;
    for byte in input {
        error = take(&mut frames);
        if error.is_some() {
            break;
        }
        wire.receive([*byte]);
        turn();
    }
    let error = error.unwrap_or_else(|| {
        if let Some(error) = take(&mut frames) {
            return error;
        }
        wire.close();
        turn();
        take(&mut frames).expect("the input has ended")
    });
    assert!(once(frames.next()).is_some_and(|next| next.is_none()), "nothing after the end");
    (found, error)
}

#[test]
fn every_decoder_gives_its_frames_and_errors_one_byte_at_a_time() {
    let words =
        |list: &[&str]| list.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
    let lines = bytewise(Line::lf_or_crlf().len_max(5), b"one\r\ntwo\n\r\nthree\n");
    assert_eq!(lines, (words(&["one", "two", "", "three"]), None));
    let too_long = bytewise(Line::lf_or_crlf().len_max(5), b"one\nsixsix\n");
    assert_eq!(too_long, (words(&["one"]), Some(FrameError::LineTooLong { max: 5 })));
    let cut = bytewise(Line::default(), b"one\r\ntw");
    assert_eq!(cut, (words(&["one"]), Some(FrameError::Truncated { received: 2 })));
    let netstrings = bytewise(Netstring::default(), b"3:one,0:,3:two,");
    assert_eq!(netstrings, (words(&["one", "", "two"]), None));
    let bad = bytewise(Netstring::default(), b"3:one,3:twox");
    assert_eq!(bad, (words(&["one"]), Some(FrameError::CommaMissing { found: b'x' })));
    let ints = bytewise(Int16::default().len_max(3), b"\0\x03one\0\0\0\x04four");
    let error = FrameError::FrameTooLong { len: 4, max: 3 };
    assert_eq!(ints, (words(&["one", ""]), Some(error)));
    assert_eq!(bytewise(Fixed::new(3), b"onetwo"), (words(&["one", "two"]), None));
}

#[test]
fn lines_are_served_and_asked() {
    everywhere("lines", async |mut place| {
        let (server, client) = place.pair().await;
        let task = place.reactor.spawn(async move {
            let mut lines = AsyncFrames::lines(server);
            while let Some(line) = lines.next().await {
                lines.send(line?.to_ascii_uppercase()).await?;
            }
            Ok::<_, FramesError>(())
        });
        let (mut answers, mut questions) = AsyncFrames::lines(client).split();
        let writer = place.reactor.spawn(async move {
            for n in 0..5_000 {
                questions.send(format!("question {n}")).await.unwrap();
            }
            let error = questions.send("two\nlines").await.unwrap_err();
            assert!(matches!(error, FramesError::Encode(EncodeError::DelimiterInside)));
            questions.send("last").await.unwrap();
            // The end of the output ends the server.
            drop(questions);
        });
        for n in 0..5_000 {
            let answer = answers.next().await.unwrap().unwrap();
            assert_eq!(answer, format!("QUESTION {n}"));
        }
        assert_eq!(answers.next().await.unwrap().unwrap(), "LAST");
        assert!(answers.next().await.is_none());
        writer.await.unwrap();
        task.await.unwrap().unwrap();
    });
}

/// A frame waits for room whole: a dropped `send` leaves no part of it.
#[test]
fn a_dropped_send_has_sent_no_part_of_its_frame() {
    let Steps { reactor, wire, stream } =
        Steps::with(StreamConfig::default().watermarks(1_000, 100));
    let turn = || reactor.advance(std::time::Duration::ZERO).unwrap();
    wire.set_capacity(0);
    let mut frames = AsyncFrames::new(stream, Int16::default());
    let large = vec![b'x'; 60_000];
    once(frames.send(&large)).unwrap().unwrap();
    for _ in 0..5 {
        assert!(once(frames.send("lost?")).is_none());
        turn();
    }
    wire.set_capacity(usize::MAX);
    turn();
    once(frames.send("kept")).unwrap().unwrap();
    turn();
    let mut expected = Vec::new();
    for payload in [&large[..], b"kept"] {
        Int16::default()
            .encode(payload, |parts| parts.iter().for_each(|part| expected.extend_from_slice(part)))
            .unwrap();
    }
    assert!(wire.take(usize::MAX) == expected);
}

/// Frames, then bytes that are no frames, then frames again.
#[test]
fn a_stream_comes_out_of_its_frames_with_what_is_unread() {
    everywhere("out of frames", async |mut place| {
        let (server, mut client) = place.pair().await;
        client.write_all(b"DATA 4\r\n1234QUIT\r\nhal").await.unwrap();
        let mut lines = AsyncFrames::lines(server);
        assert_eq!(lines.next().await.unwrap().unwrap(), "DATA 4");
        let mut body = [0; 4];
        lines.get_mut().read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"1234");
        assert_eq!(lines.next().await.unwrap().unwrap(), "QUIT");
        // Half a line has been looked at.
        let tick = std::time::Duration::from_millis(2);
        assert!(place.reactor.timeout(tick, lines.next()).await.is_err());
        let mut stream = lines.into_stream();
        client.write_all(b"f").await.unwrap();
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"half");
    });
}

/// The traits of `futures-core` and `futures-sink`.
#[test]
fn frames_are_a_stream_and_a_sink() {
    use futures_core::Stream;
    use futures_sink::Sink;

    everywhere("stream and sink", async |mut place| {
        let (server, client) = place.pair().await;
        let mut client = AsyncFrames::lines(client);
        let mut server = AsyncFrames::lines(server);
        let mut sink: Pin<&mut (dyn Sink<&[u8], Error = FramesError> + Unpin)> =
            Pin::new(&mut client);
        std::future::poll_fn(|context| sink.as_mut().poll_ready(context)).await.unwrap();
        sink.as_mut().start_send(b"line").unwrap();
        std::future::poll_fn(|context| sink.as_mut().poll_flush(context)).await.unwrap();
        std::future::poll_fn(|context| sink.as_mut().poll_close(context)).await.unwrap();
        let mut stream = Pin::new(&mut server);
        let next = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await;
        assert_eq!(next.unwrap().unwrap(), "line");
        let next = std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await;
        assert!(next.is_none());
    });
}
