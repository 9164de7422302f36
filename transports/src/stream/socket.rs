//! The socket under a stream: makes the system calls. Knows no protocols, queues or states.

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
use super::{INITIAL_INTEREST, layer::Layer, rights::Received, unacknowledged::unacknowledged};
use crate::{
    config::StreamConfig,
    net::ByteStream,
    options::{self, Keepalive},
    sharing::SentSocket,
};

/// A non-blocking kernel socket. On Unix the reactor registers anything with a file descriptor; elsewhere it needs mio's types.
#[cfg(unix)]
pub(crate) use std::{net::TcpStream, os::unix::net::UnixStream};

#[cfg(not(unix))]
pub(crate) use mio::net::TcpStream;

/// What a stream needs of its socket beyond [`ByteStream`]: operations that only kernel sockets and their wrappers have.
pub(crate) trait StreamSocket: ByteStream {
    /// Like `writev(2)`, with descriptors that are sent with the first byte.
    #[cfg(unix)]
    fn write_with_descriptors(
        &self,
        slices: &[IoSlice<'_>],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<usize> {
        let _ = (slices, descriptors);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Like [`read`](ByteStream::read), with the descriptors that arrive with the bytes.
    fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.read(buffer).map(Received::from)
    }
    /// Whether writes are delayed on purpose, regardless of events. The stream is rescheduled when the delay ends.
    fn is_held(&self) -> bool {
        false
    }
    /// Sends the closing message (close_notify) before a close without `close_write`. `WouldBlock` if the socket is full.
    fn finish_output(&self) -> io::Result<()> {
        Ok(())
    }
    /// Whether a wrapper holds output that is not in the stream's queue.
    fn has_unsent(&self) -> bool {
        false
    }
    /// This stream as a layer, if it is one.
    fn layer(&self) -> Option<&dyn Layer> {
        None
    }
    /// For wrappers of a socket in completion mode: the engine received this, so no read will return it. Empty is the end of
    /// stream.
    fn completed(&self, result: Result<&[u8], &io::Error>) {
        let _ = result;
    }
    /// Whether this is a plain kernel socket without a wrapper.
    fn is_kernel_socket(&self) -> bool {
        false
    }
    /// The descriptor of a plain kernel socket, for system calls made elsewhere.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernel_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// No effect except on kernel TCP sockets.
    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        let _ = no_delay;
        Ok(())
    }
    /// No effect except on kernel TCP sockets.
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
        retry_interrupted(|| Self::peek(self, &mut [0]))
    }

    /// A read stops at urgent data (tcp(7), "Urgent data"). epoll reports urgent data; other edge-triggered queues do not.
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        !is_edge_triggered || cfg!(any(target_os = "linux", target_os = "android"))
    }

    fn undelivered(&self) -> usize {
        unacknowledged(self)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, slices).map_err(map_in_progress)
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
    fn is_kernel_socket(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernel_fd(&self) -> Option<BorrowedFd<'_>> {
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
        retry_interrupted(|| {
            let (_, len) = rustix::net::recv(self, &mut [0], RecvFlags::PEEK)?;
            Ok(len)
        })
    }

    /// A read stops after bytes that carry descriptors, whether or not the reader accepts them (unix(7), `SCM_RIGHTS`).
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        !is_edge_triggered
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Write::write_vectored(&mut &*self, slices)
    }

    fn close_write(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    /// Unix sockets have no reset.
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
    fn is_kernel_socket(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernel_fd(&self) -> Option<BorrowedFd<'_>> {
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

/// The socket of a stream. Common operations are in [`StreamSocket`]; this type has those that depend on the kind of socket.
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

impl TryFrom<Socket> for SentSocket {
    type Error = Socket;

    fn try_from(socket: Socket) -> Result<Self, Socket> {
        match socket {
            Socket::Tcp(socket) => Ok(Self::Tcp(socket)),
            #[cfg(unix)]
            Socket::Unix(socket) => Ok(Self::Unix(socket)),
            other @ Socket::Other(_) => Err(other),
        }
    }
}

impl From<SentSocket> for Socket {
    fn from(socket: SentSocket) -> Self {
        match socket {
            SentSocket::Tcp(socket) => Self::Tcp(socket),
            #[cfg(unix)]
            SentSocket::Unix(socket) => Self::Unix(socket),
        }
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
    /// Whether this is a plain kernel socket without a wrapper.
    pub(crate) const fn is_kernel_socket(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether file descriptors can be sent with its bytes.
    pub(crate) const fn passes_descriptors(&self) -> bool {
        #[cfg(unix)]
        return matches!(self, Self::Unix(_));
        #[cfg(not(unix))]
        false
    }

    /// Has the engine watch it, or gives it a token.
    pub(crate) fn watch(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Tcp(socket) => reactor.register_source(socket, INITIAL_INTEREST),
            #[cfg(unix)]
            Self::Unix(socket) => reactor.register_source(socket, INITIAL_INTEREST),
            Self::Other(stream) => {
                let token = reactor.reserve()?;
                stream.register(token);
                Ok(token)
            }
        }
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| (**self).read(buffer))
    }

    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => retry_interrupted(|| send(socket, data)).map_err(map_in_progress),
            #[cfg(unix)]
            Self::Unix(socket) => retry_interrupted(|| send(socket, data)),
            Self::Other(stream) => {
                retry_interrupted(|| stream.write_vectored(&[IoSlice::new(data)]))
            }
        }
    }

    /// Sets the socket options of the configuration.
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

    /// Whether an accepted socket has inherited the options of its listening socket.
    pub(crate) const fn inherits_options(&self) -> bool {
        matches!(self, Self::Tcp(_)) && options::INHERITED_BY_TCP
    }

    pub(crate) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        retry_interrupted(|| (**self).write_vectored(slices))
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

/// Stands in for a socket that was closed.
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

/// Like `read(2)`. Bypasses the abstractions of the standard library, whose cost shows on this path.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
pub(super) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (_, len) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(len)
}

/// Like `write(2)`; see [`receive`].
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

/// Maps `EINPROGRESS` to `WouldBlock`: the first write of a TCP fast open whose data did not fit into the SYN waits for the
/// handshake.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[cold]
pub(super) fn map_in_progress(error: io::Error) -> io::Error {
    const IN_PROGRESS: i32 = Errno::INPROGRESS.raw_os_error();
    match error.raw_os_error() {
        Some(IN_PROGRESS) => io::ErrorKind::WouldBlock.into(),
        _ => error,
    }
}

/// No TCP fast open on this system.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn map_in_progress(error: io::Error) -> io::Error {
    error
}

/// Retries the call after `EINTR`.
pub(super) fn retry_interrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
