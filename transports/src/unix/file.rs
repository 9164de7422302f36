//! The file of a Unix socket: claimed with a lock, so that two servers never share a path by accident, and
//! removed when the socket is closed.
//!
//! The lock is `flock(2)` on a file beside it, `PATH.lock`, which holds the pid. The system releases it
//! when the process ends, however it ends; so a socket file whose lock is free is stale, unless a server that does not use the
//! lock listens on it, which is found out by connecting.

use std::{
    cell::Cell,
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Seek, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
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

/// Attempts to take a lock whose file is removed by its last owner in between.
const LOCK_ATTEMPTS_MAX: usize = 100;

/// Options for creating the file.
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

/// A claimed path, and then the socket file. Dropping it removes the file, then the lock; in a child of
/// fork(2), which has a copy, it does neither.
pub(crate) struct SocketFile {
    path: PathBuf,
    origin: Origin,
    /// Device and inode of the file, once it exists: another file in its place must not be removed.
    identity: Option<(u64, u64)>,
    lock: Option<Lock>,
    /// Another process has the socket, too, and looks after the file.
    is_left: Cell<bool>,
}

impl SocketFile {
    /// Claims the path: takes its lock, and checks that nothing listens on it. A stale socket file is removed. `None` for
    /// addresses without a file.
    pub(crate) fn claim(
        addr: &UnixAddr,
        kind: SocketType,
        options: &FileOptions,
    ) -> Result<Option<Self>, UnixListenError> {
        let Some(path) = addr.path() else { return Ok(None) };
        check_directory(path)?;
        let lock = if options.lock { Some(Lock::take(path)?) } else { None };
        remove_stale(path, kind)?;
        let origin = Origin::here();
        let is_left = Cell::new(false);
        Ok(Some(Self { path: path.to_owned(), origin, identity: None, lock, is_left }))
    }

    /// The file of a socket that another process hands over, with its lock. It is [left](Self::leave) to that process at first.
    /// `None` for addresses without a file.
    pub(crate) fn handed_over(addr: &UnixAddr, lock: Option<OwnedFd>) -> Option<Self> {
        let path = addr.path()?.to_owned();
        let found = fs::symlink_metadata(&path).ok()?;
        let lock = lock.map(|file| Lock {
            path: lock_path(&path),
            origin: Origin::here(),
            file: file.into(),
            is_left: Cell::new(true),
        });
        Some(Self {
            path,
            origin: Origin::here(),
            identity: Some((found.dev(), found.ino())),
            lock,
            is_left: Cell::new(true),
        })
    }

    /// Leaves the file and its lock to another process that has the socket, too, or takes them over from there.
    pub(crate) fn leave(&self, leave: bool) {
        self.is_left.set(leave);
        let Some(lock) = &self.lock else { return };
        lock.is_left.set(leave);
        if !leave && let Err(error) = write_pid(&lock.file) {
            let path = Excerpt::path(&lock.path);
            tracing::warn!(%path, %error, "could not write the process id into the lock file of a socket");
        }
    }

    /// A duplicate of the lock, which holds it as the original does.
    pub(crate) fn duplicate_lock(&self) -> io::Result<Option<OwnedFd>> {
        self.lock.as_ref().map(|lock| Ok(lock.file.try_clone()?.into())).transpose()
    }

    /// Records the file after the socket has been bound. It does not listen yet, so no client can have connected.
    pub(crate) fn bound(&mut self, options: &FileOptions) -> io::Result<()> {
        let found = fs::symlink_metadata(&self.path)?;
        self.identity = Some((found.dev(), found.ino()));
        match options.mode {
            Some(mode) => fs::set_permissions(&self.path, Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.origin.is_here() || self.is_left.get() {
            return;
        }
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| self.identity == Some((found.dev(), found.ino())))
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %Excerpt::path(&self.path), %error, "could not remove a socket file");
        }
    }
}

/// Checks that the directory exists. Otherwise the error would be about the lock file, which users do not know.
fn check_directory(path: &Path) -> Result<(), UnixListenError> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
    else {
        return Ok(());
    };
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(UnixListenError::NoDirectory { addr: path.into(), directory: directory.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Removes a stale socket file.
fn remove_stale(path: &Path, kind: SocketType) -> Result<(), UnixListenError> {
    let addr = || UnixAddr::Path(path.to_owned());
    let failed = |source| UnixListenError::Listen { addr: addr(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(UnixListenError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match owner(&addr(), kind) {
        Ok(Owner::None) => fs::remove_file(path).map_err(failed),
        Ok(Owner::Process(owner)) => Err(UnixListenError::InUse { addr: addr(), holder: owner }),
        Err(error) => Err(failed(error)),
    }
}

/// The owner of an address.
pub(super) enum Owner {
    None,
    /// In use, by this process if the system reports it.
    Process(Option<u32>),
}

/// Finds the owner of an address by connecting to it.
pub(super) fn owner(addr: &UnixAddr, kind: SocketType) -> io::Result<Owner> {
    let socket = socket::open(kind)?;
    match rustix::net::connect(&socket, &addr.to_system()?) {
        Ok(()) => Ok(Owner::Process(credentials(&socket).and_then(|credentials| credentials.pid))),
        Err(rustix::io::Errno::CONNREFUSED | rustix::io::Errno::NOENT) => Ok(Owner::None),
        // A full backlog, or a socket of another type.
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::PROTOTYPE) => Ok(Owner::Process(None)),
        Err(error) => Err(error.into()),
    }
}

/// A lock, released on drop.
struct Lock {
    path: PathBuf,
    origin: Origin,
    file: File,
    /// Another process holds it, too, and removes the file.
    is_left: Cell<bool>,
}

fn lock_path(socket: &Path) -> PathBuf {
    let mut path = OsString::from(socket);
    path.push(".lock");
    path.into()
}

impl Lock {
    fn take(socket: &Path) -> Result<Self, UnixListenError> {
        let path = lock_path(socket);
        let failed = |source| UnixListenError::Lock { path: path.clone(), source };
        for _ in 0..LOCK_ATTEMPTS_MAX {
            let mut file = open(&path).map_err(failed)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_still_at(&file, &path).map_err(failed)? => {
                    write_pid(&file).map_err(failed)?;
                    let is_left = Cell::new(false);
                    return Ok(Self { path, origin: Origin::here(), file, is_left });
                }
                // The last owner has just removed the file, so this lock protects nothing.
                Ok(()) | Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let holder = read_pid(&mut file);
                    return Err(UnixListenError::InUse { addr: socket.into(), holder });
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        Err(failed(io::ErrorKind::WouldBlock.into()))
    }
}

impl Drop for Lock {
    /// Removes the file while the lock is held, so that no other process's file is removed.
    fn drop(&mut self) {
        if self.origin.is_here() && !self.is_left.get() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Do not follow a symbolic link, which may lead to any file.
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags)
        .open(path)
}

/// Whether the path still leads to this file.
fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write_pid(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    // A lock that was handed over has another process's position.
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
