//! Tests of the lifecycle of a connection: timeouts, half-closes, drains, idle connections.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::server::{HttpServer, Reply, Request, Response, ServerConfig, answer};
use sinew_testkit::testing::assert_clean;
use sinew_transports::{ReactorTcp, StreamConfig, memory, reactor::Reactor};

use crate::support::{Client, get, ok, refused};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn no_byte_ever() {
    let client = Client::new(answer(|_| ""));
    client.advance(Duration::from_millis(9_999));
    assert!(!client.is_closing());
    client.advance(Duration::from_millis(1));
    assert!(client.is_closing());
    assert_eq!(client.received(), "", "no response without a request");
}

#[test]
fn a_byte_a_second() {
    let client = Client::new(answer(|_| ""));
    for byte in get("/").as_bytes().iter().take(10) {
        assert!(!client.is_closing());
        client.send([*byte]).advance(seconds(1));
    }
    assert_eq!(client.received(), refused("408 Request Timeout"));
    assert!(client.is_closing());
}

#[test]
fn the_head_timeout_starts_with_the_first_byte() {
    let client = Client::new(answer(|_| "x"));
    assert_eq!(client.ask(get("/")), ok("x"));
    client.advance(seconds(50));
    client.send("GET").advance(Duration::from_millis(9_900));
    assert!(!client.is_closing());
    assert_eq!(client.ask(&get("/")[3..]), ok("x"), "in time");
    client.advance(seconds(50));
    client.send("GET").advance(seconds(10));
    assert_eq!(client.received(), refused("408 Request Timeout"));
}

#[test]
fn an_idle_connection_is_closed_after_a_while() {
    let client = Client::new(answer(|_| "x"));
    for _ in 0..3 {
        assert_eq!(client.ask(get("/")), ok("x"));
        client.advance(seconds(59));
        assert!(!client.is_closing());
    }
    client.advance(seconds(1));
    assert!(client.is_closing());
    client.wire.close();
    client.advance(seconds(60));
    assert_clean(&client.reactor);
}

#[test]
fn a_handler_may_take_its_time() {
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let client = Client::new(move |_: Request, reply: Reply| *keep.borrow_mut() = Some(reply));
    client.send(get("/")).advance(seconds(3_600));
    assert!(!client.is_closing());
    kept.take().unwrap().send("x");
    assert_eq!(client.received(), ok("x"));
}

#[test]
fn a_client_that_reads_nothing_is_aborted() {
    for size in [300_000, 60_000] {
        let text = "x".repeat(size);
        let client = Client::new(answer(move |_| text.clone()));
        client.wire.set_capacity(1_000);
        client.send(get("/")).advance(seconds(29));
        assert!(!client.is_closing());
        client.advance(seconds(31));
        assert!(client.wire.was_reset(), "{size}");
    }
    // A client that reads a little is not timed out.
    let text = "x".repeat(300_000);
    let client = Client::new(answer(move |_| text.clone()));
    client.wire.set_capacity(1_000);
    client.send(get("/"));
    for _ in 0..20 {
        client.advance(seconds(20));
        assert!(!client.wire.take(1_000).is_empty());
    }
    assert!(!client.is_closing());
}

#[test]
fn a_half_closed_client_gets_its_response() {
    let client = Client::new(answer(|_| "x"));
    assert_eq!(client.send(get("/").repeat(2)).end().received(), ok("x").repeat(2));
    assert!(client.is_closing());
    // A later request too, and those after it.
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let client = Client::new(move |_: Request, reply: Reply| *keep.borrow_mut() = Some(reply));
    client.send(get("/").repeat(2)).end();
    assert!(!client.is_closing());
    for _ in 0..2 {
        kept.take().unwrap().send("late");
        assert_eq!(client.received(), ok("late"));
    }
    assert!(client.is_closing());
    // Half a head is no request.
    let client = Client::new(answer(|_| "x"));
    assert_eq!(client.send("GET /").end().received(), "");
    assert!(client.is_closing());
}

#[test]
fn a_drain_ends_idle_connections_at_once_and_others_after_their_answer() {
    let reactor = Reactor::simulated(0);
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&kept);
    let server = HttpServer::new(move |request: Request, reply: Reply| match request.path() {
        "/slow" => keep.borrow_mut().push(reply),
        _ => reply.send("x"),
    });
    let clients: Vec<_> = (0..4).map(|_| Client::of(&reactor, &server)).collect();
    let [idle, new, head, slow] = &clients[..] else { unreachable!() };
    assert_eq!(idle.ask(get("/")), ok("x"));
    head.send("GET / HT");
    slow.send([get("/slow"), get("/")].concat());
    for client in &clients {
        use sinew_transports::Protocol;
        client.connection.with(|protocol, transport| protocol.drain_requested(transport));
    }
    assert!(idle.is_closing() && new.is_closing() && !head.is_closing() && !slow.is_closing());
    let last = ok("x").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    assert_eq!(head.ask("TP/1.1\r\nHost: a\r\n\r\n"), last);
    kept.borrow_mut().pop().unwrap().send("x");
    assert_eq!(slow.received(), last, "the client has to send the next one again");
    assert!(clients.iter().all(Client::is_closing));
}

#[test]
fn the_port_is_drained() {
    crate::watchdog::watch_this_test();
    let reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", HttpServer::new(answer(|_| "x"))).unwrap();
    let mut stream = std::net::TcpStream::connect(port.local()).unwrap();
    let client = std::thread::spawn(move || {
        use std::io::{Read, Write};
        stream.write_all(get("/").as_bytes()).unwrap();
        let mut answer = vec![0; 1_000];
        let len = stream.read(&mut answer).unwrap();
        answer.truncate(len);
        let rest = stream.read(&mut [0; 1]).unwrap();
        (answer, rest)
    });
    let handle = reactor.clone();
    let drained = async move {
        // Until the response has been sent.
        while handle.stats().bytes_sent == 0 {
            handle.sleep(Duration::from_millis(1)).await;
        }
        port.drain(seconds(60)).await
    };
    reactor.run_until(drained).unwrap().unwrap();
    let (answer, rest) = client.join().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n") && answer.ends_with(b"x"));
    assert_eq!(rest, 0, "the idle connection was closed");
}

#[test]
fn nothing_is_left_behind() {
    let reactor = Reactor::simulated(0);
    let server = HttpServer::with_config(
        |request: Request, reply: Reply| {
            request.collect().then(move |_, body| {
                if let Ok(body) = body {
                    reply.send(Response::text(body));
                }
            });
        },
        ServerConfig::default(),
    );
    let request =
        format!("{}POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", get("/"));
    for len in 0..request.len() {
        for ends in [true, false] {
            let (_, wire) =
                memory::connect(&reactor, StreamConfig::default(), server.connection()).unwrap();
            wire.receive(&request.as_bytes()[..len]);
            reactor.advance(Duration::ZERO).unwrap();
            if ends {
                wire.close()
            } else {
                wire.reset()
            }
            reactor.advance(seconds(60)).unwrap();
            assert_clean(&reactor);
        }
    }
}
