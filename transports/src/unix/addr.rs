//! Addresses of Unix sockets: [`UnixAddr`]. Does not access the file system.

use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::{ffi::OsStrExt, net::SocketAddr as StdAddr},
    path::{Path, PathBuf},
};

use rustix::net::SocketAddrUnix;
use sinew_reactor::Excerpt;

/// The address of a Unix socket: a path or, on Linux, an abstract name, which has no file and vanishes with its socket.
///
/// Made from paths and strings; one that begins with a NUL byte is an abstract name, as in `"\0name"`. `Display` writes it as
/// `@name`. Long or unprintable names are [shortened and escaped](Excerpt), since peers choose theirs freely.
///
/// # Examples
///
/// ```
/// use sinew_transports::UnixAddr;
///
/// assert_eq!(UnixAddr::from("/run/web.sock").to_string(), "/run/web.sock");
/// assert_eq!(UnixAddr::from("\0web"), UnixAddr::Abstract(b"web".to_vec()));
/// assert_eq!(UnixAddr::from("\0web").to_string(), "@web");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnixAddr {
    /// The path of a socket file.
    Path(PathBuf),
    /// An abstract name, on Linux, without the leading NUL byte.
    Abstract(Vec<u8>),
    /// No address: the socket is not bound, as is usual for clients.
    Unnamed,
}

impl UnixAddr {
    /// The path, if it has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The address for system calls. Fails if it is too long.
    pub(crate) fn to_system(&self) -> io::Result<SocketAddrUnix> {
        match self {
            Self::Path(path) => Ok(SocketAddrUnix::new(path)?),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(name) => Ok(SocketAddrUnix::new_abstract_name(name)?),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Abstract(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Unnamed => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Whether the path or name is too long for the system.
    pub(crate) fn is_too_long(&self) -> bool {
        let too_long = rustix::io::Errno::NAMETOOLONG.raw_os_error();
        self.to_system().is_err_and(|error| error.raw_os_error() == Some(too_long))
    }

    pub(crate) fn from_std(addr: &StdAddr) -> Self {
        if let Some(path) = addr.as_pathname() {
            return path.into();
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            use std::os::linux::net::SocketAddrExt;
            if let Some(name) = addr.as_abstract_name() {
                return Self::Abstract(name.to_vec());
            }
        }
        Self::Unnamed
    }
}

impl From<&Path> for UnixAddr {
    fn from(path: &Path) -> Self {
        match path.as_os_str().as_bytes() {
            [0, name @ ..] => Self::Abstract(name.to_vec()),
            _ => Self::Path(path.to_owned()),
        }
    }
}

impl From<PathBuf> for UnixAddr {
    fn from(path: PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&PathBuf> for UnixAddr {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<&str> for UnixAddr {
    fn from(path: &str) -> Self {
        Path::new(path).into()
    }
}

impl From<String> for UnixAddr {
    fn from(path: String) -> Self {
        Path::new(&path).into()
    }
}

impl From<&OsStr> for UnixAddr {
    fn from(path: &OsStr) -> Self {
        Path::new(path).into()
    }
}

impl From<&Self> for UnixAddr {
    fn from(addr: &Self) -> Self {
        addr.clone()
    }
}

impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => Excerpt::path(path).fmt(f),
            Self::Abstract(name) => write!(f, "@{}", Excerpt::new(name)),
            Self::Unnamed => f.write_str("an unnamed Unix socket"),
        }
    }
}
