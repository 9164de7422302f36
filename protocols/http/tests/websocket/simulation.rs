//! WebSockets in a simulated network that cuts, resets, pauses and kills: whatever happens, messages arrive in order, whole, and at most
//! once, on connections with and without compression.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_http::{
    server::{HttpServer, Request},
    websocket::{
        CloseCode, CloseReason, DeflateConfig, WebSocket, WebSocketClient, WebSocketConfig,
        WebSocketHandler, WebSocketUpgrade,
    },
};
use sinew_testkit::{
    sim::{Network, RandomFaults},
    testing::simulate,
};
use sinew_transports::{
    ClientService, Peer, RetryConfig,
    endpoint::{ClientEndpoint, TcpClient},
};

/// Messages of a connection.
const MESSAGES: u32 = 30;

/// The message of that number: some are long, some compress well.
fn message(number: u32) -> Vec<u8> {
    let len = [0, 10, 700, 12_000][number as usize % 4];
    let noise = |at: u32| (number.wrapping_mul(31).wrapping_add(at * at) >> (number % 7)) as u8;
    [&number.to_be_bytes()[..], &(0..len).map(noise).collect::<Vec<_>>()].concat()
}

/// Echoes. Now and then it is the server that closes.
struct Echo(u32);

impl WebSocketHandler for Echo {
    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        self.0 += 1;
        socket.send_binary(data);
        if self.0 == 25 && data.len() % 3 == 0 {
            socket.close(CloseCode::GOING_AWAY);
        }
    }
}

/// Sends message after message, a few ahead of their echoes, some in parts.
struct Sender {
    sent: u32,
    received: u32,
    seen: Rc<Seen>,
}

#[derive(Default)]
struct Seen {
    echoes: Cell<u32>,
    opened: Cell<u32>,
    completed: Cell<u32>,
}

impl Sender {
    fn send(&mut self, socket: &WebSocket) {
        while self.sent < MESSAGES && self.sent < self.received + 5 {
            let message = message(self.sent);
            match self.sent % 3 {
                0 => {
                    let Some(mut parts) = socket.begin_binary() else { return };
                    let (first, last) = message.split_at(message.len() / 3);
                    parts.write(first);
                    parts.write(last);
                    parts.finish();
                }
                _ => {
                    socket.send_binary(&message);
                }
            }
            self.sent += 1;
        }
        if self.received == MESSAGES {
            socket.close(CloseCode::NORMAL);
        }
    }
}

impl WebSocketHandler for Sender {
    fn opened(&mut self, socket: &WebSocket) {
        self.seen.opened.set(self.seen.opened.get() + 1);
        self.send(socket);
    }

    fn binary(&mut self, socket: &WebSocket, data: &[u8]) {
        assert!(data == message(self.received), "the echo of message {}", self.received);
        self.received += 1;
        self.seen.echoes.set(self.seen.echoes.get() + 1);
        self.send(socket);
    }

    fn closed(&mut self, reason: &CloseReason) {
        assert!(
            matches!(reason.code.number(), 1_000 | 1_001 | 1_006),
            "{}: {}",
            reason.code.number(),
            reason.text
        );
        if self.received == MESSAGES {
            self.seen.completed.set(self.seen.completed.get() + 1);
        }
    }
}

fn run(network: &Network, deflate: Option<DeflateConfig>) -> Rc<Seen> {
    let (server, client) = (network.host("server"), network.host("client"));
    let config = WebSocketConfig::default()
        .deflate(deflate)
        .fragment_len(5_000)
        .ping_after(Duration::from_secs(2));
    let of_server = config.clone();
    server.boot(move |reactor| {
        use sinew_transports::ReactorTcp;
        let upgrade = WebSocketUpgrade::new(|_: &Request| Echo(0)).config(of_server.clone());
        drop(reactor.listen_tcp("0.0.0.0:80", HttpServer::new(upgrade)).unwrap());
    });
    let seen = Rc::new(Seen::default());
    let shared = Rc::clone(&seen);
    client.boot(move |reactor| {
        let seen = Rc::clone(&shared);
        let client = WebSocketClient::new("ws://server/").unwrap().config(config.clone());
        let build = move |_: &Peer| Sender { sent: 0, received: 0, seen: Rc::clone(&seen) };
        let factory = client.factory(build).unwrap();
        let to = ClientEndpoint::new(TcpClient::new("server:80"));
        let retry =
            RetryConfig::default().delay(Duration::from_millis(200), Duration::from_secs(1));
        let service = ClientService::with(reactor, to, retry, factory);
        service.start();
        // As long as this host runs.
        reactor.call_later(Duration::from_secs(1_000), move |_| drop(service));
    });
    network.run_for(Duration::from_secs(20)).unwrap();
    seen
}

fn deflate() -> DeflateConfig {
    DeflateConfig::default()
        .send_context_takeover(true)
        .receive_context_takeover(true)
        .compress_from(5)
        .level(1)
}

#[test]
fn without_faults_every_message_comes_back() {
    crate::watchdog::watch_this_test();
    simulate(0..4, |network| {
        let seen = run(network, (network.seed() % 2 == 0).then(deflate));
        assert!(seen.completed.get() > 0 && seen.echoes.get() > 100, "{}", seen.echoes.get());
    });
}

#[test]
fn no_message_is_mixed_up_whatever_the_network_does() {
    crate::watchdog::watch_this_test();
    let (opened, echoes) = (Cell::new(0), Cell::new(0));
    simulate(0..12, |network| {
        let faults = RandomFaults::every(Duration::from_secs(2)).cuts().kills().pauses().resets();
        network.set_random_faults(faults);
        let seen = run(network, (network.seed() % 2 == 0).then(deflate));
        opened.set(opened.get() + seen.opened.get());
        echoes.set(echoes.get() + seen.echoes.get());
    });
    assert!(opened.get() > 30 && echoes.get() > 1_000, "{} {}", opened.get(), echoes.get());
}
