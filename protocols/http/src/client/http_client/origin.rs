//! The origin of a URL: [`Origin`], with the request target and `Host` (RFC 9112 3.2).

use url::{Host, Position, Url};

use super::UrlError;
use crate::codec::percent_decode;

/// Scheme, host and port of a URL; or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Net {
        is_tls: bool,
        host: Host<String>,
        port: u16,
    },
    /// The path of the socket.
    Unix(String),
}

impl Origin {
    /// # Errors
    ///
    /// [`UrlError`] if it is not a URL of `http`, `https`, `ws`, `wss` or `http+unix`.
    pub(super) fn of(url: &Url) -> Result<Self, UrlError> {
        let no_host = || UrlError::NoHost { url: url.to_string() };
        let is_tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            "http+unix" => {
                let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(no_host)?;
                let path =
                    percent_decode(host).and_then(|path| String::from_utf8(path.into()).ok());
                return path
                    .filter(|path| !path.contains('\0'))
                    .map(Self::Unix)
                    .ok_or_else(no_host);
            }
            scheme => return Err(UrlError::Scheme { scheme: scheme.to_owned() }),
        };
        let host = url.host().ok_or_else(no_host)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(no_host)?;
        Ok(Self::Net { is_tls, host, port })
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Net { is_tls: true, .. })
    }

    /// Its name as a key: `https://example.org:443`.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Net { is_tls, host, port } => {
                format!("{}://{host}:{port}", if *is_tls { "https" } else { "http" })
            }
            Self::Unix(path) => format!("unix:{path}"),
        }
    }

    /// Host and port, as in CONNECT.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Net { host, port, .. } => format!("{host}:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// The value of `Host`: without the port that the scheme implies.
pub(super) fn host_field(url: &Url) -> String {
    match (url.scheme(), url.port()) {
        ("http+unix", _) => "localhost".to_owned(),
        (_, None) => url.host_str().unwrap_or_default().to_owned(),
        (_, Some(port)) => format!("{}:{port}", url.host_str().unwrap_or_default()),
    }
}

/// Path and query: the request target for a server.
pub(super) fn origin_form(url: &Url) -> String {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    }
}

/// The whole URL without login and fragment: the request target for a proxy.
pub(super) fn absolute_form(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host_field(url), origin_form(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_urls() {
        for (text, key, host, target) in [
            ("http://a", "http://a:80", "a", "/"),
            ("http://u:p@A.Org:80/x?y=z#f", "http://a.org:80", "a.org", "/x?y=z"),
            ("https://a:8443?q", "https://a:8443", "a:8443", "/?q"),
            ("wss://[::1]/", "https://[::1]:443", "[::1]", "/"),
            (
                "http+unix://%2Frun%2Fx.sock/v1/info?a=b",
                "unix:/run/x.sock",
                "localhost",
                "/v1/info?a=b",
            ),
            ("http+unix://%2Frun%2Fx.sock", "unix:/run/x.sock", "localhost", "/"),
        ] {
            let url = Url::parse(text).unwrap();
            let origin = Origin::of(&url).unwrap();
            assert_eq!(
                (origin.key().as_str(), host_field(&url).as_str(), origin_form(&url).as_str()),
                (key, host, target),
                "{text}"
            );
        }
        let url = Url::parse("http://u:p@a:81/x?y#z").unwrap();
        assert_eq!(absolute_form(&url), "http://a:81/x?y");
        assert_eq!(Origin::of(&url).unwrap().authority(), "a:81");
        for bad in ["ftp://a/", "file:///a", "http+unix:///x", "data:,a", "http+unix://a%00b/"] {
            assert!(Url::parse(bad).map(|url| Origin::of(&url).is_err()).unwrap_or(true), "{bad}");
        }
    }
}
