//! A test client in memory: sends bytes to a server, and collects what it sends. Virtual clock, moved by the test.

use std::time::Duration;

use sinew_http::server::{Handler, HttpConnection, HttpServer, ServerConfig};
use sinew_transports::{Connection, Peer, StreamConfig, memory, memory::Wire, reactor::Reactor};

pub(crate) struct Client {
    pub(crate) reactor: Reactor,
    pub(crate) connection: Connection<HttpConnection>,
    pub(crate) wire: Wire,
}

impl Client {
    pub(crate) fn new(handler: impl Handler) -> Self {
        Self::with_config(handler, ServerConfig::default())
    }

    pub(crate) fn with_config(handler: impl Handler, config: ServerConfig) -> Self {
        Self::of(&Reactor::simulated(0), &HttpServer::with_config(handler, config))
    }

    pub(crate) fn of(reactor: &Reactor, server: &HttpServer) -> Self {
        Self::from(reactor, server, Peer::Memory)
    }

    /// A client of this address.
    pub(crate) fn from(reactor: &Reactor, server: &HttpServer, peer: Peer) -> Self {
        crate::watchdog::watch_this_test();
        let config = StreamConfig::default();
        let joined = memory::connect_as(reactor, config, server.connection(), peer, None);
        let (connection, wire) = joined.expect("room for one");
        let client = Self { reactor: reactor.clone(), connection, wire };
        client.advance(Duration::ZERO);
        client
    }

    /// Sends, and runs the loop until nothing is left to do at this time.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) -> &Self {
        self.wire.receive(bytes);
        self.advance(Duration::ZERO);
        self
    }

    /// Half-closes at the client's end.
    pub(crate) fn end(&self) -> &Self {
        self.wire.close();
        self.advance(Duration::ZERO);
        self
    }

    pub(crate) fn advance(&self, by: Duration) -> &Self {
        self.reactor.advance(by).expect("the loop becomes idle");
        self
    }

    /// What was received since the last call, without the `Date` lines. Checks that each head has one.
    pub(crate) fn received(&self) -> String {
        self.advance(Duration::ZERO);
        let mut received = Vec::new();
        loop {
            let piece = self.wire.take(usize::MAX);
            if piece.is_empty() {
                break;
            }
            received.extend_from_slice(&piece);
            self.advance(Duration::ZERO);
        }
        without_dates(&String::from_utf8_lossy(&received))
    }

    /// Sends, and returns what is received.
    pub(crate) fn ask(&self, bytes: impl AsRef<[u8]>) -> String {
        self.send(bytes).received()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.connection.transport().is_closing()
    }
}

/// Removes the dates from heads.
pub(crate) fn without_dates(text: &str) -> String {
    let mut left = String::new();
    let mut lines = text.split_inclusive("\r\n");
    while let Some(line) = lines.next() {
        left.push_str(line);
        if line.contains("HTTP/1.1 ") && !line.contains("HTTP/1.1 100") {
            let date = lines.next().unwrap_or_default();
            assert!(date.starts_with("Date: ") && date.ends_with(" GMT\r\n"), "{line}{date}");
        }
    }
    left
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A 200 with this text.
pub(crate) fn ok(text: &str) -> String {
    let len = text.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len}\r\n\r\n{text}"
    )
}

/// A response without a body, after which the connection closes.
pub(crate) fn refused(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
