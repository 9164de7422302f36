//! A relay between two streams. Data read at one end is written straight into the socket of the other as far as that accepts it; the
//! rest is queued, and the first end is held until the [`RelaySink`], a [`Feed`] at the other, finds the queue empty. So at most the
//! data of one read is in flight. Makes no system calls except through `direct.rs` and `splice.rs`.

use std::{
    cell::Cell,
    io::IoSlice,
    rc::{Rc, Weak},
};

use bytes::Bytes;
use sinew_reactor::{Deferred, Promise, Reactor, SHORT_WRITE_FILLS};

use super::{
    Stream,
    direct::{DirectWrite, Waiting},
    hold::Hold,
    input::count,
    splice::SplicePipe,
    state::{Input, State},
};
use crate::{
    ConnectionLost, Relayed, Transport,
    buffers::{READ_BUFFER, put},
    producer::{Feed, FeedStatus},
};

/// What a stream stores about its relay.
pub(super) struct RelayEnd {
    other: Weak<Stream>,
    /// The direction for data received here.
    out: Rc<RelayDirection>,
    /// The direction for data received at the other end.
    into: Rc<RelayDirection>,
    end: Rc<RelayOutcome>,
    /// This connection ended cleanly.
    is_clean: Cell<bool>,
}

/// One direction of a relay.
struct RelayDirection {
    from: Weak<Stream>,
    bytes: Cell<u64>,
    /// The sink is the first producer at the output: everything queued before it has been sent.
    has_turn: Cell<bool>,
    /// The protocol's unread input was taken.
    is_begun: Cell<bool>,
    /// That input, until it is sent: it goes first.
    unread: Cell<Bytes>,
    /// No more input will come.
    is_ended: Cell<bool>,
    /// All is sent, and no more will be: later input is discarded.
    is_over: Cell<bool>,
    splice: SplicePipe,
}

/// What both ends share: the promise that is resolved when both are over.
struct RelayOutcome {
    promise: Cell<Option<Promise<Relayed>>>,
    there: Rc<RelayDirection>,
    back: Rc<RelayDirection>,
    is_half_over: Cell<bool>,
}

impl Transport {
    /// Starts a relay. Both connections are open, and neither is part of a relay.
    pub(crate) fn start_relay(&self, reactor: &Reactor, other: &Self) -> Deferred<Relayed> {
        let (promise, relayed) = reactor.promise();
        let end = Rc::new(RelayOutcome {
            promise: Cell::new(Some(promise)),
            there: RelayDirection::new(reactor, self),
            back: RelayDirection::new(reactor, other),
            is_half_over: Cell::new(false),
        });
        let ends = [(self, other, &end.there, &end.back), (other, self, &end.back, &end.there)];
        for (this, other, out, into) in ends {
            let stream = this.inner();
            let relay_eof = RelayEnd {
                other: Rc::downgrade(&other.0),
                out: out.clone(),
                into: into.clone(),
                end: end.clone(),
                is_clean: Cell::new(false),
            };
            let is_first = stream.cold().relay.set(relay_eof).is_ok();
            debug_assert!(is_first, "nothing is tied twice");
            stream.update(State::relayed);
            stream.hold(Hold::Relay);
            stream.add_producer(Box::new(RelaySink(into.clone())));
        }
        for (this, ..) in ends {
            // The protocol may have received `read_closed`, but the other end's peer has received no FIN.
            if this.inner().state.get().has_ended() {
                this.relay_eof();
            }
            this.inner().ask_flush();
        }
        relayed
    }

    /// Whether input is to be read into the buffer. Not while the other end has no room, nor if this call spliced it or failed to.
    pub(super) fn may_take(&self, reactor: &Reactor) -> bool {
        let Some(relay_eof) = self.inner().relay() else { return true };
        let way = &relay_eof.out;
        if way.is_over.get() {
            return true;
        }
        let Some(to) = relay_eof.other.upgrade().map(Transport) else {
            self.inner().hold(Hold::Relay);
            return false;
        };
        if !way.is_clear(&to) {
            self.hold(way, &to);
            return false;
        }
        if self.inner().state.get().completes() {
            return true;
        }
        let filled =
            self.inner().with_socket(|from| to.inner().with_socket(|to| way.splice.fill(from, to)));
        match filled {
            None => return true,
            Some(Ok(len)) => {
                count(reactor, len);
                self.reset_idle_timer(reactor);
                way.count(len);
                way.splice.drain(reactor, &to);
                if !way.is_clear(&to) {
                    self.hold(way, &to);
                }
            }
            Some(Err(error)) => self.not_read(reactor, error),
        }
        false
    }

    /// Forwards received data to the other end, or delivers it to the protocol.
    pub(super) fn arrived(&self, reactor: &Reactor, input: Input, data: &[u8]) {
        let Some(relay_eof) = self.inner().relay().filter(|_| input == Input::Deliver) else {
            return self.received(reactor, input, data);
        };
        self.reset_idle_timer(reactor);
        let way = &relay_eof.out;
        let to = relay_eof.other.upgrade().filter(|_| !way.is_over.get());
        let Some(to) = to.map(Transport) else { return };
        way.count(data.len());
        if data.len() == READ_BUFFER {
            way.splice.begin();
        }
        to.pass(reactor, data);
        if !way.is_clear(&to) {
            self.hold(way, &to);
        }
    }

    /// Sends data from the other end. What the socket does not accept is queued, without regard to watermarks.
    fn pass(&self, reactor: &Reactor, data: &[u8]) {
        let stream = self.inner();
        let put = self.put(reactor, |socket| socket.write_vectored(&[IoSlice::new(data)]));
        let is_refused = matches!(put, DirectWrite::Refused);
        let sent = match put {
            DirectWrite::Sent(sent) => sent,
            DirectWrite::Full | DirectWrite::Refused => 0,
            DirectWrite::Failed(error) => return self.output_failed(reactor, error),
        };
        if sent == data.len() {
            return;
        }
        if sent > 0 && SHORT_WRITE_FILLS {
            stream.update(State::write_blocked);
        }
        stream.queue_quietly(&data[sent..]);
        if is_refused && stream.state.get().is_made() {
            self.send(reactor);
        }
    }

    /// Takes the protocol's unread input, which is sent first, and wakes the other end until that is sent. Returns `true` if the
    /// protocol was called.
    pub(super) fn begin_relay(&self) -> bool {
        let Some(relay_eof) = self.inner().relay() else { return false };
        let has_begun = relay_eof.out.is_begun.replace(true);
        if !has_begun {
            let unread = self.take_unread();
            relay_eof.out.unread.set(unread);
        }
        if (!has_begun || relay_eof.out.has_unread())
            && let Some(to) = relay_eof.other.upgrade()
        {
            relay_eof.out.call(&to);
        }
        !has_begun
    }

    /// Blocks input until the other end has sent what it has.
    fn hold(&self, way: &RelayDirection, to: &Self) {
        self.inner().hold(Hold::Relay);
        way.call(to.inner());
    }

    /// The input has ended: ends the output of the other end.
    pub(super) fn relay_eof(&self) {
        let Some(relay_eof) = self.inner().relay() else { return };
        relay_eof.out.is_ended.set(true);
        if let Some(to) = relay_eof.other.upgrade() {
            to.close_write();
            relay_eof.out.call(&to);
        }
    }

    /// Records whether the connection ended cleanly.
    pub(super) fn note_end(&self, is_clean: bool) {
        if let Some(relay_eof) = self.inner().relay() {
            relay_eof.is_clean.set(is_clean);
        }
    }

    /// The connection is over: ends the other one, too.
    pub(super) fn end_relay(&self) {
        let Some(relay_eof) = self.inner().relay() else { return };
        relay_eof.into.splice.let_go();
        relay_eof.out.is_ended.set(true);
        if let Some(other) = relay_eof.other.upgrade().map(Transport) {
            relay_eof.out.call(other.inner());
            if relay_eof.is_clean.get() {
                other.lose_connection();
            } else {
                other.inner().reset_when_sent();
            }
        }
        if relay_eof.end.is_half_over.replace(true)
            && let Some(promise) = relay_eof.end.promise.take()
        {
            let RelayOutcome { there, back, .. } = &*relay_eof.end;
            promise.resolve(Relayed { there: there.bytes.get(), back: back.bytes.get() });
        }
    }
}

impl Stream {
    fn relay(&self) -> Option<&RelayEnd> {
        self.cold_if_any()?.relay.get()
    }

    pub(crate) fn is_relayed(&self) -> bool {
        self.state.get().is_relayed()
    }

    /// The other end of its relay, if that still exists.
    pub(super) fn relayed_to(&self) -> Option<Rc<Self>> {
        self.relay()?.other.upgrade()
    }

    /// The other end of its relay was reset. What came from there before is sent and acknowledged; then this end is reset, too.
    fn reset_when_sent(&self) {
        if self.state.get().has_output_failed() {
            self.end_now(ConnectionLost::Reset);
        } else if self.update(State::close_with_reset) {
            self.cold().blame(ConnectionLost::Aborted);
            self.ask_flush();
        }
    }

    /// Whether both belong to the same reactor.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared.buffers, &other.shared.buffers)
    }

    /// See [`Transport::relayed`].
    pub(crate) fn relayed(&self) -> Option<Relayed> {
        let RelayEnd { out, into, .. } = self.relay()?;
        Some(Relayed { there: out.bytes.get(), back: into.bytes.get() })
    }

    /// The output is to end: no more will come from the other end.
    pub(super) fn end_way_in(&self) {
        if let Some(relay_eof) = self.relay() {
            relay_eof.into.wake(self);
        }
    }

    /// Nothing can be sent here any more: later input of the other end is discarded.
    pub(super) fn end_way_in_at_once(&self) {
        let Some(relay_eof) = self.relay() else { return };
        relay_eof.into.splice.let_go();
        relay_eof.into.is_over.set(true);
        if let (Some(from), Some(reactor)) = (relay_eof.into.from.upgrade(), self.reactor())
            && from.release(Hold::Relay)
        {
            Transport(from).reschedule(&reactor);
        }
    }

    /// Queues data that is bounded by other means than watermarks.
    pub(super) fn queue_quietly(&self, data: &[u8]) {
        if !self.state.get().sends() {
            return;
        }
        let mut queue = self.queue.take().unwrap_or_else(|| self.shared.buffers.take_queue());
        queue.push_slice(data);
        put(&self.queue, queue);
    }
}

impl RelayDirection {
    fn new(reactor: &Reactor, from: &Transport) -> Rc<Self> {
        Rc::new(Self {
            from: Rc::downgrade(&from.0),
            bytes: Cell::new(0),
            has_turn: Cell::new(false),
            is_begun: Cell::new(false),
            unread: Cell::default(),
            is_ended: Cell::new(false),
            is_over: Cell::new(false),
            splice: SplicePipe::new(reactor),
        })
    }

    fn count(&self, len: usize) {
        self.bytes.set(self.bytes.get() + len as u64);
    }

    /// Whether the receiving end has no data of this direction left to send.
    fn is_clear(&self, to: &Transport) -> bool {
        self.has_turn.get()
            && self.splice.is_empty()
            && to.inner().waiting() != Waiting::Bytes
            && !to.inner().state.get().is_over()
    }

    fn has_unread(&self) -> bool {
        let unread = self.unread.take();
        let has_unread = !unread.is_empty();
        self.unread.set(unread);
        has_unread
    }

    /// Sends the unread input of the protocol where it begins. Returns `false` if that has to wait.
    fn carry_unread(&self, reactor: &Reactor, to: &Transport) -> bool {
        let from = self.from.upgrade().filter(|from| !from.state.get().is_over());
        if let Some(from) = from
            && (!self.is_begun.get() || from.state.get().is_paused() && self.has_unread())
        {
            return false;
        }
        let unread = self.unread.take();
        if !unread.is_empty() {
            self.count(unread.len());
            to.pass(reactor, &unread);
        }
        true
    }

    /// Lets the sink run again. While it is not the first producer, the waiting one is another, which must not be resumed.
    fn wake(&self, to: &Stream) {
        if self.has_turn.get() {
            to.resume_producing();
        }
    }

    /// Lets the sink run again and flushes its stream.
    fn call(&self, to: &Stream) {
        self.wake(to);
        to.ask_flush();
    }
}

/// The receiving end of a [`RelayDirection`], as a producer of that stream.
struct RelaySink(Rc<RelayDirection>);

impl Feed for RelaySink {
    fn feed(&mut self, reactor: &Reactor, to: &Transport) -> FeedStatus {
        let way = &self.0;
        way.has_turn.set(true);
        if !way.carry_unread(reactor, to) {
            return FeedStatus::Waiting;
        }
        if !way.splice.drain(reactor, to) {
            return FeedStatus::Full;
        }
        let state = to.inner().state.get();
        if to.inner().waiting() == Waiting::Bytes {
            return if state.is_writable() { FeedStatus::Sent } else { FeedStatus::Full };
        }
        let is_over = way.is_ended.get() || !state.has_output();
        way.is_over.set(is_over);
        if let Some(from) = way.from.upgrade()
            && from.release(Hold::Relay)
        {
            Transport(from).reschedule(reactor);
        }
        if is_over { FeedStatus::Done } else { FeedStatus::Waiting }
    }
}
