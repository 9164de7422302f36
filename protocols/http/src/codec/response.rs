//! The head of a response, and its decoder: [`ResponseHead`]. For clients, and for tests of servers.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};
use httparse::{Header, Status};

use super::{
    Fields, Framing, HeadError, HeadLimits, connection_options::ConnectionOptions, fields::place,
    framing::Gathered, lines::FIELDS_CAP,
};

/// A decoded response head: status line and fields (RFC 9112 4 and 5).
///
/// # Examples
///
/// ```
/// use http::Method;
/// use sinew_http::codec::{Framing, HeadLimits, ResponseHead};
///
/// let mut head = ResponseHead::default();
/// let input = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
/// let len = head.decode(input, 0, &HeadLimits::default())?.unwrap();
/// assert_eq!(&input[len..], b"hello");
/// assert_eq!(head.framing(&Method::GET), Framing::Length(5));
/// assert_eq!(head.framing(&Method::HEAD), Framing::None);
/// # Ok::<(), sinew_http::codec::HeadError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    status: StatusCode,
    version: Version,
    fields: Fields,
    framing: Option<Framing>,
    connection: ConnectionOptions,
}

impl ResponseHead {
    /// Decodes the head at the start of the input, as [`RequestHead::decode`](super::RequestHead::decode) does.
    ///
    /// # Errors
    ///
    /// [`HeadError`]. After it, the connection cannot be used any more.
    pub fn decode(
        &mut self,
        input: &[u8],
        seen: usize,
        limits: &HeadLimits,
    ) -> Result<Option<usize>, HeadError> {
        if seen > 0 && memchr::memchr(b'\n', &input[seen.min(input.len())..]).is_none() {
            return limits.check_rest(input).map(|()| None);
        }
        let window = limits.window(input);
        let mut places = [const { MaybeUninit::uninit() }; FIELDS_CAP];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let places = &mut places[..limits.fields_max];
        match config.parse_response_with_uninit_headers(&mut response, window, places) {
            Ok(Status::Complete(len)) => {
                let head = &window[..len];
                let starts =
                    response.headers.iter().map(|field| place(head, field.name.as_bytes()).start);
                limits.check_head(head, starts)?;
                self.fill(head, &response)?;
                Ok(Some(len))
            }
            Ok(Status::Partial) => limits.check_part(input).map(|()| None),
            Err(_) => Err(limits.blame(window, |lines| {
                let mut places = [const { MaybeUninit::<Header<'_>>::uninit() }; FIELDS_CAP];
                let mut response = httparse::Response::new(&mut []);
                let places = &mut places[..limits.fields_max];
                config.parse_response_with_uninit_headers(&mut response, lines, places).err()
            })),
        }
    }

    fn fill(&mut self, head: &[u8], parsed: &httparse::Response<'_, '_>) -> Result<(), HeadError> {
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        self.status = status.ok_or(HeadError::Malformed { what: "status" })?;
        let is_1_0 = parsed.version == Some(0);
        self.version = if is_1_0 { Version::HTTP_10 } else { Version::HTTP_11 };
        self.fields.begin(head);
        self.connection = ConnectionOptions::default();
        let mut gathered = Gathered::default();
        for header in &*parsed.headers {
            let value = self.fields.push_parsed(head, header);
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            match header.name.len() {
                10 if is("connection") => self.connection.add(value),
                14 if is("content-length") => gathered.length(value)?,
                17 if is("transfer-encoding") => gathered.encoding(value),
                _ => {}
            }
        }
        self.framing = gathered.framing(is_1_0)?;
        Ok(())
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The fields alone.
    #[must_use]
    pub fn into_fields(self) -> Fields {
        self.fields
    }

    /// The framing of the body, if it responds to a request with this method (RFC 9112 6.3). Responses to HEAD, and 1xx, 204 and
    /// 304, have no body, whatever the fields say; nor has a successful response to CONNECT, after which the connection is a
    /// tunnel.
    #[must_use]
    pub fn framing(&self, method: &Method) -> Framing {
        let is_tunnel = *method == Method::CONNECT && self.status.is_success();
        if *method == Method::HEAD || is_tunnel || has_no_body(self.status) {
            return Framing::None;
        }
        self.framing.unwrap_or(Framing::UntilClose)
    }

    /// Whether the server accepts another request on this connection, according to the fields (RFC 9112 9.3).
    #[must_use]
    pub fn is_persistent(&self) -> bool {
        self.connection.is_persistent(self.version)
    }
}

/// Whether responses with this status never have a body (RFC 9110 6.4.1).
pub(super) fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &str) -> Result<ResponseHead, HeadError> {
        let mut head = ResponseHead::default();
        let len = head.decode(input.as_bytes(), 0, &HeadLimits::default())?;
        assert_eq!(len, Some(input.len()), "{input:?}");
        Ok(head)
    }

    #[test]
    fn framing_by_status_method_and_fields() {
        use Framing::{Chunked, Length, None, UntilClose};
        let cases = [
            ("200", "", UntilClose),
            ("200", "Content-Length: 3\r\n", Length(3)),
            ("200", "Transfer-Encoding: chunked\r\n", Chunked),
            ("204", "Content-Length: 3\r\n", None),
            ("304", "Content-Length: 3\r\n", None),
            ("101", "", None),
            ("404", "Content-Length: 0\r\n", Length(0)),
        ];
        for (status, fields, expected) in cases {
            let head = decode(&format!("HTTP/1.1 {status} X\r\n{fields}\r\n")).unwrap();
            assert_eq!(head.framing(&Method::GET), expected, "{status} {fields}");
            assert_eq!(head.framing(&Method::HEAD), None);
        }
        let head = decode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").unwrap();
        assert_eq!(head.framing(&Method::CONNECT), None);
    }

    #[test]
    fn heads_that_are_refused() {
        let cases = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
                HeadError::Length,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                HeadError::LengthAndEncoding,
            ),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::Encoding),
            ("HTTP/1.1 200 OK\nA: b\r\n\r\n", HeadError::BareLineFeed),
            ("HTTP/2.0 200 OK\r\n\r\n", HeadError::Version),
            ("HTTP/1.1 099 OK\r\n\r\n", HeadError::Malformed { what: "status" }),
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                HeadError::Malformed { what: "name of a field" },
            ),
        ];
        for (input, error) in cases {
            assert_eq!(decode(input).unwrap_err(), error, "{input:?}");
        }
    }

    #[test]
    fn persistence() {
        let cases = [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "Connection: Close\r\n", false),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "Connection: a, keep-alive\r\n", true),
            ("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ];
        for (version, fields, expected) in cases {
            let head = decode(&format!("{version} 200\r\n{fields}\r\n")).unwrap();
            assert_eq!(head.is_persistent(), expected, "{version} {fields}");
        }
    }
}
