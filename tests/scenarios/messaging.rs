//! WebSockets through cuts, resets, kills and slow links, in fragments and compressed: both ends send messages of their own, and each
//! receives those of the other in order, whole, and at most once. Each connection is opened once and closed once, with the code of one of
//! the ends or as an abnormal end; if both have closed in order, all messages have arrived.

use std::{cell::Cell, rc::Rc};

use sinew::{
    http::{
        server::{HttpServer, Request},
        websocket::{
            CloseCode, CloseReason, DeflateConfig, MessageLimits, WebSocket, WebSocketClient,
            WebSocketConfig, WebSocketHandler, WebSocketUpgrade,
        },
    },
    prelude::*,
    sim::{Host, Latency, Link, Network, RandomFaults},
    testing::{assert_clean, simulate},
};

use super::{fixture::again_and_again, parties::pattern, watch::Watch};
use crate::{millis, secs, seeds};

/// Messages of each end of a connection.
const MESSAGES: u64 = 20;

/// Longest message.
const LEN_MAX: u64 = 40_000;

/// Numbers up to this are those of clients, the others of servers.
const SERVER: u64 = 1_000;

/// What the ends of all connections have seen.
#[derive(Default)]
pub(crate) struct Tally {
    opened: Cell<u64>,
    closed: Cell<u64>,
    received: Cell<u64>,
    /// Connections that have ended as the client wanted it.
    pub(crate) completed: Cell<u64>,
}

fn add(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// The message of this number, begun by the number itself. One in three is a text; the longer ones compress well, badly, or not at all.
fn message(number: u64) -> String {
    let len = [0, 40, 900, LEN_MAX][number as usize % 4] as usize;
    let random = |at: usize| pattern(number, at.wrapping_mul(at).wrapping_add(at / 7));
    let char = |at: usize| match number % 3 {
        0 => char::from(b'a' + (at % 3) as u8),
        1 => char::from(b' ' + random(at) % 90),
        _ => char::from(random(at)),
    };
    format!("{number} ") + &(0..len).map(char).collect::<String>()
}

/// One end of a connection.
struct End {
    /// Added to the numbers of its own messages, and of those of the peer.
    own: u64,
    peers: u64,
    sent: u64,
    received: u64,
    state: State,
    tally: Rc<Tally>,
    /// Kept for the timer that resumes reading.
    reactor: WeakReactor,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    New,
    Open,
    Closed,
}

impl End {
    fn new(reactor: &Reactor, tally: &Rc<Tally>, is_server: bool) -> Self {
        let (own, peers) = if is_server { (SERVER, 0) } else { (0, SERVER) };
        let (tally, reactor) = (Rc::clone(tally), reactor.downgrade());
        Self { own, peers, sent: 0, received: 0, state: State::New, tally, reactor }
    }

    /// Sends the next messages, a few more than were received.
    fn send(&mut self, socket: &WebSocket) {
        while self.sent < MESSAGES && self.sent < self.received + 4 {
            let text = message(self.own + self.sent);
            match self.sent % 4 {
                3 if self.own == 0 => {
                    let Some(mut parts) = socket.begin_text() else { return };
                    text.split_inclusive('e').for_each(|part| {
                        parts.write(part);
                    });
                    parts.finish();
                }
                1 => drop(socket.send_binary(&text)),
                _ => drop(socket.send_text(&text)),
            }
            self.sent += 1;
        }
    }

    fn receive(&mut self, socket: &WebSocket, data: &[u8]) {
        assert_eq!(self.state, State::Open, "a message");
        let number = self.peers + self.received;
        assert!(data == message(number).as_bytes(), "message {number}: {} bytes", data.len());
        self.received += 1;
        add(&self.tally.received);
        self.send(socket);
        if self.has_all() && self.own == 0 {
            // The client closes, after its messages; its last one closes for the server.
            socket.close(CloseCode::NORMAL);
        }
        self.rest(socket);
    }

    fn has_all(&self) -> bool {
        self.received == MESSAGES
    }

    /// Now and then nothing is read for a while, and a server goes away in the middle.
    fn rest(&self, socket: &WebSocket) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let random = reactor.random();
        if random.is_multiple_of(8) {
            socket.pause_reading();
            let socket = socket.clone();
            reactor.call_later(millis(random >> 32 & 255), move |_| socket.resume_reading());
        }
        if self.own == SERVER && random >> 8 & 255 == 0 {
            socket.close(CloseReason::new(CloseCode::GOING_AWAY, "a restart"));
        }
    }
}

impl WebSocketHandler for End {
    fn opened(&mut self, socket: &WebSocket) {
        assert_eq!(self.state, State::New, "opened");
        self.state = State::Open;
        add(&self.tally.opened);
        self.send(socket);
    }

    fn text(&mut self, socket: &WebSocket, text: &str) {
        self.receive(socket, text.as_bytes());
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        self.receive(socket, data);
    }

    fn closed(&mut self, reason: &CloseReason) {
        assert_eq!(self.state, State::Open, "closed");
        self.state = State::Closed;
        add(&self.tally.closed);
        match reason.code {
            // The client has received everything.
            CloseCode::NORMAL if self.own == 0 => {
                assert!(self.has_all());
                add(&self.tally.completed);
            }
            CloseCode::NORMAL => assert_eq!(self.sent, MESSAGES, "the client has them all"),
            CloseCode::GOING_AWAY | CloseCode::ABNORMAL => {}
            code => panic!("closed with {}: {}", code.number(), reason.text),
        }
    }
}

/// What both ends of all connections are configured with.
fn config(random: u64) -> WebSocketConfig {
    let takeover = random >> 8 & 1 == 0;
    let deflate = DeflateConfig::default()
        .send_context_takeover(takeover)
        .receive_context_takeover(takeover)
        .compress_from(random as usize >> 16 & 63)
        .level(1);
    WebSocketConfig::default()
        .deflate((random >> 9 & 3 != 0).then_some(deflate))
        .fragment_len([None, Some(1_000), Some(100)][(random >> 32) as usize % 3])
        .messages(MessageLimits::default().fragments_max(1 << 20))
        .ping_after(secs(5))
}

fn boot_server(host: &Host, config: &WebSocketConfig, tally: &Rc<Tally>) {
    let (config, tally) = (config.clone(), Rc::clone(tally));
    host.boot(move |reactor| {
        let (tally, weak) = (Rc::clone(&tally), reactor.downgrade());
        let end = move |_: &Request| {
            End::new(&weak.upgrade().expect("the loop calls handlers"), &tally, true)
        };
        let server = HttpServer::new(WebSocketUpgrade::new(end).config(config.clone()));
        drop(reactor.listen_tcp("0.0.0.0:7", server).expect("a free port"));
    });
}

fn boot_client(host: &Host, config: &WebSocketConfig, tally: &Rc<Tally>) {
    let (config, tally) = (config.clone(), Rc::clone(tally));
    again_and_again(host, move |reactor| {
        let client = WebSocketClient::new("ws://server:7/").expect("a good URL");
        let end = End::new(reactor, &tally, false);
        client.config(config.clone()).timeout(secs(20)).connect(reactor, end).detach();
    });
}

/// Runs it with faults until all is over, and checks what is left.
fn converse(network: &Network, link: Link, faults: RandomFaults, kills: bool) -> Rc<Tally> {
    // For its time limit.
    let _watch = Watch::over(network);
    network.set_link(link);
    let server = network.host("server");
    let clients = [network.host("one"), network.host("two")];
    let config = config(server.reactor().random());
    let tally = Rc::new(Tally::default());
    boot_server(&server, &config, &tally);
    clients.iter().for_each(|client| boot_client(client, &config, &tally));
    network.set_random_faults(faults);
    network.run_for(secs(20)).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(secs(3_000)).unwrap();
    clients.iter().for_each(|client| assert_clean(&client.reactor()));
    let served = server.reactor();
    assert_eq!(served.stats().connections, 0, "{}", served.leak_report());
    let (opened, closed) = (tally.opened.get(), tally.closed.get());
    assert!(kills || opened == closed, "{opened} were opened, {closed} closed");
    tally
}

fn fast() -> Link {
    Link::default().latency(Latency::Tailed(millis(5), millis(5)))
}

pub(crate) fn over_a_slow_link(network: &Network) {
    let link = fast().loss(0.01).bandwidth(400_000);
    let tally = converse(network, link, RandomFaults::every(secs(2)).pauses(), false);
    let (completed, opened) = (tally.completed.get(), tally.opened.get() / 2);
    // Some end abnormally: while a host rests, pings are not answered, nor is a close.
    assert!(completed > 10, "{completed} of {opened} were completed");
}

pub(crate) fn through_cuts_and_resets(network: &Network) {
    let faults = RandomFaults::every(millis(700)).lasting(secs(3)).cuts().one_way_cuts().resets();
    let tally = converse(network, fast(), faults, false);
    let received = tally.received.get();
    assert!(received > 50, "{received} messages");
}

pub(crate) fn with_servers_that_are_killed(network: &Network) {
    let faults = RandomFaults::every(secs(2)).kills().power_cuts().pauses().cuts();
    let tally = converse(network, fast().loss(0.02), faults, true);
    assert!(tally.received.get() > 0);
}

#[test]
fn web_sockets_over_a_slow_link() {
    simulate(seeds(), over_a_slow_link);
}

#[test]
fn web_sockets_through_cuts_and_resets() {
    simulate(seeds(), through_cuts_and_resets);
}

#[test]
fn web_sockets_with_servers_that_are_killed() {
    simulate(seeds(), with_servers_that_are_killed);
}
