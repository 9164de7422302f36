//! The tests of the engine, by subject; here what all of them share, and what an idle connection costs.

mod decoders;
mod ending;
mod handing_on;
mod pausing;
mod raw_mode;

use std::mem::{size_of, take};

use sinew_transports::{Protocol, Transport};

use crate::basic::{
    FrameError, Int32, Line, LineHandler, LineReceiver, LineTransport, Netstring, scan_counter,
};

/// What a handler was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Line(String),
    Raw(String),
    Failed(FrameError),
    Unfinished(String),
    ReadClosed,
    Resumed,
    WritingResumed,
}

/// Writes down what it is told, after doing what the test wants done then.
struct Script<F> {
    told: Vec<Told>,
    act: F,
}

trait Act: FnMut(&mut LineTransport<'_>, &Told) + 'static {}
impl<F: FnMut(&mut LineTransport<'_>, &Told) + 'static> Act for F {}

impl<F: Act> Script<F> {
    fn tell(&mut self, transport: &mut LineTransport<'_>, told: Told) {
        (self.act)(transport, &told);
        self.told.push(told);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<F: Act> LineHandler for Script<F> {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        self.tell(transport, Told::Line(text(line)));
    }

    fn raw_received(&mut self, transport: &mut LineTransport<'_>, data: &[u8]) {
        self.tell(transport, Told::Raw(text(data)));
    }

    fn framing_failed(&mut self, transport: &mut LineTransport<'_>, error: &FrameError) {
        self.tell(transport, Told::Failed(*error));
    }

    fn unfinished(
        &mut self,
        transport: &mut LineTransport<'_>,
        rest: &[u8],
    ) -> Result<(), FrameError> {
        self.tell(transport, Told::Unfinished(text(rest)));
        if rest.starts_with(b"fine") { Ok(()) } else { Err(FrameError::Invalid("not fine")) }
    }

    fn read_closed(&mut self, transport: &mut LineTransport<'_>) {
        self.tell(transport, Told::ReadClosed);
    }

    fn reading_resumed(&mut self, transport: &mut LineTransport<'_>) {
        self.tell(transport, Told::Resumed);
    }

    fn writing_resumed(&mut self, transport: &mut LineTransport<'_>) {
        self.tell(transport, Told::WritingResumed);
    }
}

fn script<F: Act>(act: F) -> LineReceiver<Script<F>> {
    LineReceiver::new(Script { told: Vec::new(), act })
}

fn lines(all: &[&str]) -> Vec<Told> {
    all.iter().map(|line| Told::Line((*line).to_owned())).collect()
}

impl<F: Act> LineReceiver<Script<F>> {
    fn take_told(&mut self) -> Vec<Told> {
        take(&mut self.handler_mut().told)
    }

    fn buffers(&self) -> bool {
        self.buffer.is_some()
    }
}

/// Delivers all of `input`, which pauses often; nothing new comes while paused, as transports promise.
fn drive_pausing<F: Act>(
    framed: &mut LineReceiver<Script<F>>,
    transport: &Transport,
    input: &[&[u8]],
) {
    for piece in input {
        framed.data_received(transport, piece);
        while !transport.is_reading() && !transport.is_closing() {
            let before = framed.handler().told.len();
            transport.resume_reading();
            framed.reading_resumed(transport);
            let told = &framed.handler().told[before..];
            let frames = told.iter().filter(|told| matches!(told, Told::Line(_))).count();
            assert!(frames <= 1, "{frames} frames past a pause");
        }
    }
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
    assert_eq!(framed.take_told(), lines(&["one", "two", "", "3"]));
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
    assert_eq!(framed.take_told().len(), 1000);
    assert_eq!(scan_counter::take(), (input.len(), 0));
}

#[test]
fn of_a_frame_in_two_pieces_only_the_second_piece_is_joined() {
    let (transport, _wire) = Transport::memory();
    let mut framed = script(|_, _| {});
    let input = [b"lo\r\n".as_slice(), &b"some line\r\n".repeat(1000), b"en"].concat();
    scan_counter::take();
    framed.data_received(&transport, b"hel");
    framed.data_received(&transport, &input);
    assert_eq!(framed.take_told().len(), 1001);
    let (scanned, copied) = scan_counter::take();
    assert_eq!((scanned, copied), (3 + input.len(), "hello\r\n".len() + "en".len()));
}
