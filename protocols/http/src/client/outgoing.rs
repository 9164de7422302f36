//! A request as a connection sends it: [`Outgoing`]. Names no server; requests for URLs belong to the client.

use std::fmt;

use http::{Method, StatusCode};

use crate::{
    body::Body,
    codec::{EncodeError, Fields, Framing, encode_request, push_field, push_number},
};

pub(super) type OnInformational = Box<dyn FnMut(StatusCode, &Fields)>;

/// A request as a connection sends it: method, target, fields, body.
///
/// The connection writes the fields unchanged, except those that frame the body, `Content-Length` and `Transfer-Encoding`, which it
/// sets itself. `Host` is one of the fields (RFC 9112 3.2).
///
/// # Examples
///
/// ```
/// use sinew_http::{Fields, Method, client::Outgoing};
///
/// let mut fields = Fields::new();
/// fields.append("Host", "example.org")?;
/// let outgoing = Outgoing::new(Method::PUT, "/a?b=c", fields).body("hello").expect_continue(true);
/// # Ok::<(), sinew_http::FieldError>(())
/// ```
#[must_use]
pub struct Outgoing {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) fields: Fields,
    pub(super) body: Body,
    pub(super) expects_continue: bool,
    pub(super) closes: bool,
    pub(super) on_informational: Option<OnInformational>,
}

impl Outgoing {
    /// A request without a body.
    pub fn new(method: Method, target: impl Into<String>, fields: Fields) -> Self {
        Self {
            method,
            target: target.into(),
            fields,
            body: Body::empty(),
            expects_continue: false,
            closes: false,
            on_informational: None,
        }
    }

    /// The same with a body. One of unknown length is chunked.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Whether the body waits for `100 Continue` (`Expect: 100-continue`, RFC 9110 10.1.1). Default `false`.
    pub const fn expect_continue(mut self, expect: bool) -> Self {
        self.expects_continue = expect;
        self
    }

    /// Whether the connection is closed after the response (`Connection: close`). Default `false`.
    pub const fn close(mut self, close: bool) -> Self {
        self.closes = close;
        self
    }

    /// Calls `f` for each informational response, such as `103 Early Hints`; not for `100 Continue` and `101 Switching Protocols`.
    pub fn on_informational(mut self, f: impl FnMut(StatusCode, &Fields) + 'static) -> Self {
        self.on_informational = Some(Box::new(f));
        self
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Whether it requests another protocol on the connection: by CONNECT or by `Upgrade`.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.method == Method::CONNECT || self.fields.get("upgrade").is_some()
    }

    /// How the body is framed. The length of an empty one is announced if the method usually has a body (RFC 9110 8.6).
    pub(super) fn framing(&self) -> Framing {
        let has_meaning = [Method::POST, Method::PUT, Method::PATCH].contains(&self.method);
        match self.body.len() {
            Some(0) if !has_meaning => Framing::None,
            Some(length) => Framing::Length(length),
            None => Framing::Chunked,
        }
    }

    /// Appends the head.
    pub(super) fn push_head(&self, out: &mut Vec<u8>, framing: Framing) -> Result<(), EncodeError> {
        encode_request(out, &self.method, &self.target, &Fields::new())?;
        // The empty line comes last.
        out.truncate(out.len() - 2);
        for (name, value) in self.fields.iter() {
            let is_framing = name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding");
            if !is_framing {
                push_field(out, name.as_bytes(), value);
            }
        }
        match framing {
            Framing::Length(length) => {
                out.extend_from_slice(b"Content-Length: ");
                push_number(out, length);
                out.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => push_field(out, b"Transfer-Encoding", b"chunked"),
            Framing::None | Framing::UntilClose => {}
        }
        if self.waits_for_continue(framing) {
            push_field(out, b"Expect", b"100-continue");
        }
        if self.closes {
            push_field(out, b"Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The body of a request that was not sent.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Whether the body waits for `100 Continue`.
    pub(super) fn waits_for_continue(&self, framing: Framing) -> bool {
        self.expects_continue && !matches!(framing, Framing::None | Framing::Length(0))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("fields", &self.fields)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
