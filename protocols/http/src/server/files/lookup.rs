//! Maps paths to files and directories, and checks that they are below the root.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use super::Files;
use crate::codec::percent_decode;

/// What a path leads to.
pub(super) enum Found {
    File(PathBuf),
    Folder(PathBuf),
    /// A directory, but the path does not end with a slash.
    FolderWithoutSlash,
}

pub(super) enum Missing {
    NotThere,
    Forbidden,
    Failed(io::Error),
}

impl From<io::Error> for Missing {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput => Self::NotThere,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Failed(error),
        }
    }
}

impl Files {
    /// Looks up a path as it was sent.
    pub(super) fn look_up(&self, path: &str) -> Result<Found, Missing> {
        let mut place = self.root.to_path_buf();
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            place.push(self.name(segment).ok_or(Missing::NotThere)?);
        }
        match self.inside(&place)? {
            Found::Folder(_) if !path.ends_with('/') => Ok(Found::FolderWithoutSlash),
            Found::File(_) if path.ends_with('/') => Err(Missing::NotThere),
            found => Ok(found),
        }
    }

    /// Decodes a segment, once, into a name without special meaning.
    fn name(&self, segment: &str) -> Option<OsString> {
        let name = percent_decode(segment)?;
        let is_dotted =
            name.starts_with(b".") && (!self.dot_files || *name == *b"." || *name == *b"..");
        // The colon denotes a drive or an alternate stream on Windows.
        let separates =
            |byte: &u8| matches!(byte, 0 | b'/' | b'\\') || cfg!(windows) && *byte == b':';
        if is_dotted || name.iter().any(separates) {
            return None;
        }
        os_string(name.into_owned())
    }

    /// Follows symbolic links, and checks that the result is below the root.
    pub(super) fn inside(&self, path: &Path) -> Result<Found, Missing> {
        let path = path.canonicalize().map_err(|error| match Missing::from(error) {
            // Symbolic links in a circle, for example: there is no such file.
            Missing::Failed(error) => {
                tracing::debug!(%error, "a path cannot be followed");
                Missing::NotThere
            }
            missing => missing,
        })?;
        if !path.starts_with(&self.root) {
            return Err(Missing::NotThere);
        }
        let metadata = path.metadata()?;
        match () {
            () if metadata.is_file() => Ok(Found::File(path)),
            () if metadata.is_dir() => Ok(Found::Folder(path)),
            // Opening a FIFO would block until it has a writer.
            () => Err(Missing::NotThere),
        }
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "on other systems, names can be invalid")]
fn os_string(name: Vec<u8>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(name))
}

#[cfg(not(unix))]
fn os_string(name: Vec<u8>) -> Option<OsString> {
    String::from_utf8(name).ok().map(OsString::from)
}
