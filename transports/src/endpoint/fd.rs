//! Endpoints on inherited file descriptors: `fd:N`, for servers and clients.

use std::{fmt, io, os::fd::RawFd};

use sinew_reactor::{Reactor, inherited};

use super::{Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint};
use crate::{
    Address, ConnectConfig, ConnectError, Connecting, DynFactory, DynProtocol, ListenConfig,
    ListenError, ListeningPort, ReactorAdopt, adopt,
};

/// An inherited socket, TCP or Unix, by its descriptor number: `fd:3`. For servers it must be listening, for clients
/// connected, and connected to only once. The descriptor is duplicated, so the socket stays open for other users: stopping
/// listening only stops accepting. For requirements on such sockets see [`ReactorAdopt`].
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

/// Listens on a descriptor; `at` is the endpoint, for errors.
pub(super) fn listen(
    reactor: &Reactor,
    fd: RawFd,
    at: &dyn fmt::Display,
    config: ListenConfig,
    factory: DynFactory,
) -> Result<ListeningPort<Address>, ListenError> {
    // The number is that of another process, if the socket was handed over.
    let socket = match &config.handed_over {
        Some(port) => port.duplicate(),
        None => inherited(fd),
    };
    match socket {
        Ok(socket) => reactor
            .adopt_port(socket, config, factory)
            .map_err(|error| ListenError::Other { at: at.to_string(), source: error.into() }),
        Err(error) => Err(refused(reactor, at, error, factory)),
    }
}

/// Makes the error, and has the event loop drop the factory.
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
