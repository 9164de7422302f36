//! Connections that need no time: to a name in memory, to a program, to standard input and output, to what was
//! connected by somebody else.

use std::cell::RefCell;

use sinew_reactor::{Reactor, Ready, Token};

use crate::{
    ConnectConfig, ConnectError, Connecting, Factory, Peer,
    stream::{Shared, StreamBuilder, socket::Socket},
};

/// What a connection is made of, and who is at its other end.
pub(crate) type Dialled = Result<(Socket, Token, Peer), ConnectError>;

/// Connects to what `dial` brings, now that the loop has come to it.
pub(crate) fn at_once<F: Factory>(
    reactor: &Reactor,
    config: ConnectConfig,
    factory: F,
    dial: impl FnOnce(&Reactor) -> Dialled + 'static,
) -> Connecting<F::Protocol> {
    let (promise, deferred) = reactor.promise();
    let factory = RefCell::new(factory);
    reactor.call_soon(move |reactor| {
        if !promise.is_pending() {
            return;
        }
        let (socket, token, peer) = match dial(reactor) {
            Ok(dialled) => dialled,
            Err(error) => return promise.reject(error),
        };
        let first = config.first_bytes(socket.local_addr(), &peer);
        let shared = Shared::new(reactor, config.stream, None);
        let builder = StreamBuilder { reactor, socket, token, peer: peer.clone(), shared };
        let connection = builder.start_after(&first, &factory, Ready::NONE);
        if let Some(connection) = connection.as_ref().filter(|_| !promise.is_pending()) {
            // Cancelled by its own factory or protocol: nobody will ever have it.
            connection.transport().abort();
        }
        let made = connection.map(|connection| connection.transport().clone());
        promise.settle(made.ok_or(ConnectError::NoProtocol(peer)));
    });
    Connecting::new(deferred)
}
