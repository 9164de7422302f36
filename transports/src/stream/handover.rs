//! A connection that is given on: to a relay, or to another protocol. What its protocol was given of the input and has not used is
//! handed back ([`Protocol::take_unread`]) and goes there first. Asking only takes a note; the loop asks the protocol, in the
//! stream's own round of output, since it is user code.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use sinew_reactor::Reactor;

use super::{Stream, hold::Hold, state::State};
use crate::{
    Connection, ConnectionLost, NotHandedOver, Protocol, SetProtocolError, Transport, UnreadInput,
    dyn_protocol::{DynProtocol, boxed},
};

/// What a stream knows of being given on; few ever are.
#[derive(Default)]
pub(super) struct Handover {
    /// The protocol that is to take over.
    successor: Cell<Option<DynProtocol>>,
    /// What was handed back, and has not been passed on yet.
    unread: Cell<Bytes>,
    /// The end of the input was told to the protocol before: the one that took over is told, too.
    owes_end: Cell<bool>,
}

impl Transport {
    /// Gives the connection to another protocol, as after the `Upgrade` of HTTP or the request of a proxy's client. From this moment
    /// on the old one is given no more input. The loop then takes over, in this order:
    ///
    /// 1. The old protocol hands back what it was given and has not used ([`Protocol::take_unread`]).
    /// 2. It is told [`connection_lost`](Protocol::connection_lost) with [`ConnectionLost::HandedOver`], and dropped. What it
    ///    writes there still goes out. Its timers are cancelled.
    /// 3. The new protocol is told [`connection_made`](Protocol::connection_made), and then, by
    ///    [`data_received`](Protocol::data_received), what was handed back. If the input has ended, it is told that as well.
    ///
    /// All else belongs to the connection and stays: what is queued, producers, the idle timeout, a pause of reading, TLS. A wrapper
    /// around the old protocol, such as a rate limit, goes with it; wrap the new one as well if it is to have one. If the connection is
    /// lost before the loop comes by, the new protocol is told that it was made, and lost.
    ///
    /// # Errors
    ///
    /// [`SetProtocolError`] hands the protocol back: the connection is closing or over, relayed, or on its way to another protocol
    /// already. Then nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// /// Answers with what it receives.
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// /// Waits for one byte, and has all that follows echoed.
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

    /// Gives the connection on, if that was asked for; then a protocol may have written something.
    #[inline(always)]
    pub(super) fn give_on(&self, reactor: &Reactor) -> bool {
        // Who is to be given on is held.
        self.inner().holds_if_any().is_some() && self.give_on_if_due(reactor)
    }

    #[inline(never)]
    fn give_on_if_due(&self, reactor: &Reactor) -> bool {
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
            self.tell(|protocol, transport| protocol.connection_made(transport));
            self.pass_unread();
            if stream.has_successor() {
                // It has been given on at once. Others have their turn in between.
                self.reschedule(reactor);
            }
        }
        self.begin_relay() || is_replaced
    }

    /// A connection that is lost on its way to another protocol: that one has a whole life, too.
    pub(super) fn succeed_in_the_end(&self, reactor: &Reactor) {
        if let Some(successor) = self.inner().take_successor() {
            self.replace_protocol(reactor, successor);
            self.tell(|protocol, transport| protocol.connection_made(transport));
        }
    }

    /// Puts the successor in the place of the protocol, whose life ends; and what that hands back. A panic of the old one is
    /// the connection's.
    fn replace_protocol(&self, reactor: &Reactor, successor: DynProtocol) -> Bytes {
        let stream = self.inner();
        let old = stream.protocol.replace(Some(successor));
        let Some(mut old) = old else { return Bytes::new() };
        let name = old.real_name();
        let what = || format!("{name} with {}", self.peer());
        let unread = reactor.guard(what, || old.take_unread(self));
        let reason = match &unread {
            Ok(_) => ConnectionLost::HandedOver,
            Err(panic) => ConnectionLost::Panicked(panic.message.clone()),
        };
        let told = reactor.guard(what, || {
            old.connection_lost(self, &reason);
            drop(old);
        });
        if let Some(cold) = stream.cold_if_any() {
            for key in cold.timers.take() {
                reactor.disarm_timer(key);
            }
        }
        let (unread, panic) = match unread {
            Ok(unread) => (unread, told.err()),
            Err(panic) => (Bytes::new(), Some(panic)),
        };
        if let Some(panic) = panic {
            self.panicked(reactor, &panic.message);
        }
        unread
    }

    /// Has the protocol hand back what it has not used. What a protocol before it had handed back goes in front.
    pub(super) fn take_unread(&self) -> Bytes {
        let mut unread = Bytes::new();
        self.tell(|protocol, transport| unread = protocol.take_unread(transport));
        self.keep_unread(unread);
        self.inner().handover().map(|handover| handover.unread.take()).unwrap_or_default()
    }

    /// Keeps what was handed back, behind what is kept already. What came in the clear must not be taken for what comes over TLS.
    fn keep_unread(&self, more: Bytes) {
        if more.is_empty() {
            return;
        }
        let stream = self.inner();
        if stream.is_handshaking() {
            return self.fail(UnreadInput { bytes: more.len() });
        }
        let unread = &stream.holds().handover.unread;
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

    /// Gives the new protocol what the old one has handed back, unless it is to wait: then it comes before all other input.
    pub(super) fn pass_unread(&self) {
        let stream = self.inner();
        let Some(handover) = stream.handover().filter(|_| !stream.is_relayed()) else { return };
        if stream.is_reading() {
            let unread = handover.unread.take();
            if !unread.is_empty() {
                self.tell(|protocol, transport| protocol.data_received(transport, &unread));
            }
        }
        if stream.is_reading() && handover.owes_end.take() {
            self.tell(|protocol, transport| protocol.read_closed(transport));
        }
    }
}

impl Stream {
    fn handover(&self) -> Option<&Handover> {
        self.holds_if_any().map(|holds| &holds.handover)
    }

    fn has_successor(&self) -> bool {
        let Some(handover) = self.handover() else { return false };
        let successor = handover.successor.take();
        let has_one = successor.is_some();
        handover.successor.set(successor);
        has_one
    }

    fn take_successor(&self) -> Option<DynProtocol> {
        let handover = self.handover()?;
        let successor = handover.successor.take()?;
        handover.owes_end.set(self.state.get().has_ended());
        Some(successor)
    }

    /// Whether input that came before is on its way to another protocol.
    #[cfg(feature = "tls")]
    pub(crate) fn is_handing_over(&self) -> bool {
        let Some(handover) = self.handover() else { return false };
        let unread = handover.unread.take();
        let is_unread = !unread.is_empty();
        handover.unread.set(unread);
        is_unread || self.has_successor()
    }
}

impl Handover {
    /// Lets go of what nobody will take any more.
    pub(super) fn end(&self) {
        self.unread.take();
    }
}
