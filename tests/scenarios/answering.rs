//! A server that answers early, stops reading, and resets the connection once its answer has had time to arrive: a
//! client that is still sending must get the answer, directly and through the proxy of `examples/portforward.rs`.

use std::{cell::Cell, rc::Rc};

use sinew::{
    prelude::*,
    sim::{Latency, Link, Network},
    testing::simulate,
    transports::Destination,
};

use super::{
    fixture::{Fixture, dial_again_and_again},
    parties::pattern,
};
use crate::{millis, portforward::End, secs, seeds};

const ANSWER: usize = 10_000;

/// What a client sends: more than all buffers on the way hold.
const TOTAL: usize = 700_000;

/// Longer than a link takes to deliver the answer, including retransmissions.
const PATIENCE: std::time::Duration = secs(4);

/// Answers after the first byte.
struct AnswersEarly;

impl Protocol for AnswersEarly {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        transport.pause_reading();
        transport.write(&(0..ANSWER).map(|at| pattern(1, at)).collect::<Vec<_>>());
        transport.call_later(PATIENCE);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.abort();
    }
}

/// Sends continuously, in pieces from a timer, and counts the bytes received.
struct Client {
    sent: usize,
    got: usize,
    done: Rc<Cell<u64>>,
}

impl Client {
    fn send(&mut self, transport: &Transport) {
        let random = transport.reactor().unwrap().random();
        let len = (random as usize % 60_000).min(TOTAL - self.sent);
        self.sent += len;
        if transport.write(&vec![0; len]) != WriteStatus::Closed && self.sent < TOTAL {
            transport.call_later(millis(random >> 16 & 255));
        }
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        self.send(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        assert!(data.iter().zip(self.got..).all(|(byte, at)| *byte == pattern(1, at)));
        self.got += data.len();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert_eq!(self.got, ANSWER, "the answer was lost with the connection: {reason}");
        self.done.set(self.done.get() + 1);
    }
}

fn answers(network: &Network, is_forwarded: bool) {
    let fixture = Fixture::empty(network, 2, TOTAL);
    let latency = Latency::Tailed(millis(5), millis(5));
    network.set_link(Link::default().latency(latency).loss(0.02));
    let origin = if is_forwarded { network.host("origin") } else { fixture.server.clone() };
    if is_forwarded {
        let serving = fixture.serving.clone().in_part();
        fixture.server.boot(move |reactor| {
            let (serving, to) = (serving.clone(), Destination::from("origin:7").into());
            let end = End { to, idle_timeout: None, send_proxy: None };
            let factory = move |_: &Peer| serving.watch(end.clone());
            reactor.listen_tcp("0.0.0.0:7", factory).expect("a free port");
        });
    }
    let watch =
        if is_forwarded { fixture.watch.on(&origin, TOTAL) } else { fixture.serving.clone() };
    origin.boot(move |reactor| {
        let watch = watch.clone();
        reactor
            .listen_tcp("0.0.0.0:7", move |_: &Peer| watch.watch(AnswersEarly))
            .expect("a free port");
    });
    let done = fixture.done.clone();
    for client in &fixture.clients {
        let (watch, done) = (fixture.watch.on(client, TOTAL), done.clone());
        dial_again_and_again(client, move |_| {
            watch.watch(Client { sent: 0, got: 0, done: done.clone() })
        });
    }
    fixture.play(secs(20));
    assert!(done.get() > 10, "{} answers", done.get());
}

#[test]
fn early_answers_arrive() {
    simulate(seeds(), |network| answers(network, false));
}

#[test]
fn early_answers_arrive_through_a_proxy() {
    simulate(seeds(), |network| answers(network, true));
}
