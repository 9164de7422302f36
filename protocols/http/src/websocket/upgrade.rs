//! The opening handshake (RFC 6455 4.2): [`WebSocketUpgrade`], a handler of requests.

use std::{fmt, rc::Rc};

use http::{Method, StatusCode, Version};
use sha1::{Digest, Sha1};

use super::{WebSocketConfig, WebSocketConnection, WebSocketHandler};
use crate::{
    codec::{FieldError, base64_encode},
    server::{Handler, Reply, Request, Response},
};

/// What the key is hashed with (RFC 6455 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Turns requests into WebSockets, each with a handler of its own.
///
/// What is no request for a WebSocket is a 426. A browser says from which page it comes: pages of other origins than the server's own are
/// refused with 403, unless they are [named](Self::origin), for they would come with the cookies of whoever looks at them.
///
/// # Examples
///
/// ```
/// use sinew_http::{server::Router, websocket::{WebSocket, WebSocketHandler, WebSocketUpgrade}};
///
/// struct Echo;
///
/// impl WebSocketHandler for Echo {
///     fn text(&mut self, socket: &WebSocket, text: &str) {
///         socket.send_text(text);
///     }
/// }
///
/// let router = Router::new().get("/echo", WebSocketUpgrade::new(|_| Echo));
/// ```
#[must_use]
pub struct WebSocketUpgrade<F> {
    build: F,
    config: Rc<WebSocketConfig>,
    origins: Vec<String>,
    any_origin: bool,
    protocols: Vec<String>,
}

impl<F, H> WebSocketUpgrade<F>
where
    F: Fn(&Request) -> H + 'static,
    H: WebSocketHandler,
{
    /// With a handler for each connection, made from its request.
    pub fn new(build: F) -> Self {
        let (origins, protocols) = (Vec::new(), Vec::new());
        Self { build, config: Rc::default(), origins, any_origin: false, protocols }
    }

    /// With these limits.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = Rc::new(config);
        self
    }

    /// Lets pages of another origin in, as `https://app.example.org`.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Lets pages of all origins in. Only for what anybody may see and do.
    pub fn any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// A subprotocol that is spoken here. Of those that the client offers, the one named first here is chosen; if there is none, the
    /// connection has none.
    pub fn protocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    fn check(&self, request: &Request) -> Result<Response, Response> {
        let fields = request.fields();
        let is_asked = *request.method() == Method::GET
            && request.version() == Version::HTTP_11
            && request.head().wants_upgrade()
            && fields.list("upgrade").any(|name| name.eq_ignore_ascii_case("websocket"));
        if !is_asked || request.field("sec-websocket-version") != Some("13") {
            return Err(Response::new(StatusCode::UPGRADE_REQUIRED)
                .with("Sec-WebSocket-Version", "13")
                .into());
        }
        let mut keys = fields.all("sec-websocket-key");
        let (Some(key), None) = (keys.next().filter(|key| is_key(key)), keys.next()) else {
            return Err(StatusCode::BAD_REQUEST.into());
        };
        if request.has_body() {
            return Err(StatusCode::BAD_REQUEST.into());
        }
        if !self.lets_in(request) {
            return Err(StatusCode::FORBIDDEN.into());
        }
        self.accept(request, key).map_err(Response::from)
    }

    fn accept(&self, request: &Request, key: &[u8]) -> Result<Response, FieldError> {
        let mut hash = Sha1::new();
        hash.update(key);
        hash.update(GUID);
        let mut response = Response::new(StatusCode::SWITCHING_PROTOCOLS);
        response.append("Sec-WebSocket-Accept", base64_encode(&hash.finalize()))?;
        let is_offered = |name: &&String| {
            request.fields().list("sec-websocket-protocol").any(|offered| offered == **name)
        };
        if let Some(name) = self.protocols.iter().find(is_offered) {
            response.append("Sec-WebSocket-Protocol", name)?;
        }
        Ok(response)
    }

    /// Whether it comes from no page, or from one that may come.
    fn lets_in(&self, request: &Request) -> bool {
        let Some(origin) = request.fields().get("origin") else { return true };
        let Ok(origin) = std::str::from_utf8(origin) else { return false };
        let host = origin.split_once("://").map(|(_, host)| host);
        let is_own = host.is_some() && host == request.authority();
        self.any_origin || is_own || self.origins.iter().any(|listed| listed == origin)
    }
}

impl<F, H> Handler for WebSocketUpgrade<F>
where
    F: Fn(&Request) -> H + 'static,
    H: WebSocketHandler,
{
    fn handle(&self, request: Request, reply: Reply) {
        match self.check(&request) {
            Ok(response) => {
                let handler = (self.build)(&request);
                reply.upgrade(response, WebSocketConnection::new(handler, Rc::clone(&self.config)));
            }
            Err(refused) => reply.send(refused),
        }
    }
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Whether it is 16 bytes in base64.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(is_digit)
}
