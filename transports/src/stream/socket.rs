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
use crate::{Keepalive, StreamConfig, options};

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
    /// What a read would say that has room for one byte; the byte stays. A stream of which that cannot be known says that there is
    /// one.
    fn peek(&self) -> io::Result<usize>;
    /// Whether a read that brings less than it had room for has taken all there was, unless the event before it said that reads may
    /// be cut short. It need not if the engine is level-triggered, and tells again of what is left.
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool;
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
    /// As [`read`](Self::read), with the descriptors that come with the bytes.
    fn read_with_descriptors(&self, buffer: &mut [u8]) -> io::Result<Received> {
        self.read(buffer).map(Received::from)
    }
    /// No more will be written.
    fn close_write(&self) -> io::Result<()>;
    /// Has the close that follows drop what is unsent and tell the peer so, where there is a way to tell.
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
    fn finish_output(&self) -> io::Result<()> {
        Ok(())
    }
    /// Whether what is read comes from elsewhere than where what is written goes, so that input goes on when output has failed. If
    /// not, only what has arrived by then is still read.
    fn has_two_ends(&self) -> bool {
        false
    }
    /// How many bytes that were written have not reached the other end's system yet, as far as this one tells. A reset would take
    /// them away.
    fn undelivered(&self) -> usize {
        0
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
    /// Whether the connection still stands; nothing is read. What the system tells of an error it tells once.
    fn check(&self) -> io::Result<()>;
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
    fn is_kernels(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernels(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

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

    fn set_no_delay(&self, no_delay: bool) -> io::Result<()> {
        self.set_nodelay(no_delay)
    }

    fn set_keepalive(&self, keepalive: Keepalive) -> io::Result<()> {
        keepalive.set_on(&SockRef::from(self))
    }
}

#[cfg(unix)]
impl ByteStream for UnixStream {
    fn is_kernels(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn kernels(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }

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

/// What a stream reads from and writes to. What every such thing can do is in [`ByteStream`]; here is what depends on which it
/// is.
pub(crate) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Box<dyn ByteStream>),
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

impl Deref for Socket {
    type Target = dyn ByteStream;

    fn deref(&self) -> &(dyn ByteStream + 'static) {
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

    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
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
