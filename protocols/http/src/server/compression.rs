//! Compressed responses, for clients that accept them: [`Compression`].

use bytes::Bytes;
use http::{Method, StatusCode};
use sinew_protocols::compression::{Deflate, Flush, Format};

use super::{Body, BodySource, BodyWaker, Handler, Produced, Reply, Request, Response};
use crate::{
    body::Kind,
    codec::{ETag, Fields},
};

/// A layer that compresses responses with gzip, for clients that accept it.
///
/// Compresses text: `text/*`, JSON, JavaScript, XML, SVG, with at least 512 bytes or streamed. It leaves out files, ranges,
/// responses that are compressed already and those with `Cache-Control: no-transform`; for files there are
/// [precompressed forms](super::Files::precompressed). A streamed response is compressed piece by piece.
///
/// A response with both a secret and text chosen by the client reveals the secret through its length (BREACH): leave those out.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Compression, Router};
///
/// let site = Compression::new(Router::new()).level(4);
/// ```
#[derive(Debug)]
#[must_use]
pub struct Compression<H> {
    inner: H,
    level: u32,
    length_min: usize,
}

impl<H: Handler> Compression<H> {
    /// Wraps a handler.
    pub fn new(inner: H) -> Self {
        Self { inner, level: 5, length_min: 512 }
    }

    /// Compression level: from 1, fast, to 9, small. Default 5.
    pub fn level(mut self, level: u32) -> Self {
        self.level = level.clamp(1, 9);
        self
    }

    /// Shorter bodies are not compressed. Default 512 bytes.
    pub fn length_min(mut self, bytes: usize) -> Self {
        self.length_min = bytes;
        self
    }
}

impl<H: Handler> Handler for Compression<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (level, length_min) = (self.level, self.length_min);
        let reply =
            reply.map(move |request, response| compress(request, response, level, length_min));
        self.inner.handle(request, reply);
    }
}

fn compress(request: &Request, response: &mut Response, level: u32, length_min: usize) {
    if !is_compressible(response) {
        return;
    }
    let is_short = response.body().bytes().is_some_and(|bytes| bytes.len() < length_min);
    let is_other = response.body().is_empty() || matches!(response.body().0, Kind::File { .. });
    if is_short || is_other {
        return;
    }
    // Caches must know that the response depends on what the client accepts, whether this one is compressed or not.
    if response.append("Vary", "Accept-Encoding").is_err() || !request.accepts_encoding("gzip") {
        return;
    }
    if response.append("Content-Encoding", "gzip").is_err() {
        return;
    }
    weaken_tag(response);
    let body = match response.take_body().0 {
        // For HEAD, only the length of the compressed body is unknown.
        Kind::Bytes(_) if *request.method() == Method::HEAD => Body::source(Nothing, None),
        Kind::Bytes(bytes) => deflate_all(&bytes, level).into(),
        Kind::Source { source, .. } => {
            let deflate = Deflate::new(Format::Gzip, level);
            Body::source(Compressed { source, deflate, piece: Vec::new() }, None)
        }
        other => Body(other),
    };
    response.set_body(body);
}

fn is_compressible(response: &Response) -> bool {
    let fields = response.fields();
    let kind = response.content_type().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text = kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            &*kind,
            "application/json" | "application/javascript" | "application/xml" | "application/wasm"
        );
    is_text
        && kind != "text/event-stream"
        && response.status() != StatusCode::PARTIAL_CONTENT
        && fields.get("content-encoding").is_none()
        && fields.get("content-range").is_none()
        && !fields
            .list("cache-control")
            .any(|directive| directive.eq_ignore_ascii_case("no-transform"))
}

/// The compressed form is not identical byte for byte, so its tag is weak (RFC 9110 8.8.1).
fn weaken_tag(response: &mut Response) {
    let Some(tag) = response.fields().text("etag").and_then(ETag::parse) else { return };
    if !tag.is_weak() {
        let set = response.set("ETag", format!("W/{tag}"));
        debug_assert!(set.is_ok(), "the value comes from a field");
    }
}

fn deflate_all(bytes: &[u8], level: u32) -> Bytes {
    let mut deflate = Deflate::new(Format::Gzip, level);
    let (mut input, mut out) = (bytes, Vec::new());
    while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
        out.extend_from_slice(piece);
    }
    out.into()
}

/// A source that compresses another.
struct Compressed {
    source: Box<dyn BodySource>,
    deflate: Deflate,
    piece: Vec<u8>,
}

impl BodySource for Compressed {
    fn produce(&mut self, out: &mut Vec<u8>, waker: &BodyWaker) -> Produced {
        self.piece.clear();
        let produced = self.source.produce(&mut self.piece, waker);
        let flush = match produced {
            Produced::Done => Flush::Finish,
            // The source has nothing for now: flush, so that the client gets everything produced so far.
            Produced::Waiting if !self.piece.is_empty() => Flush::Sync,
            _ => Flush::None,
        };
        let mut input = self.piece.as_slice();
        while let Some(piece) = self.deflate.deflate(&mut input, flush) {
            out.extend_from_slice(piece);
        }
        produced
    }

    fn trailers(&mut self) -> Fields {
        self.source.trailers()
    }
}

/// Stands for a body that is not sent.
struct Nothing;

impl BodySource for Nothing {
    fn produce(&mut self, _: &mut Vec<u8>, _: &BodyWaker) -> Produced {
        Produced::Done
    }
}
