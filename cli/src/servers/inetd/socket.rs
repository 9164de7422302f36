//! The listening sockets of programs: [`Socket`] opens one and accepts. It does not block, unless it is lent to a child.

use std::{
    fs, io,
    net::{TcpListener, UdpSocket},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            fs::FileTypeExt,
            net::{UnixDatagram, UnixListener},
        },
    },
    path::{Path, PathBuf},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, SockAddr, Type};

use super::entry::{At, Bind};

/// The backlog of a listening socket.
const BACKLOG: i32 = 128;

/// A socket that is bound, and listens if it is one of streams.
#[derive(Debug)]
pub(super) struct Socket {
    kind: Kind,
    /// The file of a Unix socket, which is removed with it.
    file: Option<PathBuf>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Udp(UdpSocket),
    Unix(UnixListener),
    UnixDatagram(UnixDatagram),
}

impl Socket {
    pub(super) fn open(at: &At) -> io::Result<Self> {
        let (kind, file) = match at {
            At::Tcp(bind) => {
                let socket = bound(bind, Type::STREAM, Protocol::TCP)?;
                socket.listen(BACKLOG)?;
                (Kind::Tcp(socket.into()), None)
            }
            At::Udp(bind) => (Kind::Udp(bound(bind, Type::DGRAM, Protocol::UDP)?.into()), None),
            At::Unix(path) => {
                remove_stale(path)?;
                (Kind::Unix(UnixListener::bind(path)?), Some(path.clone()))
            }
            At::UnixDatagram(path) => {
                remove_stale(path)?;
                (Kind::UnixDatagram(UnixDatagram::bind(path)?), Some(path.clone()))
            }
        };
        let socket = Self { kind, file };
        socket.set_blocking(false)?;
        Ok(socket)
    }

    /// The address, with the port that the system has chosen.
    pub(super) fn address(&self) -> String {
        let addr = match &self.kind {
            Kind::Tcp(socket) => socket.local_addr(),
            Kind::Udp(socket) => socket.local_addr(),
            Kind::Unix(_) | Kind::UnixDatagram(_) => {
                let file = self.file.as_deref().unwrap_or(Path::new(""));
                return format!("unix:{}", file.display());
            }
        };
        let kind = if matches!(self.kind, Kind::Tcp(_)) { "tcp" } else { "udp" };
        addr.map_or_else(|_| kind.to_owned(), |addr| format!("{kind}:{addr}"))
    }

    /// Accepts a connection, whose socket blocks, as programs expect; and the peer.
    pub(super) fn accept(&self) -> io::Result<(OwnedFd, String)> {
        match &self.kind {
            Kind::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                stream.set_nonblocking(false)?;
                Ok((stream.into(), peer.to_string()))
            }
            Kind::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                stream.set_nonblocking(false)?;
                Ok((stream.into(), "a Unix socket".to_owned()))
            }
            Kind::Udp(_) | Kind::UnixDatagram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether a connection or a datagram is waiting.
    pub(super) fn has_input(&self) -> bool {
        let mut wanted = [PollFd::new(self, PollFlags::IN)];
        matches!(poll(&mut wanted, Some(&Timespec::default())), Ok(1..))
    }

    /// Another descriptor of it, for a child.
    pub(super) fn lend(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }

    /// A child that has the socket shares this flag.
    pub(super) fn set_blocking(&self, blocks: bool) -> io::Result<()> {
        match &self.kind {
            Kind::Tcp(socket) => socket.set_nonblocking(!blocks),
            Kind::Udp(socket) => socket.set_nonblocking(!blocks),
            Kind::Unix(socket) => socket.set_nonblocking(!blocks),
            Kind::UnixDatagram(socket) => socket.set_nonblocking(!blocks),
        }
    }
}

fn bound(bind: &Bind, kind: Type, protocol: Protocol) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(bind.addr), kind, Some(protocol))?;
    if bind.addr.is_ipv6() {
        socket.set_only_v6(!bind.is_dual)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&SockAddr::from(bind.addr))?;
    Ok(socket)
}

/// Removes the socket file of a process that is gone. A file that is no socket, or on which a process listens, is left alone, and binding
/// fails.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    let datagrams = UnixDatagram::unbound()?;
    let is_stale = std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| is_refused(&error))
        || datagrams.connect(path).is_err_and(|error| is_refused(&error));
    if is_stale { fs::remove_file(path) } else { Ok(()) }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.kind {
            Kind::Tcp(socket) => socket.as_fd(),
            Kind::Udp(socket) => socket.as_fd(),
            Kind::Unix(socket) => socket.as_fd(),
            Kind::UnixDatagram(socket) => socket.as_fd(),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}
