//! The building blocks of openers: [`Handler`], and the built-in handlers.

use std::fmt;

use http::StatusCode;

use super::{DataHandler, FileHandler, Request, Response, UrlOpenError};
use crate::{
    client::{ClientConfig, CookieJar, Login, Passwords, Proxies, Redirects, Url, UrlError},
    codec::FieldError,
};

/// A part of an opener. Each method has a default that does nothing.
///
/// # Examples
///
/// ```
/// use sinew_http::urllib::{Handler, Handlers, Request, UrlOpenError, build_opener};
///
/// /// Sets the user agent.
/// struct From(&'static str);
///
/// impl Handler for From {
///     fn request(&self, request: Request) -> Result<Request, UrlOpenError> {
///         Ok(request.with("From", self.0).map_err(sinew_http::client::RequestError::Field)?)
///     }
/// }
///
/// let opener = build_opener(Handlers::new().with(From("ann@example.org")))?;
/// # Ok::<(), UrlOpenError>(())
/// ```
pub trait Handler: 'static {
    /// A handler with the same name replaces the default one. Default: no name.
    fn name(&self) -> &'static str {
        ""
    }

    /// Handlers with lower numbers come first. Default 500.
    fn order(&self) -> u32 {
        500
    }

    /// Changes the configuration of the client of this opener.
    fn configure(&self, config: ClientConfig) -> ClientConfig {
        config
    }

    /// Changes a request before it is opened.
    ///
    /// # Errors
    ///
    /// If the request is not to be opened.
    fn request(&self, request: Request) -> Result<Request, UrlOpenError> {
        Ok(request)
    }

    /// Opens a URL, if this handler supports its scheme. The first such handler is used; other `http` and `https` URLs
    /// go to the client.
    fn open(&self, url: &Url, request: &Request) -> Option<Result<Response, UrlOpenError>> {
        let _ = (url, request);
        None
    }

    /// Changes a response, or turns it into an error.
    ///
    /// # Errors
    ///
    /// The error for the caller of the opener.
    fn response(&self, response: Response) -> Result<Response, UrlOpenError> {
        Ok(response)
    }
}

/// The handlers for [`build_opener`](super::build_opener).
#[derive(Default)]
#[must_use]
pub struct Handlers(pub(super) Vec<Box<dyn Handler>>);

impl Handlers {
    /// No handlers but the default ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler.
    pub fn with(mut self, handler: impl Handler) -> Self {
        self.0.push(Box::new(handler));
        self
    }

    /// All handlers of an opener, in order.
    pub(super) fn complete(mut self) -> Result<Vec<Box<dyn Handler>>, UrlError> {
        let defaults: [Box<dyn Handler>; 5] = [
            Box::new(ProxyHandler::from_env()?),
            Box::new(HttpRedirectHandler::default()),
            Box::new(FileHandler),
            Box::new(DataHandler),
            Box::new(HttpErrorProcessor),
        ];
        for default in defaults {
            if !self.0.iter().any(|given| given.name() == default.name()) {
                self.0.push(default);
            }
        }
        self.0.sort_by_key(|handler| handler.order());
        Ok(self.0)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handlers").field(&self.0.len()).finish()
    }
}

/// Uses proxies. Order 100.
#[derive(Clone, Debug)]
pub struct ProxyHandler(Proxies);

impl ProxyHandler {
    /// These proxies.
    #[must_use]
    pub const fn new(proxies: Proxies) -> Self {
        Self(proxies)
    }

    /// Those of the environment.
    ///
    /// # Errors
    ///
    /// As [`Proxies::from_env`].
    pub fn from_env() -> Result<Self, UrlError> {
        Ok(Self(Proxies::from_env()?))
    }

    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self(Proxies::none())
    }
}

impl Handler for ProxyHandler {
    fn name(&self) -> &'static str {
        "proxy"
    }

    fn order(&self) -> u32 {
        100
    }

    fn configure(&self, config: ClientConfig) -> ClientConfig {
        config.proxies(self.0.clone())
    }
}

/// Follows redirects: ten in all, four to one URL.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpRedirectHandler(Redirects);

impl HttpRedirectHandler {
    /// These redirects.
    #[must_use]
    pub const fn new(redirects: Redirects) -> Self {
        Self(redirects)
    }
}

impl Handler for HttpRedirectHandler {
    fn name(&self) -> &'static str {
        "redirect"
    }

    fn configure(&self, config: ClientConfig) -> ClientConfig {
        config.redirects(self.0)
    }
}

/// Stores cookies in a jar, and sends them.
#[derive(Clone, Debug)]
pub struct HttpCookieProcessor(CookieJar);

impl HttpCookieProcessor {
    /// This jar.
    #[must_use]
    pub const fn new(jar: CookieJar) -> Self {
        Self(jar)
    }
}

impl Handler for HttpCookieProcessor {
    fn name(&self) -> &'static str {
        "cookies"
    }

    fn configure(&self, config: ClientConfig) -> ClientConfig {
        config.cookies(self.0.clone())
    }
}

/// Responds to Basic challenges, or Digest ones, if the server offers both.
#[derive(Clone, Debug)]
pub struct HttpBasicAuthHandler(Passwords);

/// The same: the server decides which of the two schemes is used.
pub type HttpDigestAuthHandler = HttpBasicAuthHandler;

impl HttpBasicAuthHandler {
    /// With these logins.
    #[must_use]
    pub const fn new(passwords: Passwords) -> Self {
        Self(passwords)
    }
}

impl Handler for HttpBasicAuthHandler {
    fn name(&self) -> &'static str {
        "auth"
    }

    fn order(&self) -> u32 {
        490
    }

    fn configure(&self, config: ClientConfig) -> ClientConfig {
        config.more_passwords(&self.0)
    }
}

/// The login for proxies whose URL has none.
#[derive(Clone)]
pub struct ProxyBasicAuthHandler {
    user: String,
    password: String,
}

impl ProxyBasicAuthHandler {
    /// With this login.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it contains a control character, or the name a colon.
    pub fn new(user: &str, password: &str) -> Result<Self, FieldError> {
        Login::new(user, password)?;
        Ok(Self { user: user.to_owned(), password: password.to_owned() })
    }
}

impl Handler for ProxyBasicAuthHandler {
    fn name(&self) -> &'static str {
        "proxy-auth"
    }

    fn configure(&self, config: ClientConfig) -> ClientConfig {
        let unchanged = config.clone();
        config.proxy_login(&self.user, &self.password).unwrap_or(unchanged)
    }
}

impl fmt::Debug for ProxyBasicAuthHandler {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyBasicAuthHandler").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Turns a response whose status is not 2xx into an error. Order 1,000.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpErrorProcessor;

impl Handler for HttpErrorProcessor {
    fn name(&self) -> &'static str {
        "errors"
    }

    fn order(&self) -> u32 {
        1_000
    }

    fn response(&self, response: Response) -> Result<Response, UrlOpenError> {
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            status if status.is_success() => Ok(response),
            _ => Err(UrlOpenError::Status(Box::new(response))),
        }
    }
}
