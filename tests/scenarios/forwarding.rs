//! The proxy of `examples/portforward.rs`, between clients and an origin whose connections are reset, partitioned and
//! slow. The output of a tunnel is a prefix of its input, and all of it if the end was forwarded.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use sinew::{
    prelude::*,
    sim::{Network, RandomFaults},
    testing::simulate,
    transports::Destination,
};

use super::{
    fixture::{Fixture, dial_again_and_again},
    parties::pattern,
};
use crate::{millis, portforward::End, secs, seeds};

/// Maximum buffered by an end of a tunnel: its high watermark, plus one read.
const HELD_MAX: usize = 64 * 1024 + 64 * 1024;

/// Maximum sent by one side: more than all buffers on the way hold.
const TOTAL_MAX: usize = 300_000;

/// Length of the tunnel number, which the client sends first.
const HEAD: usize = 8;

/// Both directions of a tunnel, as seen by its ends.
#[derive(Default)]
struct Tunnel {
    up: Way,
    down: Way,
}

/// One direction: bytes sent and received.
#[derive(Default)]
struct Way {
    sent: Cell<usize>,
    /// The sender has half-closed after sending everything.
    is_ended: Cell<bool>,
    /// The sender's connection has ended normally, after both sides half-closed.
    is_over_well: Cell<bool>,
    got: Cell<usize>,
}

type Tunnels = Rc<RefCell<BTreeMap<u64, Rc<Tunnel>>>>;

/// Either end of a tunnel, client or origin.
struct Side {
    tunnels: Tunnels,
    /// Known from the start on the client; on the origin once received.
    number: Option<u64>,
    head: Vec<u8>,
    is_client: bool,
    total: usize,
    whole: Rc<Cell<u64>>,
}

impl Side {
    fn tunnel(&self) -> Option<Rc<Tunnel>> {
        let number = self.number?;
        Some(self.tunnels.borrow_mut().entry(number).or_default().clone())
    }

    /// The outgoing and the incoming direction of this side.
    fn with_ways<R>(&self, f: impl FnOnce(u64, &Way, &Way) -> R) -> Option<R> {
        let (tunnel, number) = (self.tunnel()?, self.number?);
        let (up, down) = (&tunnel.up, &tunnel.down);
        Some(if self.is_client { f(number, up, down) } else { f(!number, down, up) })
    }

    fn send(&self, transport: &Transport) {
        let random = transport.reactor().unwrap().random();
        self.with_ways(|stream, out, _| {
            let at = out.sent.get();
            let len = (random as usize % 30_000).min(self.total - at);
            transport.write(&(at..at + len).map(|at| pattern(stream, at)).collect::<Vec<_>>());
            out.sent.set(at + len);
            if at + len == self.total {
                out.is_ended.set(true);
                transport.resume_reading();
                return transport.close_write();
            }
            let wait = millis(random >> 16 & 63);
            match random >> 32 & 127 {
                0 => transport.abort(),
                1..=8 => transport.pause_reading(),
                _ => transport.resume_reading(),
            }
            let is_paused = !transport.is_reading();
            transport.call_later(if is_paused { wait * 32 } else { wait });
        });
    }
}

impl Protocol for Side {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(30));
        if let Some(number) = self.number {
            transport.write(&number.to_be_bytes());
            self.send(transport);
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut data = data;
        if self.number.is_none() {
            let (head, rest) = data.split_at(data.len().min(HEAD - self.head.len()));
            self.head.extend_from_slice(head);
            data = rest;
            let Ok(head) = self.head[..].try_into() else { return };
            self.number = Some(u64::from_be_bytes(head));
            self.send(transport);
        }
        self.with_ways(|stream, _, way| {
            let at = way.got.get();
            assert!(at + data.len() <= way.sent.get(), "received more than was sent");
            let is_it = data.iter().zip(at..).all(|(byte, at)| *byte == pattern(!stream, at));
            assert!(is_it, "{} bytes at {at} are not those that went in", data.len());
            way.got.set(at + data.len());
        });
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        transport.abort();
    }

    /// EOF must not arrive from a side that has not half-closed, unless it was never connected.
    fn read_closed(&mut self, transport: &Transport) {
        let nothing_came = self.with_ways(|_, _, way| {
            assert!(way.is_ended.get() || way.sent.get() == 0, "unexpected EOF");
            assert_eq!(way.got.get(), way.sent.get(), "EOF before all data");
            !way.is_ended.get()
        });
        if nothing_came.unwrap_or(true) {
            transport.lose_connection();
        }
    }

    /// If both sides have ended normally, everything has been received.
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.with_ways(|_, out, way| {
            out.is_over_well.set(reason.is_clean() && out.is_ended.get() && way.is_ended.get());
            if out.is_over_well.get() && way.is_over_well.get() {
                assert_eq!((out.got.get(), way.got.get()), (out.sent.get(), way.sent.get()));
                self.whole.set(self.whole.get() + 1);
            }
        });
    }
}

pub(crate) fn resets(network: &Network) {
    let fixture = Fixture::empty(network, 2, HELD_MAX);
    let (tunnels, whole) = (Tunnels::default(), Rc::<Cell<u64>>::default());
    let side = move |reactor: &Reactor, number: Option<u64>, whole: &Rc<Cell<u64>>| Side {
        tunnels: tunnels.clone(),
        number,
        head: Vec::new(),
        is_client: number.is_some(),
        total: reactor.random() as usize % TOTAL_MAX,
        whole: whole.clone(),
    };

    let serving = fixture.serving.clone().in_part();
    fixture.server.boot(move |reactor| {
        let serving = serving.clone();
        let to: Destination = "origin:9".into();
        let end = End { to: to.clone().into(), idle_timeout: None, send_proxy: None };
        let factory = move |_: &Peer| serving.watch(end.clone());
        reactor.listen_tcp("0.0.0.0:7", factory).expect("a free port");
    });

    let origin = network.host("origin");
    let (watch, ours, done) = (fixture.watch.on(&origin, TOTAL_MAX), side.clone(), whole.clone());
    origin.boot(move |reactor| {
        let (watch, side, done) = (watch.clone(), ours.clone(), done.clone());
        let host = reactor.downgrade();
        let factory = move |_: &Peer| {
            let reactor = host.upgrade().expect("the loop calls factories");
            watch.watch(side(&reactor, None, &done))
        };
        reactor.listen_tcp("0.0.0.0:9", factory).expect("a free port");
    });

    let numbers = Rc::new(Cell::new(0));
    for client in &fixture.clients {
        let watch = fixture.watch.on(client, TOTAL_MAX + HEAD);
        let (side, numbers, whole) = (side.clone(), numbers.clone(), whole.clone());
        dial_again_and_again(client, move |reactor| {
            numbers.set(numbers.get() + 1);
            watch.watch(side(reactor, Some(numbers.get()), &whole))
        });
    }
    let chance = RandomFaults::every(millis(800)).lasting(secs(2));
    network.set_random_faults(chance.resets().cuts().partitions().pauses());
    fixture.play(secs(20));
    assert_eq!(origin.reactor().stats().connections, 0, "connections");
    assert!(whole.get() > 5, "{} tunnels came to a good end", whole.get());
}

#[test]
fn portforward_under_resets() {
    simulate(seeds(), resets);
}
