//! The chat room of `examples/chat_server.rs`, with partitioned, paused and slow guests.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use sinew::{
    prelude::*,
    protocols::basic::{Line, LineHandler, LineReceiver, LineTransport},
    sim::{Host, Network, RandomFaults},
    testing::simulate,
};

use super::{
    fixture::{Fixture, dial_again_and_again},
    watch::HostWatch,
};
use crate::{
    chat_server::{door::Door, lines::Guest, room::Room},
    millis, secs, seeds,
};

/// Write limit per guest: so small that some guests are disconnected and fast senders are paused.
const UNREAD_MAX: usize = 24 * 1024;

/// Write limit of a client.
const CLIENT_QUEUED_MAX: usize = 256 * 1024;

/// Number of lines sent by each client, by name.
type Said = Rc<RefCell<BTreeMap<String, u64>>>;

/// A client that sends consecutive numbers, and receives those of the others.
struct Talker {
    name: String,
    said: Said,
    /// The next number expected from each sender.
    next: BTreeMap<String, u64>,
    heard: Rc<Cell<u64>>,
    /// Pauses reading for a while at times.
    is_slow: bool,
}

impl LineHandler for Talker {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        transport.set_idle_timeout(secs(15));
        transport.send_line(&self.name).expect("a short name");
        transport.call_later(millis(transport.reactor().unwrap().random() % 500));
    }

    /// The lines of each sender arrive in order, without gaps or duplicates.
    fn line_received(&mut self, _: &mut LineTransport<'_>, line: &[u8]) {
        let line = str::from_utf8(line).expect("all lines are numbers");
        let Some((name, number)) = line.split_once(": ") else { return };
        if line.starts_with('*') {
            return;
        }
        let number = number.split(' ').next().unwrap_or_default();
        let number: u64 = number.parse().unwrap_or_else(|_| panic!("nobody says {line:?}"));
        let said = self.said.borrow().get(name).copied().unwrap_or_default();
        assert!(number < said, "{name} has said {said} lines, but {number} is heard");
        assert_ne!(name, self.name, "received an own line");
        let next = self.next.entry(name.to_owned()).or_insert(number);
        assert_eq!(number, *next, "{name} is heard out of order");
        *next += 1;
        self.heard.set(self.heard.get() + 1);
    }

    fn timer_fired(&mut self, transport: &mut LineTransport<'_>, _: TimerId) {
        let random = transport.reactor().unwrap().random();
        let padding = " ".repeat((random % 900) as usize);
        let number = {
            let mut said = self.said.borrow_mut();
            let said = said.entry(self.name.clone()).or_default();
            *said += 1;
            *said - 1
        };
        if transport.queued() < CLIENT_QUEUED_MAX - 1024 {
            let _ = transport.send_line(format!("{number} {padding}"));
        } else {
            // Nobody could receive later lines.
            return transport.abort();
        }
        match random >> 32 & 63 {
            0..=9 if self.is_slow => transport.pause_reading(),
            10 => transport.lose_connection(),
            11 => transport.abort(),
            _ => transport.resume_reading(),
        }
        transport.call_later(millis(random >> 16 & 127));
    }
}

fn talk(host: &Host, watch: HostWatch, said: &Said, heard: &Rc<Cell<u64>>) {
    let (name, said, heard) = (host.name(), said.clone(), heard.clone());
    let is_slow = name.ends_with('0');
    dial_again_and_again(host, move |_| {
        // Each connection uses a new name: the room may not have noticed the end of the last one yet.
        let name = format!("{name}x{}", watch.made());
        let (said, heard) = (said.clone(), heard.clone());
        let talker = Talker { name, said, next: BTreeMap::new(), heard, is_slow };
        watch.watch(LineReceiver::with_decoder(Line::default(), talker))
    });
}

pub(crate) fn partitions(network: &Network) {
    let fixture = Fixture::empty(network, 4, UNREAD_MAX);
    let serving = fixture.serving.clone().watermarks(UNREAD_MAX / 2, UNREAD_MAX / 8).shared();
    fixture.server.boot(move |reactor| {
        let (door, serving) = (Door::open(Rc::<Room>::default()), serving.clone());
        let stream = StreamConfig::default().watermarks(UNREAD_MAX / 2, UNREAD_MAX / 8);
        let stream = stream.write_limit(UNREAD_MAX).idle_timeout(secs(20));
        let factory = move |_: &Peer| serving.watch(Guest::arrive(door.clone()));
        let config = ListenConfig::default().stream(stream);
        reactor.listen_tcp_with("0.0.0.0:7", config, factory).expect("a free port");
    });
    let (said, heard) = (Said::default(), Rc::<Cell<u64>>::default());
    for client in &fixture.clients {
        talk(client, fixture.watch.on(client, CLIENT_QUEUED_MAX), &said, &heard);
    }
    let chance = RandomFaults::every(millis(900)).lasting(secs(3));
    network.set_random_faults(chance.cuts().partitions().pauses().resets());
    network.run_for(secs(15)).unwrap();
    assert!(heard.get() > 100, "{} lines were heard", heard.get());
    for client in &fixture.clients {
        client.reactor().call_soon(|reactor| reactor.stop().expect("it runs"));
    }
    fixture.play(secs(1));
}

#[test]
fn chat_under_partitions() {
    simulate(seeds(), partitions);
}
