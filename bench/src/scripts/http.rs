//! Requests through a router, each answered with a short text.

use std::time::Duration;

use sinew::http::server::{HttpServer, Router, answer};
use sinew::prelude::*;
use sinew::transports::memory;

use crate::Failed;

const REQUESTS: usize = 1_000;

/// As curl sends it.
const REQUEST: &[u8] = b"GET /plain?a=b HTTP/1.1\r\nHost: example.org\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

pub(crate) fn run() -> Result<(), Failed> {
    let reactor = Reactor::simulated(0);
    let router = Router::new()
        .get("/", answer(|_| "the front page\n"))
        .get("/users/{name}", answer(|_| "a user\n"))
        .get("/plain", answer(|_| "hello, world\n"));
    let server = HttpServer::new(router);
    let (_connection, wire) =
        memory::connect(&reactor, StreamConfig::default(), server.connection())?;
    reactor.turn(Some(Duration::ZERO))?;
    for _ in 0..REQUESTS {
        wire.receive(REQUEST);
        crate::turn(&reactor, Duration::ZERO)?;
        if !wire.sent().ends_with(b"\r\n\r\nhello, world\n") {
            return Err("a request was not answered".into());
        }
    }
    Ok(())
}
