//! The files of a server: reading and writing them, which blocks, and belongs on a thread of the pool.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    ServerConfig,
    channel::Channel,
    registry,
    server_ban::{BadBan, ServerBans},
};

/// Longest message of the day, and most of its lines.
const MOTD_MAX: u64 = 64 * 1_024;
const MOTD_LINES_MAX: usize = 500;
/// Longest file of bans.
const BANS_MAX: u64 = 4 << 20;

/// A file of the server cannot be used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is longer than such a file may be.
    #[error("{} is longer than {max} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: u64,
    },
    /// The file of registered channels has a line that is none.
    #[error("could not understand {}: line {line} is not a channel", path.display())]
    Channels {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file of bans has a line that is none.
    #[error("could not understand {}: line {line} is not a ban, as user@host and a reason", path.display())]
    Bans {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file of bans has too many.
    #[error("{} has more than {max} bans", path.display())]
    TooManyBans {
        /// The file.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
    /// The folder of a file that is written later, of bans or channels, is not there.
    #[error("could not use {}: its folder is not there", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// Why the folder cannot be found.
        source: io::Error,
    },
    /// It was not read, since the reactor has ended, or its pool is full.
    #[error(transparent)]
    GivenUp(#[from] sinew_transports::reactor::Failure),
}

sinew_transports::reactor::error_debug!(FileError);

/// The files that REHASH reads again.
pub(super) struct Texts {
    pub(super) motd: Vec<Vec<u8>>,
    pub(super) bans: Option<ServerBans>,
}

/// Which files there are.
#[derive(Clone)]
pub(super) struct Paths {
    motd: Option<PathBuf>,
    bans: Option<PathBuf>,
    channels: Option<PathBuf>,
}

impl Paths {
    pub(super) fn of(config: &ServerConfig) -> Self {
        Self {
            motd: config.motd_file.clone(),
            bans: config.bans_file.clone(),
            channels: config.channels_file.clone(),
        }
    }

    pub(super) fn read_texts(&self) -> Result<Texts, FileError> {
        let motd = match &self.motd {
            Some(path) => lines(&read(path, MOTD_MAX)?),
            None => Vec::new(),
        };
        let bans = match &self.bans {
            Some(path) => match read_if_there(path, BANS_MAX)? {
                Some(text) => Some(bans(path, &text)?),
                None => None,
            },
            None => None,
        };
        Ok(Texts { motd, bans })
    }

    pub(super) fn read_channels(&self) -> Result<Vec<Channel>, FileError> {
        let Some(path) = &self.channels else { return Ok(Vec::new()) };
        let text = read_if_there(path, registry::FILE_MAX)?.unwrap_or_default();
        registry::parse(&text).map_err(|line| FileError::Channels { path: path.clone(), line })
    }
}

fn bans(path: &Path, text: &[u8]) -> Result<ServerBans, FileError> {
    ServerBans::parse(text).map_err(|bad| match bad {
        BadBan::Line(line) => FileError::Bans { path: path.to_owned(), line },
        BadBan::TooMany { max } => FileError::TooManyBans { path: path.to_owned(), max },
    })
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end().to_vec());
    lines.take(MOTD_LINES_MAX).collect()
}

/// A file that the server makes, if it is not there. Its folder has to be there.
fn read_if_there(path: &Path, max: u64) -> Result<Option<Vec<u8>>, FileError> {
    match read(path, max) {
        Err(FileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match fs::metadata(folder.unwrap_or(Path::new("."))) {
                Ok(_) => Ok(None),
                Err(source) => Err(FileError::NoFolder { path: path.to_owned(), source }),
            }
        }
        read => read.map(Some),
    }
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(max + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > max {
        return Err(FileError::TooLong { path: path.to_owned(), max });
    }
    Ok(text)
}
