//! Endpoints on standard input and output: `stdio:`, for servers and clients.

use std::fmt;

use sinew_reactor::Reactor;

use super::{Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint};
use crate::{
    Address, ConnectConfig, Connecting, DynFactory, DynProtocol, ListenConfig, ListenError,
    ListeningPort, pipe::port,
};

/// Standard input and output, [borrowed](crate::ReactorPipes::stdio), as connected by inetd, ssh or a shell. A port on them has
/// one connection, which exists from the start, and closes when that ends
/// ([`when_closed`](crate::ListeningPort::when_closed)). The program must not print to standard output meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Stdio;

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    arguments.skip_empty();
    Ok(ServerEndpoint::new(Stdio))
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    arguments.skip_empty();
    Ok(ClientEndpoint::new(Stdio))
}

impl Listen for Stdio {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        port::listen(reactor, config, factory)
    }
}

impl Connect for Stdio {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        port::connect(reactor, config, factory)
    }
}

impl fmt::Display for Stdio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Address::Stdio.fmt(f)
    }
}
