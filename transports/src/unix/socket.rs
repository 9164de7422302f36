//! System calls of Unix sockets: bind, listen, connect, and peer credentials.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use mio::net::UnixListener;
use rustix::net::SocketType;
use socket2::SockRef;

use super::{
    UnixAddr, UnixListenConfig, UnixListenError,
    file::{FileOptions, Owner, SocketFile, owner},
};
use crate::{Credentials, StreamConfig, UnixPeer};

/// A listening socket, and its file.
pub(crate) struct UnixListening {
    listener: UnixListener,
    _file: Option<SocketFile>,
}

impl UnixListening {
    pub(super) fn open(
        addr: &UnixAddr,
        config: &UnixListenConfig,
    ) -> Result<Self, UnixListenError> {
        let (socket, file) = bind(addr, SocketType::STREAM, &config.file)?;
        rustix::net::listen(&socket, config.listen.backlog).map_err(|error| {
            UnixListenError::Listen { addr: addr.clone(), source: error.into() }
        })?;
        Ok(Self { listener: UnixListener::from_std(socket.into()), _file: file })
    }

    /// An existing listening socket and its address. Its file, if it has one, is not removed.
    pub(crate) fn adopted(socket: OwnedFd) -> io::Result<(Self, UnixAddr)> {
        let listener = std::os::unix::net::UnixListener::from(socket);
        let addr = UnixAddr::from_std(&listener.local_addr()?);
        Ok((Self { listener: UnixListener::from_std(listener), _file: None }, addr))
    }

    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().map(|(socket, _)| socket.into())
    }
}

impl AsFd for UnixListening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// A bound socket, and its file if it has one.
pub(crate) fn bind(
    addr: &UnixAddr,
    kind: SocketType,
    options: &FileOptions,
) -> Result<(OwnedFd, Option<SocketFile>), UnixListenError> {
    if addr.is_too_long() {
        return Err(UnixListenError::TooLong { addr: addr.clone() });
    }
    let failed = |source: io::Error| UnixListenError::Listen { addr: addr.clone(), source };
    let system = addr.to_system().map_err(failed)?;
    let mut file = SocketFile::claim(addr, kind, options)?;
    let socket = open(kind).map_err(failed)?;
    match rustix::net::bind(&socket, &system) {
        Ok(()) => {}
        Err(rustix::io::Errno::ADDRINUSE) => {
            let holder = match owner(addr, kind) {
                Ok(Owner::Process(holder)) => holder,
                _ => None,
            };
            return Err(UnixListenError::InUse { addr: addr.clone(), holder });
        }
        Err(error) => return Err(failed(error.into())),
    }
    if let Some(file) = &mut file {
        file.bound(options).map_err(failed)?;
    }
    Ok((socket, file))
}

/// A non-blocking socket.
pub(crate) fn open(kind: SocketType) -> io::Result<OwnedFd> {
    let socket = socket2::Socket::new(
        socket2::Domain::UNIX,
        match kind {
            SocketType::DGRAM => socket2::Type::DGRAM,
            _ => socket2::Type::STREAM,
        },
        None,
    )?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A connected socket: Unix sockets connect at once or fail, with `WouldBlock` if the backlog is full.
pub(crate) fn connect(addr: &UnixAddr, config: &StreamConfig) -> io::Result<UnixStream> {
    let socket = open(SocketType::STREAM)?;
    config.size_buffers(&SockRef::from(&socket))?;
    let system = addr.to_system()?;
    rustix::io::retry_on_intr(|| rustix::net::connect(&socket, &system))?;
    Ok(socket.into())
}

/// The credentials of the peer process.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn credentials(socket: impl AsFd) -> Option<Credentials> {
    let peer = rustix::net::sockopt::socket_peercred(socket).ok()?;
    let pid = u32::try_from(peer.pid.as_raw_pid()).ok().filter(|pid| *pid != 0);
    Some(Credentials { uid: peer.uid.as_raw(), gid: peer.gid.as_raw(), pid })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn credentials(_: impl AsFd) -> Option<Credentials> {
    None
}

impl UnixPeer {
    /// The peer of an accepted or connected socket.
    pub(crate) fn of(socket: &UnixStream) -> Self {
        let addr = socket.peer_addr().map_or(UnixAddr::Unnamed, |addr| UnixAddr::from_std(&addr));
        Self::new(addr, socket)
    }

    pub(crate) fn new(addr: UnixAddr, socket: &UnixStream) -> Self {
        Self { addr, credentials: credentials(socket) }
    }
}
