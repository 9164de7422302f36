//! A forward proxy, on sockets of this machine: names are resolved by a table.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
};

use sinew_auth::Users;
use sinew_http::server::{ForwardProxy, Guard, Handler, HttpServer, Reply, Request, answer};
use sinew_transports::{
    ReactorTcp,
    names::{Hosts, ReactorNames},
    reactor::Reactor,
};

use crate::{support::Client, watchdog::watch_this_test};

/// Runs a proxy and a server; the client, on a thread of its own, is given the port of the server.
fn run<T: Send + 'static>(
    proxy: impl FnOnce(u16) -> ForwardProxy,
    around: impl FnOnce(ForwardProxy) -> Box<dyn Handler>,
    client: impl FnOnce(TcpStream, u16) -> T + Send + 'static,
) -> T {
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let local: IpAddr = [127, 0, 0, 1].into();
    reactor
        .set_resolver(Hosts::new().with("inside.example", [local]).with("site.example", [local]));
    let server = HttpServer::new(|request: Request, reply: Reply| {
        let fields: String = request
            .fields()
            .iter()
            .map(|(name, value)| format!("{name}={};", String::from_utf8_lossy(value)))
            .collect();
        let head = format!("{} {} {fields} ", request.method(), request.head().target());
        request.collect().then(move |_, body| {
            if let Ok(body) = body {
                reply.send(head + &String::from_utf8_lossy(&body));
            }
        });
    });
    let server = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let port = server.local().port();
    let handler = around(proxy(port));
    let handler = move |request: Request, reply: Reply| handler.handle(request, reply);
    let proxy = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(handler)).unwrap();
    let (to, remote) = (proxy.local(), reactor.remote());
    let client = thread::spawn(move || {
        let result = client(TcpStream::connect(to).unwrap(), port);
        remote.stop().unwrap();
        result
    });
    reactor.run().unwrap();
    client.join().unwrap()
}

fn local() -> [sinew_transports::proxy::Subnet; 1] {
    ["127.0.0.0/8".parse().unwrap()]
}

/// Asks, and gives what comes back until the connection closes.
fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    received
}

fn open(handler: ForwardProxy) -> Box<dyn Handler> {
    Box::new(handler)
}

#[test]
fn a_request_with_a_url() {
    let proxy = |port| ForwardProxy::new().ports([port]).allow(local());
    let (port, received) = run(proxy, open, |mut stream, port| {
        let request = format!(
            "POST http://site.example:{port}/a?b HTTP/1.1\r\nHost: site.example:{port}\r\nProxy-Connection: x\r\n\
             Proxy-Authorization: y\r\nConnection: close, X-Z\r\nX-Z: 1\r\nX_A: 1\r\nContent-Length: 5\r\n\r\nhello"
        );
        (port, ask(&mut stream, &request))
    });
    let expected = format!(
        "\r\n\r\nPOST /a?b Host=site.example:{port};X_A=1;Via=1.1 sinew;Content-Length=5; hello"
    );
    assert!(
        received.starts_with("HTTP/1.1 200 OK\r\n") && received.ends_with(&expected),
        "{received}"
    );
}

#[test]
fn a_tunnel() {
    let proxy = |port| ForwardProxy::new().tunnel_ports([port]).allow(local());
    let (first, received) = run(proxy, open, |mut stream, port| {
        let connect =
            format!("CONNECT site.example:{port} HTTP/1.1\r\nHost: site.example:{port}\r\n\r\n");
        let early = "GET /through HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{connect}{early}").as_bytes()).unwrap();
        let mut answer = [0; 19];
        stream.read_exact(&mut answer).unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        (answer, received)
    });
    assert_eq!(&first, b"HTTP/1.1 200 OK\r\nDa");
    assert!(received.contains("\r\n\r\nHTTP/1.1 200 OK\r\n"), "{received}");
    assert!(received.ends_with("GET /through Host=x;Connection=close; "), "{received}");
}

#[test]
fn a_server_that_speaks_first() {
    let greeter = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = greeter.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let (mut stream, _) = greeter.accept().unwrap();
        stream.write_all(b"220 hello\r\n").unwrap();
        let mut quit = [0; 4];
        stream.read_exact(&mut quit).unwrap();
        quit
    });
    let proxy = move |_| ForwardProxy::new().tunnel_ports([port]).allow(local());
    let received = run(proxy, open, move |mut stream, _| {
        let connect =
            format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(connect.as_bytes()).unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"220 hello\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            received.extend_from_slice(&byte);
        }
        stream.write_all(b"QUIT").unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        String::from_utf8(received).unwrap()
    });
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received}");
    assert_eq!(&thread.join().unwrap(), b"QUIT");
}

#[test]
fn what_is_not_allowed() {
    let allowed = |port| ForwardProxy::new().ports([port]).tunnel_ports([port]).allow(local());
    let not_local = |port| ForwardProxy::new().ports([port]).tunnel_ports([port]);
    let usual = |_| ForwardProxy::new().allow(local());
    type Proxy = fn(u16) -> ForwardProxy;
    let cases: [(Proxy, &str, &str); 13] = [
        (not_local, "GET http://127.0.0.1:PORT/", "403"),
        (not_local, "GET http://inside.example:PORT/", "403"),
        (not_local, "GET http://[::1]:PORT/", "403"),
        (not_local, "GET http://[::ffff:127.0.0.1]:PORT/", "403"),
        (not_local, "CONNECT inside.example:PORT", "403"),
        (not_local, "CONNECT 127.0.0.1:PORT", "403"),
        (usual, "GET http://127.0.0.1:PORT/", "403"),
        (usual, "CONNECT 127.0.0.1:PORT", "403"),
        (usual, "CONNECT 127.0.0.1:25", "403"),
        (allowed, "GET https://127.0.0.1:PORT/", "400"),
        (allowed, "GET /", "400"),
        (allowed, "TRACE http://127.0.0.1:PORT/", "405"),
        (allowed, "CONNECT missing.example:PORT", "502"),
    ];
    for (proxy, request, status) in cases {
        let line = request.to_owned();
        let received = run(proxy, open, move |mut stream, port| {
            let line = line.replace("PORT", &port.to_string());
            let target = line.split(' ').nth(1).unwrap();
            let authority = target.split("://").last().unwrap().split('/').next().unwrap();
            let host = if authority.is_empty() { "a" } else { authority };
            ask(
                &mut stream,
                &format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
            )
        });
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {received}");
    }
}

#[test]
fn who_may_use_it() {
    let proxy = |port| ForwardProxy::new().ports([port]).allow(local());
    let guarded = |proxy| -> Box<dyn Handler> {
        let users = Users::new().user("ann", "secret");
        Box::new(Guard::basic("the proxy", users, proxy).unwrap().for_proxy())
    };
    for (field, status) in [
        ("", "407"),
        ("Authorization: Basic YW5uOnNlY3JldA==\r\n", "407"),
        ("Proxy-Authorization: Basic YW5uOnNlY3JldA==\r\n", "200"),
    ] {
        let received = run(proxy, guarded, move |mut stream, port| {
            let request = format!(
                "GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{field}\r\n"
            );
            ask(&mut stream, &request)
        });
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{field}: {received}");
        let asks = received
            .contains("\r\nProxy-Authenticate: Basic realm=\"the proxy\", charset=\"UTF-8\"\r\n");
        assert_eq!(asks, status == "407", "{received}");
        assert!(!received.contains("secret") && !received.contains("YW5u"), "{received}");
    }
}

#[test]
fn requests_for_the_proxy_itself() {
    let client = Client::new(ForwardProxy::new().fallback(answer(|_| "itself")));
    let received = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(received.ends_with("\r\n\r\nitself"), "{received}");
}

#[test]
fn nobody_listens_there() {
    let gone: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let port = gone.port();
    let proxy = move |_| ForwardProxy::new().ports([port]).tunnel_ports([port]).allow(local());
    for request in [format!("GET http://{gone}/"), format!("CONNECT {gone}")] {
        let received = run(proxy, open, move |mut stream, _| {
            ask(
                &mut stream,
                &format!("{request} HTTP/1.1\r\nHost: {gone}\r\nConnection: close\r\n\r\n"),
            )
        });
        assert!(received.starts_with("HTTP/1.1 502 "), "{received}");
    }
}
