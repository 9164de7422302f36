//! Connections that the server has closed while they were idle, and the requests that are repeated for it.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_http::{
    Body, Method,
    client::{ClientConfig, Request, RequestError},
};
use sinew_transports::{Protocol, ReactorTcp, Transport};

use super::world::World;

/// Answers the first request of each connection; with the second it ends the connection without a word. Counts requests.
struct Once {
    requests: Rc<Cell<u32>>,
    on_this: u32,
    resets: bool,
}

impl Protocol for Once {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !data.windows(4).any(|window| window == b"\r\n\r\n") {
            return;
        }
        self.requests.set(self.requests.get() + 1);
        self.on_this += 1;
        match self.on_this {
            1 => drop(transport.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
            _ if self.resets => transport.abort(),
            _ => transport.lose_connection(),
        }
    }
}

/// Two requests, one after the other; the result of the second, and how many requests the server saw.
fn second(resets: bool, make: impl Fn() -> Request + 'static) -> (Result<u16, RequestError>, u32) {
    let world = World::empty();
    let requests = Rc::new(Cell::new(0));
    let counted = Rc::clone(&requests);
    world.network.host("server").boot(move |reactor| {
        let requests = Rc::clone(&counted);
        let port = reactor.listen_tcp("0.0.0.0:80", move |_: &sinew_transports::Peer| Once {
            requests: Rc::clone(&requests),
            on_this: 0,
            resets,
        });
        drop(port.unwrap());
    });
    let make = Rc::new(make);
    let result = world.run(ClientConfig::default(), move |client| {
        let make = Rc::clone(&make);
        async move {
            client.get("http://server/").await.unwrap();
            client.ask(make()).await.map(|answer| answer.status)
        }
    });
    (result, requests.get())
}

fn request(method: &Method) -> Request {
    Request::new(method.clone(), "http://server/").unwrap()
}

#[test]
fn stale_connection_retried_once() {
    for resets in [false, true] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let (result, requests) = second(resets, move || request(&method));
            assert_eq!((result.unwrap(), requests), (200, 3));
        }
    }
}

#[test]
fn what_may_not_be_repeated_is_not() {
    for method in [Method::POST, Method::PATCH] {
        let (result, requests) = second(true, move || request(&method).body("x"));
        let error = result.unwrap_err();
        assert!(error.is_stale(), "{error}");
        assert_eq!(requests, 2, "it was sent once");
    }
}

#[test]
fn a_body_that_is_gone_is_not_repeated() {
    let (result, requests) = second(true, || {
        let (writer, body) = Body::writer();
        writer.write("x");
        writer.finish();
        request(&Method::PUT).body(body)
    });
    assert!(result.unwrap_err().is_stale());
    assert_eq!(requests, 2);
}

/// Never answers a word.
struct Mute(Rc<Cell<u32>>);

impl Protocol for Mute {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        self.0.set(self.0.get() + 1);
        transport.abort();
    }
}

#[test]
fn a_server_that_never_answers_is_not_asked_twice() {
    let world = World::empty();
    let requests = Rc::new(Cell::new(0));
    let counted = Rc::clone(&requests);
    world.network.host("server").boot(move |reactor| {
        let requests = Rc::clone(&counted);
        let port = reactor
            .listen_tcp("0.0.0.0:80", move |_: &sinew_transports::Peer| Mute(Rc::clone(&requests)));
        drop(port.unwrap());
    });
    let error = world.get(ClientConfig::default(), "http://server/").unwrap_err();
    assert!(matches!(error, RequestError::Lost { is_stale: false, .. }), "{error}");
    assert_eq!(requests.get(), 1, "the connection was new");
}

#[test]
fn a_server_that_restarts() {
    let world = World::new(|_: sinew_http::server::Request, reply: sinew_http::server::Reply| {
        reply.send("ok");
    });
    let server = world.network.host("server");
    world.run(ClientConfig::default(), move |client| {
        let server = server.clone();
        async move {
            assert_eq!(client.get("http://server/").await.unwrap().text, "ok");
            server.restart();
            client.reactor.sleep(Duration::from_secs(1)).await;
            let post = Request::post("http://server/", "x").unwrap();
            assert_eq!(client.ask(post).await.unwrap().text, "ok", "its end was noticed meanwhile");
        }
    });
}
