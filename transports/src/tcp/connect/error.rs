//! Errors of connecting: [`ConnectError`], and [`FailedAttempt`] for each address.

use std::{fmt, io, net::SocketAddr, time::Duration};

use sinew_reactor::{Excerpt, Failure};

use crate::{Address, Destination, Peer, TlsError, names::ResolveError, tcp::why_bad};
#[cfg(unix)]
use crate::{PipeError, SpawnError, UnixAddr, UnixListenError};

/// A connection could not be made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The destination is not `host:port`.
    #[error("{:?} is not host:port: {}", Excerpt::new(.0), why_bad(.0))]
    BadDestination(String),
    /// The destination is a list of addresses, and the list is empty.
    #[error("the list of addresses to connect to is empty")]
    NoAddress,
    /// The name could not be resolved.
    #[error("could not resolve {}: {source}", Excerpt::new(.host))]
    Resolve {
        /// The name.
        host: String,
        /// The cause.
        source: ResolveError,
    },
    /// The only address failed: the system or the peer refused the connection.
    #[error("could not connect to {addr}: {source}")]
    Connect {
        /// The address.
        addr: SocketAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nothing listens on the port.
        source: io::Error,
    },
    /// The only address, a Unix socket, failed: the system or the peer refused the connection.
    #[cfg(unix)]
    #[error("could not connect to {addr}: {source}")]
    ConnectUnix {
        /// The address.
        addr: UnixAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if the socket file exists, but nothing listens on it any more.
        source: io::Error,
    },
    /// A Unix datagram socket could not be bound to its own address.
    #[cfg(unix)]
    #[error(transparent)]
    Bind(#[from] UnixListenError),
    /// The path or name is too long for the address of a Unix socket: the limit is about a hundred bytes.
    #[cfg(unix)]
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// All of several addresses failed.
    #[error("could not connect to {to}: {}", FailedAttempt::list(.tried))]
    AllFailed {
        /// The destination.
        to: Destination,
        /// The addresses in the order in which they failed, each with its cause.
        tried: Vec<FailedAttempt>,
    },
    /// A destination that is not an IP or Unix address failed.
    #[error("could not connect to {}: {source}", Excerpt::new(.to))]
    Other {
        /// The destination, as an endpoint string.
        to: String,
        /// The cause.
        source: io::Error,
    },
    /// The program could not be started.
    #[cfg(unix)]
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// Standard input and output, or the pipes of a program, cannot be used.
    #[cfg(unix)]
    #[error(transparent)]
    Pipe(#[from] PipeError),
    /// It took longer than [`ConnectConfig::timeout`](crate::ConnectConfig::timeout).
    #[error("could not connect to {to} within {after:?}{}{}", .phase.explain(), FailedAttempt::list_in_brackets(.to, .tried))]
    TimedOut {
        /// The destination.
        to: Destination,
        /// The time that was allowed.
        after: Duration,
        /// The phase that did not finish in time.
        phase: ConnectPhase,
        /// The addresses tried until then. Attempts still in progress have [`io::ErrorKind::TimedOut`] as their cause. Empty if the
        /// name had not been resolved, or if a Unix socket's backlog was full.
        tried: Vec<FailedAttempt>,
    },
    /// The connection was established, but the TLS handshake failed.
    #[error("could not start TLS with {peer}: {source}")]
    Tls {
        /// The other end.
        peer: Peer,
        /// The cause.
        source: TlsError,
    },
    /// TLS needs the name of the server, and this is not a valid one.
    #[error("{:?} is not the name of a server", Excerpt::new(.0))]
    BadServerName(String),
    /// The connection was established, but the factory built no protocol (or panicked).
    #[error("the factory built no protocol for {0}")]
    NoProtocol(Peer),
    /// The attempt was cancelled, or the reactor was dropped or shut down first.
    #[error("connecting was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(ConnectError);

/// The phase of an outgoing connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// Waiting for a thread to look up the name: as many are busy as
    /// [`Builder::lookup_threads_max`](sinew_reactor::Builder::lookup_threads_max) allows.
    Queued,
    /// Looking up the name.
    Resolving,
    /// Trying addresses.
    #[default]
    Connecting,
    /// Connected; the TLS handshake is in progress.
    Handshaking,
}

impl ConnectPhase {
    const fn explain(self) -> &'static str {
        match self {
            Self::Queued => ": the lookup of its name waited for a thread (lookup_threads_max)",
            Self::Resolving => ": its name was not resolved by then",
            Self::Connecting => "",
            Self::Handshaking => ": the TLS handshake was not complete by then",
        }
    }
}

impl ConnectError {
    /// Whether the connection was refused, that is, nothing listens on the port. Of several addresses, all must have refused it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = |source: &io::Error| source.kind() == io::ErrorKind::ConnectionRefused;
        match self {
            Self::Connect { source, .. } | Self::Other { source, .. } => refused(source),
            #[cfg(unix)]
            Self::ConnectUnix { source, .. } => refused(source),
            Self::AllFailed { tried, .. } => tried.iter().all(|tried| refused(&tried.source)),
            _ => false,
        }
    }
}

/// An address that was tried, and why it failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The address.
    pub addr: Address,
    /// The cause.
    pub source: io::Error,
}

impl FailedAttempt {
    /// The error when there was only one address.
    pub(super) fn alone(self) -> ConnectError {
        let Self { addr, source } = self;
        match addr {
            Address::Inet(addr) => ConnectError::Connect { addr, source },
            #[cfg(unix)]
            Address::Unix(addr) => ConnectError::ConnectUnix { addr, source },
            other @ (Address::Memory(_) | Address::Stdio) => {
                ConnectError::Other { to: other.to_string(), source }
            }
        }
    }

    fn list(tried: &[Self]) -> String {
        tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Empty if it would only repeat the destination.
    fn list_in_brackets(to: &Destination, tried: &[Self]) -> String {
        match to {
            Destination::Addr(_) => String::new(),
            #[cfg(unix)]
            Destination::Unix(_) => String::new(),
            _ if tried.is_empty() => String::new(),
            _ => format!(" ({})", Self::list(tried)),
        }
    }
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Excerpt::new(&self.addr.to_string()), self.source)
    }
}
