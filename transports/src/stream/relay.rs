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
    direct::{Put, Waiting},
    hold::Hold,
    input::count,
    splice::Bulk,
    state::{Input, State},
};
use crate::{
    ConnectionLost, Relayed, Transport,
    buffers::{READ_BUFFER, put},
    producer::{Fed, Feed},
};

/// What a stream knows of the relay that it is an end of.
pub(super) struct Tie {
    other: Weak<Stream>,
    /// What comes in here goes this way.
    out: Rc<Way>,
    /// What comes from the other end goes this way.
    into: Rc<Way>,
    end: Rc<End>,
    /// This connection has ended as connections should.
    is_clean: Cell<bool>,
}

/// One direction.
struct Way {
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
    bulk: Bulk,
}

/// What both ends share: who waits for the end of both.
struct End {
    promise: Cell<Option<Promise<Relayed>>>,
    there: Rc<Way>,
    back: Rc<Way>,
    is_half_over: Cell<bool>,
}

impl Transport {
    /// Ties this to another. Both are open, and neither is tied yet.
    pub(crate) fn tie(&self, reactor: &Reactor, other: &Self) -> Deferred<Relayed> {
        let (promise, relayed) = reactor.promise();
        let end = Rc::new(End {
            promise: Cell::new(Some(promise)),
            there: Way::new(reactor, self),
            back: Way::new(reactor, other),
            is_half_over: Cell::new(false),
        });
        let ends = [(self, other, &end.there, &end.back), (other, self, &end.back, &end.there)];
        for (this, other, out, into) in ends {
            let stream = this.inner();
            let tie = Tie {
                other: Rc::downgrade(&other.0),
                out: out.clone(),
                into: into.clone(),
                end: end.clone(),
                is_clean: Cell::new(false),
            };
            let is_first = stream.rare().tie.set(tie).is_ok();
            debug_assert!(is_first, "nothing is tied twice");
            stream.update(State::relayed);
            stream.hold(Hold::Relay);
            stream.add_producer(Box::new(WayOut(into.clone())));
        }
        for (this, ..) in ends {
            // Its end may have been told to its protocol, but nobody told the other's peer.
            if this.inner().state.get().has_ended() {
                this.relay_end();
            }
            this.inner().ask_flush();
        }
        relayed
    }

    /// Whether what has come is to be read in the ordinary way: not while there is no room for it at the other end, nor if it was
    /// moved.
    pub(super) fn may_take(&self, reactor: &Reactor) -> bool {
        let Some(tie) = self.inner().tie() else { return true };
        let way = &tie.out;
        if way.is_over.get() {
            return true;
        }
        let Some(to) = tie.other.upgrade().map(Transport) else {
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
            self.inner().with_socket(|from| to.inner().with_socket(|to| way.bulk.fill(from, to)));
        match filled {
            None => return true,
            Some(Ok(len)) => {
                count(reactor, len);
                self.touch(reactor);
                way.count(len);
                way.bulk.drain(reactor, &to);
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
        let Some(tie) = self.inner().tie().filter(|_| input == Input::Deliver) else {
            return self.received(reactor, input, data);
        };
        self.touch(reactor);
        let way = &tie.out;
        let to = tie.other.upgrade().filter(|_| !way.is_over.get());
        let Some(to) = to.map(Transport) else { return };
        way.count(data.len());
        if data.len() == READ_BUFFER {
            way.bulk.begin();
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
        let is_refused = matches!(put, Put::Refused);
        let sent = match put {
            Put::Sent(sent) => sent,
            Put::Full | Put::Refused => 0,
            Put::Failed(error) => return self.output_failed(reactor, error),
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
        let Some(tie) = self.inner().tie() else { return false };
        let has_begun = tie.out.is_begun.replace(true);
        if !has_begun {
            let unread = self.take_unread();
            tie.out.unread.set(unread);
        }
        if (!has_begun || tie.out.has_unread())
            && let Some(to) = tie.other.upgrade()
        {
            tie.out.call(&to);
        }
        !has_begun
    }

    /// Takes no input until the other end has sent what it has.
    fn hold(&self, way: &Way, to: &Self) {
        self.inner().hold(Hold::Relay);
        way.call(to.inner());
    }

    /// The input has ended: so will the output of the other end.
    pub(super) fn relay_end(&self) {
        let Some(tie) = self.inner().tie() else { return };
        tie.out.is_ended.set(true);
        if let Some(to) = tie.other.upgrade() {
            to.close_write();
            tie.out.call(&to);
        }
    }

    /// How the connection has ended is known.
    pub(super) fn note_end(&self, is_clean: bool) {
        if let Some(tie) = self.inner().tie() {
            tie.is_clean.set(is_clean);
        }
    }

    /// The connection is over, and so will the other be.
    pub(super) fn untie(&self) {
        let Some(tie) = self.inner().tie() else { return };
        tie.into.bulk.let_go();
        tie.out.is_ended.set(true);
        if let Some(other) = tie.other.upgrade().map(Transport) {
            tie.out.call(other.inner());
            if tie.is_clean.get() {
                other.lose_connection();
            } else {
                other.inner().reset_when_sent();
            }
        }
        if tie.end.is_half_over.replace(true)
            && let Some(promise) = tie.end.promise.take()
        {
            let End { there, back, .. } = &*tie.end;
            promise.resolve(Relayed { there: there.bytes.get(), back: back.bytes.get() });
        }
    }
}

impl Stream {
    fn tie(&self) -> Option<&Tie> {
        self.rare_if_any()?.tie.get()
    }

    pub(crate) fn is_relayed(&self) -> bool {
        self.state.get().is_relayed()
    }

    /// The other end of its relay, if that is still there.
    pub(super) fn relayed_to(&self) -> Option<Rc<Self>> {
        self.tie()?.other.upgrade()
    }

    /// The other end of its relay was cut off. What came from there before is sent, and arrives; then this one is cut off, too.
    fn reset_when_sent(&self) {
        if self.state.get().has_output_failed() {
            self.end_now(ConnectionLost::Reset);
        } else if self.update(State::close_with_reset) {
            self.rare().blame(ConnectionLost::Aborted);
            self.ask_flush();
        }
    }

    /// Whether both live on the same reactor.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared.buffers, &other.shared.buffers)
    }

    /// See [`Transport::relayed`].
    pub(crate) fn relayed(&self) -> Option<Relayed> {
        let Tie { out, into, .. } = self.tie()?;
        Some(Relayed { there: out.bytes.get(), back: into.bytes.get() })
    }

    /// The output is to end: no more will come from the other end.
    pub(super) fn end_way_in(&self) {
        if let Some(tie) = self.tie() {
            tie.into.wake(self);
        }
    }

    /// Nothing goes out here any more: what still comes for it from the other end is thrown away.
    pub(super) fn end_way_in_at_once(&self) {
        let Some(tie) = self.tie() else { return };
        tie.into.bulk.let_go();
        tie.into.is_over.set(true);
        if let (Some(from), Some(reactor)) = (tie.into.from.upgrade(), self.reactor())
            && from.release(Hold::Relay)
        {
            Transport(from).come_back(&reactor);
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

impl Way {
    fn new(reactor: &Reactor, from: &Transport) -> Rc<Self> {
        Rc::new(Self {
            from: Rc::downgrade(&from.0),
            bytes: Cell::new(0),
            has_turn: Cell::new(false),
            is_begun: Cell::new(false),
            unread: Cell::default(),
            is_ended: Cell::new(false),
            is_over: Cell::new(false),
            bulk: Bulk::new(reactor),
        })
    }

    fn count(&self, len: usize) {
        self.bytes.set(self.bytes.get() + len as u64);
    }

    /// Whether nothing waits at the end of it.
    fn is_clear(&self, to: &Transport) -> bool {
        self.has_turn.get()
            && self.bulk.is_empty()
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

/// The end of a [`Way`], in its place among the producers of a stream.
struct WayOut(Rc<Way>);

impl Feed for WayOut {
    fn feed(&mut self, reactor: &Reactor, to: &Transport) -> Fed {
        let way = &self.0;
        way.has_turn.set(true);
        if !way.carry_unread(reactor, to) {
            return Fed::Waiting;
        }
        if !way.bulk.drain(reactor, to) {
            return Fed::Full;
        }
        let state = to.inner().state.get();
        if to.inner().waiting() == Waiting::Bytes {
            return if state.is_writable() { Fed::Sent } else { Fed::Full };
        }
        let is_over = way.is_ended.get() || !state.has_output();
        way.is_over.set(is_over);
        if let Some(from) = way.from.upgrade()
            && from.release(Hold::Relay)
        {
            Transport(from).come_back(reactor);
        }
        if is_over { Fed::Done } else { Fed::Waiting }
    }
}
