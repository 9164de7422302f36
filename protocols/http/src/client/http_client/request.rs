//! A request for a URL: [`Request`].

use std::{fmt, rc::Rc, time::Duration};

use http::Method;
use sinew_transports::endpoint::ClientEndpoint;
use url::Url;

use super::{Redirects, UrlError, auth::Login, origin::Origin};
use crate::{
    body::Body,
    codec::{FieldError, Fields, percent_decode},
};

/// The fields that frame the message, manage the connection or name the server.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A request for a URL: method, fields, body, and exceptions from the client's configuration.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::{Method, client::Request};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = Request::new(Method::PUT, "https://example.org/notes/1")?
///     .with("Content-Type", "application/json")?
///     .bearer("secret-token")?
///     .body(r#"{"text": "hello"}"#)
///     .timeout(Duration::from_secs(5));
/// assert!(Request::get("ftp://example.org/").is_err());
/// assert!(Request::get("https://example.org/")?.with("X-Name", "a\r\nX-Other: b").is_err());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) fields: Fields,
    pub(super) body: RequestBody,
    pub(super) login: Option<Login>,
    pub(super) options: Options,
}

/// Exceptions from the client's configuration.
#[derive(Clone, Default)]
pub(super) struct Options {
    pub(super) redirects: Option<Redirects>,
    pub(super) timeout: Option<Duration>,
    pub(super) total_timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) decompress: Option<bool>,
    pub(super) body_max: Option<u64>,
    pub(super) expects_continue: bool,
    pub(super) closes: bool,
    pub(super) over: Option<ClientEndpoint>,
}

/// A body, and whether it can be sent again.
pub(super) enum RequestBody {
    /// It is consumed when it is sent, unless it is in memory.
    Once(Option<Body>),
    Again(Rc<dyn Fn() -> Body>),
}

impl Request {
    /// A request without a body. A login in the URL is used as by [`login`](Self::login), and sent at once.
    ///
    /// # Errors
    ///
    /// [`UrlError`]: it is not a URL of `http`, `https` or `http+unix`.
    pub fn new(method: Method, url: impl AsRef<str>) -> Result<Self, UrlError> {
        let text = url.as_ref();
        let url = Url::parse(text).map_err(|source| UrlError::invalid(text, source))?;
        Self::to(method, url)
    }

    /// The same for a parsed URL.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn to(method: Method, mut url: Url) -> Result<Self, UrlError> {
        Origin::of(&url)?;
        let login = login_of(&url)?;
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let (fields, body) = (Fields::new(), RequestBody::Once(Some(Body::empty())));
        let mut request =
            Self { method, url, fields, body, login: None, options: Options::default() };
        if let Some(login) = login {
            request.fields.set("Authorization", login.basic())?;
            request.login = Some(login);
        }
        Ok(request)
    }

    /// A GET request.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn get(url: impl AsRef<str>) -> Result<Self, UrlError> {
        Self::new(Method::GET, url)
    }

    /// A POST request with a body.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn post(url: impl AsRef<str>, body: impl Into<Body>) -> Result<Self, UrlError> {
        Ok(Self::new(Method::POST, url)?.body(body))
    }

    // ---- fields ----

    /// The same with one more field.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.append(name, value)?;
        Ok(self)
    }

    /// Adds a field. Fields set here replace the client's defaults, such as `User-Agent`.
    ///
    /// # Errors
    ///
    /// [`FieldError`]: the name or the value is invalid, or the client sets the field from the URL and the body.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        check(name)?;
        self.fields.append(name, value)
    }

    /// Replaces all fields with this name by one.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        check(name)?;
        self.fields.set(name, value)
    }

    /// Sends a token (`Authorization: Bearer`, RFC 6750).
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it contains a control character.
    pub fn bearer(mut self, token: &str) -> Result<Self, FieldError> {
        self.fields.set("Authorization", format!("Bearer {token}"))?;
        Ok(self)
    }

    /// Sends a login at once, by Basic (RFC 7617). Without `https` it can be read on the way.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it contains a control character, or the name a colon.
    pub fn basic(mut self, user: &str, password: &str) -> Result<Self, FieldError> {
        self.fields.set("Authorization", Login::new(user, password)?.basic())?;
        Ok(self)
    }

    /// Sends a login after a challenge, by Digest (RFC 7616) if the server offers it, else by Basic. Only to
    /// the origin of this URL.
    ///
    /// # Errors
    ///
    /// As [`basic`](Self::basic).
    pub fn login(mut self, user: &str, password: &str) -> Result<Self, FieldError> {
        self.login = Some(Login::new(user, password)?);
        Ok(self)
    }

    // ---- the body ----

    /// The same with a body. A body in memory can be sent again: after a redirect, a challenge, or when the server had closed the
    /// connection. Others cannot; then that response, or that error, is the result.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = RequestBody::Once(Some(body.into()));
        self
    }

    /// The same with a body that is produced anew each time it is sent.
    pub fn body_from(mut self, make: impl Fn() -> Body + 'static) -> Self {
        self.body = RequestBody::Again(Rc::new(make));
        self
    }

    /// Whether the body waits for `100 Continue` (`Expect: 100-continue`, RFC 9110 10.1.1). Default `false`.
    pub const fn expect_continue(mut self, expect: bool) -> Self {
        self.options.expects_continue = expect;
        self
    }

    // ---- what differs from the client ----

    /// As [`ClientConfig::timeout`](super::ClientConfig::timeout).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// As [`ClientConfig::total_timeout`](super::ClientConfig::total_timeout).
    pub const fn total_timeout(mut self, timeout: Duration) -> Self {
        self.options.total_timeout = Some(timeout);
        self
    }

    /// How long the body of the response may be silent, as
    /// [`ConnectionConfig::idle_timeout`](super::ConnectionConfig::idle_timeout).
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.options.idle_timeout = Some(timeout);
        self
    }

    /// As [`ClientConfig::redirects`](super::ClientConfig::redirects).
    pub const fn redirects(mut self, redirects: Redirects) -> Self {
        self.options.redirects = Some(redirects);
        self
    }

    /// As [`ClientConfig::decompress`](super::ClientConfig::decompress).
    pub const fn decompress(mut self, decompress: bool) -> Self {
        self.options.decompress = Some(decompress);
        self
    }

    /// Longest response body that is delivered, decompressed, with any reader; above it
    /// [`BodyError::TooLong`](crate::codec::BodyError::TooLong). By default only a body that is
    /// [collected](super::Response::collect) has a limit.
    pub const fn body_max(mut self, bytes: u64) -> Self {
        self.options.body_max = Some(bytes);
        self
    }

    /// Closes the connection after the response (`Connection: close`).
    pub const fn close(mut self) -> Self {
        self.options.closes = true;
        self
    }

    /// Connects to this endpoint instead of the host of the URL: a Unix socket, a server under test. TLS depends on the URL,
    /// unless the endpoint uses it itself. No proxy is used. A redirect to another origin does not use it.
    pub fn over(mut self, endpoint: impl Into<ClientEndpoint>) -> Self {
        self.options.over = Some(endpoint.into());
        self
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The URL, without login.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The fields that were set.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl RequestBody {
    /// The body to be sent. `None` if it was sent before, and cannot be sent again.
    pub(super) fn next(&mut self) -> Option<Body> {
        match self {
            Self::Again(make) => Some(make()),
            Self::Once(body) => match body.as_ref().and_then(Body::try_clone) {
                Some(copy) => Some(copy),
                None => body.take(),
            },
        }
    }

    /// Whether the body can be sent: it was not sent before, or can be sent again.
    pub(super) const fn is_there(&self) -> bool {
        matches!(self, Self::Again(_) | Self::Once(Some(_)))
    }

    /// The request was not sent.
    pub(super) fn put_back(&mut self, unsent: Body) {
        if let Self::Once(body @ None) = self {
            *body = Some(unsent);
        }
    }
}

fn check(name: &str) -> Result<(), FieldError> {
    match RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
        true => Err(FieldError::Reserved { name: name.to_owned() }),
        false => Ok(()),
    }
}

/// The login in a URL, decoded.
pub(super) fn login_of(url: &Url) -> Result<Option<Login>, UrlError> {
    let (user, password) = (url.username(), url.password());
    if user.is_empty() && password.is_none() {
        return Ok(None);
    }
    let decoded = |text: &str| match percent_decode(text) {
        Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        None => text.to_owned(),
    };
    Ok(Some(Login::new(&decoded(user), &decoded(password.unwrap_or_default()))?))
}

impl fmt::Debug for Request {
    /// Without field values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url.as_str())
            .field("fields", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sets_by_itself() {
        for name in ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "te"] {
            let error = Request::get("http://a/").unwrap().with(name, "1").unwrap_err();
            assert_eq!(error, FieldError::Reserved { name: name.to_owned() });
        }
    }

    #[test]
    fn names_and_passwords_leave_the_url() {
        let request = Request::get("http://ann:s%3Ac%20ret@a/x").unwrap();
        assert_eq!(request.url().as_str(), "http://a/x");
        let expected = Login::new("ann", "s:c ret").unwrap();
        assert_eq!(request.fields().text("authorization"), Some(expected.basic().as_str()));
        assert_eq!(request.login, Some(expected));
        assert!(Request::get("http://a%0Ab@a/").is_err());
        assert!(!format!("{request:?}").contains("Basic"));
    }

    #[test]
    fn bodies_that_can_be_sent_again() {
        let mut memory = RequestBody::Once(Some(Body::from("x")));
        assert!(memory.next().is_some() && memory.next().is_some() && memory.is_there());
        let (_writer, body) = Body::writer();
        let mut once = RequestBody::Once(Some(body));
        let taken = once.next().unwrap();
        assert!(!once.is_there() && once.next().is_none());
        once.put_back(taken);
        assert!(once.is_there());
        let mut again = RequestBody::Again(Rc::new(|| Body::writer().1));
        assert!(again.next().is_some() && again.is_there());
    }
}
