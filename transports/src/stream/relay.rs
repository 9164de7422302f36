//! Two streams tied together. What comes in at one is passed on from its own round of input, straight into the other's socket as
//! far as that takes it; then the first is held, and a [`Feed`] at the other lets it go on when all is out. So at most what one read
//! has brought is ever on the way. Pure of system calls but by `direct.rs` and `splice.rs`.

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

/// What a stream knows of the relay that it is an end of.
pub(super) struct RelayEnd {
    other: Weak<Stream>,
    /// What comes in here goes this way.
    out: Rc<RelayDirection>,
    /// What comes from the other end goes this way.
    into: Rc<RelayDirection>,
    end: Rc<RelayOutcome>,
    /// This connection has ended as connections should.
    is_clean: Cell<bool>,
}

/// One direction.
struct RelayDirection {
    from: Weak<Stream>,
    bytes: Cell<u64>,
    /// It is its turn at the output: what was to go before has gone.
    has_turn: Cell<bool>,
    /// What the protocol had not used is known.
    is_begun: Cell<bool>,
    /// That, as long as it is not sent: it goes first.
    unread: Cell<Bytes>,
    /// Nothing more will come.
    is_ended: Cell<bool>,
    /// All is out, and nothing more will go: what still comes is thrown away.
    is_over: Cell<bool>,
    splice: SplicePipe,
}

/// What both ends share: who waits for the end of both.
struct RelayOutcome {
    promise: Cell<Option<Promise<Relayed>>>,
    there: Rc<RelayDirection>,
    back: Rc<RelayDirection>,
    is_half_over: Cell<bool>,
}

impl Transport {
    /// Ties this to another. Both are open, and neither is tied yet.
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
            // Its end may have been told to its protocol, but nobody told the other's peer.
            if this.inner().state.get().has_ended() {
                this.relay_eof();
            }
            this.inner().ask_flush();
        }
        relayed
    }

    /// Whether what has come is to be read in the ordinary way: not while there is no room for it at the other end, nor if it was
    /// moved.
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

    /// What has come in, by whichever way: to the other end, or to the protocol.
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

    /// Sends what has come in at the other end. What the socket does not take is queued, and minded by nobody's watermarks.
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

    /// What the protocol has not used goes first; the other end is called until that has gone. `true` if the protocol was asked.
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

    /// Takes no input until the other end has sent what it has.
    fn hold(&self, way: &RelayDirection, to: &Self) {
        self.inner().hold(Hold::Relay);
        way.call(to.inner());
    }

    /// The input has ended: so will the output of the other end.
    pub(super) fn relay_eof(&self) {
        let Some(relay_eof) = self.inner().relay() else { return };
        relay_eof.out.is_ended.set(true);
        if let Some(to) = relay_eof.other.upgrade() {
            to.close_write();
            relay_eof.out.call(&to);
        }
    }

    /// How the connection has ended is known.
    pub(super) fn note_end(&self, is_clean: bool) {
        if let Some(relay_eof) = self.inner().relay() {
            relay_eof.is_clean.set(is_clean);
        }
    }

    /// The connection is over, and so will the other be.
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

    /// The other end of its relay, if that is still there.
    pub(super) fn relayed_to(&self) -> Option<Rc<Self>> {
        self.relay()?.other.upgrade()
    }

    /// The other end of its relay was cut off. What came from there before is sent, and arrives; then this one is cut off, too.
    fn reset_when_sent(&self) {
        if self.state.get().has_output_failed() {
            self.end_now(ConnectionLost::Reset);
        } else if self.update(State::close_with_reset) {
            self.cold().blame(ConnectionLost::Aborted);
            self.ask_flush();
        }
    }

    /// Whether both live on the same reactor.
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

    /// Nothing goes out here any more: what still comes for it from the other end is thrown away.
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

    /// Queues what is bounded by other means than watermarks.
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

    /// Whether nothing waits at the end of it.
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

    /// Sends what the protocol at its beginning has handed back. `false` if that is to wait.
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

    /// Has its end not wait any longer. While it is not its turn, what waits there is somebody else's.
    fn wake(&self, to: &Stream) {
        if self.has_turn.get() {
            to.resume_producing();
        }
    }

    /// Has its end be asked what there is to do.
    fn call(&self, to: &Stream) {
        self.wake(to);
        to.ask_flush();
    }
}

/// The end of a [`RelayDirection`], in its place among the producers of a stream.
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
