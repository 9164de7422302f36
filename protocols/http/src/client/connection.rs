//! The handle of a client connection: [`ClientConnection`], and [`ClientFactory`], which builds its protocol.

use std::{fmt, rc::Rc};

use sinew_transports::{
    ConnectConfig, ConnectError, Factory, Peer, Transport,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Reactor},
};

use super::{
    ClientProtocol, ConnectionConfig, Outgoing, RequestError, Response,
    exchange::{Exchange, Life, Link, Watcher},
};

/// A connection to a server or a proxy. It sends one request at a time, the next after the end of the response. Cheap to clone.
///
/// It stays open between requests until the keep-alive time is over, the server closes it, or [`close`](Self::close) is called;
/// dropping a handle does not close it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::{Fields, Method, client::{ClientConnection, ConnectionConfig, Outgoing}};
/// use sinew_transports::{StreamConfig, memory, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::simulated(0);
/// let (connection, mut factory) = ClientConnection::new(ConnectionConfig::default());
/// let (_, server) = memory::connect(&reactor, StreamConfig::default(), factory.protocol())?;
/// reactor.advance(Duration::ZERO)?; // it is connected
///
/// let mut fields = Fields::new();
/// fields.append("Host", "example.org")?;
/// let response = connection.send(Outgoing::new(Method::GET, "/", fields)).unwrap();
/// server.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
/// reactor.advance(Duration::ZERO)?;
/// assert_eq!(server.sent(), b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
///
/// let response = response.take().unwrap()?;
/// let body = response.collect();
/// reactor.advance(Duration::ZERO)?;
/// assert_eq!((response.status().as_u16(), &body.take().unwrap()?[..]), (200, &b"hello"[..]));
/// assert!(connection.is_idle());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ClientConnection(Rc<Link>);

/// Builds the protocol of one [`ClientConnection`], once.
#[derive(Debug)]
pub struct ClientFactory(ClientConnection);

impl ClientConnection {
    /// A connection that is not made yet, and the factory for it: for endpoints, or over any other stream.
    #[must_use]
    pub fn new(config: ConnectionConfig) -> (Self, ClientFactory) {
        let connection = Self(Rc::new(Link::new(config)));
        (connection.clone(), ClientFactory(connection))
    }

    /// Connects. Cancelling ends the attempt.
    pub fn connect(
        reactor: &Reactor,
        endpoint: &ClientEndpoint,
        connect: ConnectConfig,
        config: ConnectionConfig,
    ) -> Deferred<Self, ConnectError> {
        let (connection, factory) = Self::new(config);
        let (promise, deferred) = reactor.promise();
        let connecting = endpoint.connect_with(reactor, connect, factory).map(|_| ());
        let canceller = connecting.canceller();
        promise.on_cancel(move |_| canceller.cancel());
        connecting.then(move |_, made| {
            if !promise.is_pending() {
                // It was cancelled at the last moment.
                connection.abort();
            }
            promise.settle(made.map(|()| connection));
        });
        deferred
    }

    pub(super) fn of(link: &Rc<Link>) -> Self {
        Self(Rc::clone(link))
    }

    /// Sends a request. The deferred resolves when the head of the response has arrived. Cancelling closes the connection.
    ///
    /// # Errors
    ///
    /// Returns the request, if the connection accepts none now: [`is_idle`](Self::is_idle) is false.
    pub fn send(
        &self,
        mut outgoing: Outgoing,
    ) -> Result<Deferred<Response, RequestError>, Box<Outgoing>> {
        let link = &self.0;
        let transport = link.transport().filter(|_| link.is_idle());
        let found = transport.and_then(|transport| Some((transport.reactor()?, transport)));
        let Some((reactor, transport)) = found else {
            return Err(Box::new(outgoing));
        };
        let (promise, deferred) = reactor.promise();
        let framing = outgoing.framing();
        let mut head = Vec::new();
        if let Err(error) = outgoing.push_head(&mut head, framing) {
            promise.reject(error.into());
            return Ok(deferred);
        }
        let waits = outgoing.waits_for_continue(framing);
        let kind = (outgoing.method.clone(), outgoing.wants_upgrade(), outgoing.closes);
        let on_informational = outgoing.on_informational.take();
        let weak = reactor.downgrade();
        let exchange =
            Rc::new(Exchange::new(link, transport.clone(), kind, on_informational, weak));
        exchange.promise_response(promise);
        link.begin(&exchange);
        transport.set_idle_timeout(link.config.idle_timeout);
        if waits {
            transport.write(&head);
            exchange.hold(outgoing.body, framing);
            link.continue_timer.set(transport.call_later(link.config.continue_timeout));
        } else {
            exchange.send_body(&mut head, outgoing.body, framing);
        }
        Ok(deferred)
    }

    /// Whether it accepts a request now: it is connected, and the last response is complete.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.0.is_idle()
    }

    /// The number of responses so far.
    #[must_use]
    pub fn served(&self) -> u32 {
        self.0.served.get()
    }

    /// Its transport, while it is connected.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        self.0.transport()
    }

    /// Closes it after the current response; at once, if there is none.
    pub fn close(&self) {
        match (self.0.exchange(), self.0.transport()) {
            (Some(exchange), _) => exchange.closes.set(true),
            (None, Some(transport)) if self.0.is_open() => {
                self.0.start_closing(&transport);
                transport.lose_connection();
            }
            _ => {}
        }
    }

    /// Closes it at once, even during a response.
    pub fn abort(&self) {
        if let Some(transport) = self.0.transport().filter(|_| self.0.is_open()) {
            self.0.start_closing(&transport);
            transport.abort();
        }
    }

    pub(super) fn set_watcher(&self, watcher: Rc<dyn Watcher>) {
        self.0.set_watcher(watcher);
    }

    /// A tunnel is ready for HTTP, unless the server has sent something unasked.
    pub(super) fn reopen(&self) {
        if self.0.has_unread.get() {
            return self.0.transport().iter().for_each(Transport::abort);
        }
        if self.0.life.get() == Life::HandedOver && self.0.transport().is_some() {
            self.0.life.set(Life::Open);
        }
    }

    pub(super) const fn link(&self) -> &Rc<Link> {
        &self.0
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl ClientFactory {
    /// The protocol, for an existing stream.
    pub fn protocol(&mut self) -> ClientProtocol {
        ClientProtocol::new(Rc::clone(&self.0.0))
    }
}

impl Factory for ClientFactory {
    type Protocol = ClientProtocol;

    fn build_protocol(&mut self, _: &Peer) -> Option<ClientProtocol> {
        Some(self.protocol())
    }
}

impl fmt::Debug for ClientConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConnection")
            .field("life", &self.0.life.get())
            .field("busy", &self.0.exchange().is_some())
            .field("served", &self.0.served.get())
            .finish_non_exhaustive()
    }
}
