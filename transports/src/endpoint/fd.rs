//! Endpoints on descriptors that were inherited: `fd:N`.

use std::{fmt, io, net::TcpListener, os::fd::RawFd};

use sinew_reactor::{Reactor, inherited};

use super::{Arguments, EndpointError, Listen, ServerEndpoint};
use crate::{Address, DynFactory, ListenConfig, ListenError, ListeningPort, ReactorTcp};

/// A listening socket that this process was started with, by its number: `fd:3`. It is duplicated, and so stays open for
/// whoever else has it: to stop listening is to stop accepting.
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
    let value = arguments.require("fd")?;
    let fd: u16 = value.parse("number of a descriptor")?;
    Ok(ServerEndpoint::new(Descriptor::new(fd.into())))
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
        Ok(socket) => {
            let adopted = reactor.adopt_listener(TcpListener::from(socket), config, factory);
            adopted.map(ListeningPort::of_any_kind).map_err(|error| match error {
                ListenError::Other { source, .. } => {
                    ListenError::Other { at: at.to_string(), source }
                }
                error => error,
            })
        }
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
    reactor.discard(factory);
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

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd:{}", self.fd)
    }
}
