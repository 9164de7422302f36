//! A backend whose every byte a test decides, and a client of a proxy in front of it.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::server::{HttpServer, ReverseProxy};
use sinew_transports::{
    Address, Factory, ListeningPort, Peer, Protocol, Transport, endpoint::ServerEndpoint,
    reactor::Reactor,
};

use crate::support::Client;

/// What a backend has on its connections, in the order in which they were made.
#[derive(Clone, Default)]
pub(crate) struct Backend {
    connections: Rc<RefCell<Vec<Seen>>>,
}

struct Seen {
    transport: Transport,
    received: Vec<u8>,
    is_ended: bool,
    is_lost: bool,
}

pub(crate) struct Connection {
    backend: Backend,
    at: usize,
}

impl Backend {
    /// Listens on `memory:NAME`.
    pub(crate) fn listen(reactor: &Reactor, name: &str) -> (Self, ListeningPort<Address>) {
        let backend = Self::default();
        let endpoint: ServerEndpoint = format!("memory:{name}").parse().unwrap();
        let port = endpoint.listen(reactor, backend.clone()).unwrap();
        (backend, port)
    }

    /// How many connections there were.
    pub(crate) fn count(&self) -> usize {
        self.connections.borrow().len()
    }

    pub(crate) fn transport(&self, at: usize) -> Transport {
        self.connections.borrow()[at].transport.clone()
    }

    /// What has come on one since the last time.
    pub(crate) fn received(&self, at: usize) -> String {
        let received = std::mem::take(&mut self.connections.borrow_mut()[at].received);
        String::from_utf8(received).unwrap()
    }

    pub(crate) fn received_len(&self, at: usize) -> usize {
        self.connections.borrow()[at].received.len()
    }

    /// Sends on one.
    pub(crate) fn send(&self, at: usize, bytes: impl AsRef<[u8]>) {
        self.transport(at).write(bytes);
    }

    /// Whether one was closed by the proxy, or cut off.
    pub(crate) fn is_over(&self, at: usize) -> bool {
        let seen = &self.connections.borrow()[at];
        seen.is_ended || seen.is_lost
    }
}

impl Factory for Backend {
    type Protocol = Connection;

    fn build_protocol(&mut self, _: &Peer) -> Option<Connection> {
        Some(Connection { backend: self.clone(), at: usize::MAX })
    }
}

impl Protocol for Connection {
    fn connection_made(&mut self, transport: &Transport) {
        let mut connections = self.backend.connections.borrow_mut();
        self.at = connections.len();
        let transport = transport.clone();
        connections.push(Seen { transport, received: Vec::new(), is_ended: false, is_lost: false });
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.backend.connections.borrow_mut()[self.at].received.extend_from_slice(data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.backend.connections.borrow_mut()[self.at].is_ended = true;
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, _: &sinew_transports::ConnectionLost) {
        self.backend.connections.borrow_mut()[self.at].is_lost = true;
    }
}

/// A client of a proxy in front of one backend.
pub(crate) struct Through {
    pub(crate) client: Client,
    pub(crate) backend: Backend,
    pub(crate) server: HttpServer,
    pub(crate) port: ListeningPort<Address>,
}

impl Through {
    pub(crate) fn new() -> Self {
        Self::with(|proxy| proxy)
    }

    pub(crate) fn with(change: impl FnOnce(ReverseProxy) -> ReverseProxy) -> Self {
        let reactor = Reactor::simulated(0);
        let (backend, port) = Backend::listen(&reactor, "backend");
        let proxy = change(ReverseProxy::new("memory:backend".parse().unwrap()));
        let server = HttpServer::new(proxy);
        let client = Client::of(&reactor, &server);
        Self { client, backend, server, port }
    }

    /// Another client of the same proxy.
    pub(crate) fn other(&self) -> Client {
        Client::of(&self.client.reactor, &self.server)
    }

    /// Sends a request, and takes what the backend gets of it on its only connection.
    pub(crate) fn ask(&self, request: impl AsRef<[u8]>) -> String {
        self.client.send(request);
        assert_eq!(self.backend.count(), 1);
        self.backend.received(0)
    }

    /// Sends an answer on the backend's only connection, and takes what the client gets of it.
    pub(crate) fn answer(&self, answer: impl AsRef<[u8]>) -> String {
        self.backend.send(0, answer);
        self.settle();
        self.client.received()
    }

    pub(crate) fn settle(&self) {
        self.client.advance(Duration::ZERO);
    }
}

/// What a proxy adds to a request of a client in memory for the host `a`.
pub(crate) const ADDED: &str = "X-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\n\
    Forwarded: for=unknown;host=\"a\";proto=http\r\nVia: 1.1 sinew\r\n";
