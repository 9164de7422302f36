//! The pid file: [`PidFile`]. Its lock says whether the server runs, its contents say as which process.
//!
//! | the file | result |
//! |---|---|
//! | is missing, or empty | created and locked |
//! | holds a number, and is locked | refused, with the number: a server runs |
//! | holds a number, and is not locked | stale: taken over |
//! | holds anything else | refused: it is not a pid file |
//! | is a link, a directory or a device | refused |
//!
//! A number says nothing by itself: after a crash or a restart of the machine, another process may have it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags, flock};
use sinew::reactor::{Excerpt, with_causes};

use crate::exit::{Code, Failure};

/// More than a pid file can hold.
const CONTENTS_MAX: u64 = 64;
/// How often the file may be replaced by another process while it is opened.
const ATTEMPTS_MAX: usize = 10;

/// A locked pid file. The lock lasts as long as a process holds the open file, or inherits it.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Opens and locks a file, and checks what is in it. Nothing is written yet, and a new file is empty.
    pub(crate) fn lock(path: &Path) -> Result<Self, Failure> {
        for _ in 0..ATTEMPTS_MAX {
            let file = open(path)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(running(path, file));
            }
            // The one that held the lock may have removed the file just now.
            if is_at(&file, path) {
                let mut this = Self { path: path.to_owned(), file };
                this.check()?;
                return Ok(this);
            }
        }
        let text = format!("the pid file {} is replaced again and again", Excerpt::path(path));
        Err(Failure::new(Code::Unavailable, text))
    }

    /// The file that the process before this one has locked and passed on as standard input, where `/dev/null` takes its place. If it
    /// is another file, the one at `path` is locked.
    pub(crate) fn inherited(path: &Path) -> Result<Self, Failure> {
        let passed = sinew::reactor::inherited(0).map(File::from);
        let null = File::open("/dev/null");
        if let Ok(null) = null {
            let _ = nix::unistd::dup2_stdin(null);
        }
        match passed {
            Ok(file) if is_at(&file, path) => Ok(Self { path: path.to_owned(), file }),
            _ => Self::lock(path),
        }
    }

    /// The open file with its lock, for the process after this one.
    pub(crate) fn to_pass_on(&self) -> io::Result<OwnedFd> {
        self.file.try_clone().map(OwnedFd::from)
    }

    /// Writes the id of this process.
    pub(crate) fn write(&mut self) -> Result<(), Failure> {
        let pid = std::process::id();
        replace(&mut self.file, format!("{pid}\n").as_bytes()).map_err(|error| {
            let path = Excerpt::path(&self.path);
            Failure::io(Code::CannotCreate, format!("cannot write the pid file {path}"), &error)
        })
    }

    /// The server ends. Removes the file, or empties it where it may not be removed (without privileges) or reached (in a new
    /// root directory).
    pub(crate) fn remove(mut self) {
        if is_at(&self.file, &self.path) && fs::remove_file(&self.path).is_ok() {
            return;
        }
        if let Err(error) = replace(&mut self.file, b"") {
            tracing::warn!(error = %with_causes(&error), path = %Excerpt::path(&self.path), "the pid file stays behind");
        }
    }

    fn check(&mut self) -> Result<(), Failure> {
        let found = contents(&mut self.file);
        if found.is_empty() || pid_in(&found).is_some() {
            return Ok(());
        }
        let text = format!(
            "{} is not a pid file: it begins with {:?}; choose another --pidfile",
            Excerpt::path(&self.path),
            Excerpt::new(&found),
        );
        Err(Failure::new(Code::CannotCreate, text))
    }
}

/// The process id in the pid file of a running server. A file that is not locked belongs to none.
pub(crate) fn running_pid(path: &Path) -> Result<i32, Failure> {
    let shown = Excerpt::path(path);
    let mut file = File::open(path).map_err(|error| {
        Failure::io(Code::NoInput, format!("cannot read the pid file {shown}"), &error)
    })?;
    let is_locked = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    let pid = pid_in(&contents(&mut file));
    pid.filter(|_| is_locked).ok_or_else(|| {
        let text = format!("no server runs with the pid file {shown}");
        Failure::new(Code::Unavailable, text)
    })
}

fn open(path: &Path) -> Result<File, Failure> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let shown = Excerpt::path(path);
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(flags.cast_signed())
        .open(path);
    let file = opened.map_err(|error| {
        Failure::io(Code::CannotCreate, format!("cannot open the pid file {shown}"), &error)
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(file);
    }
    Err(Failure::new(Code::CannotCreate, format!("the pid file {shown} is not a regular file")))
}

fn running(path: &Path, mut file: File) -> Failure {
    let shown = Excerpt::path(path);
    let text = match pid_in(&contents(&mut file)) {
        Some(pid) => format!("already running as process {pid}, says the pid file {shown}"),
        None => format!("another process is starting with the pid file {shown}"),
    };
    Failure::new(Code::Unavailable, text)
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

/// The beginning of the file; empty if it cannot be read.
fn contents(file: &mut File) -> Vec<u8> {
    let mut found = Vec::new();
    let _ = file.seek(SeekFrom::Start(0));
    let _ = file.take(CONTENTS_MAX).read_to_end(&mut found);
    found
}

/// The number on the first line: while the file is written, the rest of an earlier one may follow.
fn pid_in(contents: &[u8]) -> Option<i32> {
    let text = std::str::from_utf8(contents).ok()?.trim();
    let first = text.lines().next()?;
    first.parse().ok().filter(|pid| *pid > 0)
}

/// Never empty in between, for those who read it meanwhile.
fn replace(file: &mut File, contents: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(contents)?;
    file.set_len(contents.len() as u64)
}
