//! URLs of WebSockets (RFC 6455 3): [`WebSocketUrl`].

use std::{fmt, str::FromStr};

use sinew_transports::reactor::{Excerpt, error_debug};

/// Longest URL.
const LEN_MAX: usize = 8 * 1024;

/// A URL that is no URL of a WebSocket.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is no URL of a WebSocket: {why}", Excerpt::new(url))]
#[non_exhaustive]
pub struct UrlError {
    /// The text, without a password.
    pub url: String,
    /// What is wrong.
    pub why: &'static str,
}

error_debug!(UrlError);

/// Where a WebSocket is: `ws://HOST[:PORT][/PATH]`, `wss://…`, or `ws+unix:/SOCKET[:/PATH]`.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::WebSocketUrl;
///
/// let url: WebSocketUrl = "wss://example.org/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port(), url.target()), ("example.org", 443, "/chat?room=1"));
/// let url: WebSocketUrl = "ws+unix:/run/chat.sock:/room".parse()?;
/// assert_eq!((url.socket_path(), url.target()), (Some("/run/chat.sock"), "/room"));
/// # Ok::<(), sinew_http::websocket::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebSocketUrl {
    text: String,
    place: Place,
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Tcp { host: String, port: u16, is_secure: bool },
    Unix { path: String },
}

impl WebSocketUrl {
    /// Host name or IP address, without the brackets of an IPv6 address. `localhost` for a Unix socket.
    #[must_use]
    pub fn host(&self) -> &str {
        match &self.place {
            Place::Tcp { host, .. } => host,
            Place::Unix { .. } => "localhost",
        }
    }

    /// Port; by default 80, and 443 for `wss`. 0 for a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self.place {
            Place::Tcp { port, .. } => port,
            Place::Unix { .. } => 0,
        }
    }

    /// Whether it is `wss`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(self.place, Place::Tcp { is_secure: true, .. })
    }

    /// Path of the Unix socket, of `ws+unix`.
    #[must_use]
    pub fn socket_path(&self) -> Option<&str> {
        match &self.place {
            Place::Tcp { .. } => None,
            Place::Unix { path } => Some(path),
        }
    }

    /// Path and query, as they are sent. At least `/`.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The field `Host`: without the port if that is the default.
    pub(super) fn authority(&self) -> String {
        let Place::Tcp { host, port, is_secure } = &self.place else {
            return self.host().to_owned();
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        match (*port, *is_secure) {
            (80, false) | (443, true) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }
}

impl FromStr for WebSocketUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let parsed = if text.len() > LEN_MAX { Err("it is too long") } else { parse(text) };
        parsed.map_err(|why| UrlError { url: without_password(text), why })
    }
}

fn parse(text: &str) -> Result<WebSocketUrl, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "it holds a blank or a character beyond ASCII, which has to be percent-encoded",
        );
    }
    if text.contains('#') {
        return Err("it has a fragment");
    }
    let (scheme, rest) = text.split_once(':').ok_or("it has no scheme")?;
    let (place, target) = match &*scheme.to_ascii_lowercase() {
        "ws+unix" => {
            let (path, target) = rest.split_once(':').unwrap_or((rest, "/"));
            if !path.starts_with('/') {
                return Err("the path of the socket does not begin with /");
            }
            (Place::Unix { path: path.to_owned() }, target)
        }
        scheme @ ("ws" | "wss") => {
            let rest = rest.strip_prefix("//").ok_or("there is no // behind the scheme")?;
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at(end);
            (tcp(authority, scheme == "wss")?, target)
        }
        _ => return Err("the scheme is not ws, wss or ws+unix"),
    };
    let target = match target {
        "" => "/".to_owned(),
        query if query.starts_with('?') => format!("/{query}"),
        path if path.starts_with('/') => path.to_owned(),
        _ => return Err("the path does not begin with /"),
    };
    Ok(WebSocketUrl { text: text.to_owned(), place, target })
}

fn tcp(authority: &str, is_secure: bool) -> Result<Place, &'static str> {
    if authority.contains('@') {
        return Err("it has a user; send the field Authorization instead");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a bracket is not closed")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("the address in brackets is no IPv6 address");
            }
            let port = if port.is_empty() {
                None
            } else {
                Some(port.strip_prefix(':').ok_or("behind the address there is no port")?)
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Err("the host is missing or invalid");
    }
    let default = if is_secure { 443 } else { 80 };
    let port = match port.filter(|port| !port.is_empty()) {
        None => default,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().ok().filter(|port| *port > 0).ok_or("the port is not 1 to 65535")?
        }
        Some(_) => return Err("the port is not a number"),
    };
    Ok(Place::Tcp { host: host.to_ascii_lowercase(), port, is_secure })
}

/// What may be printed.
fn without_password(text: &str) -> String {
    match (text.find("//"), text.find('@')) {
        (Some(start), Some(at)) if start < at => {
            format!("{}{}", &text[..start + 2], &text[at + 1..])
        }
        _ => text.to_owned(),
    }
}

impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_urls() {
        let cases = [
            ("ws://a", "a", 80, "/", "a"),
            ("WS://A:80/x", "a", 80, "/x", "a"),
            ("wss://a.b:8443/x?y=z%20", "a.b", 8443, "/x?y=z%20", "a.b:8443"),
            ("wss://a?y", "a", 443, "/?y", "a"),
            ("ws://[::1]:9/x", "::1", 9, "/x", "[::1]:9"),
            ("ws://[::1]", "::1", 80, "/", "[::1]"),
            ("ws://127.0.0.1:", "127.0.0.1", 80, "/", "127.0.0.1"),
            ("ws+unix:/s:/x?y", "localhost", 0, "/x?y", "localhost"),
            ("ws+unix:/s", "localhost", 0, "/", "localhost"),
        ];
        for (text, host, port, target, authority) in cases {
            let url: WebSocketUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.target()), (host, port, target), "{text}");
            assert_eq!((url.authority(), url.to_string()), (authority.to_owned(), text.to_owned()));
            assert_eq!(url.is_secure(), text.starts_with("wss"));
            assert_eq!(url.socket_path().is_some(), text.contains("unix"));
        }
    }

    #[test]
    fn invalid_urls() {
        let cases = [
            ("", "scheme"),
            ("a", "scheme"),
            ("http://a/", "ws, wss"),
            ("ws:a", "//"),
            ("ws:///x", "host"),
            ("ws://a b/", "blank"),
            ("ws://a/\r\nX: y", "blank"),
            ("ws://\u{e4}/", "ASCII"),
            ("ws://a/#x", "fragment"),
            ("ws://a:0/", "1 to 65535"),
            ("ws://a:65536/", "1 to 65535"),
            ("ws://a:+1/", "not a number"),
            ("ws://[::1/", "bracket"),
            ("ws://[a]/", "IPv6"),
            ("ws://[::1]x/", "no port"),
            ("ws://a,b/", "host"),
            ("ws://ann:secret@a/", "Authorization"),
            ("ws+unix:s", "begin with /"),
            ("ws+unix:/s:x", "begin with /"),
        ];
        for (text, part) in cases {
            let error = text.parse::<WebSocketUrl>().unwrap_err();
            assert!(error.why.contains(part), "{text}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
