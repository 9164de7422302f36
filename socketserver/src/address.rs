//! Socket addresses: [`Address`] and [`AddressFamily`]. Names are resolved only in [`ToAddress`], the argument of `bind`.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

use rustix::net::SocketAddrAny;
use sinew_reactor::Excerpt;
use socket2::{Domain, SockAddr};

/// The address of a socket. In Python a tuple or a path, depending on the family; here always this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// `AF_INET` or `AF_INET6`.
    Inet(SocketAddr),
    /// `AF_UNIX`: a path. Empty if the socket was never bound, as most clients are not; with a leading zero byte if the
    /// name is an abstract one (Linux). Python represents these the same way.
    Unix(PathBuf),
}

/// The family of a server's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressFamily {
    /// `AF_INET`
    Inet,
    /// `AF_INET6`
    Inet6,
    /// `AF_UNIX`
    Unix,
}

impl Address {
    /// The IP address; `None` for `AF_UNIX`.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.inet().map(|addr| addr.ip())
    }

    /// The port; `None` for `AF_UNIX`.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.inet().map(|addr| addr.port())
    }

    /// IP address and port; `None` for `AF_UNIX`.
    #[must_use]
    pub fn inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            Self::Unix(_) => None,
        }
    }

    /// The path; `None` for the others.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Inet(_) => None,
            Self::Unix(path) => Some(path),
        }
    }

    /// The address family.
    #[must_use]
    pub fn family(&self) -> AddressFamily {
        match self {
            Self::Inet(SocketAddr::V4(_)) => AddressFamily::Inet,
            Self::Inet(SocketAddr::V6(_)) => AddressFamily::Inet6,
            Self::Unix(_) => AddressFamily::Unix,
        }
    }

    pub(crate) fn domain(&self) -> Domain {
        match self.family() {
            AddressFamily::Inet => Domain::IPV4,
            AddressFamily::Inet6 => Domain::IPV6,
            AddressFamily::Unix => Domain::UNIX,
        }
    }

    /// Converts to the argument of system calls. Fails for an unnamed address, to which nothing can be sent.
    pub(crate) fn to_system(&self) -> io::Result<SockAddr> {
        match self {
            Self::Inet(addr) => Ok((*addr).into()),
            Self::Unix(path) if path.as_os_str().is_empty() => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "cannot send to a peer without an address",
            )),
            Self::Unix(path) => SockAddr::unix(path),
        }
    }

    /// Converts from the result of accept(2), getpeername(2) and getsockname(2).
    pub(crate) fn of_system(addr: &SockAddr) -> Self {
        addr.as_socket().map_or_else(|| Self::Unix(unix_path(addr)), Self::Inet)
    }

    /// Converts from the result of recvfrom(2).
    pub(crate) fn of_any(addr: Option<SocketAddrAny>) -> Self {
        let Some(addr) = addr else { return Self::Unix(PathBuf::new()) };
        match SocketAddr::try_from(addr.clone()) {
            Ok(addr) => Self::Inet(addr),
            Err(_) => Self::Unix(unix_path_of_any(addr)),
        }
    }
}

#[cfg(unix)]
fn unix_path(addr: &SockAddr) -> PathBuf {
    match (addr.as_pathname(), addr.as_abstract_namespace()) {
        (Some(path), _) => path.to_owned(),
        (None, Some(name)) => abstract_path(name),
        (None, None) => PathBuf::new(),
    }
}

#[cfg(unix)]
fn unix_path_of_any(addr: SocketAddrAny) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let Ok(addr) = rustix::net::SocketAddrUnix::try_from(addr) else { return PathBuf::new() };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(name) = addr.abstract_name() {
        return abstract_path(name);
    }
    addr.path_bytes().map(|path| OsStr::from_bytes(path).into()).unwrap_or_default()
}

#[cfg(unix)]
fn abstract_path(name: &[u8]) -> PathBuf {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    OsString::from_vec([b"\0", name].concat()).into()
}

#[cfg(not(unix))]
fn unix_path(_: &SockAddr) -> PathBuf {
    PathBuf::new()
}

#[cfg(not(unix))]
fn unix_path_of_any(_: SocketAddrAny) -> PathBuf {
    PathBuf::new()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Unix(path) if path.as_os_str().is_empty() => f.write_str("unnamed"),
            Self::Unix(path) => match path.as_os_str().as_encoded_bytes() {
                [0, name @ ..] => write!(f, "@{}", Excerpt::new(name)),
                path => Excerpt::new(path).fmt(f),
            },
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Unix(path.into())
    }
}

/// Marks servers that are bound to IP addresses and ports.
#[derive(Debug)]
pub enum Inet {}

/// Marks servers that are bound to paths.
#[derive(Debug)]
pub enum Unix {}

/// The argument of `bind`: anything that implements [`ToSocketAddrs`] for IP, a path for Unix sockets. Names are
/// resolved at once.
#[diagnostic::on_unimplemented(
    message = "a server cannot be bound to `{Self}`",
    label = "not an address",
    note = "TCP and UDP take `(\"127.0.0.1\", 8000)` or `\"127.0.0.1:8000\"`, Unix sockets take a path"
)]
pub trait ToAddress<Domain> {
    /// The addresses, to be tried in this order.
    ///
    /// # Errors
    ///
    /// If a name cannot be resolved.
    fn to_addresses(&self) -> io::Result<Vec<Address>>;
}

impl<A: ToSocketAddrs> ToAddress<Inet> for A {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(self.to_socket_addrs()?.map(Address::Inet).collect())
    }
}

impl<P: AsRef<Path>> ToAddress<Unix> for P {
    fn to_addresses(&self) -> io::Result<Vec<Address>> {
        Ok(vec![self.as_ref().into()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client chooses its own path, and that appears in logs.
    #[test]
    fn addresses_are_escaped_and_shortened() {
        let unix = |path: &str| Address::Unix(path.into()).to_string();
        assert_eq!(unix(""), "unnamed");
        assert_eq!(unix("/run/web.sock"), "/run/web.sock");
        assert_eq!(unix("\0web"), "@web");
        assert_eq!(unix("/a\u{1b}[2J\nb"), r"/a\u{1b}[2J\nb");
        assert_eq!(unix(&"a".repeat(70_000)), format!("{}… (70000 bytes)", "a".repeat(256)));
        let inet: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
        assert_eq!(Address::from(inet).to_string(), "[fe80::1%3]:80");
    }
}
