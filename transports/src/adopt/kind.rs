//! The kind of a descriptor: [`DescriptorKind`]. Only queries the system; changes nothing.

use std::{fmt, io, os::fd::AsFd};

use socket2::{Domain, SockRef, Type};

use crate::options::is_listener;

/// The kind of a descriptor, as far as it matters to a reactor.
///
/// # Examples
///
/// A program that inetd may start for each connection, or once for a listening socket:
///
/// ```no_run
/// use std::io;
/// use sinew_reactor::{Reactor, inherited};
/// use sinew_transports::{DescriptorKind, ListenConfig, Peer, Protocol, ReactorAdopt};
///
/// fn serve<P: Protocol + Default>(reactor: &Reactor) -> io::Result<()> {
///     let given = inherited(0)?;
///     match DescriptorKind::of(&given)? {
///         kind if kind.is_listener() => {
///             reactor.adopt_port(given, ListenConfig::default(), |_: &Peer| P::default())?;
///         }
///         _ => drop(reactor.adopt_stream(given, P::default())?),
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DescriptorKind {
    /// A listening TCP socket.
    TcpListener,
    /// A connected TCP socket.
    TcpConnection,
    /// A TCP socket that is neither listening nor connected (any more).
    UnconnectedTcp,
    /// A UDP socket.
    Udp,
    /// A listening Unix stream socket.
    UnixListener,
    /// A connected Unix stream socket, such as one of a socketpair.
    UnixConnection,
    /// A Unix stream socket that is neither listening nor connected.
    UnconnectedUnix,
    /// A Unix datagram socket.
    UnixDatagram,
    /// A socket of another family or type.
    OtherSocket,
    /// A file, a pipe, a terminal, or anything else that is not a socket.
    NotASocket,
}

impl DescriptorKind {
    /// Queries the kind of a descriptor (`SO_TYPE`, `SO_ACCEPTCONN`, getsockname(2), getpeername(2)). On systems without
    /// `SO_ACCEPTCONN`, a socket without a peer counts as listening.
    ///
    /// # Errors
    ///
    /// If a query fails.
    pub fn of(descriptor: impl AsFd) -> io::Result<Self> {
        let socket = SockRef::from(&descriptor);
        let socket_type = match socket.r#type() {
            Err(error) if error.raw_os_error() == Some(NOT_A_SOCKET) => {
                return Ok(Self::NotASocket);
            }
            socket_type => socket_type?,
        };
        let domain = socket.local_addr()?.domain();
        let is_inet = domain == Domain::IPV4 || domain == Domain::IPV6;
        if !(is_inet && is_tcp_or_udp(&socket)? || domain == Domain::UNIX) {
            return Ok(Self::OtherSocket);
        }
        Ok(match (socket_type, is_inet) {
            (Type::STREAM, true) => {
                stream(&socket, [Self::TcpConnection, Self::TcpListener, Self::UnconnectedTcp])?
            }
            (Type::STREAM, false) => {
                stream(&socket, [Self::UnixConnection, Self::UnixListener, Self::UnconnectedUnix])?
            }
            (Type::DGRAM, true) => Self::Udp,
            (Type::DGRAM, false) => Self::UnixDatagram,
            _ => Self::OtherSocket,
        })
    }

    /// Whether it is a listening socket of any family.
    #[must_use]
    pub const fn is_listener(self) -> bool {
        matches!(self, Self::TcpListener | Self::UnixListener)
    }

    /// Whether it is a connected stream socket of any family.
    #[must_use]
    pub const fn is_connection(self) -> bool {
        matches!(self, Self::TcpConnection | Self::UnixConnection)
    }
}

const NOT_A_SOCKET: i32 = rustix::io::Errno::NOTSOCK.raw_os_error();

/// The kind of a stream socket: connected, listening, or neither.
fn stream(
    socket: &SockRef<'_>,
    [connected, listening, neither]: [DescriptorKind; 3],
) -> io::Result<DescriptorKind> {
    if socket.peer_addr().is_ok() {
        return Ok(connected);
    }
    Ok(if is_listener(socket)? { listening } else { neither })
}

/// Whether it is TCP or UDP, and not another protocol with the same addresses, such as SCTP or ping.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_tcp_or_udp(socket: &SockRef<'_>) -> io::Result<bool> {
    use socket2::Protocol;
    let protocol = socket.protocol()?;
    Ok([Protocol::TCP, Protocol::MPTCP, Protocol::UDP].map(Some).contains(&protocol))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere the system is asked")]
fn is_tcp_or_udp(_: &SockRef<'_>) -> io::Result<bool> {
    Ok(true)
}

impl fmt::Display for DescriptorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TcpListener => "a listening TCP socket",
            Self::TcpConnection => "a connected TCP socket",
            Self::UnconnectedTcp => "a TCP socket that is neither listening nor connected",
            Self::Udp => "a UDP socket",
            Self::UnixListener => "a listening Unix socket",
            Self::UnixConnection => "a connected Unix socket",
            Self::UnconnectedUnix => "a Unix socket that is neither listening nor connected",
            Self::UnixDatagram => "a Unix datagram socket",
            Self::OtherSocket => "a socket of another family or type",
            Self::NotASocket => "not a socket",
        })
    }
}
