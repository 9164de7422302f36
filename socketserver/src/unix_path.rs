//! The file of a Unix socket: removed at the end and replaced if stale. Python leaves it behind, which prevents a restart.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::PathBuf,
};

use sinew_reactor::process::Origin;
use socket2::{Domain, Socket};

use crate::Address;

/// The file that a bind created.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// A child of fork(2) must not remove it.
    origin: Origin,
}

impl SocketFile {
    /// The file of a server that has just been bound; `None` for an abstract name.
    pub(crate) fn of(address: &Address) -> Option<Self> {
        let path = address.path()?;
        let found = fs::symlink_metadata(path).ok()?;
        Some(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
            origin: Origin::here(),
        })
    }

    /// Removes the file, unless another has taken its place.
    pub(crate) fn remove(&self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        if is_ours && self.origin.is_here() {
            // Fails if it is gone already, which is fine.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket's file on which no process listens. Any other file at that path stays, and bind(2) fails.
pub(crate) fn remove_if_dead(address: &Address, like: &Socket) -> io::Result<()> {
    let Some(path) = address.path() else { return Ok(()) };
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    let probe = Socket::new(Domain::UNIX, like.r#type()?, None)?;
    probe.set_nonblocking(true)?;
    match probe.connect(&address.to_system()?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}
