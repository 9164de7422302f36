//! How a response is framed, and its head written (RFC 9112 6, RFC 9110 6.4): [`Plan`]. The body is sent in `sending.rs`.

use http::{Method, StatusCode, Version};
use sinew_transports::Transport;

use super::{Response, shared::Shared};
use crate::codec::{Framing, RequestHead, push_field, push_fields, push_number, push_status_line};

/// What is decided about a response before its first byte is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// What the head says about the body.
    said: Option<Framing>,
    /// How the body is sent. `None` if no body is sent.
    pub(super) framing: Framing,
    /// The connection closes after it.
    pub(super) closes: bool,
}

impl Plan {
    /// For the response to a request. With `closes`, the connection closes in any case.
    pub(super) fn new(head: &RequestHead, response: &Response, closes: bool) -> Self {
        let status = response.status;
        let length = response.body.len();
        let has_none = status.is_informational() || status == StatusCode::NO_CONTENT;
        let is_tunnel = *head.method() == Method::CONNECT && status.is_success();
        let framing = match length {
            Some(length) => Framing::Length(length),
            None if head.version() == Version::HTTP_11 => Framing::Chunked,
            None => Framing::UntilClose,
        };
        let said = match () {
            () if has_none || is_tunnel => None,
            // The length would have to be that of the body of a 200, which is unknown here.
            () if status == StatusCode::NOT_MODIFIED => None,
            () if framing == Framing::UntilClose => None,
            // The response to HEAD without a body does not say that GET would have no body.
            () if *head.method() == Method::HEAD && length == Some(0) && status.is_success() => {
                None
            }
            () => Some(framing),
        };
        let is_without = has_none
            || is_tunnel
            || status == StatusCode::NOT_MODIFIED
            || *head.method() == Method::HEAD;
        let framing = if is_without { Framing::None } else { framing };
        let closes = closes || response.close || framing == Framing::UntilClose;
        Self { said, framing, closes }
    }

    /// Appends the head.
    pub(super) fn push_head(
        &self,
        out: &mut Vec<u8>,
        shared: &Shared,
        transport: &Transport,
        head: &RequestHead,
        response: &Response,
    ) {
        let reactor = transport.reactor();
        push_status_line(out, response.status);
        if let Some(reactor) = &reactor
            && (response.fields.is_empty() || response.fields.get("date").is_none())
        {
            shared.push_date(out, reactor);
        }
        push_fields(out, &response.fields);
        if let Some(content_type) = response.content_type {
            push_field(out, b"Content-Type", content_type.as_bytes());
        }
        match self.said {
            Some(Framing::Length(length)) => {
                out.extend_from_slice(b"Content-Length: ");
                push_number(out, length);
                out.extend_from_slice(b"\r\n");
            }
            Some(Framing::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            _ => {}
        }
        if response.status == StatusCode::SWITCHING_PROTOCOLS {
            out.extend_from_slice(b"Connection: upgrade\r\n");
            if let Some(upgrade) =
                head.fields().get("upgrade").filter(|_| response.fields.get("upgrade").is_none())
            {
                push_field(out, b"Upgrade", upgrade);
            }
        } else if self.closes {
            out.extend_from_slice(b"Connection: close\r\n");
        } else if head.version() == Version::HTTP_10 {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}
