//! A blocking socket with the methods of Python's socket, under the same names: [`Socket`]. Calls block for at most its
//! timeout.

use std::{
    fmt,
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    net::{Shutdown, SocketAddr},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::net::RecvFlags;
use sinew_reactor::PacketInfo;

use crate::Address;

/// How much of a file is read at once where sendfile(2) is not available.
const FILE_PIECE: usize = 64 * 1024;

/// How many pieces of 4 KiB a close drains from the input.
const DRAINED_PIECES: usize = 16;

/// A blocking socket. Cheap to clone: all clones are the same socket, which is closed when the last of them is dropped.
///
/// It also implements `Read` and `Write`, and gives access to its descriptor (`AsFd`, `AsSocket`) for operations that
/// are missing here; `socket2::SockRef::from(&socket)` has the options.
#[derive(Clone)]
pub struct Socket {
    inner: Arc<Inner>,
    /// The client and the source address of replies, if this is the socket of a datagram whose local address is known.
    reply: Option<Arc<Reply>>,
}

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "only Linux reports where a datagram was sent to")
)]
struct Reply {
    to: SocketAddr,
    from: PacketInfo,
}

struct Inner {
    socket: socket2::Socket,
    /// A timeout of zero: no call blocks.
    nonblocking: AtomicBool,
}

/// A reference that does not keep the socket open.
#[derive(Clone, Debug)]
pub(crate) struct WeakSocket(Weak<Inner>);

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl Socket {
    pub(crate) fn new(socket: socket2::Socket) -> Self {
        let inner = Arc::new(Inner { socket, nonblocking: AtomicBool::new(false) });
        Self { inner, reply: None }
    }

    pub(crate) fn raw(&self) -> &socket2::Socket {
        &self.inner.socket
    }

    /// The same socket, whose replies to `to` leave from the address that the request was sent to.
    pub(crate) fn replying(mut self, to: SocketAddr, from: PacketInfo) -> Self {
        self.reply = Some(Arc::new(Reply { to, from }));
        self
    }

    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.inner))
    }

    /// Receives at most `bufsize` bytes; empty if the peer has shut down its sending side.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`] past the [timeout](Self::settimeout); else the error of the system call.
    pub fn recv(&self, bufsize: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; bufsize];
        let len = self.recv_into(&mut buffer)?;
        buffer.truncate(len);
        Ok(buffer)
    }

    /// As [`recv`](Self::recv), into a buffer of yours; returns the number of bytes.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry(|| self.raw().read(buffer))
    }

    /// As [`recv`](Self::recv), with the sender's address. On the socket of a datagram server this competes with the
    /// server.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recvfrom(&self, bufsize: usize) -> io::Result<(Vec<u8>, Address)> {
        let mut buffer = vec![0; bufsize];
        let (len, address) = self.retry(|| self.recvfrom_flags(&mut buffer, RecvFlags::empty()))?;
        buffer.truncate(len);
        Ok((buffer, address))
    }

    /// As [`recvfrom_now`](Self::recvfrom_now), with the destination address, if this is a UDP socket and the system
    /// reports it.
    pub(crate) fn receive_now(
        &self,
        buffer: &mut [u8],
        is_udp: bool,
    ) -> io::Result<(usize, Address, Option<PacketInfo>)> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if is_udp {
            let (len, from, info) = sinew_reactor::packet_info::receive(self.raw(), buffer)?;
            return Ok((len, from.into(), info));
        }
        let _ = is_udp;
        self.recvfrom_now(buffer).map(|(len, from)| (len, from, None))
    }

    /// As [`recvfrom`](Self::recvfrom), but never blocks.
    pub(crate) fn recvfrom_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        #[cfg(unix)]
        let flags = RecvFlags::DONTWAIT;
        #[cfg(not(unix))]
        let flags = RecvFlags::empty(); // The server's socket is non-blocking on this platform.
        self.recvfrom_flags(buffer, flags)
    }

    fn recvfrom_flags(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<(usize, Address)> {
        let (len, _, from) = rustix::net::recvfrom(self.raw(), buffer, flags)?;
        Ok((len, Address::of_any(from)))
    }

    /// Sends some of the bytes; returns how many were taken.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> io::Result<usize> {
        self.retry(|| self.raw().send(bytes.as_ref()))
    }

    /// Sends all bytes. The timeout applies to each piece that the kernel takes; in Python, to the whole.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv). How much was sent before the error is not known.
    pub fn sendall(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut bytes = bytes.as_ref();
        while !bytes.is_empty() {
            match self.send(bytes)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                n => bytes = &bytes[n..],
            }
        }
        Ok(())
    }

    /// Sends a datagram to an address; returns how many bytes were taken. On Linux, a reply to the client on the socket
    /// of a [`Packet`](crate::Packet) leaves from the address that the request was sent to. (Python: from any that the
    /// system chooses.)
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`ErrorKind::InvalidInput`] if the address is that of an unnamed socket.
    pub fn sendto(&self, bytes: impl AsRef<[u8]>, address: &Address) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(Reply { to, from }) = self.reply.as_deref()
            && address.inet() == Some(*to)
        {
            return self
                .retry(|| sinew_reactor::packet_info::send(self.raw(), bytes.as_ref(), *to, from));
        }
        let address = address.to_system()?;
        self.retry(|| self.raw().send_to(bytes.as_ref(), &address))
    }

    /// Sends the content of a file from `offset` on, `count` bytes or all; returns how many. On Linux by sendfile(2),
    /// without copying.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and if the file cannot be read.
    pub fn sendfile(&self, file: &File, offset: u64, count: Option<u64>) -> io::Result<u64> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match self.sendfile_by_kernel(file, offset, count) {
            // Not a file that sendfile(2) supports.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {}
            done => return done,
        }
        self.sendfile_by_copy(file, offset, count)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn sendfile_by_kernel(
        &self,
        file: &File,
        mut offset: u64,
        count: Option<u64>,
    ) -> io::Result<u64> {
        let (start, count) = (offset, count.unwrap_or(u64::MAX));
        loop {
            let left = count - (offset - start);
            let piece = usize::try_from(left).unwrap_or(usize::MAX).min(1 << 30);
            let sent = self
                .retry(|| Ok(rustix::fs::sendfile(self.raw(), file, Some(&mut offset), piece)?))?;
            if sent == 0 {
                return Ok(offset - start);
            }
        }
    }

    fn sendfile_by_copy(
        &self,
        mut file: &File,
        offset: u64,
        count: Option<u64>,
    ) -> io::Result<u64> {
        file.seek(SeekFrom::Start(offset))?;
        let mut source = file.take(count.unwrap_or(u64::MAX));
        let mut piece = vec![0; FILE_PIECE];
        let mut sent = 0;
        loop {
            match source.read(&mut piece)? {
                0 => return Ok(sent),
                n => self.sendall(&piece[..n])?,
            }
            sent = source.stream_position()? - offset;
        }
    }

    /// How long a call may block: `None` without limit, zero not at all. Default: the handler's
    /// [`timeout`](crate::StreamRequestHandler::timeout), which is none.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn settimeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let nonblocking = timeout == Some(Duration::ZERO);
        self.raw().set_nonblocking(nonblocking)?;
        self.inner.nonblocking.store(nonblocking, Ordering::Relaxed);
        if nonblocking {
            return Ok(());
        }
        self.raw().set_read_timeout(timeout)?;
        self.raw().set_write_timeout(timeout)
    }

    /// How long a call may block.
    ///
    /// # Errors
    ///
    /// If the system call fails.
    pub fn gettimeout(&self) -> io::Result<Option<Duration>> {
        if self.inner.nonblocking.load(Ordering::Relaxed) {
            return Ok(Some(Duration::ZERO));
        }
        self.raw().read_timeout()
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// If the socket is not connected.
    pub fn getpeername(&self) -> io::Result<Address> {
        Ok(Address::of_system(&self.raw().peer_addr()?))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// If the system call fails.
    pub fn getsockname(&self) -> io::Result<Address> {
        Ok(Address::of_system(&self.raw().local_addr()?))
    }

    /// The file descriptor number, to be borrowed, not closed.
    #[cfg(unix)]
    #[must_use]
    pub fn fileno(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd;
        self.raw().as_raw_fd()
    }

    /// Shuts down the receiving side (`SHUT_RD`), the sending side (`SHUT_WR`), or both (`SHUT_RDWR`).
    ///
    /// # Errors
    ///
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.raw().shutdown(how)
    }

    /// Reads and discards unread input: closing a socket with unread input resets the connection, and the peer might lose
    /// the end of our reply. Never blocks, and gives up on a peer that keeps sending.
    pub(crate) fn drain(&self) {
        let mut piece = [0; 4096];
        for _ in 0..DRAINED_PIECES {
            #[cfg(unix)]
            let received = self.recvfrom_now(&mut piece).map(|(len, _)| len);
            #[cfg(not(unix))]
            let received =
                self.settimeout(Some(Duration::ZERO)).and_then(|()| self.recv_into(&mut piece));
            if !matches!(received, Ok(1..)) {
                return;
            }
        }
    }

    /// Retries a call that was interrupted by a signal, and reports a timeout as `TimedOut` on every platform.
    fn retry<T>(&self, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match call() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if error.kind() == ErrorKind::WouldBlock
                        && !self.inner.nonblocking.load(Ordering::Relaxed) =>
                {
                    return Err(io::Error::new(ErrorKind::TimedOut, "timed out"));
                }
                done => return done,
            }
        }
    }
}

impl WeakSocket {
    /// The socket, if it is not closed yet.
    pub(crate) fn upgrade(&self) -> Option<Socket> {
        self.0.upgrade().map(|inner| Socket { inner, reply: None })
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.raw().fmt(f)
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_into(buffer)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_into(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.raw().as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for Socket {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.raw().as_socket()
    }
}
