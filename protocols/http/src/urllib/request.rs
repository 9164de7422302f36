//! A request of an [`Opener`](super::Opener): [`Request`].

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::Method;

use crate::{
    client::Url,
    codec::{FieldError, Fields},
};

/// A request for a URL, which is parsed when it is opened: method, data, fields, timeout.
///
/// # Examples
///
/// ```
/// use sinew_http::{Method, urllib::Request};
///
/// let request = Request::new("http://example.org/notes").data("hello").with("Content-Type", "text/plain")?;
/// assert_eq!(request.method(), Method::POST);
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Request {
    pub(super) url: String,
    pub(super) method: Option<Method>,
    pub(super) data: Option<Bytes>,
    pub(super) fields: Fields,
    pub(super) timeout: Option<Duration>,
}

impl Request {
    /// A GET request.
    pub fn new(url: impl Into<String>) -> Self {
        let (method, data, fields) = (None, None, Fields::new());
        Self { url: url.into(), method, data, fields, timeout: None }
    }

    /// The same with data, as a POST request. Unless a `Content-Type` is set, they are form fields, as
    /// [`urlencode`](super::urlencode) makes them.
    pub fn data(mut self, data: impl Into<Bytes>) -> Self {
        self.data = Some(data.into());
        self
    }

    /// The same with another method.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// The same with this field, which replaces others with its name.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if the name or the value is invalid.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.fields.set(name, value)?;
        Ok(self)
    }

    /// Timeout of the response, and idle timeout of its body. Default 60 s and 30 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The method: POST with data, else GET.
    #[must_use]
    pub fn method(&self) -> Method {
        let default = || if self.data.is_some() { Method::POST } else { Method::GET };
        self.method.clone().unwrap_or_else(default)
    }

    /// The URL as it was given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl From<&str> for Request {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Request {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&String> for Request {
    fn from(url: &String) -> Self {
        Self::new(url)
    }
}

impl From<Url> for Request {
    fn from(url: Url) -> Self {
        Self::new(url)
    }
}

impl From<&Url> for Request {
    fn from(url: &Url) -> Self {
        Self::new(url.as_str())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method())
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
