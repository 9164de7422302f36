//! The file that a Unix socket is bound to: claimed behind a lock, so that two servers never share a path by accident, and
//! removed when the socket is closed.
//!
//! The lock is `flock(2)` on a file beside it, `PATH.lock`, with the number of the process in it. The system lets go of it
//! when its process ends, however it ends; so a socket file whose lock can be had is nobody's, unless somebody listens on it
//! who knows nothing of locks. That is asked by connecting.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    net::SocketType,
};
use sinew_reactor::Excerpt;

use sinew_reactor::process::Origin;

use super::{
    addr::UnixAddr,
    error::UnixListenError,
    socket::{self, credentials},
};

/// How often a lock is tried whose file is taken away by the one who had it.
const TRIES: usize = 100;

/// How the file is made.
#[derive(Clone, Debug)]
pub(crate) struct FileOptions {
    pub(crate) mode: Option<u32>,
    pub(crate) lock: bool,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self { mode: None, lock: true }
    }
}

/// The right to bind a socket to a path, and from then on the file. Dropping it removes the file, then the lock; in a child of
/// fork(2), which has a copy, it does neither.
pub(crate) struct SocketFile {
    path: PathBuf,
    origin: Origin,
    /// Its device and number, once it is there: another's file in its place is not ours to remove.
    identity: Option<(u64, u64)>,
    _lock: Option<Lock>,
}

impl SocketFile {
    /// Claims the path: with its lock held, and nobody on it. What a dead process has left there is removed. `None` for
    /// addresses that are not in the file system.
    pub(crate) fn claim(
        addr: &UnixAddr,
        kind: SocketType,
        options: &FileOptions,
    ) -> Result<Option<Self>, UnixListenError> {
        let Some(path) = addr.path() else { return Ok(None) };
        find_folder(path)?;
        let lock = if options.lock { Some(Lock::take(path)?) } else { None };
        clear(path, kind)?;
        let origin = Origin::here();
        Ok(Some(Self { path: path.to_owned(), origin, identity: None, _lock: lock }))
    }

    /// The socket has been bound. Nobody can have connected yet.
    pub(crate) fn bound(&mut self, options: &FileOptions) -> io::Result<()> {
        let there = fs::symlink_metadata(&self.path)?;
        self.identity = Some((there.dev(), there.ino()));
        match options.mode {
            Some(mode) => fs::set_permissions(&self.path, Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.origin.is_here() {
            return;
        }
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| self.identity == Some((there.dev(), there.ino())))
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %Excerpt::path(&self.path), %error, "a socket file could not be removed");
        }
    }
}

/// The folder of a socket file has to be there. Else the first thing that fails is the lock, of which nobody has heard.
fn find_folder(path: &Path) -> Result<(), UnixListenError> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(UnixListenError::NoFolder { addr: path.into(), folder: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Removes a socket file that is nobody's.
fn clear(path: &Path, kind: SocketType) -> Result<(), UnixListenError> {
    let addr = || UnixAddr::Path(path.to_owned());
    let failed = |source| UnixListenError::Listen { addr: addr(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(there) if !there.file_type().is_socket() => {
            return Err(UnixListenError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match holder(&addr(), kind) {
        Ok(Held::Nobody) => fs::remove_file(path).map_err(failed),
        Ok(Held::By(holder)) => Err(UnixListenError::InUse { addr: addr(), holder }),
        Err(error) => Err(failed(error)),
    }
}

/// Who has an address.
pub(super) enum Held {
    Nobody,
    /// Somebody, and which process, if the system tells.
    By(Option<u32>),
}

/// Asks who has an address, by connecting to it.
pub(super) fn holder(addr: &UnixAddr, kind: SocketType) -> io::Result<Held> {
    let socket = socket::open(kind)?;
    match rustix::net::connect(&socket, &addr.to_system()?) {
        Ok(()) => Ok(Held::By(credentials(&socket).and_then(|credentials| credentials.pid))),
        Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT) => Ok(Held::Nobody),
        // A full backlog, or a socket of another type.
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::PROTOTYPE) => Ok(Held::By(None)),
        Err(error) => Err(error.into()),
    }
}

/// A lock that is held.
struct Lock {
    path: PathBuf,
    origin: Origin,
    _file: File,
}

impl Lock {
    fn take(socket: &Path) -> Result<Self, UnixListenError> {
        let mut path = OsString::from(socket);
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |source| UnixListenError::Lock { path: path.clone(), source };
        for _ in 0..TRIES {
            let mut file = open(&path).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_at(&file, &path).map_err(failed)? => {
                    write_number(&mut file).map_err(failed)?;
                    return Ok(Self { path, origin: Origin::here(), _file: file });
                }
                // Whoever had it has just taken its file away: it locks nobody out.
                Ok(()) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let holder = read_number(&mut file);
                    return Err(UnixListenError::InUse { addr: socket.into(), holder });
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        Err(failed(io::ErrorKind::WouldBlock.into()))
    }
}

impl Drop for Lock {
    /// While it is still held, so that nobody else's is removed.
    fn drop(&mut self) {
        if self.origin.is_here() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Whatever a link leads to is not to be written to.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(path)
}

/// Whether this file is still what the path leads to.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_number(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", process::id())
}

fn read_number(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
