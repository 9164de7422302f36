//! Connections that become something else: Upgrade and CONNECT.

use std::{cell::RefCell, rc::Rc};

use sinew_http::{
    Fields, Method, StatusCode,
    client::{Outgoing, RequestError},
};
use sinew_transports::{Protocol, Transport};

use super::server::{Server, ok, request};

/// Writes down what it receives, and answers in capitals.
struct Upper(Rc<RefCell<Vec<u8>>>);

impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
        transport.write(data.to_ascii_uppercase());
    }
}

fn upgrade() -> Outgoing {
    let mut fields = Fields::new();
    for (name, value) in [("Host", "a"), ("Connection", "Upgrade"), ("Upgrade", "upper")] {
        fields.append(name, value).unwrap();
    }
    Outgoing::new(Method::GET, "/", fields)
}

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: upper\r\n\r\n";

#[test]
fn an_upgrade_takes_what_is_unread_with_it() {
    let server = Server::new();
    let waiting = server.send(upgrade());
    server.received();
    let response = server.respond(&waiting, format!("{SWITCHED}bytes behind")).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(response.is_upgrade());
    server.answer(", and more");
    let seen = Rc::default();
    response.into_upgraded().unwrap().start(Upper(Rc::clone(&seen))).unwrap();
    assert_eq!(server.received(), "BYTES BEHIND, AND MORE");
    // None of the client's clocks runs any more.
    server.advance(std::time::Duration::from_secs(3_600));
    server.answer("!");
    assert_eq!(server.received(), "!");
    assert_eq!(*seen.borrow(), b"bytes behind, and more!");
    assert!(!server.connection.is_idle());
}

#[test]
fn connect_becomes_a_tunnel() {
    let server = Server::new();
    let mut fields = Fields::new();
    fields.append("Host", "b:443").unwrap();
    let waiting = server.send(Outgoing::new(Method::CONNECT, "b:443", fields));
    assert_eq!(server.received(), "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    // A length means nothing here (RFC 9110 9.3.6).
    let response =
        server.respond(&waiting, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx").unwrap();
    let transport = response.into_upgraded().unwrap().into_transport();
    transport.set_protocol(Upper(Rc::default())).unwrap();
    assert_eq!(server.received(), "X");
}

#[test]
fn proxy_tunnel_refused() {
    let server = Server::new();
    let waiting = server.send(Outgoing::new(Method::CONNECT, "b:443", Fields::new()));
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno";
    let response = server.respond(&waiting, answer).unwrap();
    let response = response.into_upgraded().unwrap_err();
    assert_eq!(response.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    assert_eq!(server.text(&response).unwrap(), "no");
    assert!(server.connection.is_idle(), "it is HTTP as before");
}

#[test]
fn upgrade_refused_keeps_framing() {
    let server = Server::new();
    let waiting = server.send(upgrade());
    let response = server.respond(&waiting, ok("no")).unwrap();
    assert!(!response.is_upgrade());
    assert_eq!(server.text(&response).unwrap(), "no");
    assert!(server.connection.is_idle());
}

#[test]
fn an_upgrade_that_was_not_asked_for() {
    let server = Server::new();
    let waiting = server.send(request(Method::GET, "/"));
    let error = server.respond(&waiting, SWITCHED).unwrap_err();
    assert!(matches!(error, RequestError::UnexpectedUpgrade), "{error}");
    assert!(server.is_closing());
}

#[test]
fn an_upgrade_that_nobody_takes() {
    for is_claimed in [false, true] {
        let server = Server::new();
        let waiting = server.send(upgrade());
        let response = server.respond(&waiting, SWITCHED).unwrap();
        if is_claimed {
            let upgraded = response.into_upgraded().unwrap();
            server.rest();
            assert!(!server.is_closing());
            drop(upgraded);
        } else {
            drop(response);
        }
        server.rest();
        assert!(server.wire.was_reset());
    }
}

#[test]
fn what_comes_before_the_other_protocol_is_bounded() {
    let server = Server::new();
    let waiting = server.send(upgrade());
    let response = server.respond(&waiting, SWITCHED).unwrap();
    server.answer("x".repeat(100_000));
    assert!(server.wire.is_paused());
    let seen: Rc<RefCell<Vec<u8>>> = Rc::default();
    response.into_upgraded().unwrap().start(Upper(Rc::clone(&seen))).unwrap();
    server.received();
    assert_eq!(seen.borrow().len(), 100_000);
}
