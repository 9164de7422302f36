//! System calls of Unix sockets: open, connect, and peer credentials.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::SocketType;
use sinew_reactor::{Engine, Reactor};
use socket2::SockRef;

use super::addr::UnixAddr;
use crate::{
    config::StreamConfig,
    peer::{Credentials, UnixPeer},
};

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

/// Fails on a simulated reactor, which has no Unix sockets.
pub(crate) fn check_kernel(reactor: &Reactor) -> io::Result<()> {
    match reactor.engine() {
        Engine::Simulated => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated network has no Unix sockets",
        )),
        _ => Ok(()),
    }
}
