//! A relay between two streams. Data read at one end is written straight into the socket of the other as far as that accepts it;
//! the rest is queued, and the first end is held until the [`RelaySink`], a [`Feed`] at the other, finds the queue empty. So at
//! most the data of one read is in flight. Makes no system calls except through `direct.rs` and `splice.rs`.

pub mod api;

use std::{
    cell::Cell,
    io::IoSlice,
    rc::{Rc, Weak},
};

use bytes::Bytes;
use sinew_reactor::{Deferred, Promise, Reactor, SHORT_WRITE_FILLS};

use super::{
    Stream,
    direct::{DirectWrite, QueueContent},
    hold::Hold,
    input::count_received,
    splice::SplicePipe,
    state::{Input, State},
};
use crate::{
    ConnectionLost, RelayedBytes, Transport,
    buffers::{READ_BUFFER, store_queue},
    producer::{Feed, FeedStatus},
};

/// What a stream stores about its relay.
pub(super) struct RelayEnd {
    other: Weak<Stream>,
    /// The direction for data received here.
    outgoing: Rc<RelayDirection>,
    /// The direction for data received at the other end.
    incoming: Rc<RelayDirection>,
    outcome: Rc<RelayOutcome>,
    /// This connection ended cleanly.
    is_clean: Cell<bool>,
}

/// One direction of a relay.
struct RelayDirection {
    from: Weak<Stream>,
    bytes: Cell<u64>,
    /// The sink is the first producer at the output: everything queued before it has been sent.
    is_active: Cell<bool>,
    /// The protocol's unread input was taken.
    unread_taken: Cell<bool>,
    /// That input, until it is sent: it goes first.
    unread: Cell<Bytes>,
    /// No more input will come.
    input_ended: Cell<bool>,
    /// All is sent, and no more will be: later input is discarded.
    output_ended: Cell<bool>,
    splice: SplicePipe,
}

/// What both ends share: the promise that is resolved when both are over.
struct RelayOutcome {
    promise: Cell<Option<Promise<RelayedBytes>>>,
    outgoing: Rc<RelayDirection>,
    incoming: Rc<RelayDirection>,
    is_one_end_lost: Cell<bool>,
}

impl Transport {
    /// Starts a relay. Both connections are open, and neither is part of a relay.
    pub(crate) fn start_relay(&self, reactor: &Reactor, other: &Self) -> Deferred<RelayedBytes> {
        let (promise, relayed) = reactor.promise();
        let outcome = Rc::new(RelayOutcome {
            promise: Cell::new(Some(promise)),
            outgoing: RelayDirection::new(reactor, self),
            incoming: RelayDirection::new(reactor, other),
            is_one_end_lost: Cell::new(false),
        });
        let ends = [
            (self, other, &outcome.outgoing, &outcome.incoming),
            (other, self, &outcome.incoming, &outcome.outgoing),
        ];
        for (this, other, outgoing, incoming) in ends {
            let stream = this.inner();
            let relay = RelayEnd {
                other: Rc::downgrade(&other.0),
                outgoing: outgoing.clone(),
                incoming: incoming.clone(),
                outcome: outcome.clone(),
                is_clean: Cell::new(false),
            };
            let is_first = stream.cold().relay.set(Rc::new(relay)).is_ok();
            debug_assert!(is_first, "nothing is tied twice");
            stream.update(State::relayed);
            stream.hold(Hold::Relay);
            stream.add_producer(Box::new(RelaySink(incoming.clone())));
        }
        for (this, ..) in ends {
            // The protocol may have received `read_closed`, but the other end's peer has received no FIN.
            if this.inner().state.get().has_input_ended() {
                this.relay_input_ended();
            }
            this.inner().ask_flush();
        }
        relayed
    }

    /// Whether input is to be read into the buffer. Not while the other end has no room, nor if this call spliced it or failed
    /// to.
    pub(super) fn may_read(&self, reactor: &Reactor) -> bool {
        let Some(relay) = self.inner().relay() else { return true };
        let direction = &relay.outgoing;
        if direction.output_ended.get() {
            return true;
        }
        let Some(to) = relay.other.upgrade().map(Transport) else {
            self.inner().hold(Hold::Relay);
            return false;
        };
        if !direction.has_room(&to) {
            self.hold_for_relay(direction, &to);
            return false;
        }
        if self.inner().state.get().is_completion_mode() {
            return true;
        }
        let filled = self
            .inner()
            .with_socket(|from| to.inner().with_socket(|to| direction.splice.fill(from, to)));
        match filled {
            None => return true,
            Some(Ok(len)) => {
                count_received(reactor, len);
                self.reset_idle_timer(reactor);
                direction.count(len);
                direction.splice.drain(reactor, &to);
                if !direction.has_room(&to) {
                    self.hold_for_relay(direction, &to);
                }
            }
            Some(Err(error)) => self.read_failed(reactor, error),
        }
        false
    }

    /// Forwards received data to the other end, or delivers it to the protocol.
    pub(super) fn forward_or_deliver(&self, reactor: &Reactor, input: Input, data: &[u8]) {
        let Some(relay) = self.inner().relay().filter(|_| input == Input::Deliver) else {
            return self.received(reactor, input, data);
        };
        self.reset_idle_timer(reactor);
        let direction = &relay.outgoing;
        let to = relay.other.upgrade().filter(|_| !direction.output_ended.get());
        let Some(to) = to.map(Transport) else { return };
        direction.count(data.len());
        if data.len() == READ_BUFFER {
            direction.splice.enable();
        }
        to.forward(reactor, data);
        if !direction.has_room(&to) {
            self.hold_for_relay(direction, &to);
        }
    }

    /// Sends data from the other end. What the socket does not accept is queued, without regard to watermarks.
    fn forward(&self, reactor: &Reactor, data: &[u8]) {
        let stream = self.inner();
        let result = self.write_now(reactor, |socket| socket.write_vectored(&[IoSlice::new(data)]));
        let is_refused = matches!(result, DirectWrite::Refused);
        let sent = match result {
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
        stream.queue_unbounded(&data[sent..]);
        if is_refused && stream.state.get().is_made() {
            self.send(reactor);
        }
    }

    /// Takes the protocol's unread input, which is sent first, and wakes the other end until that is sent. Returns `true` if the
    /// protocol was called.
    pub(super) fn begin_relay(&self) -> bool {
        let Some(relay) = self.inner().relay() else { return false };
        let was_taken = relay.outgoing.unread_taken.replace(true);
        if !was_taken {
            let unread = self.take_unread();
            relay.outgoing.unread.set(unread);
        }
        if (!was_taken || relay.outgoing.has_unread())
            && let Some(to) = relay.other.upgrade()
        {
            relay.outgoing.wake_and_flush(&to);
        }
        !was_taken
    }

    /// Blocks input until the other end has sent its queue.
    fn hold_for_relay(&self, direction: &RelayDirection, to: &Self) {
        self.inner().hold(Hold::Relay);
        direction.wake_and_flush(to.inner());
    }

    /// The input has ended: ends the output of the other end.
    pub(super) fn relay_input_ended(&self) {
        let Some(relay) = self.inner().relay() else { return };
        relay.outgoing.input_ended.set(true);
        if let Some(to) = relay.other.upgrade() {
            to.close_write();
            relay.outgoing.wake_and_flush(&to);
        }
    }

    /// Records whether the connection ended cleanly.
    pub(super) fn record_end(&self, is_clean: bool) {
        if let Some(relay) = self.inner().relay() {
            relay.is_clean.set(is_clean);
        }
    }

    /// The connection is over: ends the other one, too.
    pub(super) fn end_relay(&self) {
        let Some(relay) = self.inner().relay() else { return };
        relay.incoming.splice.discard();
        relay.outgoing.input_ended.set(true);
        if let Some(other) = relay.other.upgrade().map(Transport) {
            relay.outgoing.wake_and_flush(other.inner());
            if relay.is_clean.get() {
                other.lose_connection();
            } else {
                other.inner().reset_when_sent();
            }
        }
        if relay.outcome.is_one_end_lost.replace(true)
            && let Some(promise) = relay.outcome.promise.take()
        {
            let RelayOutcome { outgoing, incoming, .. } = &*relay.outcome;
            promise.resolve(RelayedBytes {
                to_other: outgoing.bytes.get(),
                from_other: incoming.bytes.get(),
            });
        }
    }
}

impl Stream {
    fn relay(&self) -> Option<Rc<RelayEnd>> {
        self.cold_if_any()?.relay.get().cloned()
    }

    pub(crate) fn is_relayed(&self) -> bool {
        self.state.get().is_relayed()
    }

    /// The other end of its relay, if that still exists.
    pub(super) fn relayed_to(&self) -> Option<Rc<Self>> {
        self.relay()?.other.upgrade()
    }

    /// The other end of its relay was reset. Data received from there is sent and acknowledged first; then this end is reset,
    /// too.
    fn reset_when_sent(&self) {
        if self.state.get().has_output_failed() {
            self.disconnect(ConnectionLost::Reset);
        } else if self.update(State::close_with_reset) {
            self.cold().set_reason(ConnectionLost::Aborted);
            self.ask_flush();
        }
    }

    /// Whether both belong to the same reactor.
    pub(crate) fn shares_reactor_with(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.shared.buffers, &other.shared.buffers)
    }

    /// See [`Transport::relayed`].
    pub(crate) fn relayed(&self) -> Option<RelayedBytes> {
        let relay = self.relay()?;
        let (to_other, from_other) = (relay.outgoing.bytes.get(), relay.incoming.bytes.get());
        Some(RelayedBytes { to_other, from_other })
    }

    /// The output is to end: no more will come from the other end.
    pub(super) fn wake_relay_sink(&self) {
        if let Some(relay) = self.relay() {
            relay.incoming.wake(self);
        }
    }

    /// Nothing can be sent here any more: later input of the other end is discarded.
    pub(super) fn discard_relay_input(&self) {
        let Some(relay) = self.relay() else { return };
        relay.incoming.splice.discard();
        relay.incoming.output_ended.set(true);
        if let (Some(from), Some(reactor)) = (relay.incoming.from.upgrade(), self.reactor())
            && from.release(Hold::Relay)
        {
            Transport(from).reschedule(&reactor);
        }
    }

    /// Queues data that is bounded by other means than watermarks.
    pub(super) fn queue_unbounded(&self, data: &[u8]) {
        if !self.state.get().can_send() {
            return;
        }
        let mut queue = self.queue.take().unwrap_or_else(|| self.shared.buffers.take_queue());
        queue.push_slice(data);
        store_queue(&self.queue, queue);
    }
}

impl RelayDirection {
    fn new(reactor: &Reactor, from: &Transport) -> Rc<Self> {
        Rc::new(Self {
            from: Rc::downgrade(&from.0),
            bytes: Cell::new(0),
            is_active: Cell::new(false),
            unread_taken: Cell::new(false),
            unread: Cell::default(),
            input_ended: Cell::new(false),
            output_ended: Cell::new(false),
            splice: SplicePipe::new(reactor),
        })
    }

    fn count(&self, len: usize) {
        self.bytes.set(self.bytes.get() + len as u64);
    }

    /// Whether the receiving end has no data of this direction left to send.
    fn has_room(&self, to: &Transport) -> bool {
        self.is_active.get()
            && self.splice.is_empty()
            && to.inner().queue_content() != QueueContent::Bytes
            && !to.inner().state.get().is_over()
    }

    fn has_unread(&self) -> bool {
        let unread = self.unread.take();
        let has_unread = !unread.is_empty();
        self.unread.set(unread);
        has_unread
    }

    /// Sends the unread input of the protocol where it begins. Returns `false` if that has to wait.
    fn send_unread(&self, reactor: &Reactor, to: &Transport) -> bool {
        let from = self.from.upgrade().filter(|from| !from.state.get().is_over());
        if let Some(from) = from
            && (!self.unread_taken.get() || from.state.get().is_paused() && self.has_unread())
        {
            return false;
        }
        let unread = self.unread.take();
        if !unread.is_empty() {
            self.count(unread.len());
            to.forward(reactor, &unread);
        }
        true
    }

    /// Lets the sink run again. While it is not the first producer, the waiting one is another, which must not be resumed.
    fn wake(&self, to: &Stream) {
        if self.is_active.get() {
            to.resume_producing();
        }
    }

    /// Lets the sink run again and flushes its stream.
    fn wake_and_flush(&self, to: &Stream) {
        self.wake(to);
        to.ask_flush();
    }
}

/// The receiving end of a [`RelayDirection`], as a producer of that stream.
struct RelaySink(Rc<RelayDirection>);

impl Feed for RelaySink {
    fn feed(&mut self, reactor: &Reactor, to: &Transport) -> FeedStatus {
        let direction = &self.0;
        direction.is_active.set(true);
        if !direction.send_unread(reactor, to) {
            return FeedStatus::Waiting;
        }
        if !direction.splice.drain(reactor, to) {
            return FeedStatus::Full;
        }
        let state = to.inner().state.get();
        if to.inner().queue_content() == QueueContent::Bytes {
            return if state.is_writable() { FeedStatus::Sent } else { FeedStatus::Full };
        }
        let is_over = direction.input_ended.get() || !state.is_output_open();
        direction.output_ended.set(is_over);
        if let Some(from) = direction.from.upgrade()
            && from.release(Hold::Relay)
        {
            Transport(from).reschedule(reactor);
        }
        if is_over { FeedStatus::Done } else { FeedStatus::Waiting }
    }
}
