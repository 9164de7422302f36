//! Configuration and limits of a client: [`ClientConfig`].

use std::time::Duration;

use sinew_transports::ConnectConfig;
#[cfg(feature = "tls")]
use sinew_transports::tls::TlsClientConfig;

use super::{ConnectionConfig, CookieJar, Passwords, PoolConfig, Proxies, Redirects, auth::Login};
use crate::codec::{FieldError, Fields};

/// Configuration and limits of a client. Those of a connection are in [`ConnectionConfig`], those of the pool in
/// [`PoolConfig`].
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`connect`](Self::connect) | 10 s | [`RequestError::Connect`](super::RequestError::Connect) |
/// | [`timeout`](Self::timeout): until the head of the final response | 60 s | [`RequestError::TimedOut`](super::RequestError::TimedOut) |
/// | [`total_timeout`](Self::total_timeout): the same with the body | none | the same, or [`BodyError::TooSlow`](crate::codec::BodyError::TooSlow) |
/// | [`redirects`](Self::redirects) | 10 in all, 4 to one URL | [`RequestError::Redirect`](super::RequestError::Redirect) |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::client::{ClientConfig, CookieJar, Redirects};
///
/// let config = ClientConfig::default()
///     .timeout(Duration::from_secs(5))
///     .redirects(Redirects::none())
///     .cookies(CookieJar::new());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientConfig {
    pub(super) connect: ConnectConfig,
    pub(super) connection: ConnectionConfig,
    pub(super) pool: PoolConfig,
    pub(super) timeout: Duration,
    pub(super) total_timeout: Option<Duration>,
    pub(super) redirects: Redirects,
    pub(super) cookies: Option<CookieJar>,
    pub(super) passwords: Passwords,
    pub(super) proxies: Proxies,
    pub(super) decompress: bool,
    pub(super) fields: Fields,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<TlsClientConfig>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let mut fields = Fields::new();
        for (name, value) in
            [("User-Agent", concat!("sinew/", env!("CARGO_PKG_VERSION"))), ("Accept", "*/*")]
        {
            let appended = fields.append(name, value);
            debug_assert!(appended.is_ok(), "these are good fields");
        }
        Self {
            connect: ConnectConfig::default().timeout(Duration::from_secs(10)),
            connection: ConnectionConfig::default(),
            pool: PoolConfig::default(),
            timeout: Duration::from_secs(60),
            total_timeout: None,
            redirects: Redirects::default(),
            cookies: None,
            passwords: Passwords::default(),
            proxies: Proxies::default(),
            decompress: true,
            fields,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

impl ClientConfig {
    /// Connecting: its timeout (default 10 s), Happy Eyeballs, the source address, the limits of the
    /// stream.
    pub fn connect(mut self, config: ConnectConfig) -> Self {
        self.connect = config;
        self
    }

    /// The limits of a connection.
    pub fn connection(mut self, config: ConnectionConfig) -> Self {
        self.connection = config;
        self
    }

    /// The limits of the pool.
    pub fn pool(mut self, config: PoolConfig) -> Self {
        self.pool = config;
        self
    }

    /// Timeout until the head of the final response: waiting for a connection, connecting, sending, redirects and
    /// challenges together. Default 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Timeout until the end of the body of the final response. Default: none, since bodies may be long; a stalled one
    /// is ended by [`ConnectionConfig::idle_timeout`].
    pub fn total_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.total_timeout = timeout.into();
        self
    }

    /// Which redirects are followed. Default: ten, but none from `https` to `http`.
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Stores cookies in this jar, and sends those in it. Default: none, cookies are ignored. A request with a `Cookie` field of
    /// its own is sent without those of the jar.
    pub fn cookies(mut self, jar: CookieJar) -> Self {
        self.cookies = Some(jar);
        self
    }

    /// Logins for servers that send a challenge.
    pub fn passwords(mut self, passwords: Passwords) -> Self {
        self.passwords = passwords;
        self
    }

    /// Adds logins to those that are set.
    pub(crate) fn more_passwords(mut self, more: &Passwords) -> Self {
        self.passwords.extend(more);
        self
    }

    /// The proxies. Default: none; [`Proxies::from_env`] has those of the environment.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// The login for proxies whose URL has none.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it contains a control character, or the name a colon.
    pub fn proxy_login(mut self, user: &str, password: &str) -> Result<Self, FieldError> {
        self.proxies = self.proxies.with_login(&Login::new(user, password)?);
        Ok(self)
    }

    /// Whether to request compressed responses and to decompress them (gzip and deflate; feature `compression`). Default `true`. A
    /// body is decompressed as it is read, at most 16 KiB ahead, so the limits of its reader bound a decompression bomb. Requests
    /// with a `Range` or an `Accept-Encoding` of their own are not changed.
    pub const fn decompress(mut self, decompress: bool) -> Self {
        self.decompress = decompress;
        self
    }

    /// Sets a field for all requests that do not have it. Default: `User-Agent` and `Accept`.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the name or the value is invalid.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.set(name, value)?;
        Ok(self)
    }

    /// Removes a default field.
    pub fn without_field(mut self, name: &str) -> Self {
        self.fields.remove(name);
        self
    }

    /// TLS. Default: the root certificates of the system, which are loaded for the first `https` URL. The certificate
    /// must be for the host of the URL.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: TlsClientConfig) -> Self {
        self.tls = Some(config);
        self
    }
}
