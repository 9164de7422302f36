//! Why a connection could not be made: [`ConnectError`], and of each address that was tried: [`Tried`].

use std::{fmt, io, net::SocketAddr, time::Duration};

use sinew_reactor::{Excerpt, Failure};

use crate::{Address, Destination, Peer, TlsError, names::ResolveError, tcp::why_bad};
#[cfg(unix)]
use crate::{PipeError, SpawnError, UnixAddr, UnixListenError};

/// A connection could not be made.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The destination is no `host:port`.
    #[error("{:?} is no host:port: {}", Excerpt::new(.0), why_bad(.0))]
    BadDestination(String),
    /// The destination is a list of addresses, and the list is empty.
    #[error("there is no address to connect to")]
    NoAddress,
    /// The name could not be resolved.
    #[error("could not resolve {}: {source}", Excerpt::new(.host))]
    Resolve {
        /// The name.
        host: String,
        /// The cause.
        source: ResolveError,
    },
    /// The system, or the other end, refused. There was one address to try.
    #[error("could not connect to {addr}: {source}")]
    Connect {
        /// The address.
        addr: SocketAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nobody listens there.
        source: io::Error,
    },
    /// The system, or the other end of a Unix socket, refused.
    #[cfg(unix)]
    #[error("could not connect to {addr}: {source}")]
    ConnectUnix {
        /// The address.
        addr: UnixAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nobody listens there any more.
        source: io::Error,
    },
    /// A Unix socket for datagrams could not have the address that it was to send from.
    #[cfg(unix)]
    #[error(transparent)]
    Bind(#[from] UnixListenError),
    /// The system has no room for so long a path or name of a Unix socket: about a hundred bytes.
    #[cfg(unix)]
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// None of several addresses would have us.
    #[error("could not connect to {to}: {}", Tried::list(.tried))]
    AllFailed {
        /// The destination.
        to: Destination,
        /// The addresses in the order in which they failed, each with its cause.
        tried: Vec<Tried>,
    },
    /// The same of a place that is no address.
    #[error("could not connect to {}: {source}", Excerpt::new(.to))]
    Other {
        /// The place, as a string for an endpoint says it.
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
    #[error("could not connect to {to} within {after:?}{}{}", .phase.explain(), Tried::list_in_brackets(.to, .tried))]
    TimedOut {
        /// The destination.
        to: Destination,
        /// The time that was allowed.
        after: Duration,
        /// What it took too long for.
        phase: ConnectPhase,
        /// What was tried until then. Who had not answered yet has [`io::ErrorKind::TimedOut`] for a cause; there is none at all
        /// if the name had not been resolved, or if a Unix socket's backlog was full.
        tried: Vec<Tried>,
    },
    /// The connection stood, but TLS did not.
    #[error("could not start TLS with {peer}: {source}")]
    Tls {
        /// The other end.
        peer: Peer,
        /// The cause.
        source: TlsError,
    },
    /// TLS has to know the name of the server, and this is none.
    #[error("{:?} is not the name of a server", Excerpt::new(.0))]
    BadServerName(String),
    /// The connection stood, but the factory refused it (or panicked).
    #[error("the factory built no protocol for {0}")]
    NoProtocol(Peer),
    /// It was cancelled, or the reactor ended first.
    #[error("connecting was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(ConnectError);

/// How far an outgoing connection has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectPhase {
    /// The lookup of its name waits for a thread: as many are busy as
    /// [`Builder::lookup_threads_max`](sinew_reactor::Builder::lookup_threads_max) allows.
    Queued,
    /// Its name is looked up.
    Resolving,
    /// Addresses are tried.
    #[default]
    Connecting,
    /// The connection stands, and TLS is on its way.
    Securing,
}

impl ConnectPhase {
    const fn explain(self) -> &'static str {
        match self {
            Self::Queued => ": the lookup of its name waited for a thread (lookup_threads_max)",
            Self::Resolving => ": its name was not looked up by then",
            Self::Connecting => "",
            Self::Securing => ": TLS was not ready by then",
        }
    }
}

impl ConnectError {
    /// Whether somebody was there and said no: nobody listens on the port. Of several addresses, on none.
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

/// An address that was tried, and what became of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// The address.
    pub addr: Address,
    /// Why it was not that one.
    pub source: io::Error,
}

impl Tried {
    /// The failure of the only address that there was.
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

    /// Unless there is nothing that the destination does not say.
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

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Excerpt::new(&self.addr.to_string()), self.source)
    }
}
