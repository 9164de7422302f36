//! Standard input and output as a listening port with one connection, and as a destination to connect to.

use std::{cell::Cell, io, net::SocketAddr};

use sinew_reactor::{Reactor, Token};

use super::{Descriptors, PipeError, registered, standard_streams};
use crate::{
    Address, ConnectConfig, Connecting, Factory, ListenConfig, ListenError, ListeningPort, Peer,
    immediate_connect,
    net::{ByteStream, NetListener, listener::Listener},
    tcp,
};

/// Listens on standard input and output: the only connection is accepted at once.
pub(crate) fn listen<F: Factory>(
    reactor: &Reactor,
    config: ListenConfig,
    factory: F,
) -> Result<ListeningPort<Address>, ListenError> {
    let streams = match standard_streams(reactor) {
        Ok(streams) => streams,
        Err(error) => {
            reactor.defer_drop(factory);
            return Err(error.into());
        }
    };
    let listener = Listener::Other(Box::new(StandardListener(Cell::new(Some(streams)))));
    tcp::open(reactor, listener, Address::Stdio, config, None, factory)
        .map_err(|error| PipeError::from(error).into())
}

pub(crate) fn connect<F: Factory>(
    reactor: &Reactor,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    immediate_connect::connect_now(reactor, config, factory, |reactor| {
        let (socket, token) = registered(reactor, standard_streams(reactor)?)?;
        Ok((socket, token, Peer::Stdio))
    })
}

/// Yields one connection.
struct StandardListener(Cell<Option<Descriptors>>);

impl StandardListener {
    fn is_pending(&self) -> bool {
        let streams = self.0.take();
        let is_pending = streams.is_some();
        self.0.set(streams);
        is_pending
    }
}

impl NetListener for StandardListener {
    fn register(&self, _: Token) {}

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)> {
        match self.0.take() {
            Some(streams) => Ok((Box::new(streams), Peer::Stdio)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn is_ready(&self) -> bool {
        self.is_pending()
    }

    fn is_over(&self) -> bool {
        !self.is_pending()
    }
}
