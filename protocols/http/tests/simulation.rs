//! The server on a simulated network with fault injection (cuts, resets, pauses, kills): whatever happens, a client receives the
//! responses to its requests, in order, complete or not at all.

#[path = "../../../tests/support/watchdog.rs"]
mod watchdog;

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use sinew_http::{
    Method, StatusCode,
    codec::{BodyDecoder, BodyEvent, ChunkLimits, HeadLimits, ResponseHead},
    server::{Body, HttpServer, Reply, Request, Response},
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{ConnectionLost, Peer, Protocol, ReactorTcp, Transport};

/// Requests that a client sends on each of its connections, some pipelined.
const REQUESTS: u32 = 20;

/// Responds with the target and the body: at once, later, or in pieces, depending on the number in the target.
fn handler(request: Request, reply: Reply) {
    let target = request.path().to_owned();
    let number: u32 = target[1..].parse().unwrap();
    request.clone().collect().then(move |reactor, body| {
        let Ok(body) = body else { return };
        let text = [target.as_bytes(), b" ", &body].concat();
        match number % 3 {
            0 => reply.send(Response::text(text)),
            1 => {
                reactor.call_later(Duration::from_millis(20), |_| reply.send(Response::text(text)));
            }
            _ => {
                let (writer, body) = Body::writer();
                reply.send(Response::new(StatusCode::OK).with_body(body));
                reactor.call_later(Duration::from_millis(5), move |_| {
                    for piece in text.chunks(3) {
                        writer.write(piece);
                    }
                    writer.finish();
                });
            }
        }
    });
}

/// The body of a request.
fn body(number: u32) -> Vec<u8> {
    vec![b'a' + (number % 26) as u8; (number as usize * 977) % 5_000]
}

/// What all connections of a client have seen.
#[derive(Default)]
struct Seen {
    answers: u32,
    connections: u32,
}

/// One connection of a client.
struct Client {
    sent: u32,
    expected: VecDeque<u32>,
    input: Vec<u8>,
    head: ResponseHead,
    body: Option<(BodyDecoder, Vec<u8>)>,
    seen: Rc<RefCell<Seen>>,
}

impl Client {
    fn new(seen: &Rc<RefCell<Seen>>) -> Self {
        seen.borrow_mut().connections += 1;
        let (expected, head) = (VecDeque::new(), ResponseHead::default());
        Self { sent: 0, expected, input: Vec::new(), head, body: None, seen: Rc::clone(seen) }
    }

    fn ask(&mut self, transport: &Transport) {
        // Up to three pipelined.
        while self.sent < REQUESTS && self.expected.len() < 3 {
            let body = body(self.sent);
            let head = format!(
                "POST /{} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
                self.sent,
                body.len()
            );
            transport.write_vectored(&[head.as_bytes(), &body]);
            self.expected.push_back(self.sent);
            self.sent += 1;
        }
        if self.expected.is_empty() {
            transport.lose_connection();
        }
    }

    /// Takes a response out of the input, if it is complete.
    fn answer(&mut self) -> bool {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        let mut is_whole = false;
        if self.body.is_none()
            && let Some(len) =
                self.head.decode(rest, 0, &HeadLimits::default()).expect("a valid head")
        {
            assert_eq!(self.head.status(), StatusCode::OK);
            rest = &rest[len..];
            let framing = self.head.framing(&Method::POST);
            self.body = Some((BodyDecoder::new(framing, ChunkLimits::default()), Vec::new()));
        }
        if let Some((decoder, text)) = &mut self.body {
            loop {
                match decoder.decode(&mut rest).expect("a valid body") {
                    BodyEvent::Data(data) => text.extend_from_slice(data),
                    BodyEvent::End => break is_whole = true,
                    _ => break,
                }
            }
        }
        self.input = rest.to_vec();
        is_whole
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        self.ask(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.input.extend_from_slice(data);
        while self.answer() {
            let (_, text) = self.body.take().expect("the body was decoded");
            let number = self.expected.pop_front().expect("a response to a request");
            let expected = [format!("/{number} ").as_bytes(), &body(number)].concat();
            assert!(text == expected, "the answer to {number}: {}", text.escape_ascii());
            self.seen.borrow_mut().answers += 1;
            self.ask(transport);
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {}
}

/// Opens a new connection every second, and counts results.
fn run(network: &Network) -> (u32, u32) {
    let (server, client) = (network.host("server"), network.host("client"));
    server
        .boot(|reactor| drop(reactor.listen_tcp("0.0.0.0:80", HttpServer::new(handler)).unwrap()));
    let seen = Rc::new(RefCell::new(Seen::default()));
    let shared = Rc::clone(&seen);
    client.boot(move |reactor| {
        let seen = Rc::clone(&shared);
        reactor.call_every(Duration::from_secs(1), move |reactor| {
            let seen = Rc::clone(&seen);
            reactor.connect_tcp("server:80", move |_: &Peer| Client::new(&seen)).detach();
        });
    });
    network.run_for(Duration::from_secs(30)).unwrap();
    let seen = seen.borrow();
    (seen.connections, seen.answers)
}

#[test]
fn without_faults_every_request_is_answered() {
    watchdog::watch_this_test();
    simulate(0..5, |network| {
        let (connections, answers) = run(network);
        assert!(
            connections >= 25 && answers >= (connections - 2) * REQUESTS,
            "{connections} {answers}"
        );
    });
}

#[test]
fn responses_match_requests_under_faults() {
    watchdog::watch_this_test();
    simulate(0..60, |network| {
        let faults = RandomFaults::every(Duration::from_secs(2)).cuts().kills().pauses().resets();
        network.set_random_faults(faults);
        run(network);
    });
}
