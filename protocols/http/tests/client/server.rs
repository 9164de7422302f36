//! A server in memory: it sees what a connection of a client sends, and a test says what it answers.

use std::time::Duration;

use sinew_http::{
    Fields, Method,
    client::{ClientConnection, ConnectionConfig, Outgoing, RequestError, Response},
};
use sinew_transports::{
    Bytes, StreamConfig,
    memory::{self, Wire},
    reactor::{Deferred, Reactor},
};

pub(crate) struct Server {
    pub(crate) reactor: Reactor,
    pub(crate) connection: ClientConnection,
    pub(crate) wire: Wire,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with_config(ConnectionConfig::default())
    }

    pub(crate) fn with_config(config: ConnectionConfig) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        let (connection, mut factory) = ClientConnection::new(config);
        let joined = memory::connect(&reactor, StreamConfig::default(), factory.protocol());
        let (_, wire) = joined.expect("room for one");
        let server = Self { reactor, connection, wire };
        server.rest();
        server
    }

    /// Lets all be done that takes no time.
    pub(crate) fn rest(&self) {
        self.advance(Duration::ZERO);
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the loop comes to rest");
    }

    pub(crate) fn send(&self, outgoing: Outgoing) -> Deferred<Response, RequestError> {
        self.connection.send(outgoing).expect("the connection takes a request")
    }

    pub(crate) fn get(&self, target: &str) -> Deferred<Response, RequestError> {
        self.send(request(Method::GET, target))
    }

    /// What has come from the client since the last time.
    pub(crate) fn received(&self) -> String {
        self.rest();
        let mut received = Vec::new();
        loop {
            let piece = self.wire.take(usize::MAX);
            if piece.is_empty() {
                break;
            }
            received.extend_from_slice(&piece);
            self.rest();
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    pub(crate) fn answer(&self, bytes: impl AsRef<[u8]>) {
        self.wire.receive(bytes);
        self.rest();
    }

    /// Answers, and hands out the response, which has come.
    pub(crate) fn respond(
        &self,
        waiting: &Deferred<Response, RequestError>,
        bytes: impl AsRef<[u8]>,
    ) -> Result<Response, RequestError> {
        self.answer(bytes);
        waiting.take().expect("a response has come")
    }

    /// The whole body as text, or why there is none.
    pub(crate) fn text(&self, response: &Response) -> Result<String, sinew_http::codec::BodyError> {
        let body = response.collect_up_to(1 << 20);
        self.rest();
        body.take().expect("it is over").map(|body| text(&body))
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.rest();
        self.wire.transport().is_closing()
    }
}

pub(crate) fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn request(method: Method, target: &str) -> Outgoing {
    let mut fields = Fields::new();
    fields.append("Host", "a").expect("a good field");
    Outgoing::new(method, target, fields)
}

/// A 200 with this text.
pub(crate) fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}
