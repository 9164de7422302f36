//! Tests of upgraded connections: Upgrade and CONNECT.

use std::{cell::RefCell, rc::Rc};

use sinew_http::{
    StatusCode,
    server::{Reply, Request, Response},
};
use sinew_transports::{Protocol, Transport};

use crate::support::{Client, get, ok, refused};

/// Echoes in upper case.
struct Upper;

impl Protocol for Upper {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"[made]");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data.to_ascii_uppercase());
    }
}

fn upgrading(request: Request, reply: Reply) {
    let status = match request.method().as_str() {
        "CONNECT" => StatusCode::OK,
        _ => StatusCode::SWITCHING_PROTOCOLS,
    };
    reply.upgrade(Response::new(status), Upper);
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: upper\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: upper\r\n\r\n[made]";

#[test]
fn an_upgrade_takes_what_is_unread_with_it() {
    let client = Client::new(upgrading);
    assert_eq!(client.ask(format!("{UPGRADE}\r\nbytes behind")), format!("{SWITCHED}BYTES BEHIND"));
    assert_eq!(
        client.ask("get / http/1.1\r\n\r\n"),
        "GET / HTTP/1.1\r\n\r\n",
        "it is no HTTP any more"
    );
    // None of the server's timers is left.
    client.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(client.ask("still"), "STILL");
}

#[test]
fn connect_opens_a_tunnel() {
    let client = Client::new(upgrading);
    let connect = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n";
    assert_eq!(client.ask(format!("{connect}x")), "HTTP/1.1 200 OK\r\n\r\n[made]X");
}

#[test]
fn late_upgrades_after_other_requests() {
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let client = Client::new(move |request: Request, reply: Reply| {
        if request.head().wants_upgrade() {
            *keep.borrow_mut() = Some(reply);
        } else {
            reply.send("x");
        }
    });
    assert_eq!(client.ask(format!("{}{UPGRADE}\r\nearly", get("/"))), ok("x"));
    assert_eq!(client.ask(" bird"), "");
    kept.take().unwrap().upgrade(Response::new(StatusCode::SWITCHING_PROTOCOLS), Upper);
    assert_eq!(client.received(), format!("{SWITCHED}EARLY BIRD"));
}

#[test]
fn upgrade_refused_keeps_framing() {
    let client =
        Client::new(|request: Request, reply: Reply| reply.send(request.path().to_owned()));
    let asked = UPGRADE.replace("GET / ", "GET /a ");
    assert_eq!(client.ask(format!("{asked}\r\n{}", get("/b"))), ok("/a") + &ok("/b"));
    let with_body = format!("{asked}Content-Length: 4\r\n\r\nbody{}", get("/b"));
    assert_eq!(client.ask(with_body), ok("/a") + &ok("/b"));
}

#[test]
fn no_upgrade_without_a_request_for_it() {
    let error = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    for request in [
        get("/"),
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: upper\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n".to_owned(),
    ] {
        assert_eq!(Client::new(upgrading).ask(&request), error, "{request:?}");
    }
    // HTTP/1.0 has no upgrade (RFC 9110 7.8).
    let client = Client::new(upgrading);
    let old = UPGRADE.replace("HTTP/1.1", "HTTP/1.0");
    assert!(client.ask(format!("{old}\r\n")).starts_with("HTTP/1.1 500"));
}

#[test]
fn an_unread_body_is_not_passed_to_the_upgraded_protocol() {
    let client = Client::new(upgrading);
    let request = format!("{UPGRADE}Content-Length: 5\r\n\r\n");
    assert_eq!(client.ask(request), refused("500 Internal Server Error"));
    assert!(client.is_closing());
}
