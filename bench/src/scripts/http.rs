//! Requests of HTTP/1.1 and their answers through a router, on one connection: one at a time, and 16 in one piece.

use std::io::{Read, Write};
use std::net::TcpStream;

use sinew::http::server::{HttpServer, Request, Router, answer};
use sinew::prelude::*;

use crate::{Failed, PATIENCE};

const REQUESTS: usize = 1_024;

/// What a command line client sends.
const REQUEST: &[u8] =
    b"GET /plain HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";

/// Sends `REQUESTS`, so many in each piece, and checks the answers.
pub(crate) fn run(pipelined: usize) -> Result<(), Failed> {
    let reactor = crate::reactor()?;
    let greet = |request: &Request| request.param("name").unwrap_or_default().into_owned();
    let router = Router::new()
        .get("/", answer(|_| "the front page\n"))
        .get("/users/{name}", answer(greet))
        .get("/plain", answer(|_| "hello, world\n"));
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(router))?;
    let mut client = TcpStream::connect(port.local())?;
    client.set_nodelay(true)?;
    while port.connections() == 0 {
        reactor.turn(Some(PATIENCE))?;
    }
    let requests = REQUEST.repeat(pipelined);
    let mut answers = vec![0; 4 * 1024];
    // The first answer tells how long all are, since their dates have the same length.
    client.write_all(REQUEST)?;
    crate::turn(&reactor, PATIENCE)?;
    let len = client.read(&mut answers)?;
    let answer = without_date(&answers[..len])?;
    answers.resize(len * pipelined, 0);
    for _ in 0..REQUESTS / pipelined {
        client.write_all(&requests)?;
        crate::turn(&reactor, PATIENCE)?;
        client.read_exact(&mut answers)?;
        for one in answers.chunks(len) {
            if without_date(one)? != answer {
                return Err(format!("a different answer: {}", one.escape_ascii()).into());
            }
        }
    }
    Ok(())
}

/// An answer without its second line.
fn without_date(answer: &[u8]) -> Result<Vec<u8>, Failed> {
    let text = std::str::from_utf8(answer)?;
    let mut lines = text.split_inclusive('\n').collect::<Vec<_>>();
    let is_whole = lines.first() == Some(&"HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nhello, world\n");
    if !is_whole || !lines.remove(1).starts_with("Date: ") {
        return Err(format!("not an answer: {text:?}").into());
    }
    Ok(lines.concat().into_bytes())
}
