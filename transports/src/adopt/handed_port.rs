//! A listening socket that one process hands over to another: [`HandedPort`]. How it travels is up to the program;
//! `sinew-application` does it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use socket2::SockRef;

use super::DescriptorKind;
use crate::{Address, UnixAddr, net::listener::Listener, unix::listening::UnixListening};

/// A listening socket that is handed over from one process to its successor, so that the clients in its backlog wait and are not
/// refused. Unix only.
///
/// The old process gets it from [`ListeningPort::to_hand_over`](crate::ListeningPort::to_hand_over), and sends its descriptors
/// over a Unix socket. The new one makes it of those descriptors, and listens with
/// [`ListenConfig::handed_over`](crate::ListenConfig::handed_over).
///
/// With the socket of a path goes the lock of its file. The file belongs to the old process until both have called
/// [`ListeningPort::leave_file`](crate::ListeningPort::leave_file).
#[derive(Clone, Debug)]
pub struct HandedPort(Arc<Descriptors>);

#[derive(Debug)]
struct Descriptors {
    socket: OwnedFd,
    lock: Option<OwnedFd>,
}

impl HandedPort {
    /// A port of these descriptors.
    #[must_use]
    pub fn new(socket: OwnedFd, lock: Option<OwnedFd>) -> Self {
        Self(Arc::new(Descriptors { socket, lock }))
    }

    /// The listening socket.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.0.socket.as_fd()
    }

    /// The lock of the file of a Unix socket, if it has one.
    #[must_use]
    pub fn lock(&self) -> Option<BorrowedFd<'_>> {
        self.0.lock.as_ref().map(AsFd::as_fd)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// If it is not a listening TCP or Unix socket, or the system refuses to say.
    pub fn address(&self) -> io::Result<Address> {
        let local = SockRef::from(&self.0.socket).local_addr();
        match DescriptorKind::of(&self.0.socket)? {
            DescriptorKind::TcpListener => match local?.as_socket() {
                Some(addr) => Ok(addr.into()),
                None => Err(io::ErrorKind::Unsupported.into()),
            },
            DescriptorKind::UnixListener => {
                let listener = std::os::unix::net::UnixListener::from(self.0.socket.try_clone()?);
                Ok(UnixAddr::from_std(&listener.local_addr()?).into())
            }
            other => {
                let what = format!("expected a listening stream socket, but it is {other}");
                Err(io::Error::new(io::ErrorKind::InvalidInput, what))
            }
        }
    }

    /// The socket, if it listens on one of these addresses, where port 0 stands for any.
    pub(crate) fn tcp_on(&self, wanted: &[SocketAddr]) -> io::Result<Option<TcpListener>> {
        let is_wanted = |local: SocketAddr| {
            let is_like = |addr: &SocketAddr| {
                addr.ip() == local.ip() && (addr.port() == 0 || addr.port() == local.port())
            };
            wanted.iter().any(is_like)
        };
        match self.address()? {
            Address::Inet(local) if is_wanted(local) => Ok(Some(self.duplicate()?.into())),
            _ => Ok(None),
        }
    }

    /// The socket, if it listens on one of these addresses, and nowhere else.
    pub(crate) fn tcp_exactly_on(&self, wanted: &[SocketAddr]) -> Option<TcpListener> {
        match self.address() {
            Ok(Address::Inet(local)) if wanted.contains(&local) => {
                self.duplicate().ok().map(TcpListener::from)
            }
            _ => None,
        }
    }

    /// The socket, if it listens there.
    pub(crate) fn unix_on(&self, wanted: &UnixAddr) -> io::Result<Option<Listener>> {
        if !matches!(self.address()?, Address::Unix(local) if local == *wanted) {
            return Ok(None);
        }
        let lock = self.0.lock.as_ref().map(OwnedFd::try_clone).transpose()?;
        let (listening, _) = UnixListening::handed_over(self.duplicate()?, lock)?;
        Ok(Some(Listener::unix(listening).shared()))
    }

    /// A duplicate of the socket, made ready for a reactor.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        let socket = self.0.socket.try_clone()?;
        SockRef::from(&socket).set_nonblocking(true)?;
        Ok(socket)
    }
}
