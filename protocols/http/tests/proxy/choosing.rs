//! Several backends: which one is asked, and which one is not.

use std::time::Duration;

use sinew_http::server::{HealthCheck, HttpServer, Reply, Request, ReverseProxy};
use sinew_transports::{Address, ListeningPort, endpoint::ServerEndpoint, reactor::Reactor};

use crate::support::{Client, get};

/// A backend that answers with its name, or not at all.
fn listen(reactor: &Reactor, name: &'static str) -> ListeningPort<Address> {
    let endpoint: ServerEndpoint = format!("memory:{name}").parse().unwrap();
    let server = HttpServer::new(move |request: Request, reply: Reply| match request.path() {
        "/break" => drop(request),
        _ => reply.send(name),
    });
    endpoint.listen(reactor, server).unwrap()
}

fn proxy(names: &[&str]) -> ReverseProxy {
    let endpoint = |name: &&str| format!("memory:{name}").parse().unwrap();
    let first = ReverseProxy::new(endpoint(&names[0]));
    names[1..].iter().fold(first, |proxy, name| proxy.backend(endpoint(name)))
}

/// Who answers, or with which status.
fn ask(client: &Client) -> String {
    let received = client.ask(get("/"));
    match received.starts_with("HTTP/1.1 200 ") {
        true => received.rsplit("\r\n\r\n").next().unwrap().to_owned(),
        false => received[9..12].to_owned(),
    }
}

fn asks(client: &Client, count: usize) -> Vec<String> {
    (0..count).map(|_| ask(client)).collect()
}

#[test]
fn they_take_turns() {
    let reactor = Reactor::simulated(0);
    let _ports = [listen(&reactor, "a"), listen(&reactor, "b"), listen(&reactor, "c")];
    let client = Client::of(&reactor, &HttpServer::new(proxy(&["a", "b", "c"])));
    assert_eq!(asks(&client, 6), ["a", "b", "c", "a", "b", "c"]);
}

#[test]
fn another_is_asked_if_one_is_not_there() {
    let reactor = Reactor::simulated(0);
    let _port = listen(&reactor, "b");
    let client = Client::of(&reactor, &HttpServer::new(proxy(&["a", "b"])));
    assert_eq!(asks(&client, 5), ["b"; 5], "nothing was sent to the other one");
    // Also a request that must not be repeated: it was never sent.
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    for _ in 0..3 {
        assert!(client.ask(post).ends_with("\r\n\r\nb"));
    }
}

#[test]
fn none_is_there() {
    let reactor = Reactor::simulated(0);
    let client = Client::of(&reactor, &HttpServer::new(proxy(&["a", "b"])));
    assert_eq!(asks(&client, 3), ["502"; 3]);
    assert_eq!(ask(&client), "503", "both are left alone for a while");
    client.advance(Duration::from_secs(10));
    assert_eq!(ask(&client), "502");
    let _port = listen(&reactor, "a");
    client.advance(Duration::from_secs(10));
    assert_eq!(asks(&client, 2), ["a"; 2]);
    let alone = Client::of(&reactor, &HttpServer::new(proxy(&["c"])));
    assert_eq!(asks(&alone, 9), ["502"; 9], "the only one is always asked");
}

#[test]
fn one_that_recovers_is_asked_again() {
    let reactor = Reactor::simulated(0);
    let _port = listen(&reactor, "b");
    let proxy = proxy(&["a", "b"]).failures(2, Duration::from_secs(30));
    let client = Client::of(&reactor, &HttpServer::new(proxy));
    assert_eq!(asks(&client, 4), ["b"; 4]);
    let _port = listen(&reactor, "a");
    assert_eq!(asks(&client, 4), ["b"; 4], "it was down just now");
    client.advance(Duration::from_secs(30));
    let mut answers = asks(&client, 4);
    answers.sort();
    assert_eq!(answers, ["a", "a", "b", "b"]);
}

#[test]
fn checks_find_out_without_a_request() {
    let reactor = Reactor::simulated(0);
    let ports = [listen(&reactor, "a"), listen(&reactor, "b")];
    let check = HealthCheck::new("/health").interval(Duration::from_secs(1)).thresholds(2, 2);
    let proxy = proxy(&["a", "b"]).health_check(check);
    let client = Client::of(&reactor, &HttpServer::new(proxy));
    assert_eq!(asks(&client, 4), ["a", "b", "a", "b"]);
    let [first, second] = ports;
    first.stop_listening();
    client.advance(Duration::from_secs(5));
    // The requests of this client would find a connection to it in the pool.
    assert_eq!(asks(&client, 4), ["b"; 4]);
    second.stop_listening();
    client.advance(Duration::from_secs(5));
    assert_eq!(asks(&client, 2), ["503"; 2]);
    let _port = listen(&reactor, "a");
    client.advance(Duration::from_secs(5));
    assert_eq!(asks(&client, 2), ["a"; 2]);
}

#[test]
fn checks_end_with_the_proxy() {
    let reactor = Reactor::simulated(0);
    let port = listen(&reactor, "a");
    let server = HttpServer::new(proxy(&["a"]).health_check(HealthCheck::new("/health")));
    let client = Client::of(&reactor, &server);
    assert_eq!(ask(&client), "a");
    client.wire.close();
    client.advance(Duration::from_secs(1));
    drop((client, server));
    port.stop_listening();
    reactor.advance(Duration::from_secs(3_600)).unwrap();
    sinew_testkit::testing::assert_clean(&reactor);
}
