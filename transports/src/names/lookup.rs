//! Lookups where a reactor has its addresses from: the system or, on a host of a simulation, the network of that. What is an
//! address already is not looked up.

use std::{
    collections::VecDeque,
    io,
    net::{SocketAddr, ToSocketAddrs},
};

use sinew_reactor::{Deferred, Reactor};

use super::{error::check_len, literal::Literal, system_lookups::look_up};
use crate::net::{Found, installed};

/// Looks up a name.
pub(crate) fn resolve(reactor: &Reactor, host: String) -> Found {
    match installed(reactor) {
        Ok(Some(net)) => net.resolve(&host),
        Ok(None) => look_up(reactor, host),
        Err(error) => Deferred::ready_on(reactor, Err(error)),
    }
}

/// Looks up a name on the spot, which may take its time.
pub(crate) fn resolve_now(
    reactor: &Reactor,
    host: &str,
    port: u16,
) -> io::Result<VecDeque<SocketAddr>> {
    if let Some(literal) = Literal::parse(host) {
        return literal_addr(reactor, &literal, port).map(|addr| [addr].into());
    }
    check_len(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    match installed(reactor)? {
        Some(net) => net.resolve_now(host, port),
        None => (host, port).to_socket_addrs().map(Iterator::collect),
    }
}

/// An address that was given as text, with the number of its interface. No name server is asked.
pub(crate) fn literal_addr(
    reactor: &Reactor,
    literal: &Literal,
    port: u16,
) -> io::Result<SocketAddr> {
    let mut addr = match literal {
        Literal::Addr(addr) => *addr,
        Literal::OnInterface(..) if installed(reactor)?.is_some() => {
            let why = "the hosts of a simulation have no interfaces";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Literal::OnInterface(..) => kernels_addr(literal)?,
    };
    addr.set_port(port);
    Ok(addr)
}

/// An address that was given as text, with the number that the kernel has for its interface. The port is 0.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] if there is no such interface.
pub(crate) fn kernels_addr(literal: &Literal) -> io::Result<SocketAddr> {
    match literal {
        Literal::Addr(addr) => Ok(*addr),
        // getaddrinfo(3) reads an address by itself, and asks nobody but the kernel for the interface.
        Literal::OnInterface(_, interface) => {
            let found = (literal.to_string().as_str(), 0).to_socket_addrs().ok();
            found.and_then(|mut addrs| addrs.next()).ok_or_else(|| {
                let why = format!("there is no interface {interface} for this address");
                io::Error::new(io::ErrorKind::NotFound, why)
            })
        }
    }
}
