//! Every split of the input gives the same output.

use sinew_http::server::{HttpServer, Reply, Request, Response};
use sinew_testkit::testing::{Draw, SystemUnderTest, every_split};

fn server() -> HttpServer {
    HttpServer::new(|request: Request, reply: Reply| {
        if request.path() == "/ignore" {
            return reply.send("ignored");
        }
        request.collect().then(move |_, body| {
            if let Ok(body) = body {
                reply.send(Response::text(
                    [request.head().target().as_bytes(), b" ", &body].concat(),
                ));
            }
        });
    })
}

/// The output for the whole input, with which every other split is compared.
fn check(input: &str) {
    use std::time::Duration;
    let client = crate::support::Client::of(
        &sinew_transports::reactor::Reactor::simulated(0x5eed),
        &server(),
    );
    client.wire.receive(input);
    client.advance(Duration::ZERO);
    let expected = client.wire.take(usize::MAX);
    assert!(!expected.is_empty());
    every_split(|| server().connection(), input.as_bytes(), &expected);
}

#[test]
fn requests_of_every_kind() {
    check(concat!(
        "\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none",
        "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none",
        "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nA: b\r\n\r\n",
        "HEAD /d HTTP/1.0\r\n\r\n",
    ));
}

#[test]
fn refused_ones() {
    check("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\nHost: a\r\n\r\n");
    check("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc");
    check("GET /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n");
}

/// Without `Expect`: whether a client has sent its body already depends on the split.
#[test]
fn anything_at_all() {
    const WORDS: [&str; 17] = [
        "GET / HTTP/1.1\r\n",
        "POST /x HTTP/1.1\r\n",
        "GET /ignore HTTP/1.0\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "\r\n",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "\n",
        "\r",
        " ",
        "0\r\nA: b\r\n\r\n",
        "X: \0\r\n",
        "Connection: keep-alive\r\n",
    ];
    let inputs = |draw: &mut Draw| {
        let mut input = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n".to_vec();
        for _ in 0..draw.number(..=8) {
            input.extend_from_slice(WORDS[draw.number(..WORDS.len())].as_bytes());
        }
        input
    };
    SystemUnderTest::new(|| server().connection()).inputs(inputs).seeds(0..200).property();
}
