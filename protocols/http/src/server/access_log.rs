//! Access log, one line for each request: [`AccessLog`].

use std::{cell::RefCell, fmt::Write as _, io::Write, rc::Rc, time::Instant};

use http::Version;
use sinew_transports::reactor::Excerpt;

use super::{Ended, Handler, Reply, Request};
use crate::codec::format_date;

/// Format of the lines of an access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// `127.0.0.1 - - [date] "GET / HTTP/1.1" 200 5`, the Common Log Format, with the date of HTTP.
    Common,
    /// The same, followed by the `Referer` and `User-Agent` fields.
    #[default]
    Combined,
    /// A JSON object, with the duration of the request in microseconds.
    Json,
}

/// A layer that logs each request, to `tracing` or to a file, when its response is with the transport or its client has
/// disconnected. Text from clients is escaped, so lines cannot be forged.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{AccessLog, LogFormat, Router};
///
/// # fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join("sinew-http-access.log");
/// let log = std::fs::File::options().append(true).create(true).open(&path)?;
/// let site = AccessLog::new(Router::new()).format(LogFormat::Json).to(log);
/// # std::fs::remove_file(&path)
/// # }
/// ```
#[must_use]
pub struct AccessLog<H> {
    inner: H,
    format: LogFormat,
    to: Option<Rc<RefCell<dyn Write>>>,
}

impl<H: Handler> AccessLog<H> {
    /// Wraps a handler. Logs to `tracing`, in the combined format.
    pub fn new(inner: H) -> Self {
        Self { inner, format: LogFormat::default(), to: None }
    }

    /// Sets the format.
    pub fn format(mut self, format: LogFormat) -> Self {
        self.format = format;
        self
    }

    /// Writes the lines to `file`, each with one call, on the loop's thread. Errors are logged to `tracing`.
    pub fn to(mut self, to: impl Write + 'static) -> Self {
        self.to = Some(Rc::new(RefCell::new(to)));
        self
    }
}

impl<H: Handler> Handler for AccessLog<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (format, to) = (self.format, self.to.clone());
        let begin = request.reactor().now();
        // Read the peer's address now: a closed connection has none.
        let peer = request.peer().map_or_else(
            || "-".to_owned(),
            |peer| match peer.ip() {
                Some(ip) => ip.to_string(),
                None => peer.to_string(),
            },
        );
        let reply = reply.on_end(move |request, ended| {
            let line = line(format, request, ended, &peer, begin);
            match &to {
                None => tracing::info!(target: "sinew_http::access", "{}", line.trim_end()),
                Some(to) => {
                    if let Err(error) = to.borrow_mut().write_all(line.as_bytes()) {
                        tracing::error!(%error, "a line of the access log could not be written");
                    }
                }
            }
        });
        self.inner.handle(request, reply);
    }
}

impl<H> std::fmt::Debug for AccessLog<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("format", &self.format).finish_non_exhaustive()
    }
}

fn line(format: LogFormat, request: &Request, ended: &Ended, peer: &str, begin: Instant) -> String {
    let reactor = request.reactor();
    let date = format_date(reactor.wall_clock());
    let version = if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    // The status that nginx logs for a client that disconnected before there was a response.
    let status = ended.status.map_or(499, |status| status.as_u16());
    let (method, target, bytes) = (request.method().as_str(), request.head().target(), ended.bytes);
    let field = |name| request.fields().get(name).unwrap_or(b"-");
    let (referer, agent) = (field("referer"), field("user-agent"));
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = match format {
        LogFormat::Json => {
            let micros = (reactor.now() - begin).as_micros();
            let text = |text: &[u8]| json(text);
            write!(
                line,
                r#"{{"time":"{date}","client":{},"method":{},"target":{},"version":"{version}","status":{status},"bytes":{bytes},"complete":{},"micros":{micros},"referer":{},"agent":{}}}"#,
                text(peer.as_bytes()),
                text(method.as_bytes()),
                text(target.as_bytes()),
                ended.complete,
                text(referer),
                text(agent),
            )
        }
        _ => write!(
            line,
            "{} - - [{date}] {:?} {status} {bytes}",
            Excerpt::new(peer),
            Excerpt::new(&format!("{method} {target} {version}")).len_max(8 * 1024)
        ),
    };
    if format == LogFormat::Combined {
        let _ = write!(line, " {:?} {:?}", Excerpt::new(referer), Excerpt::new(agent));
    }
    line.push('\n');
    line
}

/// Appends a JSON string (RFC 8259 7). Invalid UTF-8 becomes U+FFFD.
fn json(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // U+2028 and U+2029 too: some log readers take them for line ends.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
