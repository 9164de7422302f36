//! The accept loop's part in connections that come from another process: they are begun in the order in which they came, all
//! before the input of any.

use std::{io, rc::Rc};

use sinew_reactor::Reactor;

use super::{Acceptor, PortCore};
use crate::{
    Factory, HandedPort, Peer, Transport,
    dyn_protocol::DynProtocol,
    net::listener::Listener,
    stream::{StreamBuilder, handed::HandedConnection},
};

/// Makes a protocol of the state that another process has saved.
pub(crate) type Rebuild = Rc<dyn Fn(&[u8], &Peer) -> Option<DynProtocol>>;

/// A connection that waits for the port's next turn.
pub(super) struct Incoming {
    connection: HandedConnection,
    rebuild: Rebuild,
}

impl PortCore {
    /// Has the loop begin these connections. A closed port closes them.
    pub(crate) fn take_over(
        &self,
        reactor: &Reactor,
        connections: Vec<HandedConnection>,
        rebuild: &Rebuild,
    ) {
        if self.closed.get() {
            return;
        }
        let incoming = connections
            .into_iter()
            .map(|connection| Incoming { connection, rebuild: rebuild.clone() });
        self.incoming.borrow_mut().extend(incoming);
        self.reschedule(reactor);
    }

    pub(crate) fn to_hand_over(&self) -> io::Result<Option<HandedPort>> {
        self.listener.borrow().as_ref().map_or(Ok(None), Listener::to_hand_over)
    }

    pub(crate) fn leave_file(&self, leave: bool) {
        if let Some(listener) = &*self.listener.borrow() {
            listener.leave_file(leave);
        }
    }

    fn has_incoming(&self) -> bool {
        !self.incoming.borrow().is_empty()
    }
}

impl<F: Factory> Acceptor<F> {
    /// Limits do not apply: these connections were accepted before. They count from now on.
    pub(super) fn begin_incoming(&self, reactor: &Reactor) {
        if !self.core.has_incoming() {
            return;
        }
        let incoming = self.core.incoming.take();
        let begun: Vec<_> =
            incoming.into_iter().filter_map(|one| self.begin_one(reactor, one)).collect();
        for transport in begun {
            transport.begin_handed(reactor);
        }
    }

    fn begin_one(&self, reactor: &Reactor, incoming: Incoming) -> Option<Transport> {
        let Incoming { connection, rebuild } = incoming;
        if self.core.closed.get() {
            return None;
        }
        let Some((mut socket, peer, state, unread)) = connection.into_socket() else {
            tracing::debug!(port = %self.core.addr, "a connection from another process has ended on its way");
            return None;
        };
        if let Err(error) = socket.set_options(&self.core.config.stream) {
            tracing::debug!(%peer, %error, "could not set the options of a socket from another process");
        }
        let token = match socket.watch(reactor) {
            Ok(token) => token,
            Err(error) => {
                let what = "could not register a connection from another process; it is closed";
                self.core.log_once(&error.into(), what);
                return None;
            }
        };
        let builder = StreamBuilder { reactor, socket, token, peer, shared: self.shared.clone() };
        builder.start_handed(unread, |peer| rebuild(&state, peer))
    }
}
