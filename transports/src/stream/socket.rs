//! The thin layer under a stream: who does the system calls. It knows nothing of protocols, queues or states.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::{
    fmt,
    io::{self, IoSlice, Write},
    net::{Shutdown, SocketAddr},
    time::Duration,
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token};

#[cfg(unix)]
use super::rights;
use super::{FIRST_INTEREST, layer::Layer, rights::Received};

/// A socket of the kernel's, which does not block. The reactor takes whatever has a descriptor; where there are none it wants
/// mio's.
#[cfg(unix)]
pub(crate) use std::{net::TcpStream, os::unix::net::UnixStream};

#[cfg(not(unix))]
pub(crate) use mio::net::TcpStream;

/// A stream of bytes both ways that never blocks: what else than a TCP socket can be under a [`Transport`](crate::Transport).
pub(crate) trait ByteStream {
    /// As `read(2)`: 0 is the end, `WouldBlock` is nothing for now.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// As `writev(2)`.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
    /// The same, with descriptors that go with the first of the bytes.
    #[cfg(unix)]
    fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        let _ = (slices, descriptors);
        Err(io::ErrorKind::Unsupported.into())
    }
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
    /// Whether anything can ever be written to it.
    fn takes_output(&self) -> bool {
        true
    }
    /// Whether a graceful close waits for the other end's close, since closing earlier could take away what is on its way, and
    /// whether the other end may be gone without a word, so that waiting for it has to have an end. Neither goes for pipes.
    fn lingers(&self) -> bool {
        true
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
    /// Whether the connection still stands, of which the end of the input was read.
    fn check(&self) -> io::Result<()> {
        match self.read(&mut [0]) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
    /// The engine has received this, which would have been read otherwise: for what stands around a socket. Empty is the end.
    fn completed(&self, came: Result<&[u8], &io::Error>) {
        let _ = came;
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
    Kernel(Kernel),
    Other(Box<dyn ByteStream>),
}

/// A socket of the kernel's. An enum of its own: together they take no more room than `Other`, side by side they would.
pub(crate) enum Kernel {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls something that sockets of either family have.
macro_rules! either {
    ($kernel:expr, $socket:ident => $call:expr) => {
        match $kernel {
            Kernel::Tcp($socket) => $call,
            #[cfg(unix)]
            Kernel::Unix($socket) => $call,
        }
    };
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self::Kernel(Kernel::Tcp(socket))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Self {
        Self::Kernel(Kernel::Unix(socket))
    }
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
        matches!(self, Self::Kernel(_))
    }

    /// The descriptor, for calls that are made on it elsewhere.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn kernels(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Kernel(kernel) => Some(either!(kernel, socket => socket.as_fd())),
            Self::Other(_) => None,
        }
    }

    /// Whether descriptors can go with its bytes.
    pub(crate) const fn passes_descriptors(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Kernel(Kernel::Unix(_)));
        #[cfg(not(unix))]
        false
    }

    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Kernel(kernel) => {
                either!(kernel, socket => reactor.register_source(socket, FIRST_INTEREST))
            }
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
            Self::Kernel(kernel) => either!(kernel, socket => receive(socket, buffer)),
            Self::Other(stream) => stream.read(buffer),
        })
    }

    /// What the engine has received for it.
    pub(crate) fn completed(&self, came: Result<&[u8], &io::Error>) {
        if let Self::Other(stream) = self {
            stream.completed(came);
        }
    }

    #[inline]
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Kernel(kernel) => either!(kernel, socket => send(socket, data)),
            Self::Other(stream) => stream.write_vectored(&[IoSlice::new(data)]),
        })
    }

    /// Writes what goes, where nothing but bytes does; how much that was.
    pub(crate) fn write_directly(&self, data: &[u8]) -> Option<usize> {
        match self {
            Self::Kernel(Kernel::Tcp(_)) => self.write(data).ok(),
            _ => None,
        }
    }

    pub(crate) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Kernel(kernel) => {
                either!(kernel, socket => (&mut &*socket).write_vectored(slices))
            }
            Self::Other(stream) => stream.write_vectored(slices),
        })
    }

    /// As [`read`](Self::read), with the descriptors that come with the bytes.
    #[cfg(unix)]
    pub(crate) fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        match self {
            Self::Kernel(Kernel::Unix(socket)) => rights::receive(socket, buffer),
            _ => self.read(buffer).map(Received::from),
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.read(buffer).map(Received::from)
    }

    /// As [`write_vectored`](Self::write_vectored), with descriptors that go with the first of the bytes.
    #[cfg(unix)]
    pub(crate) fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        match self {
            Self::Kernel(Kernel::Unix(socket)) => rights::send(socket, slices, descriptors),
            Self::Kernel(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Other(stream) => stream.write_with_descriptors(slices, descriptors),
        }
    }

    pub(crate) fn close_write(&self) -> io::Result<()> {
        match self {
            Self::Kernel(kernel) => either!(kernel, socket => socket.shutdown(Shutdown::Write)),
            Self::Other(stream) => stream.close_write(),
        }
    }

    /// Has the close that follows drop what is unsent and tell the peer so, where there is a way to tell.
    pub(crate) fn reset(&self) {
        match self {
            #[cfg(unix)]
            Self::Kernel(Kernel::Unix(_)) => {}
            Self::Kernel(Kernel::Tcp(socket)) => {
                let lingered = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
                if let Err(error) = lingered {
                    tracing::debug!(%error, "SO_LINGER could not be set; closing without a reset");
                }
            }
            Self::Other(stream) => stream.reset(),
        }
    }

    /// Whether the connection still stands, of which the end of the input was read.
    pub(crate) fn check(&self) -> io::Result<()> {
        match self {
            // A read would only say once more that the input has ended.
            Self::Kernel(kernel) => {
                either!(kernel, socket => socket.take_error())?.map_or(Ok(()), Err)
            }
            Self::Other(stream) => stream.check(),
        }
    }

    pub(crate) fn readiness(&self) -> Ready {
        match self {
            Self::Other(stream) => stream.readiness(),
            Self::Kernel(_) => Ready::NONE,
        }
    }

    pub(crate) fn is_held(&self) -> bool {
        match self {
            Self::Other(stream) => stream.is_held(),
            Self::Kernel(_) => false,
        }
    }

    pub(crate) fn takes_output(&self) -> bool {
        match self {
            Self::Other(stream) => stream.takes_output(),
            Self::Kernel(_) => true,
        }
    }

    pub(crate) fn lingers(&self) -> bool {
        match self {
            Self::Other(stream) => stream.lingers(),
            Self::Kernel(_) => true,
        }
    }

    pub(crate) fn farewell(&self) -> io::Result<()> {
        match self {
            Self::Other(stream) => stream.farewell(),
            Self::Kernel(_) => Ok(()),
        }
    }

    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Other(stream) => stream.has_unsent(),
            Self::Kernel(_) => false,
        }
    }

    pub(crate) fn layer(&self) -> Option<&dyn Layer> {
        match self {
            Self::Other(stream) => stream.layer(),
            Self::Kernel(_) => None,
        }
    }

    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Kernel(Kernel::Tcp(socket)) => socket.local_addr().ok(),
            #[cfg(unix)]
            Self::Kernel(Kernel::Unix(_)) => None,
            Self::Other(stream) => stream.local_addr(),
        }
    }

    pub(crate) fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        match self {
            Self::Kernel(Kernel::Tcp(socket)) => socket.set_nodelay(no_delay),
            #[cfg(unix)]
            Self::Kernel(Kernel::Unix(_)) => Ok(()),
            Self::Other(stream) => stream.set_no_delay(no_delay),
        }
    }

    pub(crate) fn set_keepalive(&self, after: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Kernel(Kernel::Tcp(socket)) => {
                set_keepalive(&socket2::SockRef::from(socket), after)
            }
            #[cfg(unix)]
            Self::Kernel(Kernel::Unix(_)) => Ok(()),
            Self::Other(stream) => stream.set_keepalive(after),
        }
    }
}

/// One system call, without the layers in between, which cost more than what is around them here.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn receive(socket: impl std::os::fd::AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, len) = rustix::net::recv(socket, buffer, rustix::net::RecvFlags::empty())?;
    Ok(len)
}

/// As [`receive`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn send(socket: impl std::os::fd::AsFd, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, rustix::net::SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn receive(mut socket: impl std::io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(mut socket: impl std::io::Write, data: &[u8]) -> io::Result<usize> {
    socket.write(data)
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
            Self::Kernel(Kernel::Tcp(_)) => "Tcp",
            #[cfg(unix)]
            Self::Kernel(Kernel::Unix(_)) => "Unix",
            Self::Other(_) => "Other",
        })
    }
}
