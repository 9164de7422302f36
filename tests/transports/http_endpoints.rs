//! The HTTP server behind every kind of endpoint: TCP, TLS, Unix sockets, and the PROXY protocol before TCP and TLS.

use crate::support::{certs, watchdog::watch_this_test};
use sinew::{
    http::server::{HttpServer, Reply, Request, Response},
    prelude::*,
    reactor::Failure,
    transports::proxy::{ProxyConfig, ProxyHeader, ProxySsl},
};

/// Sends what it has, and tells all that comes back when the server closes.
struct Client {
    send: Vec<u8>,
    received: Vec<u8>,
    done: Option<Promise<String>>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.send);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.received.extend_from_slice(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(reason.is_clean(), "{reason}");
        if let Some(done) = self.done.take() {
            done.resolve(String::from_utf8(std::mem::take(&mut self.received)).unwrap());
        }
    }
}

/// Says who the client is and whether it speaks TLS, and gives a body back.
fn server() -> HttpServer {
    HttpServer::new(|request: Request, reply: Reply| {
        let ip = request.client_ip().map(|ip| ip.to_string()).unwrap_or_default();
        let who = format!("[{ip} {}]", request.is_secure());
        request.collect().then(move |_, body| {
            if let Ok(body) = body {
                reply.send(Response::text([who.as_bytes(), &body].concat()));
            }
        });
    })
}

const REQUESTS: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n\
    POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
    GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Connects, and checks the three answers.
fn check(reactor: &Reactor, expected: &str, connect: impl FnOnce(ClientFactory)) {
    watch_this_test();
    let (promise, done) = reactor.promise::<String, Failure>();
    connect(ClientFactory(Some(promise)));
    let received = reactor.run_until(done).unwrap().unwrap();
    let bodies: Vec<_> = received
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|answer| answer.split_once("\r\n\r\n").unwrap().1)
        .collect();
    assert_eq!(bodies, [expected, &format!("{expected}hello"), expected], "{received}");
}

/// Builds one client.
struct ClientFactory(Option<Promise<String>>);

impl Factory for ClientFactory {
    type Protocol = Client;

    fn build_protocol(&mut self, _: &Peer) -> Option<Client> {
        let done = Some(self.0.take()?);
        Some(Client { send: REQUESTS.into(), received: Vec::new(), done })
    }
}

#[test]
fn over_tcp_on_every_engine() {
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", server()).unwrap();
        check(&reactor, "[127.0.0.1 false]", |client| {
            reactor.connect_tcp(port.local(), client).detach()
        });
    }
}

#[test]
fn over_tls() {
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let port = reactor.listen_tls("127.0.0.1:0", &certs::server(), server()).unwrap();
        check(&reactor, "[127.0.0.1 true]", |client| {
            reactor
                .connect_tls(port.local(), &certs::client(), client)
                .then(|_, r| println!("C {:?}", r.err()));
        });
    }
}

#[cfg(unix)]
#[test]
fn over_a_unix_socket() {
    let reactor = Reactor::new().unwrap();
    let path = std::env::temp_dir().join(format!("sinew-http-{}.sock", std::process::id()));
    let port = reactor.listen_unix(path.as_path(), server()).unwrap();
    check(&reactor, "[ false]", |client| reactor.connect_unix(path.as_path(), client).detach());
    drop(port);
}

#[test]
fn behind_a_proxy() {
    let config = || ListenConfig::default().proxy(ProxyConfig::default());
    let header = |header: ProxyHeader| {
        let header =
            header.addresses("192.0.2.1:7".parse().unwrap(), "192.0.2.2:443".parse().unwrap());
        ConnectConfig::default().proxy_header(header)
    };
    // A proxy that has terminated TLS says so.
    let terminated = ProxyHeader::v2().ssl(&ProxySsl::new()).unwrap();
    for (sent, expected) in
        [(ProxyHeader::v1(), "[192.0.2.1 false]"), (terminated, "[192.0.2.1 true]")]
    {
        let reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp_with("127.0.0.1:0", config(), server()).unwrap();
        check(&reactor, expected, |client| {
            reactor.connect_tcp_with(port.local(), header(sent), client).detach();
        });
    }
    let reactor = Reactor::new().unwrap();
    let port =
        reactor.listen_tls_with("127.0.0.1:0", config(), &certs::server(), server()).unwrap();
    check(&reactor, "[192.0.2.1 true]", |client| {
        let config = header(ProxyHeader::v2());
        reactor.connect_tls_with(port.local(), config, &certs::client(), client).detach();
    });
}
