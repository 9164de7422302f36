//! Who the client is, how often it may ask, and the ids of its requests.

use std::{net::IpAddr, time::Duration};

use sinew_http::server::{
    AccessLog, HttpServer, Request, RequestId, RequestIds, RequestRateLimit, TrustedProxies, answer,
};
use sinew_transports::{Peer, reactor::Reactor};

use crate::support::{Client, get, ok};

fn peer(ip: &str) -> Peer {
    Peer::Inet((ip.parse::<IpAddr>().unwrap(), 4711).into())
}

fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// Says who the client is, and whether it speaks TLS.
fn who(request: &Request) -> String {
    let ip = request.client_ip().map(|ip| ip.to_string());
    format!("{} {}", ip.unwrap_or_default(), request.is_secure())
}

#[test]
fn a_trusted_proxy_is_believed() {
    let reactor = Reactor::simulated(0);
    let trusted = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"];
    let trusted = || trusted.iter().map(|subnet| subnet.parse().unwrap());
    let server = HttpServer::new(TrustedProxies::new(answer(who)).trust(trusted()));
    let cases = [
        ("127.0.0.1", "", "127.0.0.1 false"),
        (
            "127.0.0.1",
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
            "192.0.2.1 true",
        ),
        ("10.1.1.1", "X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.2.2.2\r\n", "192.0.2.1 false"),
        (
            "10.1.1.1",
            "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1\r\n",
            "192.0.2.1 false",
        ),
        ("10.1.1.1", "X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n", "10.3.3.3 false"),
        ("10.1.1.1", "X-Forwarded-For: nonsense, 10.2.2.2\r\n", "10.2.2.2 false"),
        ("10.1.1.1", "X-Forwarded-For: nonsense\r\n", "10.1.1.1 false"),
        ("2001:db8::9", "X-Forwarded-For: [2001:db9::1]:80\r\n", "2001:db9::1 false"),
        ("10.1.1.1", "X-Forwarded-Proto: https, http\r\n", "10.1.1.1 false"),
        ("10.1.1.1", "Forwarded: for=192.0.2.1;proto=https\r\n", "10.1.1.1 false"),
        (
            "192.0.2.9",
            "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
            "192.0.2.9 false",
        ),
    ];
    for (ip, fields, expected) in cases {
        let client = Client::from(&reactor, &server, peer(ip));
        assert_eq!(client.ask(with(fields)), ok(expected), "{ip} {fields}");
    }
    let server = TrustedProxies::new(answer(who)).trust(trusted()).standard_field();
    let server = HttpServer::new(server);
    let cases = [
        ("for=192.0.2.1;proto=https;by=10.1.1.1", "192.0.2.1 true"),
        ("For=\"[2001:db9::1]:4711\"; Proto=HTTPS", "2001:db9::1 true"),
        ("for=6.6.6.6, for=192.0.2.1;proto=https, for=10.2.2.2;proto=http", "192.0.2.1 true"),
        ("for=_hidden, for=10.2.2.2", "10.2.2.2 false"),
        ("proto=https", "10.1.1.1 true"),
    ];
    for (field, expected) in cases {
        let client = Client::from(&reactor, &server, peer("10.1.1.1"));
        let fields = format!("Forwarded: {field}\r\nX-Forwarded-For: 6.6.6.6\r\n");
        assert_eq!(client.ask(with(&fields)), ok(expected), "{field}");
    }
}

#[test]
fn without_the_layer_nobody_is_believed() {
    let server = HttpServer::new(answer(who));
    let client = Client::from(&Reactor::simulated(0), &server, peer("127.0.0.1"));
    let fields =
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.1\r\n";
    assert_eq!(client.ask(with(fields)), ok("127.0.0.1 false"));
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let reactor = Reactor::simulated(0);
    let server = HttpServer::new(RequestRateLimit::new(answer(|_| "x"), 2, 4));
    let refused = |seconds: u32| {
        format!(
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let client = Client::from(&reactor, &server, peer("192.0.2.1"));
    let other = Client::from(&reactor, &server, peer("192.0.2.2"));
    assert_eq!(client.ask(get("/").repeat(4)), ok("x").repeat(4));
    assert_eq!(
        client.ask(get("/").repeat(2)),
        refused(1).repeat(2),
        "a refused request costs nothing"
    );
    assert_eq!(other.ask(get("/")), ok("x"), "it is nobody else's fault");
    client.advance(Duration::from_millis(500));
    assert_eq!(client.ask(get("/").repeat(2)), ok("x") + &refused(1));
    client.advance(Duration::from_secs(10));
    assert_eq!(client.ask(get("/").repeat(5)), ok("x").repeat(4) + &refused(1));
    // Another connection of the same client is no way around it, nor is another address of its network.
    let again = Client::from(&reactor, &server, peer("192.0.2.1"));
    assert_eq!(again.ask(get("/")), refused(1));
    let first = Client::from(&reactor, &server, peer("2001:db8::1"));
    assert_eq!(first.ask(get("/").repeat(4)), ok("x").repeat(4));
    let second = Client::from(&reactor, &server, peer("2001:db8::ffff:1"));
    assert_eq!(second.ask(get("/")), refused(1));
    // Slowly is always allowed.
    let slow = Client::from(&reactor, &server, peer("192.0.2.3"));
    for _ in 0..20 {
        assert_eq!(slow.ask(get("/")), ok("x"));
        slow.advance(Duration::from_millis(500));
    }
}

#[test]
fn clients_are_counted_by_what_the_program_says() {
    let by = |request: &Request| request.query_value("key");
    let client = Client::new(RequestRateLimit::new(answer(|_| "x"), 1, 1).by(by).clients_max(4));
    assert_eq!(client.ask(get("/?key=a")), ok("x"));
    assert!(client.ask(get("/?key=a")).contains(" 429 "));
    assert_eq!(
        client.ask(get("/").repeat(9)),
        ok("x").repeat(9),
        "what is no client is not limited"
    );
    // Past the limit of clients the oldest ones are forgotten.
    for key in 0..8 {
        assert_eq!(client.ask(get(&format!("/?key={key}"))), ok("x"));
    }
    assert!(client.ask(get("/?key=7")).contains(" 429 "));
    assert_eq!(client.ask(get("/?key=a")), ok("x"));
}

#[test]
fn ids_of_requests() {
    let reactor = Reactor::simulated(0);
    let shown = answer(|request: &Request| request.find::<RequestId>().unwrap().0.clone());
    let server = RequestIds::new(shown).trust(["10.0.0.0/8".parse().unwrap()]);
    let server = HttpServer::new(AccessLog::new(server));
    let ask = |ip: &str, id: &str| {
        let received =
            Client::from(&reactor, &server, peer(ip)).ask(with(&format!("X-Request-Id: {id}\r\n")));
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\nX-Request-Id: {body}\r\n")), "{received}");
        body.to_owned()
    };
    let is_new = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert_eq!(ask("10.1.1.1", "a-b_7/x=1"), "a-b_7/x=1");
    for (ip, id) in [
        ("192.0.2.1", "a-b"),
        ("10.1.1.1", ""),
        ("10.1.1.1", "a b"),
        ("10.1.1.1", "a\"b"),
        ("10.1.1.1", &"x".repeat(129)),
    ] {
        assert!(is_new(&ask(ip, id)), "{ip} {id}");
    }
    assert_ne!(ask("192.0.2.1", "a"), ask("192.0.2.1", "a"));
    assert!(RequestIds::new(answer(|_| "")).field("X Y").is_err());
}
