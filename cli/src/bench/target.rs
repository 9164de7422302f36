//! What is measured: [`Target`], the protocol, the endpoint and the requests, from the arguments of the command.

use sinew::{
    http::{
        Method,
        client::Url,
        websocket::{MessageLimits, WebSocketClient, WebSocketConfig},
    },
    reactor::Excerpt,
    transports::endpoint::{ClientEndpoint, quote},
};

use super::{
    Args,
    echo::EchoExchange,
    http::{self, HttpExchange},
    line::{LINE_MAX, LineExchange},
    load::Dial,
    stream, websocket,
};
use crate::exit::{Code, Failure};

/// Bytes of a message where `--size` says nothing.
const SIZE: usize = 64;

/// The longest message. Each connection holds one, and in a pipeline several.
pub(super) const SIZE_MAX: u64 = 64 << 20;

/// The protocols that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// The server sends back what it receives
    Echo,
    /// The server answers each line with a line
    Line,
    /// HTTP/1.1
    Http,
    /// WebSocket messages, which the server sends back
    Ws,
}

/// What each reactor connects to, and what it sends there.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    endpoint: ClientEndpoint,
    requests: Requests,
}

#[derive(Clone)]
enum Requests {
    Echo { size: usize },
    Line { request: String, expected: String },
    Http { method: Method, request: Vec<u8> },
    WebSocket { client: Box<WebSocketClient>, size: usize },
}

impl Target {
    /// # Errors
    ///
    /// Arguments that are wrong, or do not go together.
    pub(crate) fn new(args: &Args) -> Result<Self, Failure> {
        let url = Where::of(&args.endpoint)?;
        let protocol = args.protocol.or(url.protocol).unwrap_or(Protocol::Echo);
        if let Some(of_url) = url.protocol.filter(|of_url| *of_url != protocol) {
            let why = format!(
                "the URL is one of {}, and --protocol is {}",
                of_url.name(),
                protocol.name()
            );
            return Err(Failure::new(Code::Usage, why));
        }
        args.check_options_of(protocol)?;
        let mut tls = args.tls.clone();
        tls.tls |= url.is_secure;
        let endpoint = tls.endpoint(&url.endpoint)?;
        let size = args.size.map(|size| usize::try_from(size.0).unwrap_or(usize::MAX));
        let requests = match protocol {
            Protocol::Echo => Requests::Echo { size: size.unwrap_or(SIZE) },
            Protocol::Line => line(args, size.unwrap_or(SIZE))?,
            Protocol::Http => {
                let (host, target) =
                    (url.host.as_str(), args.path.as_deref().unwrap_or(&url.target));
                let (method, request) = http::request(host, target, size)
                    .map_err(|why| Failure::new(Code::Usage, why))?;
                Requests::Http { method, request }
            }
            Protocol::Ws => web_socket(&url, args, size.unwrap_or(SIZE))?,
        };
        Ok(Self { name: protocol.name(), endpoint, requests })
    }

    /// How a reactor makes its connections.
    pub(crate) fn dial(&self) -> Dial {
        let endpoint = self.endpoint.clone();
        match self.requests.clone() {
            Requests::Echo { size } => {
                stream::dial(endpoint, move || Box::new(EchoExchange::new(size)))
            }
            Requests::Line { request, expected } => {
                stream::dial(endpoint, move || Box::new(LineExchange::new(&request, &expected)))
            }
            Requests::Http { method, request } => stream::dial(endpoint, move || {
                Box::new(HttpExchange::new(method.clone(), request.clone()))
            }),
            Requests::WebSocket { client, size } => websocket::dial(*client, endpoint, size),
        }
    }
}

impl Protocol {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Line => "line",
            Self::Http => "http",
            Self::Ws => "ws",
        }
    }
}

fn line(args: &Args, size: usize) -> Result<Requests, Failure> {
    let request = args.send.clone().unwrap_or_else(|| "x".repeat(size));
    let expected = args.answer.clone().unwrap_or_else(|| request.clone());
    for (option, text) in [("--send", &request), ("--answer", &expected)] {
        if text.contains(['\r', '\n']) {
            return Err(Failure::new(
                Code::Usage,
                format!("{option}: write one line, without its end"),
            ));
        }
        if text.len() >= LINE_MAX {
            return Err(Failure::new(
                Code::Usage,
                format!("a line may have at most {LINE_MAX} bytes"),
            ));
        }
    }
    Ok(Requests::Line { request, expected })
}

fn web_socket(url: &Where, args: &Args, size: usize) -> Result<Requests, Failure> {
    let target = args.path.as_deref().unwrap_or(&url.target);
    let text = format!("ws://{}{target}", url.host);
    let client = WebSocketClient::new(&text)
        .map_err(|error| Failure::new(Code::Usage, error.to_string()))?;
    let limits = MessageLimits::default().message_max(size);
    let client = client.config(WebSocketConfig::default().messages(limits));
    Ok(Requests::WebSocket { client: Box::new(client), size })
}

/// What the positional argument says: a URL or an endpoint.
#[derive(Debug, PartialEq, Eq)]
struct Where {
    protocol: Option<Protocol>,
    endpoint: String,
    is_secure: bool,
    /// The host, and the port if the URL has one, for the field `Host`.
    host: String,
    target: String,
}

impl Where {
    fn of(text: &str) -> Result<Self, Failure> {
        let (protocol, is_secure) = match text.split_once("://").map(|(scheme, _)| scheme) {
            Some("http") => (Protocol::Http, false),
            Some("https") => (Protocol::Http, true),
            Some("ws") => (Protocol::Ws, false),
            Some("wss") => (Protocol::Ws, true),
            Some(scheme) => {
                let why = format!(
                    "{:?}: the schemes of URLs are http, https, ws and wss",
                    Excerpt::new(scheme)
                );
                return Err(Failure::new(Code::Usage, why));
            }
            None => {
                let (endpoint, host) = (text.to_owned(), "localhost".to_owned());
                return Ok(Self {
                    protocol: None,
                    endpoint,
                    is_secure: false,
                    host,
                    target: "/".to_owned(),
                });
            }
        };
        let url = Url::parse(text).map_err(|error| {
            Failure::new(Code::Usage, format!("{:?} is no URL: {error}", Excerpt::new(text)))
        })?;
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            protocol: Some(protocol),
            endpoint: format!(
                "tcp:{}:{port}",
                if host.starts_with('[') { host.into() } else { quote(host) }
            ),
            is_secure,
            host: url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
            target,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_protocol_and_place() {
        let cases = [
            (
                "http://localhost:8000/a?b",
                Protocol::Http,
                "tcp:localhost:8000",
                false,
                "localhost:8000",
                "/a?b",
            ),
            (
                "https://example.org",
                Protocol::Http,
                "tcp:example.org:443",
                true,
                "example.org",
                "/",
            ),
            ("ws://[::1]:9/chat", Protocol::Ws, "tcp:[::1]:9", false, "[::1]:9", "/chat"),
        ];
        for (text, protocol, endpoint, is_secure, host, target) in cases {
            let expected = Where {
                protocol: Some(protocol),
                endpoint: endpoint.to_owned(),
                is_secure,
                host: host.to_owned(),
                target: target.to_owned(),
            };
            assert_eq!(Where::of(text).unwrap(), expected);
        }
        assert_eq!(Where::of("tcp:host:1").unwrap().protocol, None);
        assert!(Where::of("ftp://host").is_err());
        assert!(Where::of("http://").is_err());
    }
}
