//! The parts of an opener: the trait [`Handler`], and its common implementations.

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
/// /// Adds the address of the user.
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
    /// A handler of the same name replaces the default one. By default it has none.
    fn name(&self) -> &'static str {
        ""
    }

    /// Those with lower numbers come first. Default 500.
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
    /// The request is not opened then.
    fn request(&self, request: Request) -> Result<Request, UrlOpenError> {
        Ok(request)
    }

    /// Opens a URL, if it is of a scheme that this handler knows. The first that does counts; URLs of `http` and `https` that none
    /// opens go to the client.
    fn open(&self, url: &Url, request: &Request) -> Option<Result<Response, UrlOpenError>> {
        let _ = (url, request);
        None
    }

    /// Changes a response, or makes an error of it.
    ///
    /// # Errors
    ///
    /// What the caller of the opener gets.
    fn response(&self, response: Response) -> Result<Response, UrlOpenError> {
        Ok(response)
    }
}

/// The handlers for [`build_opener`](super::build_opener).
#[derive(Default)]
#[must_use]
pub struct Handlers(pub(super) Vec<Box<dyn Handler>>);

impl Handlers {
    /// None but the default ones.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn with(mut self, handler: impl Handler) -> Self {
        self.0.push(Box::new(handler));
        self
    }

    /// All of an opener, in their order.
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

/// Has requests go through proxies. Order 100.
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

/// Keeps cookies in a jar, and sends those that are there.
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

/// Answers a server that asks for a name and a password, by Basic; or by Digest, if it offers that, too.
#[derive(Clone, Debug)]
pub struct HttpBasicAuthHandler(Passwords);

/// The same: which of the two schemes is used is the server's choice.
pub type HttpDigestAuthHandler = HttpBasicAuthHandler;

impl HttpBasicAuthHandler {
    /// These names and passwords.
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

/// The name and the password for proxies whose URL has none.
#[derive(Clone)]
pub struct ProxyBasicAuthHandler {
    user: String,
    password: String,
}

impl ProxyBasicAuthHandler {
    /// This name and this password.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if they hold a control character, or the name a colon.
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

/// Makes an error of a response whose status is not 2xx. Order 1,000.
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
