//! The response of a handler: [`Response`]. How it is framed is in `answer.rs`.

use bytes::Bytes;
use http::StatusCode;

use super::Body;
use crate::codec::{FieldError, Fields};

/// The fields that frame the message or manage the connection.
const RESERVED: [&str; 5] =
    ["connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"];

/// A response: status, fields and body.
///
/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, and `Connection`. It does not send the body in response to
/// HEAD.
///
/// # Examples
///
/// ```
/// use sinew_http::{FieldError, StatusCode, server::Response};
///
/// fn not_here(name: &str) -> Result<Response, FieldError> {
///     Response::text("not here").with_status(StatusCode::NOT_FOUND).with("X-Asked-For", name)
/// }
///
/// assert!(not_here("a").is_ok());
/// assert!(not_here("a\r\nSet-Cookie: admin=1").is_err()); // no response splitting
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Response {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<&'static str>,
    pub(super) fields: Fields,
    pub(super) body: Body,
    pub(super) close: bool,
}

impl Response {
    /// A response with this status, without a body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, ..Self::default() }
    }

    /// 200, with plain text in UTF-8. Text that is `'static` is not copied.
    #[inline]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::typed("text/plain; charset=utf-8", text)
    }

    /// 200, with HTML in UTF-8.
    pub fn html(page: impl Into<Bytes>) -> Self {
        Self::typed("text/html; charset=utf-8", page)
    }

    /// 200, with serialised JSON.
    pub fn json(text: impl Into<Bytes>) -> Self {
        Self::typed("application/json", text)
    }

    #[inline]
    fn typed(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = Body::from(body.into());
        Self { content_type: Some(content_type), body, ..Self::default() }
    }

    /// The same with another status.
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with another body.
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with a content type that is a literal.
    ///
    /// # Panics
    ///
    /// If it contains a control character.
    pub fn with_type(mut self, content_type: &'static str) -> Self {
        assert!(
            content_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '),
            "a content type in a program is visible text"
        );
        self.fields.remove("content-type");
        self.content_type = Some(content_type);
        self
    }

    /// The same with another field.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        self.append(name, value)?;
        Ok(self)
    }

    /// The same; the connection closes after it.
    pub fn with_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// Adds a field. A `Content-Type` replaces the present one.
    ///
    /// # Errors
    ///
    /// [`FieldError`]: the name or the value is invalid, or the server sets the field.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.check(name)?;
        if name.eq_ignore_ascii_case("content-type") {
            self.fields.set(name, value)?;
            self.content_type = None;
            return Ok(());
        }
        self.fields.append(name, value)
    }

    /// Replaces all fields with this name by one.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        self.check(name)?;
        self.fields.set(name, value)?;
        if name.eq_ignore_ascii_case("content-type") {
            self.content_type = None;
        }
        Ok(())
    }

    #[allow(clippy::unused_self, reason = "part of the interface of a response")]
    fn check(&self, name: &str) -> Result<(), FieldError> {
        match RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            true => Err(FieldError::Reserved { name: name.to_owned() }),
            false => Ok(()),
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields that were set, except a content type that is a literal.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The content type, if there is one.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.or_else(|| self.fields.text("content-type"))
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// Takes the body, and leaves an empty one: for layers that replace it.
    pub fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }

    /// Sets the body.
    pub fn set_body(&mut self, body: impl Into<Body>) {
        self.body = body.into();
    }

    /// Sets the status.
    pub fn set_status(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// Removes all fields with this name; returns whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let is_type = name.eq_ignore_ascii_case("content-type");
        let typed = is_type && self.content_type.take().is_some();
        self.fields.remove(name) | typed
    }
}

impl From<StatusCode> for Response {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

impl From<&'static str> for Response {
    #[inline]
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Response {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl<T: Into<Self>, E: Into<Self>> From<Result<T, E>> for Response {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(response) => response.into(),
            Err(error) => error.into(),
        }
    }
}

/// A field that could not be set: 500, without details for the client.
impl From<FieldError> for Response {
    fn from(error: FieldError) -> Self {
        tracing::error!(%error, "a handler made a field that cannot be sent");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_server_cannot_be_set() {
        for name in ["Content-Length", "transfer-encoding", "Connection", "KEEP-ALIVE", "upgrade"] {
            let error = Response::new(StatusCode::OK).with(name, "1").unwrap_err();
            assert_eq!(error, FieldError::Reserved { name: name.to_owned() });
        }
    }

    #[test]
    fn a_second_content_type_replaces_the_first() {
        let mut response = Response::text("a").with("content-type", "text/css").unwrap();
        assert_eq!(response.content_type(), Some("text/css"));
        assert_eq!(response.fields().len(), 1);
        assert!(response.append("Content-Type", "a\n").is_err());
        assert_eq!(response.content_type(), Some("text/css"));
        response.append("Content-Type", "text/x").unwrap();
        assert_eq!(response.fields().len(), 1);
        let mut response = response.with_type("image/png");
        assert_eq!((response.content_type(), response.fields().len()), (Some("image/png"), 0));
        assert!(response.remove("Content-Type") && response.content_type().is_none());
    }
}
