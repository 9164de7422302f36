//! Unix endpoints: `unix:PATH`, for servers and clients.

use std::{borrow::Cow, fmt, time::Duration};

use sinew_reactor::Reactor;

use super::{
    Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint, Value,
    proxy::SendProxy, quote, seconds::Seconds,
};
use crate::{
    Address, ConnectConfig, Connecting, DynFactory, DynProtocol, ListenConfig, ListenError,
    ListeningPort, ReactorUnix, UnixAddr, UnixListenConfig, proxy::ProxyVersion,
};

/// A Unix socket server: `unix:PATH`, with `mode=` of its file in octal, `backlog=` and `lockfile=no`; see
/// [`UnixListenConfig`]. On Linux, `unix:@NAME` is an abstract name.
#[derive(Clone, Debug)]
pub struct UnixServer {
    at: UnixAddr,
    mode: Option<u32>,
    backlog: Option<u16>,
    lock: Option<bool>,
}

/// A Unix socket client: `unix:PATH`, with `timeout=` in seconds, and `sendProxy=v2` as for [`TcpClient`](super::TcpClient).
#[derive(Clone, Debug)]
pub struct UnixClient {
    to: UnixAddr,
    timeout: Option<Duration>,
    send_proxy: SendProxy,
}

impl UnixServer {
    /// A server on a path or an abstract name.
    #[must_use]
    pub fn new(at: impl Into<UnixAddr>) -> Self {
        Self { at: at.into(), mode: None, backlog: None, lock: None }
    }

    /// The mode of the socket file; see [`UnixListenConfig::mode`].
    #[must_use]
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode);
        self
    }
}

impl UnixClient {
    /// A client of a path or an abstract name.
    #[must_use]
    pub fn new(to: impl Into<UnixAddr>) -> Self {
        Self { to: to.into(), timeout: None, send_proxy: SendProxy::default() }
    }

    /// Connect timeout; see [`ConnectConfig::timeout`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// As [`TcpClient::send_proxy`](super::TcpClient::send_proxy).
    #[must_use]
    pub const fn send_proxy(mut self, version: ProxyVersion) -> Self {
        self.send_proxy = SendProxy(Some(version));
        self
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    let at = addr(&arguments.require("path")?);
    let mode = arguments.named("mode").map(|value| mode(&value)).transpose()?;
    let backlog = arguments.named("backlog");
    let backlog = backlog.map(|value| value.parse("number up to 65535")).transpose()?;
    let lock = arguments.named("lockfile").map(|value| value.flag()).transpose()?;
    Ok(ServerEndpoint::new(UnixServer { at, mode, backlog, lock }))
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    let to = addr(&arguments.require("path")?);
    let timeout = arguments.named("timeout").map(|value| value.seconds()).transpose()?;
    let send_proxy = SendProxy::take(arguments)?;
    Ok(ClientEndpoint::new(UnixClient { to, timeout, send_proxy }))
}

/// Abstract names are written with an `@`, and escaped as in their `Display`: `\xff` for unprintable bytes, two backslashes for one.
fn addr(value: &Value) -> UnixAddr {
    match value.as_str().strip_prefix('@') {
        Some(name) => UnixAddr::Abstract(unescaped(name.as_bytes())),
        None => value.as_str().into(),
    }
}

/// The inverse of [`addr`].
pub(crate) fn as_value(addr: &UnixAddr) -> Cow<'_, str> {
    match addr {
        UnixAddr::Path(path) => match path.to_string_lossy() {
            // Without "./" it would be an abstract name.
            path if path.starts_with('@') => Cow::Owned(format!("./{path}")),
            path => path,
        },
        UnixAddr::Abstract(name) => Cow::Owned(format!("@{}", name.escape_ascii())),
        UnixAddr::Unnamed => Cow::Borrowed("an unnamed Unix socket"),
    }
}

/// The inverse of `escape_ascii`. A backslash before any other character stands for itself.
fn unescaped(mut text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(text.len());
    while let [first, after @ ..] = text {
        let (byte, rest) = match text {
            [b'\\', b't', rest @ ..] => (b'\t', rest),
            [b'\\', b'r', rest @ ..] => (b'\r', rest),
            [b'\\', b'n', rest @ ..] => (b'\n', rest),
            [b'\\', same @ (b'\\' | b'\'' | b'"'), rest @ ..] => (*same, rest),
            [b'\\', b'x', high, low, rest @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => ((high * 16 + low) as u8, rest),
                _ => (*first, after),
            },
            _ => (*first, after),
        };
        bytes.push(byte);
        text = rest;
    }
    bytes
}

fn mode(value: &Value) -> Result<u32, EndpointError> {
    let mode = u32::from_str_radix(value.as_str(), 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| value.error("is not a file mode, such as 660"))
}

impl Listen for UnixServer {
    fn listen(
        &self,
        reactor: &Reactor,
        mut config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        if let Some(backlog) = self.backlog {
            config = config.backlog(backlog);
        }
        let mut config = UnixListenConfig { listen: config, ..UnixListenConfig::default() };
        if let Some(mode) = self.mode {
            config = config.mode(mode);
        }
        if let Some(lock) = self.lock {
            config = config.lock(lock);
        }
        let port = reactor.listen_unix_with(&self.at, config, factory)?;
        Ok(port.into_any())
    }
}

impl Connect for UnixClient {
    fn connect(
        &self,
        reactor: &Reactor,
        mut config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        if let Some(timeout) = self.timeout {
            config = config.timeout(timeout);
        }
        reactor.connect_unix_with(&self.to, self.send_proxy.apply_to(config), factory)
    }
}

impl fmt::Display for UnixServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", quote(&as_value(&self.at)))?;
        if let Some(mode) = self.mode {
            write!(f, ":mode={mode:o}")?;
        }
        if let Some(backlog) = self.backlog {
            write!(f, ":backlog={backlog}")?;
        }
        match self.lock {
            Some(lock) => write!(f, ":lockfile={}", if lock { "yes" } else { "no" }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for UnixClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unix:{}", quote(&as_value(&self.to)))?;
        if let Some(timeout) = self.timeout {
            write!(f, ":timeout={}", Seconds(timeout))?;
        }
        self.send_proxy.fmt(f)
    }
}
