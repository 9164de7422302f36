//! Connecting sockets: the kernel's, and those of a [`Net`](super::Net).

use std::{io, net::SocketAddr};

use sinew_reactor::{Interest, Reactor, RegisterError, Token};

use super::NetDial;
#[cfg(unix)]
use crate::stream::socket::UnixStream;
use crate::stream::socket::{Socket, TcpStream};

/// A connecting socket of either kind.
pub(crate) enum Dialling {
    Kernel(TcpStream),
    /// Connects with the first write.
    FastOpen(TcpStream),
    /// Connected from the start.
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Box<dyn NetDial>),
}

impl Dialling {
    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Kernel(socket) | Self::FastOpen(socket) => {
                reactor.register_source(socket, Interest::WRITE)
            }
            #[cfg(unix)]
            Self::Unix(socket) => reactor.register_source(socket, Interest::WRITE),
            Self::Other(dial) => {
                let token = reactor.reserve()?;
                dial.register(token);
                Ok(token)
            }
        }
    }

    /// What the system says of the attempt; `None` while it goes on.
    pub(crate) fn outcome(&self) -> Option<io::Result<()>> {
        match self {
            Self::Kernel(socket) => match socket.take_error() {
                Ok(Some(error)) | Err(error) => Some(Err(error)),
                Ok(None) => match socket.peer_addr() {
                    // With nobody listening, the system may give the socket the very port that it connects to, and then
                    // connect it to itself (RFC 9293 3.5, simultaneous open). Nobody was there.
                    Ok(peer) if socket.local_addr().is_ok_and(|local| local == peer) => {
                        Some(Err(io::ErrorKind::ConnectionRefused.into()))
                    }
                    Ok(_) => Some(Ok(())),
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
                    Err(error) => Some(Err(error)),
                },
            },
            Self::FastOpen(_) => Some(Ok(())),
            #[cfg(unix)]
            Self::Unix(_) => Some(Ok(())),
            Self::Other(dial) => dial.outcome(),
        }
    }

    /// The socket, once it is connected.
    pub(crate) fn into_socket(self) -> io::Result<Socket> {
        match self {
            Self::Kernel(socket) | Self::FastOpen(socket) => Ok(socket.into()),
            #[cfg(unix)]
            Self::Unix(socket) => Ok(socket.into()),
            Self::Other(dial) => dial.into_stream().map(Socket::from),
        }
    }
}

/// What the kernel says of an address that it cannot use, in words where it has but a number: of a link-local one
/// (RFC 4291, section 2.5.6) without its interface.
pub(crate) fn unusable(addr: SocketAddr, error: io::Error) -> io::Error {
    match addr {
        SocketAddr::V6(v6)
            if error.kind() == io::ErrorKind::InvalidInput
                && v6.ip().is_unicast_link_local()
                && v6.scope_id() == 0 =>
        {
            let why = format!("a link-local address needs its interface, as in {}%eth0", v6.ip());
            io::Error::new(error.kind(), why)
        }
        _ => error,
    }
}
