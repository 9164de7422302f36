//! What a connection needs of the listening port that accepted it: to be counted, and to be drained with it.

use std::net::IpAddr;

use sinew_reactor::{Reactor, Token};

use crate::sharing::Share;

pub(crate) trait Port {
    /// The port's token in the reactor.
    fn token(&self) -> Token;
    /// Where it listens, for people.
    fn address(&self) -> &str;
    /// The reactors that share the port, if there are any.
    fn share(&self) -> Option<&Share>;
    /// A connection was opened.
    fn opened(&self, ip: Option<IpAddr>);
    /// A connection has ended.
    fn closed(&self, reactor: &Reactor, ip: Option<IpAddr>);
}

/// A message of a port to its connections, sent through [`Reactor::broadcast`].
#[derive(Debug)]
pub(crate) struct PortMessage {
    /// The sender: connections of other ports ignore the message.
    pub(crate) from: Token,
    pub(crate) order: PortOrder,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PortOrder {
    /// Finish open requests, then close.
    Drain,
    /// The drain deadline has passed: close now.
    Abort,
}
