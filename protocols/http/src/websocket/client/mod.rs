//! The client's end of a WebSocket: [`WebSocketClient`] makes the connection and the handshake.

mod error;
mod opening;
mod url;

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use sinew_transports::{
    ConnectConfig, Factory, Peer,
    endpoint::{ClientEndpoint, TcpClient},
    reactor::{Deferred, Reactor},
};

#[cfg(feature = "tls")]
use sinew_transports::{endpoint::TlsClient, tls::TlsClientConfig};

use super::{
    WebSocket, WebSocketConfig, WebSocketHandler, WebSocketStream, codec::ClientHandshake,
    shared::Shared,
};
use crate::codec::{FieldError, Fields, is_token};
pub use error::OpenError;
use opening::Attempt;
pub use opening::ClientOpening;
pub use url::{UrlError, WebSocketUrl};

/// Opens WebSockets at a URL. Each attempt makes a new connection; [`ClientService`](sinew_transports::ClientService) makes another when
/// one ends, with a [`factory`](Self::factory).
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{WebSocket, WebSocketClient, WebSocketHandler};
/// use sinew_transports::reactor::Reactor;
///
/// struct Print;
///
/// impl WebSocketHandler for Print {
///     fn opened(&mut self, socket: &WebSocket) {
///         socket.send_text("hello");
///     }
///
///     fn text(&mut self, _: &WebSocket, text: &str) {
///         println!("{text}");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// // Nothing listens on port 1 here.
/// let opened = WebSocketClient::new("ws://127.0.0.1:1/chat")?.protocol("chat").connect(&reactor, Print);
/// assert!(reactor.run_until(opened)?.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use]
pub struct WebSocketClient {
    url: WebSocketUrl,
    protocols: Vec<String>,
    fields: Fields,
    config: WebSocketConfig,
    timeout: Duration,
    connect: ConnectConfig,
    #[cfg(feature = "tls")]
    tls: Option<TlsClientConfig>,
}

/// What the connections of a client have in common.
pub(super) struct Parts {
    handshake: ClientHandshake,
    shared: Rc<Shared>,
    timeout: Duration,
}

impl WebSocketClient {
    /// A client for `ws://HOST[:PORT][/PATH]`, `wss://…` (feature `tls`), or `ws+unix:/SOCKET[:/PATH]` (Unix).
    ///
    /// # Errors
    ///
    /// [`UrlError`].
    pub fn new(url: &str) -> Result<Self, UrlError> {
        url.parse().map(Self::of)
    }

    /// The same with a URL that has been parsed.
    pub fn of(url: WebSocketUrl) -> Self {
        Self {
            url,
            protocols: Vec::new(),
            fields: Fields::new(),
            config: WebSocketConfig::default(),
            timeout: Duration::from_secs(10),
            connect: ConnectConfig::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Limits and options, compression included.
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = config;
        self
    }

    /// Offers a subprotocol, after those that were added before. If any is offered, the server has to choose one.
    pub fn protocol(mut self, name: impl Into<String>) -> Self {
        self.protocols.push(name.into());
        self
    }

    /// Sends a further field with the handshake, such as `Authorization`, `Cookie` or `Origin`.
    ///
    /// # Errors
    ///
    /// [`FieldError`] if it is no field, or one that the handshake sets by itself.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, FieldError> {
        let is = |own: &str| name.eq_ignore_ascii_case(own);
        let prefix = name.get(..14).unwrap_or_default();
        let is_own = ["host", "connection", "upgrade", "content-length", "transfer-encoding"]
            .into_iter()
            .any(is)
            || prefix.eq_ignore_ascii_case("sec-websocket-");
        if is_own {
            return Err(FieldError::Reserved { name: name.to_owned() });
        }
        self.fields.append(name, value)?;
        Ok(self)
    }

    /// How long the server may take to answer the handshake, from the connection on. Default 10 s. The time to connect is that of the
    /// [`ConnectConfig`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How connections are made.
    pub fn connect_config(mut self, config: ConnectConfig) -> Self {
        self.connect = config;
        self
    }

    /// TLS for `wss`. Default: the roots that the system trusts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: TlsClientConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The endpoint of the URL.
    ///
    /// # Errors
    ///
    /// [`OpenError::Unsupported`] if this system or build cannot use it.
    pub fn endpoint(&self) -> Result<ClientEndpoint, OpenError> {
        if let Some(path) = self.url.socket_path() {
            return unix_endpoint(path);
        }
        let to = TcpClient::new((self.url.host().to_owned(), self.url.port()));
        if self.url.is_secure() { self.tls_endpoint(to) } else { Ok(ClientEndpoint::new(to)) }
    }

    #[cfg(feature = "tls")]
    fn tls_endpoint(&self, to: TcpClient) -> Result<ClientEndpoint, OpenError> {
        let tls = match &self.tls {
            Some(tls) => Ok(tls.clone()),
            None => TlsClientConfig::system(),
        };
        let tls = tls.and_then(|tls| tls.alpn(["http/1.1"]));
        let refused = |why: String| OpenError::Unsupported { scheme: "wss", why };
        Ok(ClientEndpoint::new(TlsClient::new(
            to,
            tls.map_err(|error| refused(error.to_string()))?,
        )))
    }

    #[cfg(not(feature = "tls"))]
    fn tls_endpoint(&self, _: TcpClient) -> Result<ClientEndpoint, OpenError> {
        let why = "it was built without the feature tls".to_owned();
        Err(OpenError::Unsupported { scheme: "wss", why })
    }

    /// Connects, and makes the handshake. The handler is used once that has succeeded; the result is a handle of the same connection.
    /// Cancelling the result ends what is in progress.
    pub fn connect(
        &self,
        reactor: &Reactor,
        handler: impl WebSocketHandler,
    ) -> Deferred<WebSocket, OpenError> {
        match self.endpoint() {
            Ok(endpoint) => self.connect_to(reactor, &endpoint, handler),
            Err(error) => Deferred::failed_on(reactor, error),
        }
    }

    /// The same over another endpoint than that of the URL, such as a proxy's or one in memory.
    pub fn connect_to<H: WebSocketHandler>(
        &self,
        reactor: &Reactor,
        endpoint: &ClientEndpoint,
        handler: H,
    ) -> Deferred<WebSocket, OpenError> {
        let parts = match self.parts() {
            Ok(parts) => parts,
            Err(error) => return Deferred::failed_on(reactor, error),
        };
        let (promise, opened) = reactor.promise();
        let attempt = Rc::new(RefCell::new(Attempt::default()));
        let factory = Once { parts, handler: Some(handler), attempt: Rc::clone(&attempt) };
        let connecting = endpoint.connect_with(reactor, self.connect.clone(), factory);
        let waiting = Rc::clone(&attempt);
        let task = reactor.spawn(async move {
            match connecting.await {
                // From here on it belongs to its protocol.
                Ok(connection) => drop(connection.detach()),
                Err(error) => {
                    let promise = waiting.borrow_mut().promise.take();
                    if let Some(promise) = promise {
                        promise.reject(OpenError::Connect(error));
                    }
                }
            }
        });
        let cancelled = Rc::downgrade(&attempt);
        promise.on_cancel(move |_| {
            drop(task);
            let attempt = cancelled.upgrade();
            let transport = attempt.and_then(|attempt| attempt.borrow_mut().transport.take());
            if let Some(transport) = transport {
                transport.abort();
            }
        });
        attempt.borrow_mut().promise = Some(promise);
        opened
    }

    /// Connects, for use by `await`.
    pub fn open(&self, reactor: &Reactor) -> Deferred<WebSocketStream, OpenError> {
        let (handler, stream) = WebSocketStream::pair();
        self.connect(reactor, handler).map(|opened| opened.map(|_| stream))
    }

    /// A factory of connections, for [`ClientService`](sinew_transports::ClientService) and endpoints: `build` makes a handler for each. A
    /// handshake that fails ends its connection with the error, as [`ConnectionLost::Protocol`](sinew_transports::ConnectionLost).
    ///
    /// # Errors
    ///
    /// [`OpenError::Subprotocol`] if one cannot be offered.
    pub fn factory<H: WebSocketHandler>(
        &self,
        mut build: impl FnMut(&Peer) -> H + 'static,
    ) -> Result<impl Factory<Protocol = ClientOpening<H>>, OpenError> {
        let parts = self.parts()?;
        Ok(move |peer: &Peer| ClientOpening::new(Rc::clone(&parts), build(peer), Rc::default()))
    }

    fn parts(&self) -> Result<Rc<Parts>, OpenError> {
        let is_name = |name: &&String| name.is_empty() || !name.bytes().all(is_token);
        if let Some(name) = self.protocols.iter().find(is_name) {
            return Err(OpenError::Subprotocol { name: name.clone() });
        }
        Ok(Rc::new(Parts {
            handshake: ClientHandshake {
                host: self.url.authority(),
                target: self.url.target().to_owned(),
                protocols: self.protocols.clone(),
                deflate: self.config.deflate.clone(),
                fields: self.fields.clone(),
            },
            shared: Rc::new(Shared::new(self.config.clone())),
            timeout: self.timeout,
        }))
    }
}

#[cfg(unix)]
fn unix_endpoint(path: &str) -> Result<ClientEndpoint, OpenError> {
    Ok(ClientEndpoint::new(sinew_transports::endpoint::UnixClient::new(path)))
}

#[cfg(not(unix))]
fn unix_endpoint(_: &str) -> Result<ClientEndpoint, OpenError> {
    let why = "there are no Unix sockets on this system".to_owned();
    Err(OpenError::Unsupported { scheme: "ws+unix", why })
}

/// Builds one protocol.
struct Once<H> {
    parts: Rc<Parts>,
    handler: Option<H>,
    attempt: Rc<RefCell<Attempt>>,
}

impl<H: WebSocketHandler> Factory for Once<H> {
    type Protocol = ClientOpening<H>;

    fn build_protocol(&mut self, _: &Peer) -> Option<ClientOpening<H>> {
        let handler = self.handler.take()?;
        Some(ClientOpening::new(Rc::clone(&self.parts), handler, Rc::clone(&self.attempt)))
    }
}

impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient").field("url", &self.url).finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("host", &self.handshake.host).finish_non_exhaustive()
    }
}
