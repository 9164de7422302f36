//! The opening handshake (RFC 6455 4.2): [`WebSocketUpgrade`], a request handler.

use std::{fmt, rc::Rc};

use http::{Method, StatusCode, Version};

use super::{
    DeflateConfig, Role, WebSocketConfig, WebSocketConnection, WebSocketHandler,
    codec::{Agreement, Extension, accept_value, extensions, is_key},
    link::Link,
    shared::{Shared, Terms},
};
use crate::{
    codec::FieldError,
    server::{Handler, Reply, Request, Response},
};

/// Upgrades requests to WebSockets, each with a handler of its own.
///
/// A request that is no WebSocket handshake gets a 426. Browsers send the origin of the page: origins other than the server's own
/// are rejected with 403, unless they are [allowed](Self::origin), because their requests carry the cookies of the user.
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
    shared: Rc<Shared>,
    origins: Vec<String>,
    any_origin: bool,
    protocols: Vec<String>,
    by_client_order: bool,
}

impl<F, H> WebSocketUpgrade<F>
where
    F: Fn(&Request) -> H + 'static,
    H: WebSocketHandler,
{
    /// With a handler for each connection, made from its request.
    pub fn new(build: F) -> Self {
        let (origins, protocols) = (Vec::new(), Vec::new());
        Self {
            build,
            shared: Rc::default(),
            origins,
            any_origin: false,
            protocols,
            by_client_order: false,
        }
    }

    /// With these limits and options.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.shared = Rc::new(Shared::new(config));
        self
    }

    /// Allows another origin, such as `https://app.example.org`.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Allows all origins. Only for public data and actions.
    pub fn any_origin(mut self) -> Self {
        self.any_origin = true;
        self
    }

    /// A supported subprotocol. Of those that the client offers, the one that was added first is chosen; if there is none, the
    /// connection has no subprotocol.
    pub fn protocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    /// Chooses the supported subprotocol that the client offers first, in place of the one that was added first.
    pub fn protocol_of_client(mut self) -> Self {
        self.by_client_order = true;
        self
    }

    fn check(&self, request: &Request) -> Result<(Response, Agreement), Response> {
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
        // Another grammar than that of RFC 6455 9.1 fails the handshake.
        let offers = extensions(fields.list("sec-websocket-extensions"))
            .ok_or(Response::from(StatusCode::BAD_REQUEST))?;
        self.accept(request, key, &offers).map_err(Response::from)
    }

    fn accept(
        &self,
        request: &Request,
        key: &[u8],
        offers: &[Extension],
    ) -> Result<(Response, Agreement), FieldError> {
        let mut response = Response::new(StatusCode::SWITCHING_PROTOCOLS);
        response.append("Sec-WebSocket-Accept", accept_value(key))?;
        let protocol = self.choose_protocol(request).cloned();
        if let Some(name) = &protocol {
            response.append("Sec-WebSocket-Protocol", name)?;
        }
        let accept = |config: &DeflateConfig| config.accept(offers);
        let (deflate, extension) = self.shared.config.deflate.as_ref().and_then(accept).unzip();
        if let Some(extension) = extension {
            response.append("Sec-WebSocket-Extensions", extension)?;
        }
        Ok((response, Agreement { protocol, deflate }))
    }

    fn choose_protocol(&self, request: &Request) -> Option<&String> {
        let offers = || request.fields().list("sec-websocket-protocol");
        if self.by_client_order {
            let supported =
                |offered: &str| self.protocols.iter().find(|protocol| **protocol == offered);
            return offers().find_map(supported);
        }
        self.protocols.iter().find(|protocol| offers().any(|offered| offered == **protocol))
    }

    /// Whether the request has no origin, or an allowed one.
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
            Ok((response, agreement)) => {
                let handler = (self.build)(&request);
                let terms = Terms::of(&self.shared, Role::Server, agreement);
                reply.upgrade(response, WebSocketConnection::new(handler, Link::new(terms)));
            }
            Err(refused) => reply.send(refused),
        }
    }
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade").field("shared", &self.shared).finish_non_exhaustive()
    }
}
