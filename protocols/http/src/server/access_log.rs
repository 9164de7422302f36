//! Access log, one line for each request: [`AccessLog`].

use std::{cell::RefCell, fmt::Write as _, io::Write, rc::Rc, time::Instant};

use http::Version;
use sinew_transports::reactor::Excerpt;

use super::{Ended, Handler, Reply, Request, RequestId};
use crate::codec::format_date;

/// Format of the lines of an access log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogFormat {
    /// `127.0.0.1 - ann [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5`, the Common Log Format, in UTC.
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
    shown: Option<Shown>,
}

/// What of a target is logged.
type Shown = Rc<dyn Fn(&str) -> String>;

impl<H: Handler> AccessLog<H> {
    /// Wraps a handler. Logs to `tracing`, in the combined format.
    pub fn new(inner: H) -> Self {
        Self { inner, format: LogFormat::default(), to: None, shown: None }
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

    /// Logs what this makes of the target of a request, instead of the target: for addresses that let in who knows them, in their path or
    /// their query. The target is as the client has sent it, percent-encoded, and perhaps with a scheme and a host.
    pub fn target(mut self, shown: impl Fn(&str) -> String + 'static) -> Self {
        self.shown = Some(Rc::new(shown));
        self
    }
}

impl<H: Handler> Handler for AccessLog<H> {
    fn handle(&self, request: Request, reply: Reply) {
        let (format, to, shown) = (self.format, self.to.clone(), self.shown.clone());
        let begin = request.reactor().now();
        // Read the client's address now: a closed connection has none.
        let peer = match (request.client_ip(), request.peer()) {
            (Some(ip), _) => ip.to_string(),
            (None, Some(peer)) => peer.to_string(),
            (None, None) => "-".to_owned(),
        };
        let reply = reply.on_end(move |request, ended| {
            let target = request.head().target();
            let target = shown.map_or_else(|| target.to_owned(), |shown| shown(target));
            let line = line(format, request, &target, ended, &peer, begin);
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

fn line(
    format: LogFormat,
    request: &Request,
    target: &str,
    ended: &Ended,
    peer: &str,
    begin: Instant,
) -> String {
    let reactor = request.reactor();
    let date = format_date(reactor.wall_clock());
    let common_date = common_date(&date);
    let version = if request.version() == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    // The status that nginx logs for a client that disconnected before there was a response.
    let status = ended.status.map_or(499, |status| status.as_u16());
    let (method, bytes) = (request.method().as_str(), ended.bytes);
    let field = |name| request.fields().get(name).unwrap_or(b"-");
    let (referer, agent) = (field("referer"), field("user-agent"));
    let user = user(request);
    let id = request.find::<RequestId>();
    let id = id.as_ref().map_or("-", |id| &id.0);
    let mut line = String::new();
    // Writing to a string cannot fail.
    let _ = match format {
        LogFormat::Json => {
            let micros = (reactor.now() - begin).as_micros();
            let text = |text: &[u8]| json(text);
            write!(
                line,
                r#"{{"time":"{date}","client":{},"user":{},"method":{},"target":{},"version":"{version}","status":{status},"bytes":{bytes},"complete":{},"micros":{micros},"id":{},"referer":{},"agent":{}}}"#,
                text(peer.as_bytes()),
                text(user.as_bytes()),
                text(method.as_bytes()),
                text(target.as_bytes()),
                ended.complete,
                text(id.as_bytes()),
                text(referer),
                text(agent),
            )
        }
        _ => write!(
            line,
            "{} - {user} [{common_date}] {:?} {status} {bytes}",
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

/// `01/Jan/2026:00:00:00 +0000` of `Thu, 01 Jan 2026 00:00:00 GMT`.
fn common_date(date: &str) -> String {
    let words: Vec<_> = date.split(' ').collect();
    match words[..] {
        [_, day, month, year, time, _] => format!("{day}/{month}/{year}:{time} +0000"),
        _ => date.to_owned(),
    }
}

/// The authenticated user as one word. A name that contains anything else than visible ASCII is quoted and escaped.
#[cfg(feature = "guard")]
fn user(request: &Request) -> String {
    let Some(user) = request.find::<super::AuthenticatedUser>() else { return "-".to_owned() };
    let is_word = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    match !user.0.is_empty() && user.0.bytes().all(is_word) {
        true => user.0.clone(),
        false => format!("{:?}", Excerpt::new(&user.0)),
    }
}

#[cfg(not(feature = "guard"))]
fn user(_: &Request) -> String {
    "-".to_owned()
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
