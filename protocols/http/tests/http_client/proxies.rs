//! Through proxies: requests sent whole, tunnels, and names and passwords for them.

use std::{cell::RefCell, rc::Rc};

use sinew_http::{
    StatusCode,
    client::{ClientConfig, HttpClient, Proxies, Request, RequestError, Url},
    server::{Reply, Request as Asked, Response},
};
use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};

use super::world::World;

/// A proxy: makes tunnels, and answers other requests with what was asked. It wants these credentials, if any.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) wants: Option<&'static str>,
    pub(crate) challenge: &'static str,
    pub(crate) seen: Rc<RefCell<Vec<String>>>,
}

/// One end of a tunnel: relays to the other end.
struct End(Transport);

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        transport.relay(&self.0).expect("both ends are open").detach();
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

impl Proxy {
    pub(crate) fn open() -> Self {
        Self { wants: None, challenge: "", seen: Rc::default() }
    }

    pub(crate) fn handle(&self, request: Asked, reply: Reply) {
        let credentials = request.field("proxy-authorization").unwrap_or("-").to_owned();
        let target = request.head().target().to_owned();
        let scheme = credentials.split(' ').next().unwrap_or_default();
        self.seen.borrow_mut().push(format!("{} {target} {scheme}", request.method()));
        if self.wants.is_some_and(|wants| !credentials.contains(wants)) {
            let response = Response::new(StatusCode::PROXY_AUTHENTICATION_REQUIRED);
            return reply.send(response.with("Proxy-Authenticate", self.challenge).unwrap());
        }
        if request.method().as_str() != "CONNECT" {
            let host = request.field("host").unwrap_or_default().to_owned();
            let own = request.field("authorization").unwrap_or("-").to_owned();
            return reply.send(Response::text(format!("{target} at {host} {own}")));
        }
        request.reactor().connect_tcp(target.as_str(), |_: &Peer| Quiet).then(move |_, made| {
            match made {
                Ok(made) => {
                    let response = Response::new(StatusCode::OK);
                    reply.upgrade(response, End(made.transport().clone()));
                }
                Err(_) => reply.send(StatusCode::BAD_GATEWAY),
            }
        });
    }
}

fn world(proxy: &Proxy) -> World {
    let world = World::new(|request: Asked, reply: Reply| {
        reply.send(Response::text(format!("the server, {}", request.path())));
    });
    let proxy = proxy.clone();
    world.serve("proxy", 3128, move |request: Asked, reply: Reply| proxy.handle(request, reply));
    world
}

fn through(proxy: &str) -> ClientConfig {
    ClientConfig::default().proxies(Proxies::all(proxy).unwrap().except("direct"))
}

#[test]
fn requests_are_sent_whole() {
    let proxy = Proxy::open();
    let world = world(&proxy);
    let answer = world.get(through("http://proxy:3128"), "http://server:80/x?y").unwrap();
    assert_eq!(answer.text, "http://server/x?y at server -");
    // One connection serves all servers.
    let open = world.run(through("proxy:3128"), |client| async move {
        client.get("http://server/").await.unwrap();
        client.get("http://elsewhere/").await.unwrap();
        client.client.pool().open()
    });
    assert_eq!(open, 1);
}

#[test]
fn exceptions_go_directly() {
    let world = world(&Proxy::open());
    world.serve("direct", 80, |_: Asked, reply: Reply| reply.send("directly"));
    assert_eq!(world.get(through("proxy:3128"), "http://direct/").unwrap().text, "directly");
}

#[test]
fn names_and_passwords_for_a_proxy() {
    // Unasked, by Basic; and never to the server.
    let proxy = Proxy { wants: Some("Basic YTpi"), challenge: "Basic realm=p", ..Proxy::open() };
    let request = Request::get("http://server/").unwrap().bearer("t").unwrap();
    let answer = world(&proxy).send(through("http://a:b@proxy:3128"), request).unwrap();
    assert_eq!(answer.text, "http://server/ at server Bearer t");
    assert_eq!(*proxy.seen.borrow(), ["GET http://server/ Basic"]);
    // By Digest, if the proxy wants that.
    let challenge = "Digest realm=p, nonce=n, qop=auth";
    let proxy = Proxy { wants: Some("uri=\"http://server/\""), challenge, ..Proxy::open() };
    assert_eq!(
        world(&proxy).get(through("http://a:b@proxy:3128"), "http://server/").unwrap().status,
        200
    );
    assert_eq!(*proxy.seen.borrow(), ["GET http://server/ Basic", "GET http://server/ Digest"]);
    // Without any, its answer is the response.
    let answer = world(&proxy).get(through("http://proxy:3128"), "http://server/").unwrap();
    assert_eq!(answer.status, 407);
}

/// A connection through a tunnel, and one request on it.
async fn tunnelled(client: HttpClient, url: &'static str) -> Result<String, RequestError> {
    let url = Url::parse(url).unwrap();
    let connection = client.connect(&url, None).await?;
    let mut fields = sinew_http::Fields::new();
    fields.append("Host", "server").unwrap();
    let outgoing = sinew_http::client::Outgoing::new(sinew_http::Method::GET, "/ws", fields);
    let response = connection.send(outgoing).expect("it is open").await?;
    Ok(response.text().await.unwrap())
}

#[test]
fn other_protocols_go_through_a_tunnel() {
    let proxy = Proxy::open();
    let world = world(&proxy);
    let text =
        world.run(through("proxy:3128"), |client| tunnelled(client.client, "ws://server/ws"));
    assert_eq!(text.unwrap(), "the server, /ws");
    assert_eq!(*proxy.seen.borrow(), ["CONNECT server:80 -"]);
    let proxy =
        Proxy { wants: Some("Digest"), challenge: "Digest realm=p, nonce=n", ..Proxy::open() };
    let world = self::world(&proxy);
    let config = through("http://a:b@proxy:3128");
    let text = world.run(config, |client| tunnelled(client.client, "ws://server/ws"));
    assert_eq!(text.unwrap(), "the server, /ws");
    assert_eq!(*proxy.seen.borrow(), ["CONNECT server:80 Basic", "CONNECT server:80 Digest"]);
}

#[test]
fn proxy_tunnel_refused() {
    let proxy = Proxy { wants: Some("never right"), challenge: "Basic realm=p", ..Proxy::open() };
    for (config, tries) in [("proxy:3128", 1), ("http://a:b@proxy:3128", 2)] {
        proxy.seen.borrow_mut().clear();
        let world = world(&proxy);
        let error = world.run(through(config), |client| tunnelled(client.client, "ws://server/"));
        let error = error.unwrap_err();
        assert!(
            matches!(&error, RequestError::Tunnel { status, .. } if status.as_u16() == 407),
            "{error}"
        );
        assert!(!error.to_string().contains("a:b"), "no password in an error: {error}");
        assert_eq!(proxy.seen.borrow().len(), tries, "{config}");
    }
    let open = Proxy::open();
    let error = world(&open)
        .run(through("proxy:3128"), |client| tunnelled(client.client, "ws://server:81/"))
        .unwrap_err();
    assert!(error.to_string().contains("502"), "{error}");
}
