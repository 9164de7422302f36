//! Endpoints on descriptors that were inherited: `fd:N`, for servers and clients.

use std::{fmt, io, os::fd::RawFd};

use sinew_reactor::{Reactor, inherited};

use super::{Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint};
use crate::{
    Address, ConnectConfig, ConnectError, Connecting, DynFactory, DynProtocol, ListenConfig,
    ListenError, ListeningPort, ReactorAdopt, adopt,
};

/// A socket that this process was started with, TCP or Unix, by its number: `fd:3`. For servers it is one that listens, for clients
/// one that is connected already, and should be connected to once. It is duplicated, and so stays open for whoever else has it: to
/// stop listening is to stop accepting. What else is to be known of such sockets, [`ReactorAdopt`] says.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    fd: RawFd,
}

impl Descriptor {
    /// The descriptor of that number.
    #[must_use]
    pub const fn new(fd: RawFd) -> Self {
        Self { fd }
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    descriptor(arguments).map(ServerEndpoint::new)
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    descriptor(arguments).map(ClientEndpoint::new)
}

fn descriptor(arguments: &mut Arguments) -> Result<Descriptor, EndpointError> {
    let value = arguments.require("fd")?;
    let fd: u16 = value.parse("number of a descriptor")?;
    Ok(Descriptor::new(fd.into()))
}

/// Listens on a descriptor; `at` says where that comes from.
pub(super) fn listen(
    reactor: &Reactor,
    fd: RawFd,
    at: &dyn fmt::Display,
    config: ListenConfig,
    factory: DynFactory,
) -> Result<ListeningPort<Address>, ListenError> {
    match inherited(fd) {
        Ok(socket) => reactor
            .adopt_port(socket, config, factory)
            .map_err(|error| ListenError::Other { at: at.to_string(), source: error.into() }),
        Err(error) => Err(refused(reactor, at, error, factory)),
    }
}

/// The error of a place, with the factory let go by the loop.
pub(super) fn refused(
    reactor: &Reactor,
    at: &dyn fmt::Display,
    source: io::Error,
    factory: DynFactory,
) -> ListenError {
    reactor.defer_drop(factory);
    ListenError::Other { at: at.to_string(), source }
}

impl Listen for Descriptor {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        listen(reactor, self.fd, self, config, factory)
    }
}

impl Connect for Descriptor {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        match inherited(self.fd) {
            Ok(socket) => adopt::connect(reactor, socket, self, config, factory),
            Err(source) => {
                reactor.defer_drop(factory);
                Connecting::failed(reactor, ConnectError::Other { to: self.to_string(), source })
            }
        }
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd:{}", self.fd)
    }
}
