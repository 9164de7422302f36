//! Handover of a connection to another protocol or to a relay. Input that the old protocol received but did not use is returned
//! by [`Protocol::take_unread`] and delivered first. The request only sets a flag; the event loop calls the protocol in the
//! stream's next round of output, because `take_unread` is user code.

mod error;

pub use error::{NotHandedOver, SetProtocolError, UnreadInput};

use bytes::{Bytes, BytesMut};
use sinew_reactor::Reactor;

use super::{Stream, hold::Hold, span::in_span, state::State};
use crate::{
    Connection, ConnectionLost, Protocol, Transport,
    dyn_protocol::{DynProtocol, boxed},
};

impl Transport {
    /// Replaces the protocol of this connection, as after the HTTP `Upgrade` or a proxy request. From now on the old protocol
    /// receives no more input. The event loop then performs these steps:
    ///
    /// 1. The old protocol returns the input that it received and did not use ([`Protocol::take_unread`]).
    /// 2. Its [`connection_lost`](Protocol::connection_lost) is called with [`ConnectionLost::HandedOver`], and it is dropped.
    ///    What it writes there is still sent. Its timers are cancelled.
    /// 3. [`connection_made`](Protocol::connection_made) of the new protocol is called, then
    ///    [`data_received`](Protocol::data_received) with the unread input, then, if the input has ended,
    ///    [`read_closed`](Protocol::read_closed).
    ///
    /// Everything else belongs to the connection and stays: queued output, producers, the idle timeout, a pause of reading, TLS.
    /// A wrapper around the old protocol, such as a rate limit, is dropped with it; wrap the new protocol if it needs one. If the
    /// connection is lost before the handover, the new protocol still receives `connection_made` and `connection_lost`.
    ///
    /// # Errors
    ///
    /// [`SetProtocolError`] returns the protocol: the connection is closing, over, relayed, or has a handover pending. Then
    /// nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// /// Sends back what it receives.
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// /// Waits for one byte and has all later input echoed.
    /// #[derive(Default)]
    /// struct Knock {
    ///     rest: Vec<u8>,
    /// }
    ///
    /// impl Protocol for Knock {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         self.rest = data[1..].to_vec();
    ///         if let Err(error) = transport.set_protocol(Echo) {
    ///             transport.fail(error.reason);
    ///         }
    ///     }
    ///
    ///     fn take_unread(&mut self, _: &Transport) -> bytes::Bytes {
    ///         std::mem::take(&mut self.rest).into()
    ///     }
    /// }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use sinew_transports::{memory, reactor::Reactor, StreamConfig};
    /// # let reactor = Reactor::simulated(0);
    /// # let (_, wire) = memory::connect(&reactor, StreamConfig::default(), Knock::default())?;
    /// # wire.receive(b"!hello");
    /// # reactor.advance(std::time::Duration::ZERO)?;
    /// # assert_eq!(wire.sent(), b"hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_protocol<P: Protocol>(
        &self,
        protocol: P,
    ) -> Result<Connection<P>, SetProtocolError<P>> {
        let stream = self.inner();
        let reason = match () {
            () if !stream.is_open() => NotHandedOver::Closed,
            () if stream.is_relayed() => NotHandedOver::Relayed,
            () if stream.has_successor() => NotHandedOver::Pending,
            () => {
                stream.holds().handover.successor.set(Some(boxed(protocol)));
                stream.hold(Hold::Handover);
                stream.ask_flush();
                return Ok(Connection::new(self.clone()));
            }
        };
        Err(SetProtocolError { protocol, reason })
    }

    /// Performs a requested handover. Returns `true` if a protocol was called, which may have written something.
    #[inline(always)]
    pub(super) fn hand_over(&self, reactor: &Reactor) -> bool {
        // A pending handover is a hold.
        self.inner().has_holds() && self.hand_over_if_requested(reactor)
    }

    #[inline(never)]
    fn hand_over_if_requested(&self, reactor: &Reactor) -> bool {
        let stream = self.inner();
        if !stream.state.get().is_made() {
            return false;
        }
        let successor = stream.take_successor();
        let is_replaced = successor.is_some();
        if let Some(successor) = successor {
            let unread = self.replace_protocol(reactor, successor);
            self.keep_unread(unread);
            stream.release(Hold::Handover);
            stream.update(State::handed_over);
            self.call_protocol(|protocol, transport| protocol.connection_made(transport));
            self.deliver_unread();
            if stream.has_successor() {
                // `connection_made` requested another handover. It is done next turn, so that others are not starved.
                self.reschedule(reactor);
            }
        }
        self.begin_relay() || is_replaced
    }

    /// Performs a pending handover on a lost connection, so that the new protocol receives `connection_made` and
    /// `connection_lost`.
    pub(super) fn hand_over_lost(&self, reactor: &Reactor) {
        if let Some(successor) = self.inner().take_successor() {
            self.replace_protocol(reactor, successor);
            self.call_protocol(|protocol, transport| protocol.connection_made(transport));
        }
    }

    /// Replaces the protocol, calls the old one's `connection_lost`, and returns its unread input. A panic of the old protocol
    /// ends the connection.
    fn replace_protocol(&self, reactor: &Reactor, successor: DynProtocol) -> Bytes {
        let stream = self.inner();
        let successor = in_span(successor, stream.token, || self.peer());
        let old = stream.protocol.replace(Some(successor));
        let Some(mut old) = old else { return Bytes::new() };
        let name = old.real_name();
        let what = || format!("{name} with {}", self.peer());
        let unread = reactor.guard(what, || old.take_unread(self));
        let reason = match &unread {
            Ok(_) => ConnectionLost::HandedOver,
            Err(panic) => ConnectionLost::Panicked(panic.message.clone()),
        };
        let result = reactor.guard(what, || {
            old.connection_lost(self, &reason);
            drop(old);
        });
        if let Some(cold) = stream.cold_if_any() {
            for key in cold.timers.take() {
                reactor.disarm_timer(key);
            }
        }
        let (unread, panic) = match unread {
            Ok(unread) => (unread, result.err()),
            Err(panic) => (Bytes::new(), Some(panic)),
        };
        if let Some(panic) = panic {
            self.panicked(reactor, &panic.message);
        }
        unread
    }

    /// Takes the protocol's unread input. Unread input of an earlier protocol goes first.
    pub(super) fn take_unread(&self) -> Bytes {
        let mut unread = Bytes::new();
        self.call_protocol(|protocol, transport| unread = protocol.take_unread(transport));
        self.keep_unread(unread);
        self.inner().holds_if_any().map(|holds| holds.handover.unread.take()).unwrap_or_default()
    }

    /// Stores unread input after what is stored already. Plaintext must not be taken for data received over TLS.
    fn keep_unread(&self, more: Bytes) {
        if more.is_empty() {
            return;
        }
        let stream = self.inner();
        if stream.is_handshaking() {
            return self.fail(UnreadInput { bytes: more.len() });
        }
        let holds = stream.holds();
        let unread = &holds.handover.unread;
        let kept = unread.take();
        unread.set(match kept.is_empty() {
            true => more,
            false => {
                let mut both = BytesMut::from(kept);
                both.extend_from_slice(&more);
                both.freeze()
            }
        });
    }

    /// Delivers the unread input to the new protocol before all other input, unless reading is paused.
    pub(super) fn deliver_unread(&self) {
        let stream = self.inner();
        let Some(holds) = stream.holds_if_any().filter(|_| !stream.is_relayed()) else { return };
        let handover = &holds.handover;
        if stream.is_reading() {
            let unread = handover.unread.take();
            if !unread.is_empty() {
                self.call_protocol(|protocol, transport| {
                    protocol.data_received(transport, &unread)
                });
            }
        }
        if stream.is_reading() && handover.eof_pending.take() {
            self.call_protocol(|protocol, transport| protocol.read_closed(transport));
        }
    }
}

impl Stream {
    /// Whether a handover to another protocol, or a move to another reactor, is pending.
    pub(super) fn has_successor(&self) -> bool {
        self.holds_if_any().is_some_and(|holds| holds.handover.is_pending())
    }

    fn take_successor(&self) -> Option<DynProtocol> {
        let holds = self.holds_if_any()?;
        let successor = holds.handover.successor.take()?;
        holds.handover.eof_pending.set(self.state.get().has_input_ended());
        Some(successor)
    }

    /// Whether a handover is pending, or its unread input is not delivered yet.
    #[cfg(feature = "tls")]
    pub(crate) fn is_handing_over(&self) -> bool {
        let holds = self.holds_if_any();
        holds.is_some_and(|holds| holds.handover.is_unread() || holds.handover.is_pending())
    }
}
