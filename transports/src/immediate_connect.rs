//! Connections that are made without waiting: to a name in memory, to a program, to standard input and output, or on a socket
//! that is connected already.

use std::cell::RefCell;

use sinew_reactor::{Reactor, Ready, Token};

use crate::{
    ConnectConfig, ConnectError, Connecting, Factory, Peer,
    connection::UnclaimedConnection,
    stream::{Shared, StreamBuilder, socket::Socket},
};

/// A connected socket, its token and its peer.
pub(crate) type DialResult = Result<(Socket, Token, Peer), ConnectError>;

/// Connects by calling `dial` from the event loop.
pub(crate) fn connect_now<F: Factory>(
    reactor: &Reactor,
    config: ConnectConfig,
    factory: F,
    dial: impl FnOnce(&Reactor) -> DialResult + 'static,
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
            // The attempt was cancelled by its own factory or protocol, so nobody will receive the connection.
            connection.transport().abort();
        }
        let made =
            connection.map(|connection| UnclaimedConnection::new(connection.transport().clone()));
        promise.settle(made.ok_or(ConnectError::NoProtocol(peer)));
    });
    Connecting::new(deferred)
}
