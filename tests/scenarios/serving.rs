//! An HTTP server and raw clients that pipeline requests with bodies of all kinds and read irregularly: every response belongs to its
//! request, in order and complete; no request is handled twice, and every handler learns the end of its response.

use std::{
    cell::{Cell, RefCell},
    collections::{HashSet, VecDeque},
    rc::Rc,
};

use sinew::{
    http::{
        Body, BodySource, BodyWaker, Method, Produced, StatusCode,
        codec::{BodyDecoder, BodyEvent, ChunkLimits, HeadLimits, ResponseHead, chunk, last_chunk},
        server::{HttpServer, Reply, Request, Response},
    },
    prelude::*,
    sim::{Latency, Link, Network, RandomFaults},
    testing::simulate,
};

use super::{
    fixture::{Fixture, dial_again_and_again},
    parties::pattern,
};
use crate::{millis, secs, seeds};

/// Requests on one connection.
const REQUESTS: usize = 12;

/// Most requests that a client sends before their responses.
const PIPELINED_MAX: u64 = 5;

/// Longest body.
const LEN_MAX: u64 = 60_000;

/// Limit of the output queue of a server connection: the high watermark, and the largest response that is written at once.
const QUEUED_MAX: usize = 64 * 1024 + LEN_MAX as usize + 1_024;

/// A request and its response. The target of the request contains everything.
#[derive(Clone, Copy)]
struct Call {
    id: u64,
    kind: u64,
    len: usize,
}

impl Call {
    fn draw(reactor: &Reactor, id: u64) -> Self {
        let random = reactor.random();
        let max = if random & 3 == 0 { LEN_MAX } else { 500 };
        Self { id, kind: (random >> 8) % 8, len: ((random >> 32) % max) as usize }
    }

    fn parse(target: &str) -> Self {
        let mut numbers = target[1..].split('/').map(|number| number.parse::<u64>().unwrap());
        let mut next = || numbers.next().expect("three numbers");
        Self { id: next(), kind: next(), len: next() as usize }
    }

    fn method(self) -> Method {
        match self.kind {
            4..=6 => Method::POST,
            7 => Method::HEAD,
            _ => Method::GET,
        }
    }

    fn body(self) -> Vec<u8> {
        (0..self.len).map(|at| pattern(self.id, at)).collect()
    }

    /// The bytes of the request.
    fn request(self) -> Vec<u8> {
        let Self { id, kind, len } = self;
        let mut request =
            format!("{} /{id}/{kind}/{len} HTTP/1.1\r\nHost: a\r\n", self.method()).into_bytes();
        match kind {
            // With a length: read, or ignored by the handler.
            4 | 5 => {
                request.extend_from_slice(format!("Content-Length: {len}\r\n\r\n").as_bytes());
                request.extend_from_slice(&self.body());
            }
            6 => {
                request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                self.body().chunks(1_000).for_each(|piece| chunk(&mut request, piece));
                last_chunk(&mut request, &sinew::http::Fields::new());
            }
            _ => request.extend_from_slice(b"\r\n"),
        }
        request
    }
}

/// What the server has done.
#[derive(Default)]
struct Handled {
    ids: RefCell<HashSet<u64>>,
    ended: Cell<usize>,
}

impl Handled {
    fn handle(self: &Rc<Self>, request: &Request, reply: Reply) {
        let call = Call::parse(request.path());
        assert!(self.ids.borrow_mut().insert(call.id), "request {} is handled twice", call.id);
        let this = Rc::clone(self);
        let reply = reply.on_end(move |_, _| this.ended.set(this.ended.get() + 1));
        let response = move |body: Body| {
            let response = Response::new(StatusCode::OK).with("X-Id", call.id.to_string()).unwrap();
            response.with_body(body)
        };
        match call.kind {
            // In pieces, of unknown length.
            1 => reply.send(response(Body::source(Pieces { call, at: 0 }, None))),
            // In pieces, of known length.
            2 => reply.send(response(Body::source(Pieces { call, at: 0 }, call.len as u64))),
            // Later.
            3 => {
                let delay = millis(request.reactor().random() % 1_000);
                request
                    .reactor()
                    .call_later(delay, move |_| reply.send(response(call.body().into())));
            }
            // When the body has arrived.
            4 | 6 => request.collect().then(move |_, body| {
                let Ok(body) = body else { return };
                assert!(body == call.body(), "another body than that of {}", call.id);
                reply.send(response(body.into()));
            }),
            _ => reply.send(response(call.body().into())),
        }
    }
}

/// A body that is produced a little at a time.
struct Pieces {
    call: Call,
    at: usize,
}

impl BodySource for Pieces {
    fn produce(&mut self, out: &mut Vec<u8>, _: &BodyWaker) -> Produced {
        let end = self.call.len.min(self.at + 3_000);
        out.extend((self.at..end).map(|at| pattern(self.call.id, at)));
        self.at = end;
        if end == self.call.len { Produced::Done } else { Produced::More }
    }
}

/// One connection of a client.
struct Client {
    to_send: usize,
    depth: usize,
    expected: VecDeque<Call>,
    input: Vec<u8>,
    head: ResponseHead,
    body: Option<(BodyDecoder, Vec<u8>)>,
    done: Rc<Cell<u64>>,
    tally: Rc<Tally>,
}

/// What all clients share.
#[derive(Default)]
struct Tally {
    ids: Cell<u64>,
    answers: Cell<u64>,
    /// The kernel of a killed server sends what it has taken and then the end: a clean one in the middle of a response, which only
    /// its framing tells.
    kills: bool,
}

impl Client {
    fn new(reactor: &Reactor, tally: &Rc<Tally>, done: &Rc<Cell<u64>>) -> Self {
        Self {
            to_send: REQUESTS,
            depth: 1 + (reactor.random() % PIPELINED_MAX) as usize,
            expected: VecDeque::new(),
            input: Vec::new(),
            head: ResponseHead::default(),
            body: None,
            done: Rc::clone(done),
            tally: Rc::clone(tally),
        }
    }

    /// Sends requests as far as the depth allows, or closes when all are answered.
    fn ask(&mut self, transport: &Transport) {
        let reactor = transport.reactor().expect("in a callback");
        while self.to_send > 0 && self.expected.len() < self.depth {
            self.to_send -= 1;
            self.tally.ids.set(self.tally.ids.get() + 1);
            let call = Call::draw(&reactor, self.tally.ids.get());
            transport.write(call.request());
            self.expected.push_back(call);
        }
        if self.expected.is_empty() {
            self.done.set(self.done.get() + 1);
            transport.lose_connection();
        }
    }

    /// Parses one response, if it is complete.
    fn take_response(&mut self, transport: &Transport) -> bool {
        let input = std::mem::take(&mut self.input);
        let mut rest = &input[..];
        if self.body.is_none()
            && let Some(len) =
                self.head.decode(rest, 0, &HeadLimits::default()).expect("a valid head")
        {
            rest = &rest[len..];
            if self.head.status() == StatusCode::REQUEST_TIMEOUT {
                // The network was cut while a request was on its way.
                assert!(!self.head.is_persistent());
                transport.abort();
                return false;
            }
            let call = self.expected.front().expect("a response without a request");
            assert_eq!(self.head.status(), StatusCode::OK);
            assert_eq!(self.head.fields().text("x-id"), Some(&*call.id.to_string()));
            let framing = self.head.framing(&call.method());
            self.body = Some((BodyDecoder::new(framing, ChunkLimits::default()), Vec::new()));
        }
        let mut is_complete = false;
        if let Some((decoder, body)) = &mut self.body {
            loop {
                match decoder.decode(&mut rest).expect("a valid body") {
                    BodyEvent::Data(data) => body.extend_from_slice(data),
                    BodyEvent::End => break is_complete = true,
                    _ => break,
                }
            }
        }
        self.input = rest.to_vec();
        is_complete
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(60));
        self.ask(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.input.extend_from_slice(data);
        while self.take_response(transport) {
            let (call, (_, body)) =
                self.expected.pop_front().zip(self.body.take()).expect("a response");
            let expected = if call.method() == Method::HEAD { Vec::new() } else { call.body() };
            assert!(body == expected, "the body of response {}: {} bytes", call.id, body.len());
            self.tally.answers.set(self.tally.answers.get() + 1);
            self.ask(transport);
        }
        let random = transport.reactor().expect("in a callback").random();
        if random.is_multiple_of(16) {
            transport.pause_reading();
            transport.call_later(millis(random >> 32 & 511));
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.resume_reading();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(
            self.tally.kills || !reason.is_clean() || self.body.is_none() && self.input.is_empty(),
            "a response was truncated"
        );
    }
}

/// Runs it with faults. Returns the numbers of responses and of connections on which all were received.
fn serve(network: &Network, link: Link, faults: RandomFaults, kills: bool) -> (u64, u64) {
    let mut fixture = Fixture::empty(network, 3, QUEUED_MAX);
    if kills {
        fixture.watch.allow_kills();
    }
    network.set_link(link);
    let handled = Rc::new(Handled::default());
    let (serving, handling) = (fixture.serving.clone(), Rc::clone(&handled));
    fixture.server.boot(move |reactor| {
        let (serving, handled) = (serving.clone(), Rc::clone(&handling));
        let server =
            HttpServer::new(move |request: Request, reply: Reply| handled.handle(&request, reply));
        let factory = move |_: &Peer| serving.watch(server.connection());
        reactor.listen_tcp("0.0.0.0:7", factory).expect("a free port");
    });
    let tally = Rc::new(Tally { kills, ..Tally::default() });
    for client in &fixture.clients {
        let watch = fixture.watch.on(client, PIPELINED_MAX as usize * (LEN_MAX as usize + 1_024));
        let (tally, done) = (Rc::clone(&tally), Rc::clone(&fixture.done));
        fixture.diallers.push(watch.clone());
        dial_again_and_again(client, move |reactor| {
            watch.watch(Client::new(reactor, &tally, &done))
        });
    }
    network.set_random_faults(faults);
    fixture.play(secs(20));
    let count = handled.ids.borrow().len();
    assert!(
        kills || handled.ended.get() == count,
        "{} of {count} were told the end",
        handled.ended.get()
    );
    (tally.answers.get(), fixture.done.get())
}

fn fast() -> Link {
    Link::default().latency(Latency::Tailed(millis(5), millis(5)))
}

pub(crate) fn requests_over_a_slow_link(network: &Network) {
    let link = fast().loss(0.01).bandwidth(400_000);
    let (answers, done) = serve(network, link, RandomFaults::every(secs(2)).pauses(), false);
    assert!(done > 4 && answers >= done * REQUESTS as u64, "{answers} responses, {done} complete");
}

pub(crate) fn requests_through_cuts_and_resets(network: &Network) {
    let faults = RandomFaults::every(millis(700)).lasting(secs(3)).cuts().one_way_cuts().resets();
    let (answers, _) = serve(network, fast(), faults, false);
    assert!(answers > 4, "{answers} responses");
}

pub(crate) fn requests_to_servers_that_are_killed(network: &Network) {
    let faults = RandomFaults::every(secs(2)).kills().power_cuts().pauses().cuts();
    let (answers, _) = serve(network, fast().loss(0.02), faults, true);
    assert!(answers > 0);
}

#[test]
fn http_over_a_slow_link() {
    simulate(seeds(), requests_over_a_slow_link);
}

#[test]
fn http_through_cuts_and_resets() {
    simulate(seeds(), requests_through_cuts_and_resets);
}

#[test]
fn http_to_servers_that_are_killed() {
    simulate(seeds(), requests_to_servers_that_are_killed);
}
