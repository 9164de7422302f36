//! Responses cut at every place: what a connection makes of them does not depend on how they came.

use sinew_http::Method;

use super::server::{Server, request};

/// What a client makes of an answer: status, body or error, trailers, whether the connection stays.
fn made(method: &Method, pieces: &[&[u8]]) -> String {
    let server = Server::new();
    let waiting = server.send(request(method.clone(), "/"));
    server.rest();
    let mut body = None;
    let mut response = None;
    for piece in pieces {
        server.wire.receive_if_open(piece);
        server.rest();
        if let Some(found) = waiting.take() {
            match found {
                Ok(found) => {
                    body = Some(found.collect_up_to(10_000));
                    response = Some(found);
                    server.rest();
                }
                Err(error) => return error.to_string(),
            }
        }
    }
    let stays = !server.wire.transport().is_closing();
    server.wire.close_if_open();
    server.rest();
    let Some(response) = response else {
        return waiting.take().expect("it is over").map(|_| ()).unwrap_err().to_string();
    };
    let body = body.and_then(|body| body.take()).expect("it is over");
    format!("{} {body:?} {:?} {stays}", response.status(), response.take_trailers())
}

#[test]
fn every_split() {
    let cases: [(Method, &str); 9] = [
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
        (Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        (Method::GET, "HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 None\r\n\r\n"),
        (
            Method::GET,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n",
        ),
        (Method::GET, "HTTP/1.0 200 OK\r\n\r\nuntil the end"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
        (Method::GET, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        (Method::GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX"),
        (Method::GET, "HTTP/1.1 101 What\r\n\r\n"),
    ];
    for (method, answer) in cases {
        let answer = answer.as_bytes();
        let whole = made(&method, &[answer]);
        let bytes: Vec<_> = answer.chunks(1).collect();
        assert_eq!(made(&method, &bytes), whole, "byte by byte: {}", answer.escape_ascii());
        for at in 1..answer.len() {
            let pieces = [&answer[..at], &answer[at..]];
            assert_eq!(made(&method, &pieces), whole, "at {at}: {}", answer.escape_ascii());
        }
    }
}
