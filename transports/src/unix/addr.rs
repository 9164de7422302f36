//! Addresses of Unix sockets: [`UnixAddr`]. Nothing is looked at on disk here.

use std::{
    ffi::OsStr,
    fmt, io,
    os::unix::{ffi::OsStrExt, net::SocketAddr as StdAddr},
    path::{Path, PathBuf},
};

use rustix::net::SocketAddrUnix;
use sinew_reactor::Excerpt;

/// Where a Unix socket is: a path or, on Linux, an abstract name, which is on no disk and vanishes with its socket.
///
/// Made from paths and strings; one that begins with a NUL byte is an abstract name, as in `"\0name"`. It is written as
/// `@name`. What is long or cannot be printed is written [shortened and escaped](Excerpt): a peer may have any name it likes.
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
    /// A file.
    Path(PathBuf),
    /// A name in the kernel, on Linux; without the NUL byte in front.
    Abstract(Vec<u8>),
    /// None: that of a socket which was not bound, as those of clients.
    Unnamed,
}

impl UnixAddr {
    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The system's form of it. Fails if it is too long.
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

    /// Whether the system says that there is no room for so long a path or name.
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
