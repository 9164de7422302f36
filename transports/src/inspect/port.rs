//! What a port is and does: [`PortReport`]. Ports make it of themselves.

use std::fmt;

use sinew_reactor::Reactor;

use super::connection::words;

/// A port at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PortReport {
    /// Where it listens.
    pub address: String,
    /// `tcp`, `unix`, `memory`, `stdio`, `udp`, `unix datagram`; `shared` if another reactor listens and hands connections
    /// over.
    pub kind: &'static str,
    /// Whether its connections begin with a handshake of TLS.
    pub is_tls: bool,
    /// The name of its factory's type, or that of its datagram protocol.
    pub factory: &'static str,
    /// Connections open now.
    pub connections: usize,
    /// Connections accepted so far.
    pub accepted: u64,
    /// How many connections, or datagrams, could not be received or were refused: for lack of descriptors, errors of the
    /// system, limits.
    pub failures: u64,
    /// Most connections that may be open; `None` for datagrams.
    pub limit: Option<usize>,
    /// Why it accepts none now.
    pub paused: Option<PortPause>,
}

words! {
    /// Why a port accepts no connections.
    PortPause {
        /// [`ListeningPort::pause`](crate::ListeningPort::pause).
        User = "user",
        /// As many are open as may be.
        Limit = "limit",
        /// Accepting has failed; it is tried again.
        Failure = "failure",
    }
}

/// A port that can be asked what it does.
pub(crate) trait OpenPort {
    /// `None` if it is closed.
    fn report(&self, reactor: &Reactor) -> Option<PortReport>;
}
