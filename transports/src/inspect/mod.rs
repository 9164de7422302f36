//! A look at the connections and ports of a reactor while it runs: [`ReactorInspect`]. It only reads; what it finds can be
//! closed or paused by its [`Transport`].
//!
//! | to | see |
//! |---|---|
//! | list connections, a page at a time | [`ReactorInspect::connections_page`], [`ConnectionReport`] |
//! | list ports | [`ReactorInspect::ports`], [`PortReport`] |
//! | close, pause or resume a connection by its id | [`ReactorInspect::connection`] |
//! | know what the loop does | [`Reactor::loop_report`] |
//!
//! Bytes, ages and the times of callbacks are counted only on a reactor that was built with
//! [`Builder::inspection`](sinew_reactor::Builder::inspection); the rest is there on any.
//!
//! # Costs
//!
//! A page is made in one call, during which the loop does nothing else: about half a microsecond for a connection, so half a
//! millisecond for a page of [`PAGE_MAX`]. A list of 100,000 connections is therefore made of a hundred pages, one a turn. Ports
//! are listed without looking at the connections.

mod connection;
mod port;

use std::{cell::RefCell, rc::Weak};

use sinew_reactor::{Reactor, Token};

pub use connection::{
    ConnectionCounts, ConnectionReport, ConnectionState, PausedBy, StreamKind, TlsReport,
};
pub(crate) use port::OpenPort;
pub use port::{PortPause, PortReport};

use crate::{ConnectionId, Transport, sealed::Sealed};

/// Most connections on one page. More are not an error, but the rest is on the next page.
pub const PAGE_MAX: usize = 1_000;

/// Some of a reactor's connections, from [`ReactorInspect::connections_page`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectionsPage {
    /// The connections, in no particular order. There may be none, although there is a next page.
    pub connections: Vec<ConnectionReport>,
    /// The number of the next page's first slot; `None` on the last page.
    pub next: Option<usize>,
}

/// Looks at the connections and ports of a [`Reactor`]. Implemented for it, and for nothing else.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::{inspect::{PAGE_MAX, ReactorInspect}, reactor::Reactor};
///
/// fn list(reactor: &Reactor) {
///     let mut next = Some(0);
///     while let Some(first) = next {
///         let page = reactor.connections_page(first, PAGE_MAX);
///         for connection in page.connections {
///             println!("{} from {}: {}", connection.id, connection.peer, connection.state);
///         }
///         next = page.next;
///     }
/// }
///
/// let reactor = Reactor::builder().inspection(true).build()?;
/// list(&reactor);
/// assert!(reactor.ports().is_empty());
/// # Ok(())
/// # }
/// ```
pub trait ReactorInspect: Sealed {
    /// Up to `max` connections, and no more than [`PAGE_MAX`], from slot number `first` on; begin with 0. A connection that
    /// exists from the first page to the last is on exactly one of them, whatever comes and goes meanwhile.
    ///
    /// May be called anywhere on the reactor's thread, in a callback, too. A connection whose callback runs just then is
    /// listed without the name of its protocol.
    fn connections_page(&self, first: usize, max: usize) -> ConnectionsPage;

    /// One connection; `None` if it is gone.
    fn connection_report(&self, id: ConnectionId) -> Option<ConnectionReport>;

    /// The transport of a connection, to close, abort, pause or resume it; `None` if it is gone.
    fn connection(&self, id: ConnectionId) -> Option<Transport>;

    /// The ports that are open: those that accept connections, and those for datagrams.
    fn ports(&self) -> Vec<PortReport>;
}

/// Asks a stream for its transport.
#[derive(Default)]
pub(crate) struct Found(pub(crate) Option<Transport>);

impl ReactorInspect for Reactor {
    fn connections_page(&self, first: usize, max: usize) -> ConnectionsPage {
        let mut connections = Vec::<ConnectionReport>::new();
        let next = self.inspect_handlers(first, max.min(PAGE_MAX), &mut connections);
        ConnectionsPage { connections, next }
    }

    fn connection_report(&self, id: ConnectionId) -> Option<ConnectionReport> {
        let mut found = Vec::<ConnectionReport>::new();
        self.inspect_handler(id.token(), &mut found);
        found.pop()
    }

    fn connection(&self, id: ConnectionId) -> Option<Transport> {
        let mut found = Found::default();
        self.inspect_handler(id.token(), &mut found);
        found.0
    }

    fn ports(&self) -> Vec<PortReport> {
        let open = self.local::<OpenPorts>();
        let ports: Vec<_> = open.0.borrow().iter().filter_map(|(_, port)| port.upgrade()).collect();
        ports.iter().filter_map(|port| port.report(self)).collect()
    }
}

/// The ports of a reactor, by their tokens, so that they are found without looking at the connections.
#[derive(Default)]
pub(crate) struct OpenPorts(RefCell<Vec<(Token, Weak<dyn OpenPort>)>>);

impl OpenPorts {
    /// Adds a port, and forgets those that are gone.
    pub(crate) fn add(reactor: &Reactor, token: Token, port: Weak<dyn OpenPort>) {
        let open = reactor.local::<Self>();
        let mut open = open.0.borrow_mut();
        open.retain(|(_, port)| port.strong_count() > 0);
        open.push((token, port));
    }
}
