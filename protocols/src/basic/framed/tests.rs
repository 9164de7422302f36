//! Tests of the framing engine, grouped by topic. Shared helpers, and the cost of an idle connection.

mod decoders;
mod end_of_input;
mod handover;
mod pausing;
mod raw_mode;

use std::mem::{size_of, take};

use sinew_transports::{Protocol, Transport};

use crate::basic::{
    FrameError, Int32, Line, LineHandler, LineReceiver, LineTransport, Netstring, scan_counter,
};

/// A callback of the handler, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Callback {
    Line(String),
    Raw(String),
    Failed(FrameError),
    Unfinished(String),
    ReadClosed,
    Resumed,
    WritingResumed,
}

/// A handler that records its callbacks, after calling the test's closure.
struct Script<F> {
    callbacks: Vec<Callback>,
    act: F,
}

trait Act: FnMut(&mut LineTransport<'_>, &Callback) + 'static {}
impl<F: FnMut(&mut LineTransport<'_>, &Callback) + 'static> Act for F {}

impl<F: Act> Script<F> {
    fn record(&mut self, transport: &mut LineTransport<'_>, callback: Callback) {
        (self.act)(transport, &callback);
        self.callbacks.push(callback);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<F: Act> LineHandler for Script<F> {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        self.record(transport, Callback::Line(text(line)));
    }

    fn raw_received(&mut self, transport: &mut LineTransport<'_>, data: &[u8]) {
        self.record(transport, Callback::Raw(text(data)));
    }

    fn framing_failed(&mut self, transport: &mut LineTransport<'_>, error: &FrameError) {
        self.record(transport, Callback::Failed(*error));
    }

    fn unfinished(
        &mut self,
        transport: &mut LineTransport<'_>,
        rest: &[u8],
    ) -> Result<(), FrameError> {
        self.record(transport, Callback::Unfinished(text(rest)));
        if rest.starts_with(b"fine") { Ok(()) } else { Err(FrameError::Invalid("not fine")) }
    }

    fn read_closed(&mut self, transport: &mut LineTransport<'_>) {
        self.record(transport, Callback::ReadClosed);
    }

    fn reading_resumed(&mut self, transport: &mut LineTransport<'_>) {
        self.record(transport, Callback::Resumed);
    }

    fn writing_resumed(&mut self, transport: &mut LineTransport<'_>) {
        self.record(transport, Callback::WritingResumed);
    }
}

fn script<F: Act>(act: F) -> LineReceiver<Script<F>> {
    LineReceiver::new(Script { callbacks: Vec::new(), act })
}

fn lines(all: &[&str]) -> Vec<Callback> {
    all.iter().map(|line| Callback::Line((*line).to_owned())).collect()
}

impl<F: Act> LineReceiver<Script<F>> {
    fn take_callbacks(&mut self) -> Vec<Callback> {
        take(&mut self.handler_mut().callbacks)
    }

    fn buffers(&self) -> bool {
        self.buffer.is_some()
    }
}

/// Delivers all of `input`, resuming reading after each pause. As transports guarantee, no data arrive while paused.
fn drive_pausing<F: Act>(
    framed: &mut LineReceiver<Script<F>>,
    transport: &Transport,
    input: &[&[u8]],
) {
    for piece in input {
        framed.data_received(transport, piece);
        while !transport.is_reading() && !transport.is_closing() {
            let before = framed.handler().callbacks.len();
            transport.resume_reading();
            framed.reading_resumed(transport);
            let callback = &framed.handler().callbacks[before..];
            let frames =
                callback.iter().filter(|callback| matches!(callback, Callback::Line(_))).count();
            assert!(frames <= 1, "{frames} frames past a pause");
        }
    }
}

/// Each frame is told what was received behind it; other callbacks are told nothing.
#[test]
fn what_follows_a_frame_is_seen() {
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let noted = std::rc::Rc::clone(&seen);
    let mut receiver = script(move |transport: &mut LineTransport<'_>, callback: &Callback| {
        noted.borrow_mut().push((callback.clone(), text(transport.following())));
        if *callback == Callback::Line("b".into()) {
            transport.pause_reading();
        }
    });
    let (transport, _wire) = Transport::memory();
    receiver.data_received(&transport, b"a\r");
    receiver.data_received(&transport, b"\nb\r\nc\r\nd");
    transport.resume_reading();
    receiver.reading_resumed(&transport);
    let line = |line: &str, following: &str| (Callback::Line(line.into()), following.to_owned());
    let expected = [
        line("a", "b\r\nc\r\nd"),
        line("b", "c\r\nd"),
        line("c", "d"),
        (Callback::Resumed, String::new()),
    ];
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    for (piece, buffers) in
        [("one\r\n", false), ("tw", true), ("o\r", true), ("\n", false), ("\r\n3\r\n", false)]
    {
        framed.data_received(&transport, piece.as_bytes());
        assert_eq!(framed.buffers(), buffers, "after {piece:?}");
    }
    assert_eq!(framed.take_callbacks(), lines(&["one", "two", "", "3"]));
}

#[test]
fn framing_adds_two_words() {
    let added = size_of::<LineReceiver<()>>() - size_of::<Line>();
    assert!(added <= 2 * size_of::<usize>(), "{added}");
    assert!(size_of::<Line>() <= 6 * size_of::<usize>());
    assert!(size_of::<Netstring>() <= 4 * size_of::<usize>());
    assert!(size_of::<Int32>() <= 2 * size_of::<usize>() + 8);
}

#[test]
fn whole_frames_are_not_copied() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    let input = b"some line\r\n".repeat(1000);
    scan_counter::take();
    framed.data_received(&transport, &input);
    assert_eq!(framed.take_callbacks().len(), 1000);
    assert_eq!(scan_counter::take(), (input.len(), 0));
}

#[test]
fn only_a_frame_in_two_pieces_is_copied() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    let input = [b"lo\r\n".as_slice(), &b"some line\r\n".repeat(1000), b"en"].concat();
    scan_counter::take();
    framed.data_received(&transport, b"hel");
    framed.data_received(&transport, &input);
    assert_eq!(framed.take_callbacks().len(), 1001);
    let (scanned, copied) = scan_counter::take();
    assert_eq!((scanned, copied), (3 + input.len(), "hello\r\n".len() + "en".len()));
}
