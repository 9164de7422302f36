//! Memory use, measured by a counting allocator: a request allocates nothing, an idle connection owns little.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use sinew_http::server::{HttpServer, Reply, Request, Response, answer};
use sinew_transports::{ReactorTcp, reactor::Reactor};

#[path = "../../../tests/allocation/sys.rs"]
#[allow(unsafe_code, reason = "an allocator is unsafe")]
mod sys;

#[global_allocator]
static COUNTING: sys::Counting = sys::Counting;

const REQUEST: &[u8] =
    b"GET /plain?a=b HTTP/1.1\r\nHost: example.org\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";

/// Sends `request` and reads one response, whose length is known after the first was read.
fn exchange(
    reactor: &Reactor,
    stream: &mut TcpStream,
    request: &[u8],
    answer: &mut [u8],
    len: usize,
) {
    stream.write_all(request).unwrap();
    let mut got = 0;
    while got < len {
        match stream.read(&mut answer[got..]) {
            Ok(0) => panic!("the connection ended"),
            Ok(n) => got += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                reactor.turn(Some(Duration::ZERO)).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        // The first response shows the length of all.
        if len == usize::MAX && answer[..got].ends_with(b"hello, world\n") {
            return;
        }
    }
}

fn connect(reactor: &Reactor, server: HttpServer, clients: usize) -> Vec<TcpStream> {
    watchdog::watch_this_test();
    let port = reactor.listen_tcp("127.0.0.1:0", server).unwrap();
    let connect = |_| {
        let stream = TcpStream::connect(port.local()).unwrap();
        stream.set_nonblocking(true).unwrap();
        // Otherwise the second piece of a request waits for the kernel to acknowledge the first.
        stream.set_nodelay(true).unwrap();
        stream
    };
    (0..clients).map(connect).collect()
}

/// Allocations of a thousand requests, each answered by the handler.
fn allocations(server: HttpServer, request: &[u8]) -> u64 {
    let reactor = Reactor::new().unwrap();
    let mut streams = connect(&reactor, server, 1);
    let mut answer = vec![0; 4_096];
    exchange(&reactor, &mut streams[0], request, &mut answer, usize::MAX);
    let len = answer.windows(13).position(|text| text == b"hello, world\n").unwrap() + 13;
    let mut before = 0;
    for round in 0..1_100 {
        if round == 100 {
            before = sys::allocations();
        }
        exchange(&reactor, &mut streams[0], request, &mut answer, len);
    }
    sys::allocations() - before
}

#[test]
fn a_plain_request_allocates_nothing() {
    // The date is formatted once a second: a few strings.
    let made = allocations(HttpServer::new(answer(|_| "hello, world\n")), REQUEST);
    assert!(made < 50, "{made} allocations for 1,000 requests");
    let made = allocations(
        HttpServer::new(|request: Request, reply: Reply| {
            assert_eq!((request.path(), request.field("accept")), ("/plain", Some("*/*")));
            reply.send(Response::text("hello, world\n"));
        }),
        REQUEST,
    );
    assert!(made < 50, "{made} allocations for 1,000 requests");
}

#[test]
fn an_idle_connection_owns_no_buffer() {
    const CLIENTS: usize = 200;
    let reactor = Reactor::new().unwrap();
    let mut streams = connect(&reactor, HttpServer::new(answer(|_| "hello, world\n")), 2 * CLIENTS);
    let mut answer = vec![0; 4_096];
    let mut held = Vec::new();
    for half in streams.chunks_mut(CLIENTS) {
        for stream in half {
            exchange(&reactor, stream, REQUEST, &mut answer, usize::MAX);
            // A request in two pieces has owned a buffer for a while.
            stream.write_all(&REQUEST[..10]).unwrap();
            reactor.turn(Some(Duration::ZERO)).unwrap();
            exchange(&reactor, stream, &REQUEST[10..], &mut answer, usize::MAX);
        }
        held.push(sys::held());
    }
    let each = (held[1] - held[0]) / CLIENTS as i64;
    // All were accepted before the first request, so this is what requests leave behind.
    assert!(each < 64, "{each} bytes are left of the requests of a connection");
}

/// Bytes that a connection holds, all of it, once it has had an answer and waits for another request.
#[test]
fn an_idle_connection_is_small() {
    const CLIENTS: usize = 200;
    let reactor = Reactor::new().unwrap();
    let port =
        reactor.listen_tcp("127.0.0.1:0", HttpServer::new(answer(|_| "hello, world\n"))).unwrap();
    let mut answer = vec![0; 4_096];
    let mut streams = Vec::with_capacity(CLIENTS);
    let mut held = Vec::new();
    for clients in [CLIENTS / 2, CLIENTS] {
        while streams.len() < clients {
            let mut stream = TcpStream::connect(port.local()).unwrap();
            stream.set_nonblocking(true).unwrap();
            exchange(&reactor, &mut stream, REQUEST, &mut answer, usize::MAX);
            streams.push(stream);
        }
        held.push(sys::held());
    }
    let each = (held[1] - held[0]) / (CLIENTS - CLIENTS / 2) as i64;
    eprintln!("{each} bytes");
    assert!(each <= 256, "{each} bytes for an idle connection");
}

#[cfg(feature = "websocket")]
mod websocket {
    use sinew_http::websocket::{
        DeflateConfig, Opcode, WebSocket, WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
        encode_frame,
    };

    use super::*;

    const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

    /// Echoes.
    struct Echo;

    impl WebSocketHandler for Echo {
        fn text(&mut self, socket: &WebSocket, text: &str) {
            socket.send_text(text);
        }
    }

    /// Answers in parts, after a pause: an idle connection keeps nothing of that.
    struct Busy;

    impl WebSocketHandler for Busy {
        fn text(&mut self, socket: &WebSocket, text: &str) {
            socket.pause_reading();
            socket.resume_reading();
            let mut answer = socket.begin_text().unwrap();
            answer.write(text);
            answer.finish();
        }
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        encode_frame(&mut frame, Opcode::Text, true, payload, Some([1, 2, 3, 4]));
        frame
    }

    /// Makes the handshake.
    fn open(reactor: &Reactor, stream: &mut TcpStream) {
        stream.write_all(HANDSHAKE).unwrap();
        let (mut got, mut answer) = (0, vec![0; 4_096]);
        while !answer[..got].ends_with(b"\r\n\r\n") {
            match stream.read(&mut answer[got..]) {
                Ok(n) => got += n,
                Err(_) => reactor.turn(Some(Duration::ZERO)).unwrap(),
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
    }

    fn server(deflate: bool) -> HttpServer {
        // Small messages, too, so that the test sees what compression leaves behind.
        let deflate = deflate.then(|| DeflateConfig::default().compress_from(0));
        let config = WebSocketConfig::default().deflate(deflate);
        HttpServer::new(WebSocketUpgrade::new(|_| Busy).config(config))
    }

    /// All bytes of an idle WebSocket, from its acceptance on.
    fn idle(deflate: bool) -> i64 {
        const CLIENTS: usize = 200;
        let reactor = Reactor::new().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", server(deflate)).unwrap();
        let mut streams = Vec::with_capacity(2 * CLIENTS);
        let mut held = Vec::new();
        for clients in [CLIENTS, 2 * CLIENTS] {
            while streams.len() < clients {
                let mut stream = TcpStream::connect(port.local()).unwrap();
                stream.set_nonblocking(true).unwrap();
                stream.set_nodelay(true).unwrap();
                open(&reactor, &mut stream);
                let message = frame(b"hello");
                // In two parts: the connection has owned a buffer for a while.
                for part in [&message[..7], &message[7..]] {
                    stream.write_all(part).unwrap();
                    reactor.turn(Some(Duration::ZERO)).unwrap();
                }
                let mut answer = [0; 64];
                while stream.read(&mut answer).is_err() {
                    reactor.turn(Some(Duration::ZERO)).unwrap();
                }
                streams.push(stream);
            }
            held.push(sys::held());
        }
        (held[1] - held[0]) / CLIENTS as i64
    }

    /// The bound is that of an idle keep-alive connection: the stream, its slot in the reactor, its timer, and 40 bytes of WebSocket.
    #[test]
    fn an_idle_websocket_is_small() {
        for deflate in [false, true] {
            let each = idle(deflate);
            println!("deflate {deflate}: {each} bytes");
            assert!(each <= 256, "{each} bytes for an idle WebSocket, with deflate: {deflate}");
        }
    }

    /// A message of a client, and its echo.
    #[test]
    fn a_short_message_allocates_nothing() {
        let reactor = Reactor::new().unwrap();
        let upgrade = WebSocketUpgrade::new(|_| Echo);
        let mut streams = connect(&reactor, HttpServer::new(upgrade), 1);
        let stream = &mut streams[0];
        open(&reactor, stream);
        let message = frame(b"hello, world\n");
        let (mut answer, mut before) = (vec![0; 4_096], 0);
        for round in 0..1_100 {
            if round == 100 {
                before = sys::allocations();
            }
            exchange(&reactor, stream, &message, &mut answer, 15);
        }
        let made = sys::allocations() - before;
        assert!(made < 50, "{made} allocations for 1,000 messages");
    }
}
