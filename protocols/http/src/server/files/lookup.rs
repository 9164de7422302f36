//! Which file or folder a path is, and that it is below the root.

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
    /// A folder, but the path does not say so.
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

    /// Decodes a segment, once, into a name that is one and leads nowhere.
    fn name(&self, segment: &str) -> Option<OsString> {
        let name = percent_decode(segment)?;
        let is_dotted =
            name.starts_with(b".") && (!self.dot_files || *name == *b"." || *name == *b"..");
        // The colon is a drive or a stream of a file on Windows.
        let separates =
            |byte: &u8| matches!(byte, 0 | b'/' | b'\\') || cfg!(windows) && *byte == b':';
        if is_dotted || name.iter().any(separates) {
            return None;
        }
        os_string(name.into_owned())
    }

    /// Follows symbolic links, and looks whether that leads out.
    pub(super) fn inside(&self, path: &Path) -> Result<Found, Missing> {
        let path = path.canonicalize().map_err(|error| match Missing::from(error) {
            // Symbolic links in a circle, for one: whatever it is, no file is there.
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
            // To open a FIFO would wait for whoever writes to it.
            () => Err(Missing::NotThere),
        }
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere not every name is one")]
fn os_string(name: Vec<u8>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(name))
}

#[cfg(not(unix))]
fn os_string(name: Vec<u8>) -> Option<OsString> {
    String::from_utf8(name).ok().map(OsString::from)
}
