//! Open connections that go over to another process. Leaving is a move (`moving.rs`) whose end is a closure
//! that sends the socket away; the other process begins a new stream with it, and a protocol that is built from the state of the
//! old one.

use std::rc::Rc;

use bytes::Bytes;
use sinew_reactor::{Handler, Reactor, Token};

use super::{
    StreamBuilder,
    handed::HandedConnection,
    hold::Hold,
    pending_handover::{Move, SendAway},
    state::State,
};
use crate::{Peer, Transport, dyn_protocol::DynProtocol};

/// The longest state of a connection, in bytes. With a longer one it stays.
const SAVED_STATE_MAX: usize = 64 << 10;

/// Asks the connections of a port to go over to another process, if they can.
pub(crate) struct LeaveOrder {
    pub(crate) port: Token,
    pub(crate) send: SendAway,
}

/// What a protocol says when its connection is about to leave.
pub(super) enum Departure {
    Goes(Vec<u8>),
    Stays,
}

impl Transport {
    /// The port asks: the connection leaves if it is of a kind that can, and its protocol can say its state now.
    pub(super) fn asked_to_leave(&self, reactor: &Reactor, order: &LeaveOrder) {
        let stream = self.inner();
        // A client behind a proxy is known only to this process.
        let is_known = !matches!(self.peer(), Peer::Proxied(_));
        let state = stream.state.get();
        if !stream.is_of_port(order.port)
            || !state.is_made()
            || !is_known
            || stream.may_move().is_err()
            || matches!(self.state_at_departure(reactor), Departure::Stays)
        {
            return;
        }
        stream.holds().handover.moving.set(Some(Box::new(Move::Away(Rc::clone(&order.send)))));
        stream.hold(Hold::Handover);
        if stream.update(State::ask_flush) {
            reactor.flush_later(stream.token);
        }
    }

    /// Asks the protocol. A panic in it ends the connection, which stays until then.
    pub(super) fn state_at_departure(&self, reactor: &Reactor) -> Departure {
        let mut state = None;
        let what = || self.inner().describe();
        let asked = reactor.guard(what, || {
            self.call_protocol(|protocol, _| state = protocol.saved_state());
        });
        if let Err(panic) = asked {
            self.panicked(reactor, &panic.message);
        }
        match state {
            Some(state) if state.len() > SAVED_STATE_MAX => {
                let bytes = state.len();
                tracing::debug!(peer = %self.peer(), bytes, "a connection stays: its state is too long");
                Departure::Stays
            }
            Some(state) if !self.inner().state.get().is_over() => Departure::Goes(state),
            _ => Departure::Stays,
        }
    }

    /// The stream is over here, and its socket goes on elsewhere.
    pub(super) fn send_away(&self, reactor: &Reactor, send: &SendAway, gone: HandedConnection) {
        let what = || "the closure that sends a connection to another process".to_owned();
        let _ = reactor.guard(what, || send(reactor, gone));
    }
}

impl StreamBuilder<'_> {
    /// Begins a connection that has come from another process. Its input is to [begin](Transport::begin_handed) later, when all
    /// that came with it have begun. `None`, with the socket closed, if no protocol could be built.
    pub(crate) fn start_handed(
        self,
        unread: Bytes,
        build: impl FnOnce(&Peer) -> Option<DynProtocol>,
    ) -> Option<Transport> {
        let (reactor, token, peer) = (self.reactor, self.token, self.peer.clone());
        let what = || format!("the function that rebuilds a connection with {peer}");
        let Ok(Some(protocol)) = reactor.guard(what, || build(&peer)) else {
            reactor.deregister(token, true);
            return None;
        };
        let transport = self.adopt(Some(protocol));
        let what = || transport.inner().describe();
        if let Err(panic) = reactor.guard(what, || transport.make_moved(reactor, unread)) {
            transport.panicked(reactor, &panic.message);
        }
        Some(transport)
    }
}

impl Transport {
    /// Delivers the input of a connection that has come from another process.
    pub(crate) fn begin_handed(&self, reactor: &Reactor) {
        if self.inner().state.get().is_over() {
            return;
        }
        let what = || self.inner().describe();
        if let Err(panic) = reactor.guard(what, || self.begin_input(reactor)) {
            self.panicked(reactor, &panic.message);
        }
    }
}
