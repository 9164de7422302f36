//! In-memory endpoints: `memory:NAME`, for servers and clients.

use std::fmt;

use sinew_reactor::Reactor;

use super::{Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint, quote};
use crate::{
    Address, ConnectConfig, Connecting, DynFactory, DynProtocol, ListenConfig, ListenError,
    ListeningPort, memory,
};

/// An in-memory port, by name: parts of one process talk to each other as if over a network, without the kernel. Each reactor has
/// its own names.
#[derive(Clone, Debug)]
pub struct Memory {
    name: String,
}

impl Memory {
    /// The port of that name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    Ok(ServerEndpoint::new(Memory::new(arguments.require("name")?.as_str())))
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    Ok(ClientEndpoint::new(Memory::new(arguments.require("name")?.as_str())))
}

impl Listen for Memory {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        memory::port::listen(reactor, &self.name, config, factory)
    }
}

impl Connect for Memory {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        memory::port::connect(reactor, &self.name, config, factory)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory:{}", quote(&self.name))
    }
}
