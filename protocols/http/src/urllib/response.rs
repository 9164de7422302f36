//! The response of an opener, to be read: [`Response`].

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    time::Duration,
};

use bytes::{Buf, Bytes};
use http::StatusCode;
use sinew_transports::reactor::{Deferred, Failure, Reactor, RunError};

use super::UrlOpenError;
use crate::{
    client,
    codec::{BodyError, Fields},
};

/// An opened URL: status and fields, and the body by [`Read`]. Reading runs the reactor until there is data.
pub struct Response {
    url: String,
    status: StatusCode,
    fields: Fields,
    length: Option<u64>,
    body: Body,
}

/// Turns of the loop: in one the connection notices, in one it closes, in one its socket is dropped.
const TURNS_TO_CLOSE: u32 = 3;

enum Body {
    Http {
        reactor: Reactor,
        response: client::Response,
        /// Received, not read yet.
        piece: Bytes,
        is_over: bool,
    },
    Bytes(Bytes),
    File(File),
}

impl Response {
    pub(super) fn from_http(reactor: Reactor, response: client::Response) -> Self {
        Self {
            url: response.url().map(ToString::to_string).unwrap_or_default(),
            status: response.status(),
            fields: response.fields().clone(),
            length: response.length(),
            body: Body::Http { reactor, response, piece: Bytes::new(), is_over: false },
        }
    }

    pub(super) fn from_bytes(url: &str, fields: Fields, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = Some(bytes.len() as u64);
        let body = Body::Bytes(bytes);
        Self { url: url.to_owned(), status: StatusCode::OK, fields, length, body }
    }

    pub(super) fn from_file(url: &str, fields: Fields, file: File, length: u64) -> Self {
        let (status, body) = (StatusCode::OK, Body::File(file));
        Self { url: url.to_owned(), status, fields, length: Some(length), body }
    }

    /// The status; 200 for files and data.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The fields; for files and data what is known of them.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The first field with this name, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// The URL of the response, after redirects.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The length of the body, if it is known.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The whole body as UTF-8 text. Invalid parts become U+FFFD.
    ///
    /// # Errors
    ///
    /// [`UrlOpenError::Read`] if the body is cut off, or longer than 16 MiB.
    pub fn text(&mut self) -> Result<String, UrlOpenError> {
        const MAX: u64 = 16 << 20;
        let mut bytes = Vec::new();
        self.take(MAX + 1).read_to_end(&mut bytes).map_err(UrlOpenError::Read)?;
        if bytes.len() as u64 > MAX {
            let too_long = BodyError::TooLong { max: MAX };
            return Err(UrlOpenError::Read(io::Error::other(too_long)));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Read for Response {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.body {
            Body::File(file) => file.read(buffer),
            Body::Bytes(bytes) => Ok(copy(bytes, buffer)),
            Body::Http { reactor, response, piece, is_over } => {
                while piece.is_empty() && !*is_over && !buffer.is_empty() {
                    match wait(reactor, response.next_piece()).map_err(io::Error::other)? {
                        Ok(Some(next)) => *piece = next,
                        Ok(None) => *is_over = true,
                        Err(BodyError::Truncated) => {
                            let cut_off = BodyError::Truncated;
                            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut_off));
                        }
                        Err(error) => return Err(io::Error::other(error)),
                    }
                }
                Ok(copy(piece, buffer))
            }
        }
    }
}

impl Drop for Response {
    /// Lets the loop close the connection.
    fn drop(&mut self) {
        let body = std::mem::replace(&mut self.body, Body::Bytes(Bytes::new()));
        let Body::Http { reactor, response, .. } = body else { return };
        drop(response);
        for _ in 0..TURNS_TO_CLOSE {
            if reactor.turn(Some(Duration::ZERO)).is_err() {
                break;
            }
        }
    }
}

fn copy(from: &mut Bytes, to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    to[..len].copy_from_slice(&from[..len]);
    from.advance(len);
    len
}

/// Runs the loop until there is a result. Not by `run_until`, which would close all connections at its end.
pub(super) fn wait<T, E>(
    reactor: &Reactor,
    deferred: Deferred<T, E>,
) -> Result<Result<T, E>, RunError>
where
    T: 'static,
    E: From<Failure> + fmt::Display + 'static,
{
    loop {
        if let Some(result) = deferred.take() {
            return Ok(result);
        }
        reactor.turn(None)?;
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("url", &self.url)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
