//! Unix sockets that are bound, and the files that they are bound to: [`UnixListening`].

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use mio::net::UnixListener;
use rustix::net::SocketType;

use super::{
    addr::UnixAddr,
    config::UnixListenConfig,
    error::UnixListenError,
    file::{FileOptions, Owner, SocketFile, owner},
    socket::open,
};

/// A listening socket, and its file.
pub(crate) struct UnixListening {
    listener: UnixListener,
    file: Option<SocketFile>,
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
        Ok(Self { listener: UnixListener::from_std(socket.into()), file })
    }

    /// An existing listening socket and its address. Its file, if it has one, is not removed.
    pub(crate) fn adopted(socket: OwnedFd) -> io::Result<(Self, UnixAddr)> {
        let listener = std::os::unix::net::UnixListener::from(socket);
        let addr = UnixAddr::from_std(&listener.local_addr()?);
        Ok((Self { listener: UnixListener::from_std(listener), file: None }, addr))
    }

    /// A listening socket that another process hands over, and its address.
    pub(crate) fn handed_over(
        socket: OwnedFd,
        lock: Option<OwnedFd>,
    ) -> io::Result<(Self, UnixAddr)> {
        let (mut listening, addr) = Self::adopted(socket)?;
        listening.file = SocketFile::handed_over(&addr, lock);
        Ok((listening, addr))
    }

    /// The file, if it has one that this process has made or taken over.
    pub(crate) const fn file(&self) -> Option<&SocketFile> {
        self.file.as_ref()
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
