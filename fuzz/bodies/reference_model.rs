//! [`CheckedHandler`]: a handler that compares what it is told with its [`ReferenceModel`], the state that the connection must be in, and does
//! what the story's script has next.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    protocols::basic::{Decoder, FrameError, FrameHandler, FrameTransport},
    transports::{ConnectionLost, TimerId, WriteStatus},
};

use super::{
    format::{Format, Meaning},
    input::Input,
};

type AnyDecoder = Box<dyn Decoder>;
type Handed<'a> = FrameTransport<'a, AnyDecoder>;

/// The longest stream: what is not delivered is looked at again for each frame.
const STREAM_MAX: usize = 8 * 1024;

/// What a handler answers about bytes at the end of the input that are no frame.
const NOT_FINE: FrameError = FrameError::Invalid("not fine");

/// What has happened so far, as it ought to have.
pub(crate) struct ReferenceModel {
    script: Vec<u8>,
    script_at: usize,
    /// No more is done, so that it comes to an end.
    pub(crate) is_quiet: bool,
    format: Format,
    is_raw: bool,
    /// All that the peer has sent, and whether it has ended.
    stream: Vec<u8>,
    ended: bool,
    is_reset: bool,
    /// How much of it was delivered: the next frame begins here.
    pub(crate) at: usize,
    written: Vec<u8>,
    is_made: bool,
    is_failed: bool,
    end_told: bool,
    is_lost: bool,
}

impl ReferenceModel {
    pub(crate) fn new(format: Format, script: &[u8]) -> Self {
        Self {
            script: script.to_vec(),
            script_at: 0,
            is_quiet: false,
            format,
            is_raw: false,
            stream: Vec::new(),
            ended: false,
            is_reset: false,
            at: 0,
            written: Vec::new(),
            is_made: false,
            is_failed: false,
            end_told: false,
            is_lost: false,
        }
    }

    /// Whether the peer may send them.
    pub(crate) fn sent_by_peer(&mut self, bytes: &[u8]) -> bool {
        let may = !self.ended && !self.is_reset && self.stream.len() + bytes.len() <= STREAM_MAX;
        if may {
            self.stream.extend_from_slice(bytes);
        }
        may
    }

    /// Whether the peer may end its side.
    pub(crate) fn ended_by_peer(&mut self) -> bool {
        self.ended |= !self.is_reset;
        self.ended
    }

    /// Whether the peer has ended its side.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Of what was sent and not delivered, all but what the transport has not read.
    pub(crate) fn assert_unread(&self, unread: &[u8], not_read: usize) {
        let rest = self.rest();
        assert_eq!(unread, &rest[..rest.len() - not_read], "handed back");
    }

    /// From now on nothing is delivered.
    pub(crate) fn reset_by_peer(&mut self) {
        self.is_reset = true;
    }

    pub(crate) fn assert_written(&self, before: usize, bytes: &[u8]) {
        let expected = self.written[before..].get(..bytes.len());
        assert_eq!(expected, Some(bytes), "sent is what was written");
    }

    /// When nothing is held back any more: the peer has ended, and there is nobody who has not been told.
    pub(crate) fn assert_all_told(&self, is_closing: bool) {
        assert!(is_closing || self.is_lost || self.end_told, "the end was not told");
        assert!(!self.end_told || self.at == self.stream.len());
    }

    pub(crate) fn assert_over(&self) {
        assert!(self.is_made && self.is_lost, "the connection was not lost");
    }

    fn rest(&self) -> &[u8] {
        &self.stream[self.at..]
    }

    /// What comes next: how many bytes it takes, and what they mean.
    fn next(&self) -> (usize, Meaning) {
        let rest = self.rest();
        (1..=rest.len())
            .map(|len| (len, self.format.meaning(&rest[..len])))
            .find(|(_, meaning)| *meaning != Meaning::Unfinished)
            .unwrap_or((rest.len(), Meaning::Unfinished))
    }

    fn frame(&mut self, frame: &[u8]) {
        let (len, meaning) = self.next();
        let Meaning::Frame(payload) = meaning else { panic!("a frame, not {meaning:?}") };
        assert_eq!(frame, &self.rest()[payload], "{:?}", self.format);
        self.at += len;
    }

    /// A byte of the script; zero at its end.
    fn byte(&mut self) -> u8 {
        let byte = self.script.get(self.script_at).filter(|_| !self.is_quiet);
        self.script_at += usize::from(byte.is_some());
        byte.copied().unwrap_or_default()
    }

    fn next_format(&mut self) -> Format {
        let mut input = Input::new(&self.script[self.script_at..]);
        let format = Format::any(&mut input);
        self.script_at = self.script.len() - input.rest().len();
        format
    }

    fn assert_alive(&self) {
        assert!(self.is_made && !self.is_lost, "told outside of its life");
    }

    fn assert_delivering(&self, transport: &Handed<'_>, raw: bool) {
        self.assert_alive();
        assert!(transport.is_reading(), "delivered while it is held back");
        assert!(!self.is_failed && !self.end_told, "delivered after the end");
        assert_eq!((self.is_raw, transport.is_raw()), (raw, raw));
    }
}

/// See the head of this file. The story stays borrowed while the transport is asked for things, which calls nobody.
pub(crate) struct CheckedHandler(Rc<RefCell<ReferenceModel>>);

impl CheckedHandler {
    pub(crate) fn new(story: Rc<RefCell<ReferenceModel>>) -> Self {
        Self(story)
    }

    fn told(&self, transport: &mut Handed<'_>) {
        let story = &mut *self.0.borrow_mut();
        story.assert_alive();
        act(story, transport);
    }
}

/// Does what the script has next.
fn act(story: &mut ReferenceModel, transport: &mut Handed<'_>) {
    let what = story.byte();
    let more = usize::from(what >> 4);
    match what & 15 {
        0..=2 => {}
        3 => transport.pause_reading(),
        4 => {
            transport.pause_reading();
            transport.call_later(Duration::from_millis(1));
        }
        5 | 6 => transport.resume_reading(),
        7 | 8 => {
            let bytes = vec![what; more + 1];
            if transport.write(&bytes) != WriteStatus::Closed {
                story.written.extend(bytes);
            }
        }
        9 => {
            story.format = story.next_format();
            transport.set_decoder(story.format.decoder());
        }
        10 => {
            story.is_raw = true;
            transport.set_raw_mode();
        }
        11 => {
            story.is_raw = false;
            transport.set_frame_mode(b"");
        }
        12 => {
            transport.call_later(Duration::from_millis(more as u64));
        }
        13 => transport.set_auto_pause(more & 1 == 0),
        // Two at once.
        14 => {
            act(story, transport);
            act(story, transport);
        }
        _ => match more {
            0 => transport.lose_connection(),
            1 => transport.abort(),
            2 => transport.fail(NOT_FINE),
            3 => transport.close_write(),
            more => transport.set_idle_timeout(Duration::from_millis(more as u64)),
        },
    }
}

impl FrameHandler<AnyDecoder> for CheckedHandler {
    fn connection_made(&mut self, transport: &mut Handed<'_>) {
        let was_made = std::mem::replace(&mut self.0.borrow_mut().is_made, true);
        assert!(!was_made, "connection_made twice");
        self.told(transport);
    }

    fn frame_received(&mut self, transport: &mut Handed<'_>, frame: &[u8]) {
        let story = &mut *self.0.borrow_mut();
        story.assert_delivering(transport, false);
        story.frame(frame);
        act(story, transport);
    }

    fn raw_received(&mut self, transport: &mut Handed<'_>, data: &[u8]) {
        let story = &mut *self.0.borrow_mut();
        story.assert_delivering(transport, true);
        assert!(!data.is_empty());
        assert_eq!(Some(data), story.rest().get(..data.len()));
        story.at += data.len();
        let kept = usize::from(story.byte());
        if kept & 3 != 0 {
            let rest = &data[data.len() - (kept >> 2).min(data.len())..];
            story.at -= rest.len();
            story.is_raw = false;
            transport.set_frame_mode(rest);
        } else {
            act(story, transport);
        }
    }

    fn framing_failed(&mut self, transport: &mut Handed<'_>, error: &FrameError) {
        let story = &mut *self.0.borrow_mut();
        story.assert_alive();
        assert!(!story.is_failed, "failed twice");
        story.is_failed = true;
        if *error != NOT_FINE {
            assert_eq!(story.next().1, Meaning::Fault(*error), "{:?}", story.format);
        }
        act(story, transport);
    }

    fn unfinished(&mut self, transport: &mut Handed<'_>, rest: &[u8]) -> Result<(), FrameError> {
        let story = &mut *self.0.borrow_mut();
        story.assert_alive();
        assert!(story.ended && !story.is_raw && !rest.is_empty());
        assert_eq!(story.next(), (rest.len(), Meaning::Unfinished));
        assert_eq!(story.rest(), rest);
        story.at = story.stream.len();
        let is_fine = story.byte() & 1 == 0;
        act(story, transport);
        if is_fine { Ok(()) } else { Err(NOT_FINE) }
    }

    fn read_closed(&mut self, transport: &mut Handed<'_>) {
        let story = &mut *self.0.borrow_mut();
        story.assert_alive();
        assert!(story.ended && !story.end_told && !story.is_failed);
        assert_eq!(story.at, story.stream.len(), "the end told before what came before it");
        story.end_told = true;
        if story.byte() & 1 == 0 {
            transport.lose_connection();
        }
        act(story, transport);
    }

    fn writing_paused(&mut self, transport: &mut Handed<'_>) {
        self.told(transport);
    }

    fn writing_resumed(&mut self, transport: &mut Handed<'_>) {
        self.told(transport);
    }

    fn reading_resumed(&mut self, transport: &mut Handed<'_>) {
        assert!(transport.is_reading());
        self.told(transport);
    }

    fn timer_fired(&mut self, transport: &mut Handed<'_>, _: TimerId) {
        self.told(transport);
    }

    fn idle_timeout(&mut self, transport: &mut Handed<'_>) {
        self.told(transport);
        if self.0.borrow().is_quiet {
            transport.set_idle_timeout(None);
        }
    }

    fn connection_lost(&mut self, transport: &mut Handed<'_>, _: &ConnectionLost) {
        self.told(transport);
        self.0.borrow_mut().is_lost = true;
    }
}
