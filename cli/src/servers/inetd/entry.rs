//! One service of inetd, as its file describes it: [`Entry`], and the errors of files, [`ConfError`]. Pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use sinew::reactor::Excerpt;

/// How often a service may be started within a minute, unless its line says otherwise: as the inetd of BSD.
pub(crate) const STARTS_PER_MINUTE: u32 = 256;

/// How long a service rests that was started more often: it is probably part of a loop, or attacked.
pub(crate) const REST: Duration = Duration::from_secs(600);

/// How many children of a service run at once, unless its entry says otherwise. Further connections wait in the backlog.
pub(crate) const CHILDREN_MAX: usize = 256;

/// What is wrong with a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub(crate) struct ConfError {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// What the file calls it, for the log.
    pub(crate) name: String,
    pub(crate) at: At,
    /// The program is given the listening socket, and nothing is accepted until it ends.
    pub(crate) wait: bool,
    pub(crate) limits: Limits,
    pub(crate) user: Option<RunAs>,
    pub(crate) run: Run,
}

/// Where a service listens. Entries with equal places share a socket over a reload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Tcp(Bind),
    Udp(Bind),
    Unix(PathBuf),
    UnixDatagram(PathBuf),
}

/// An address, and whether one of IPv6 is for IPv4, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bind {
    pub(crate) addr: SocketAddr,
    pub(crate) is_dual: bool,
}

/// How much a service may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Starts within `window`; `None` for no limit.
    pub(crate) starts: Option<u32>,
    pub(crate) window: Duration,
    /// The rest after more.
    pub(crate) rest: Duration,
    /// Children, or connections of a built-in service, at once.
    pub(crate) children: usize,
}

/// The user and the group of a program, by names or numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) user: String,
    pub(crate) group: Option<String>,
}

/// What answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    BuiltIn(BuiltIn),
    Program {
        path: PathBuf,
        /// With the name of the program first.
        arguments: Vec<String>,
    },
}

/// The services that need no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuiltIn {
    Echo,
    Discard,
    Chargen,
    Daytime,
    Time,
    Qotd,
}

/// The family that the word for the protocol asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    /// One socket for both.
    Both,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            starts: Some(STARTS_PER_MINUTE),
            window: Duration::from_secs(60),
            rest: REST,
            children: CHILDREN_MAX,
        }
    }
}

impl At {
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Unix(_))
    }

    /// From the words for the socket and for the protocol, which both kinds of file have.
    pub(super) fn new(
        socket: &str,
        protocol: &str,
        host: Option<&str>,
        service: &str,
        names: &ServiceNames,
    ) -> Result<Self, String> {
        let is_stream = match socket {
            "stream" => true,
            "dgram" => false,
            "raw" | "rdm" | "seqpacket" => {
                return Err(format!(
                    "sockets of the type {socket} are not supported, only stream and dgram"
                ));
            }
            other => {
                return Err(format!(
                    "the type of the socket is stream or dgram, not {:?}",
                    Excerpt::new(other)
                ));
            }
        };
        if protocol == "unix" {
            let path = PathBuf::from(service);
            if !path.is_absolute() {
                return Err(format!(
                    "{:?} is no absolute path of a Unix socket",
                    Excerpt::new(service)
                ));
            }
            return Ok(if is_stream { Self::Unix(path) } else { Self::UnixDatagram(path) });
        }
        let (kind, family) = family(protocol)?;
        if (kind == "tcp") != is_stream {
            let right = if is_stream { "tcp" } else { "udp" };
            return Err(format!("a {socket} socket has the protocol {right}, not {kind}"));
        }
        let port = names.port(service, kind)?;
        let bind = bind(host, port, family)?;
        Ok(if is_stream { Self::Tcp(bind) } else { Self::Udp(bind) })
    }
}

fn family(protocol: &str) -> Result<(&'static str, Family), String> {
    Ok(match protocol {
        "tcp" | "tcp4" => ("tcp", Family::V4),
        "tcp6" => ("tcp", Family::V6),
        "tcp46" => ("tcp", Family::Both),
        "udp" | "udp4" => ("udp", Family::V4),
        "udp6" => ("udp", Family::V6),
        "udp46" => ("udp", Family::Both),
        rpc if rpc.starts_with("rpc/") => {
            return Err("services of Sun RPC are not supported".into());
        }
        sized if sized.contains(",sndbuf=") || sized.contains(",rcvbuf=") => {
            return Err("sizes of buffers are not supported".into());
        }
        other => {
            let other = Excerpt::new(other);
            return Err(format!(
                "the protocol is tcp, udp or unix, or one of tcp6, tcp46, udp6 and udp46, not {other:?}"
            ));
        }
    })
}

fn bind(host: Option<&str>, port: u16, family: Family) -> Result<Bind, String> {
    let ip = match host {
        None | Some("*" | "") if family == Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        None | Some("*" | "") => Ipv6Addr::UNSPECIFIED.into(),
        Some("localhost") if family == Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Some("localhost") => Ipv6Addr::LOCALHOST.into(),
        Some(host) => {
            let bare =
                host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            bare.parse::<IpAddr>().map_err(|_| {
                format!(
                    "{:?} is no IP address to listen on; write one, localhost, or * for all",
                    Excerpt::new(host)
                )
            })?
        }
    };
    if host.is_some() && ip.is_ipv6() && family == Family::V4 {
        return Err(format!("{ip} is an address of IPv6: the protocol needs a 6 at its end"));
    }
    if ip.is_ipv4() && family != Family::V4 {
        return Err(format!("{ip} is an address of IPv4: the protocol must not have a 6 in it"));
    }
    Ok(Bind { addr: SocketAddr::new(ip, port), is_dual: family == Family::Both })
}

impl BuiltIn {
    pub(super) fn new(name: &str) -> Result<Self, String> {
        Ok(match name {
            "echo" => Self::Echo,
            "discard" | "sink" => Self::Discard,
            "chargen" | "ttytst" => Self::Chargen,
            "daytime" => Self::Daytime,
            "time" => Self::Time,
            "qotd" | "quote" => Self::Qotd,
            other => {
                let other = Excerpt::new(other);
                return Err(format!(
                    "there is no built-in service {other:?}; there are echo, discard, chargen, daytime, time and qotd"
                ));
            }
        })
    }
}

/// Ports by name: those of services(5), and of the library where that file has none.
#[derive(Debug, Default)]
pub(crate) struct ServiceNames(Vec<(String, u16, String)>);

impl ServiceNames {
    /// Reads a file as services(5) describes it. Lines that are wrong are skipped, as everywhere.
    pub(crate) fn parse(text: &str) -> Self {
        let mut names = Vec::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(name), Some((port, protocol))) =
                (words.next(), words.next().and_then(|word| word.split_once('/')))
            else {
                continue;
            };
            let Ok(port) = port.parse() else { continue };
            for name in std::iter::once(name).chain(words) {
                names.push((name.to_owned(), port, protocol.to_owned()));
            }
        }
        Self(names)
    }

    fn port(&self, service: &str, protocol: &str) -> Result<u16, String> {
        if service.bytes().all(|byte| byte.is_ascii_digit()) {
            return service.parse().map_err(|_| format!("{:?} is no port", Excerpt::new(service)));
        }
        let known = self.0.iter().find(|(name, _, of)| name == service && of == protocol);
        if let Some((_, port, _)) = known {
            return Ok(*port);
        }
        use sinew::transports::Destination;
        match Destination::from(format!("127.0.0.1:{service}").as_str()) {
            Destination::Addr(addr) => Ok(addr.port()),
            _ => Err(format!(
                "there is no service {:?} of {protocol} in /etc/services",
                Excerpt::new(service)
            )),
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(bind) => write!(f, "tcp {}", bind.addr),
            Self::Udp(bind) => write!(f, "udp {}", bind.addr),
            Self::Unix(path) => write!(f, "unix {}", Excerpt::path(path)),
            Self::UnixDatagram(path) => write!(f, "unix datagrams {}", Excerpt::path(path)),
        }
    }
}
