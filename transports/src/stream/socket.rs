//! The thin layer under a stream: who does the system calls. It knows nothing of protocols, queues or states.

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::{
    fmt,
    io::{self, IoSlice, Write},
    net::{Shutdown, SocketAddr},
    ops::Deref,
    time::Duration,
};

#[cfg(unix)]
use rustix::net::RecvFlags;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::{io::Errno, net::SendFlags};
use sinew_reactor::{Reactor, Ready, RegisterError, Token};
use socket2::SockRef;

#[cfg(unix)]
use super::rights;
use super::{FIRST_INTEREST, layer::Layer, rights::Received, undelivered};
use crate::{
    config::StreamConfig,
    net::ByteStream,
    options::{self, Keepalive},
};

/// A socket of the kernel's, which does not block. The reactor takes whatever has a descriptor; where there are none it wants
/// mio's.
#[cfg(unix)]
pub(crate) use std::{net::TcpStream, os::unix::net::UnixStream};

#[cfg(not(unix))]
pub(crate) use mio::net::TcpStream;

/// What a stream asks of its socket beyond what a network brings: what only the kernel's sockets and layers around them have.
pub(crate) trait StreamSocket: ByteStream {
    /// As `writev(2)`, with descriptors that go with the first of the bytes.
    #[cfg(unix)]
    fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        let _ = (slices, descriptors);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// As [`read`](ByteStream::read), with the descriptors that come with the bytes.
    fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.read(buffer).map(Received::from)
    }
    /// Whether nothing is taken for now, whatever an engine says, and the loop is had come by when that changes.
    fn is_held(&self) -> bool {
        false
    }
    /// The last word to the peer before a close without `close_write`. `WouldBlock` if there was no room for it yet.
    fn finish_output(&self) -> io::Result<()> {
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
    /// The engine has received this, which would have been read otherwise: for what stands around a socket. Empty is the end.
    fn completed(&self, came: Result<&[u8], &io::Error>) {
        let _ = came;
    }
    /// Whether it is plainly a socket of the kernel's, with nothing around it.
    fn is_kernels(&self) -> bool {
        false
    }
    /// Then its descriptor, for calls that are made on it elsewhere.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernels(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// Of no meaning for streams that are not TCP in a kernel.
    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        let _ = no_delay;
        Ok(())
    }
    /// Of no meaning for streams that are not TCP in a kernel.
    fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        let _ = keepalive;
        Ok(())
    }
}

impl ByteStream for TcpStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self, buffer)
    }

    fn peek(&self) -> io::Result<usize> {
        uninterrupted(|| Self::peek(self, &mut [0]))
    }

    /// A read ends early at urgent data (tcp(7), "Urgent data"), of which epoll tells and no other edge-triggered queue.
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        !is_edge_triggered || cfg!(any(target_os = "linux", target_os = "android"))
    }

    fn undelivered(&self) -> usize {
        undelivered::in_socket(self)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, slices).map_err(not_yet)
    }

    fn close_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn reset(&self) {
        let lingered = SockRef::from(self).set_linger(Some(Duration::ZERO));
        if let Err(error) = lingered {
            tracing::debug!(%error, "SO_LINGER could not be set; closing without a reset");
        }
    }

    fn readiness(&self) -> Ready {
        Ready::NONE
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Self::local_addr(self).ok()
    }

    fn check(&self) -> io::Result<()> {
        self.take_error()?.map_or(Ok(()), Err)
    }
}

impl StreamSocket for TcpStream {
    fn is_kernels(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernels(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.set_nodelay(no_delay)
    }

    fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        keepalive.set_on(&SockRef::from(self))
    }
}

#[cfg(unix)]
impl ByteStream for UnixStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        receive(self, buffer)
    }

    fn peek(&self) -> io::Result<usize> {
        uninterrupted(|| {
            let (_, len) = rustix::net::recv(self, &mut [0], RecvFlags::PEEK)?;
            Ok(len)
        })
    }

    /// A read ends early behind bytes that descriptors came with, whether or not anybody takes these (unix(7), `SCM_RIGHTS`).
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        !is_edge_triggered
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, slices)
    }

    fn close_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// There is no way to tell.
    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        Ready::NONE
    }

    fn check(&self) -> io::Result<()> {
        self.take_error()?.map_or(Ok(()), Err)
    }
}

#[cfg(unix)]
impl StreamSocket for UnixStream {
    fn is_kernels(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernels(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

    fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        rights::send(self, slices, descriptors)
    }

    fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        rights::receive(self, buffer)
    }
}

/// What a stream reads from and writes to. What every such thing can do is in [`StreamSocket`]; here is what depends on which it
/// is.
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Box<dyn StreamSocket>),
}

impl From<TcpStream> for Socket {
    fn from(socket: TcpStream) -> Self {
        Self::Tcp(socket)
    }
}

#[cfg(unix)]
impl From<UnixStream> for Socket {
    fn from(socket: UnixStream) -> Self {
        Self::Unix(socket)
    }
}

impl From<Box<dyn ByteStream>> for Socket {
    fn from(stream: Box<dyn ByteStream>) -> Self {
        Self::Other(Box::new(stream))
    }
}

impl Deref for Socket {
    type Target = dyn StreamSocket;

    fn deref(&self) -> &(dyn StreamSocket + 'static) {
        match self {
            Self::Tcp(socket) => socket,
            #[cfg(unix)]
            Self::Unix(socket) => socket,
            Self::Other(stream) => &**stream,
        }
    }
}

impl Socket {
    /// Whether it is plainly a socket of the kernel's, with nothing around it.
    pub(crate) const fn is_kernels(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether descriptors can go with its bytes.
    pub(crate) const fn passes_descriptors(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Unix(_));
        #[cfg(not(unix))]
        false
    }

    /// Has the engine watch it, or gives it a token.
    pub(crate) fn watch(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Tcp(socket) => reactor.register_source(socket, FIRST_INTEREST),
            #[cfg(unix)]
            Self::Unix(socket) => reactor.register_source(socket, FIRST_INTEREST),
            Self::Other(stream) => {
                let token = reactor.reserve()?;
                stream.register(token);
                Ok(token)
            }
        }
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| (**self).read(buffer))
    }

    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => uninterrupted(|| send(socket, data)).map_err(not_yet),
            #[cfg(unix)]
            Self::Unix(socket) => uninterrupted(|| send(socket, data)),
            Self::Other(stream) => uninterrupted(|| stream.write_vectored(&[IoSlice::new(data)])),
        }
    }

    /// Sets what a stream of this configuration is to have.
    pub(crate) fn set_options(&self, config: &StreamConfig) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => {
                let socket = SockRef::from(socket);
                config.set_on_tcp(&socket, options::is_v6(&socket))
            }
            #[cfg(unix)]
            Self::Unix(socket) => config.size_buffers(&SockRef::from(socket)),
            Self::Other(_) => Ok(()),
        }
    }

    /// Whether it has had the options of its port since it was accepted.
    pub(crate) const fn inherits_options(&self) -> bool {
        matches!(self, Self::Tcp(_)) && options::INHERITED_BY_TCP
    }

    pub(crate) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        uninterrupted(|| (**self).write_vectored(slices))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            #[cfg(unix)]
            Self::Unix(_) => "Unix",
            Self::Other(_) => "Other",
        })
    }
}

/// What is left of a socket that has been closed.
pub(crate) struct Closed;

impl ByteStream for Closed {
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn peek(&self) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn short_read_drains(&self, _: bool) -> bool {
        true
    }

    fn write_vectored(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn close_write(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn check(&self) -> io::Result<()> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn reset(&self) {}

    fn readiness(&self) -> Ready {
        Ready::NONE
    }
}

impl StreamSocket for Closed {}

/// As `read(2)`, without the layers in between, which cost more than what is around them here.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(super) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, len) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(len)
}

/// As `write(2)`; see [`receive`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(super) fn send(socket: impl AsFd, data: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, data, SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn receive(mut socket: impl std::io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn send(mut socket: impl Write, data: &[u8]) -> io::Result<usize> {
    socket.write(data)
}

/// The first write of a fast open, whose bytes could not go with the first packet after all: it has to wait for the connection.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cold]
pub(super) fn not_yet(error: io::Error) -> io::Error {
    const IN_PROGRESS: i32 = Errno::INPROGRESS.raw_os_error();
    match error.raw_os_error() {
        Some(IN_PROGRESS) => io::ErrorKind::WouldBlock.into(),
        _ => error,
    }
}

/// Nothing is opened so fast here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn not_yet(error: io::Error) -> io::Error {
    error
}

/// Makes the call again if a signal came in between.
pub(super) fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
