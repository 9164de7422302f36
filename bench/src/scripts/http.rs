//! Requests of HTTP/1.1 and their answers, through a router: on many connections one at a time, and on one connection many in one piece.

use std::io::{Read, Write};
use std::net::TcpStream;

use sinew::http::server::{HttpServer, Request, Router, answer};
use sinew::prelude::*;

use crate::{Failed, PATIENCE};

const REQUESTS: usize = 1_024;

/// What a load generator sends.
const REQUEST: &[u8] = b"GET /plain HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// Sends `REQUESTS` in turns: on so many connections, so many on each. Checks the answers.
pub(crate) fn run(connections: usize, pipelined: usize) -> Result<(), Failed> {
    let reactor = crate::reactor()?;
    let greet = |request: &Request| request.param("name").unwrap_or_default().into_owned();
    let router = Router::new()
        .get("/", answer(|_| "the front page\n"))
        .get("/users/{name}", answer(greet))
        .get("/plain", answer(|_| "hello, world\n"));
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(router))?;
    let mut clients = Vec::new();
    for _ in 0..connections {
        let client = TcpStream::connect(port.local())?;
        client.set_nodelay(true)?;
        clients.push(client);
        while port.connections() < clients.len() {
            reactor.turn(Some(PATIENCE))?;
        }
    }
    // All answers are as long as the first, since their dates have the same length.
    let mut answers = vec![0; 4 * 1024];
    clients[0].write_all(REQUEST)?;
    reactor.turn(Some(PATIENCE))?;
    let len = clients[0].read(&mut answers)?;
    let answer = without_date(&answers[..len])?;
    answers.resize(len * pipelined, 0);
    let requests = REQUEST.repeat(pipelined);
    for _ in 0..REQUESTS / connections / pipelined {
        for client in &mut clients {
            client.write_all(&requests)?;
        }
        crate::turn(&reactor, PATIENCE)?;
        for client in &mut clients {
            client.read_exact(&mut answers)?;
            for one in answers.chunks(len) {
                if without_date(one)? != answer {
                    return Err(format!("a different answer: {}", one.escape_ascii()).into());
                }
            }
        }
    }
    Ok(())
}

/// An answer without its second line.
fn without_date(answer: &[u8]) -> Result<Vec<u8>, Failed> {
    let text = std::str::from_utf8(answer)?;
    let mut lines = text.split_inclusive('\n').collect::<Vec<_>>();
    let is_whole =
        lines.first() == Some(&"HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nhello, world\n");
    if !is_whole || !lines.remove(1).starts_with("Date: ") {
        return Err(format!("not an answer: {text:?}").into());
    }
    Ok(lines.concat().into_bytes())
}
