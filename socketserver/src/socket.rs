//! A socket with the calls that Python's has, under the names that they have there: [`Socket`]. It blocks, like its model,
//! for as long as its timeout says.

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

/// How much is read of a file at once where the kernel cannot send it by itself.
const FILE_PIECE: usize = 64 * 1024;

/// Pieces of input, of 4 KiB each, that a close takes off the kernel's hands.
const DRAINED_PIECES: usize = 16;

/// A socket that blocks. Cheap to clone: all clones are the same socket, which is closed when the last of them goes.
///
/// It is also `Read` and `Write`, and has its descriptor (`AsFd`, `AsSocket`) for all that Python's socket has and this has
/// not; `socket2::SockRef::from(&socket)` has the options.
#[derive(Clone)]
pub struct Socket {
    inner: Arc<Inner>,
    /// Whom it answers, and from where, if it is the socket of a datagram and the system has told.
    answers: Option<Arc<Answers>>,
}

#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "only Linux tells where a datagram was sent to")
)]
struct Answers {
    to: SocketAddr,
    from: PacketInfo,
}

struct Inner {
    socket: socket2::Socket,
    /// A timeout of zero: no call waits.
    nonblocking: AtomicBool,
}

/// A socket that is somebody else's to close.
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
        Self { inner, answers: None }
    }

    pub(crate) fn raw(&self) -> &socket2::Socket {
        &self.inner.socket
    }

    /// The same socket, whose answers to `to` leave from the address that was asked.
    pub(crate) fn answering(mut self, to: SocketAddr, from: PacketInfo) -> Self {
        self.answers = Some(Arc::new(Answers { to, from }));
        self
    }

    pub(crate) fn downgrade(&self) -> WeakSocket {
        WeakSocket(Arc::downgrade(&self.inner))
    }

    /// What has come, at most `bufsize` bytes; nothing if the peer has ended its output.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TimedOut`] past the [timeout](Self::settimeout); else what the system says.
    pub fn recv(&self, bufsize: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; bufsize];
        let len = self.recv_into(&mut buffer)?;
        buffer.truncate(len);
        Ok(buffer)
    }

    /// As [`recv`](Self::recv), into a buffer of yours; how many bytes there are.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn recv_into(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retry(|| self.raw().read(buffer))
    }

    /// As [`recv`](Self::recv), and from whom. On the socket of a datagram server this competes with the server.
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

    /// As [`recvfrom_now`](Self::recvfrom_now), and where it was sent to, if this is a UDP socket and the system tells.
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

    /// As [`recvfrom`](Self::recvfrom), but never waits.
    pub(crate) fn recvfrom_now(&self, buffer: &mut [u8]) -> io::Result<(usize, Address)> {
        #[cfg(unix)]
        let flags = RecvFlags::DONTWAIT;
        #[cfg(not(unix))]
        let flags = RecvFlags::empty(); // The server's socket does not block there.
        self.recvfrom_flags(buffer, flags)
    }

    fn recvfrom_flags(&self, buffer: &mut [u8], flags: RecvFlags) -> io::Result<(usize, Address)> {
        let (len, _, from) = rustix::net::recvfrom(self.raw(), buffer, flags)?;
        Ok((len, Address::of_any(from)))
    }

    /// Sends some of it; how many bytes were taken.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn send(&self, bytes: impl AsRef<[u8]>) -> io::Result<usize> {
        self.retry(|| self.raw().send(bytes.as_ref()))
    }

    /// Sends all of it. The timeout counts for each piece that the kernel takes; in Python, for the whole.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv). How much was sent by then is not known.
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

    /// Sends a datagram to an address; how many bytes were taken. On Linux, what the socket of a [`Packet`](crate::Packet) sends to
    /// the client leaves from the address that the client has asked. (Python: from whichever the system chooses.)
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv); [`ErrorKind::InvalidInput`] if the address is that of a socket without a name.
    pub fn sendto(&self, bytes: impl AsRef<[u8]>, address: &Address) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(Answers { to, from }) = self.answers.as_deref()
            && address.inet() == Some(*to)
        {
            return self
                .retry(|| sinew_reactor::packet_info::send(self.raw(), bytes.as_ref(), *to, from));
        }
        let address = address.to_system()?;
        self.retry(|| self.raw().send_to(bytes.as_ref(), &address))
    }

    /// Sends what is in a file from `offset` on, `count` bytes or all; how many that were. On Linux the kernel does it alone.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and if the file cannot be read.
    pub fn sendfile(&self, file: &File, offset: u64, count: Option<u64>) -> io::Result<u64> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match self.sendfile_by_kernel(file, offset, count) {
            // Not a file that it can do that with.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {}
            done => return done,
        }
        self.sendfile_by_hand(file, offset, count)
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

    fn sendfile_by_hand(
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

    /// How long a call may wait for the peer: `None` for ever, zero not at all. Default: the handler's
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

    /// How long a call may wait for the peer.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
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
    /// If there is none.
    pub fn getpeername(&self) -> io::Result<Address> {
        Ok(Address::of_system(&self.raw().peer_addr()?))
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// If the system does not tell.
    pub fn getsockname(&self) -> io::Result<Address> {
        Ok(Address::of_system(&self.raw().local_addr()?))
    }

    /// The number of its descriptor, to be borrowed, not closed.
    #[cfg(unix)]
    #[must_use]
    pub fn fileno(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsRawFd;
        self.raw().as_raw_fd()
    }

    /// Ends the input (`SHUT_RD`), the output (`SHUT_WR`), or both (`SHUT_RDWR`).
    ///
    /// # Errors
    ///
    /// If it is not connected any more.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.raw().shutdown(how)
    }

    /// Takes what has come and nobody has read. With input left in the kernel, a close is a reset, and the peer might lose
    /// the end of our answer. Never waits, and gives up on a peer that goes on and on.
    pub(crate) fn drain(&self) {
        let mut piece = [0; 4096];
        for _ in 0..DRAINED_PIECES {
            #[cfg(unix)]
            let came = self.recvfrom_now(&mut piece).map(|(len, _)| len);
            #[cfg(not(unix))]
            let came =
                self.settimeout(Some(Duration::ZERO)).and_then(|()| self.recv_into(&mut piece));
            if !matches!(came, Ok(1..)) {
                return;
            }
        }
    }

    /// Signals do not end a wait, and a wait that was too long is called so on every platform.
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
        self.0.upgrade().map(|inner| Socket { inner, answers: None })
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
