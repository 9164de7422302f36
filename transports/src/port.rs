//! What a connection knows of the port that accepted it: enough to be counted, and to be drained with it. And what a port
//! calls the place where it is.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    rc::Rc,
};

use sinew_reactor::{Reactor, Token};

pub(crate) trait Port {
    /// The port's name with the reactor.
    fn token(&self) -> Token;
    /// A connection was opened.
    fn opened(&self, ip: Option<IpAddr>);
    /// A connection has ended.
    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>);
}

/// What a port says to its connections, through [`Reactor::tell_all`].
#[derive(Debug)]
pub(crate) struct PortMessage {
    /// The port that says so: others have connections, too.
    pub(crate) from: Token,
    pub(crate) order: PortOrder,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PortOrder {
    /// Finish what is under way.
    Drain,
    /// The time to finish is over.
    Abort,
}

/// Where a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Inet(SocketAddr),
    Memory(Rc<str>),
}

/// The address of what has none.
pub(crate) const NOWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Memory(name) => write!(f, "memory:{name}"),
        }
    }
}
