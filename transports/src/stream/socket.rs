//! The thin layer under a stream: who does the system calls. It knows nothing of protocols, queues or states.

use std::{
    fmt,
    io::{self, IoSlice, Write},
    net::{Shutdown, SocketAddr},
    time::Duration,
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token};

use super::{FIRST_INTEREST, layer::Layer};

/// A socket of the kernel's, which does not block. The reactor takes whatever has a descriptor; where there are none it wants
/// mio's.
#[cfg(unix)]
pub(crate) use std::net::TcpStream;

#[cfg(not(unix))]
pub(crate) use mio::net::TcpStream;

/// A stream of bytes both ways that never blocks: what else than a TCP socket can be under a [`Transport`](crate::Transport).
pub(crate) trait ByteStream {
    /// As `read(2)`: 0 is the end, `WouldBlock` is nothing for now.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// As `writev(2)`.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// No more will be written.
    fn close_write(&self) -> io::Result<()>;
    /// The stream is about to be dropped; the other end is to see a reset.
    fn reset(&self);
    /// What is worth trying now, for streams of which no engine tells.
    fn readiness(&self) -> Ready;
    /// Whether nothing is taken for now, whatever an engine says, and the loop is had come by when that changes.
    fn is_held(&self) -> bool {
        false
    }
    /// The token to be told of news, for streams that do not know it from the start.
    fn register(&self, token: Token) {
        let _ = token;
    }
    /// The last word to the peer before a close without `close_write`. `WouldBlock` if there was no room for it yet.
    fn farewell(&self) -> io::Result<()> {
        Ok(())
    }
    /// Whether something is left to be written that the stream knows nothing of.
    fn has_unsent(&self) -> bool {
        false
    }
    /// The layer that this is, if it is one.
    fn layer(&self) -> Option<&dyn Layer> {
        None
    }
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }
    /// Of no meaning for streams that are not TCP in a kernel.
    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        let _ = no_delay;
        Ok(())
    }
    /// Of no meaning for streams that are not TCP in a kernel.
    fn set_keepalive(&self, after: Option<Duration>) -> io::Result<()> {
        let _ = after;
        Ok(())
    }
}

/// What a stream reads from and writes to.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Other(Box<dyn ByteStream>),
}

/// What is left of a socket that has been closed. A variant of its own would make every connection eight bytes larger.
struct Closed;

impl ByteStream for Closed {
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn close_write(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        Ready::NONE
    }
}

impl Socket {
    pub(crate) fn closed() -> Self {
        Self::Other(Box::new(Closed))
    }

    /// Whether it is plainly a socket of the kernel's, with nothing around it.
    pub(crate) const fn is_kernels(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Tcp(socket) => reactor.register_source(socket, FIRST_INTEREST),
            Self::Other(stream) => {
                let token = reactor.reserve()?;
                stream.register(token);
                Ok(token)
            }
        }
    }

    #[inline]
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Tcp(socket) => receive(socket, buffer),
            Self::Other(stream) => stream.read(buffer),
        })
    }

    #[inline]
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Tcp(socket) => send(socket, data),
            Self::Other(stream) => stream.write_vectored(&[IoSlice::new(data)]),
        })
    }

    pub(crate) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Tcp(socket) => (&mut &*socket).write_vectored(slices),
            Self::Other(stream) => stream.write_vectored(slices),
        })
    }

    pub(crate) fn close_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Other(stream) => stream.close_write(),
        }
    }

    /// Has the close that follows drop what is unsent and tell the peer so.
    pub(crate) fn reset(&self) {
        match self {
            Self::Tcp(socket) => {
                let lingered = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
                if let Err(error) = lingered {
                    tracing::debug!(%error, "SO_LINGER could not be set; closing without a reset");
                }
            }
            Self::Other(stream) => stream.reset(),
        }
    }

    pub(crate) fn readiness(&self) -> Ready {
        match self {
            Self::Other(stream) => stream.readiness(),
            Self::Tcp(_) => Ready::NONE,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        match self {
            Self::Other(stream) => stream.is_held(),
            Self::Tcp(_) => false,
        }
    }

    pub(crate) fn farewell(&self) -> io::Result<()> {
        match self {
            Self::Other(stream) => stream.farewell(),
            Self::Tcp(_) => Ok(()),
        }
    }

    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Other(stream) => stream.has_unsent(),
            Self::Tcp(_) => false,
        }
    }

    pub(crate) fn layer(&self) -> Option<&dyn Layer> {
        match self {
            Self::Other(stream) => stream.layer(),
            Self::Tcp(_) => None,
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Other(stream) => stream.local_addr(),
        }
    }

    pub(crate) fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.set_nodelay(no_delay),
            Self::Other(stream) => stream.set_no_delay(no_delay),
        }
    }

    pub(crate) fn set_keepalive(&self, after: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => set_keepalive(&socket2::SockRef::from(socket), after),
            Self::Other(stream) => stream.set_keepalive(after),
        }
    }
}

/// One system call, without the layers in between, which cost more than what is around them here.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, len) = rustix::net::recv(socket, buffer, rustix::net::RecvFlags::empty())?;
    Ok(len)
}

/// As [`receive`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn send(socket: &TcpStream, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, rustix::net::SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive(mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    std::io::Read::read(&mut socket, buffer)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(mut socket: &TcpStream, data: &[u8]) -> io::Result<usize> {
    std::io::Write::write(&mut socket, data)
}

/// Makes the call again if a signal came in between.
#[inline]
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Ok(len) => return Ok(len),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(crate) fn set_keepalive(socket: &socket2::Socket, after: Option<Duration>) -> io::Result<()> {
    match after {
        Some(after) => socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(after)),
        None => socket.set_keepalive(false),
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Other(_) => "Other",
        })
    }
}
