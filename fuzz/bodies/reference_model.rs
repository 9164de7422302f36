//! Reference model of a connection, for fuzzing: [`CheckedHandler`], a handler that compares its callbacks with a [`ReferenceModel`]
//! of the connection's state, and executes the next action of a script in each.

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
type HandlerTransport<'a> = FrameTransport<'a, AnyDecoder>;

/// The longest stream: undelivered bytes are re-examined for each frame.
const STREAM_MAX: usize = 8 * 1024;

/// Results of `unfinished` for trailing bytes that are not a frame.
const NOT_FINE: FrameError = FrameError::Invalid("not fine");

/// The expected state of the connection.
pub(crate) struct ReferenceModel {
    script: Vec<u8>,
    script_at: usize,
    /// Set at the end: no more actions.
    pub(crate) is_quiet: bool,
    format: Format,
    is_raw: bool,
    /// Everything that the peer has sent, and whether it has ended.
    stream: Vec<u8>,
    ended: bool,
    is_reset: bool,
    /// How much of it was delivered: the offset of the next frame.
    pub(crate) at: usize,
    written: Vec<u8>,
    is_made: bool,
    is_failed: bool,
    end_delivered: bool,
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
            end_delivered: false,
            is_lost: false,
        }
    }

    /// Records sent bytes; whether the peer may send them.
    pub(crate) fn sent_by_peer(&mut self, bytes: &[u8]) -> bool {
        let may = !self.ended && !self.is_reset && self.stream.len() + bytes.len() <= STREAM_MAX;
        if may {
            self.stream.extend_from_slice(bytes);
        }
        may
    }

    /// Records the end; whether the peer may end its side.
    pub(crate) fn ended_by_peer(&mut self) -> bool {
        self.ended |= !self.is_reset;
        self.ended
    }

    /// Whether the peer has ended its side.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Checks that the unread bytes are what was sent and not delivered, except what the transport has not read.
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
        assert_eq!(expected, Some(bytes), "the bytes sent are those written");
    }

    /// With nothing held back, the end of the input must have been delivered, unless the connection is closing or
    /// lost.
    pub(crate) fn assert_all_delivered(&self, is_closing: bool) {
        assert!(is_closing || self.is_lost || self.end_delivered, "read_closed was not called");
        assert!(!self.end_delivered || self.at == self.stream.len());
    }

    pub(crate) fn assert_over(&self) {
        assert!(self.is_made && self.is_lost, "the connection was not lost");
    }

    fn rest(&self) -> &[u8] {
        &self.stream[self.at..]
    }

    /// The next bytes: how many, and their meaning.
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

    /// The next byte of the script; zero at its end.
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
        assert!(
            self.is_made && !self.is_lost,
            "callback before connection_made or after connection_lost"
        );
    }

    fn assert_delivering(&self, transport: &HandlerTransport<'_>, raw: bool) {
        self.assert_alive();
        assert!(transport.is_reading(), "delivered while reading is paused");
        assert!(!self.is_failed && !self.end_delivered, "delivered after the end");
        assert_eq!((self.is_raw, transport.is_raw()), (raw, raw));
    }
}

/// The handler under check. The model stays borrowed during requests to the transport, which make no callbacks.
pub(crate) struct CheckedHandler(Rc<RefCell<ReferenceModel>>);

impl CheckedHandler {
    pub(crate) fn new(model: Rc<RefCell<ReferenceModel>>) -> Self {
        Self(model)
    }

    fn next_action(&self, transport: &mut HandlerTransport<'_>) {
        let model = &mut *self.0.borrow_mut();
        model.assert_alive();
        act(model, transport);
    }
}

/// Executes the next action of the script.
fn act(model: &mut ReferenceModel, transport: &mut HandlerTransport<'_>) {
    let what = model.byte();
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
                model.written.extend(bytes);
            }
        }
        9 => {
            model.format = model.next_format();
            transport.set_decoder(model.format.decoder());
        }
        10 => {
            model.is_raw = true;
            transport.set_raw_mode();
        }
        11 => {
            model.is_raw = false;
            transport.set_frame_mode(b"");
        }
        12 => {
            transport.call_later(Duration::from_millis(more as u64));
        }
        13 => transport.set_auto_pause(more & 1 == 0),
        // Two actions at once.
        14 => {
            act(model, transport);
            act(model, transport);
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
    fn connection_made(&mut self, transport: &mut HandlerTransport<'_>) {
        let was_made = std::mem::replace(&mut self.0.borrow_mut().is_made, true);
        assert!(!was_made, "connection_made twice");
        self.next_action(transport);
    }

    fn frame_received(&mut self, transport: &mut HandlerTransport<'_>, frame: &[u8]) {
        let model = &mut *self.0.borrow_mut();
        model.assert_delivering(transport, false);
        model.frame(frame);
        act(model, transport);
    }

    fn raw_received(&mut self, transport: &mut HandlerTransport<'_>, data: &[u8]) {
        let model = &mut *self.0.borrow_mut();
        model.assert_delivering(transport, true);
        assert!(!data.is_empty());
        assert_eq!(Some(data), model.rest().get(..data.len()));
        model.at += data.len();
        let kept = usize::from(model.byte());
        if kept & 3 != 0 {
            let rest = &data[data.len() - (kept >> 2).min(data.len())..];
            model.at -= rest.len();
            model.is_raw = false;
            transport.set_frame_mode(rest);
        } else {
            act(model, transport);
        }
    }

    fn framing_failed(&mut self, transport: &mut HandlerTransport<'_>, error: &FrameError) {
        let model = &mut *self.0.borrow_mut();
        model.assert_alive();
        assert!(!model.is_failed, "failed twice");
        model.is_failed = true;
        if *error != NOT_FINE {
            assert_eq!(model.next().1, Meaning::Fault(*error), "{:?}", model.format);
        }
        act(model, transport);
    }

    fn unfinished(
        &mut self,
        transport: &mut HandlerTransport<'_>,
        rest: &[u8],
    ) -> Result<(), FrameError> {
        let model = &mut *self.0.borrow_mut();
        model.assert_alive();
        assert!(model.ended && !model.is_raw && !rest.is_empty());
        assert_eq!(model.next(), (rest.len(), Meaning::Unfinished));
        assert_eq!(model.rest(), rest);
        model.at = model.stream.len();
        let is_fine = model.byte() & 1 == 0;
        act(model, transport);
        if is_fine { Ok(()) } else { Err(NOT_FINE) }
    }

    fn read_closed(&mut self, transport: &mut HandlerTransport<'_>) {
        let model = &mut *self.0.borrow_mut();
        model.assert_alive();
        assert!(model.ended && !model.end_delivered && !model.is_failed);
        assert_eq!(model.at, model.stream.len(), "read_closed before all frames were delivered");
        model.end_delivered = true;
        if model.byte() & 1 == 0 {
            transport.lose_connection();
        }
        act(model, transport);
    }

    fn writing_paused(&mut self, transport: &mut HandlerTransport<'_>) {
        self.next_action(transport);
    }

    fn writing_resumed(&mut self, transport: &mut HandlerTransport<'_>) {
        self.next_action(transport);
    }

    fn reading_resumed(&mut self, transport: &mut HandlerTransport<'_>) {
        assert!(transport.is_reading());
        self.next_action(transport);
    }

    fn timer_fired(&mut self, transport: &mut HandlerTransport<'_>, _: TimerId) {
        self.next_action(transport);
    }

    fn idle_timeout(&mut self, transport: &mut HandlerTransport<'_>) {
        self.next_action(transport);
        if self.0.borrow().is_quiet {
            transport.set_idle_timeout(None);
        }
    }

    fn connection_lost(&mut self, transport: &mut HandlerTransport<'_>, _: &ConnectionLost) {
        self.next_action(transport);
        self.0.borrow_mut().is_lost = true;
    }
}
