//! What a connection knows of the port that accepted it: enough to be counted, and to be drained with it.

use std::net::IpAddr;

use sinew_reactor::{Reactor, Token};

pub(crate) trait Port {
    /// The port's name with the reactor.
    fn token(&self) -> Token;
    /// A connection was opened.
    fn opened(&self, ip: Option<IpAddr>);
    /// A connection has ended.
    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>);
}

/// What a port says to its connections, through [`Reactor::broadcast`].
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
