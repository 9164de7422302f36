//! A server whose protocols panic in callbacks of all kinds, for some of its clients. Only those connections end; the
//! others are not affected, and new ones are accepted.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    net::IpAddr,
    panic::resume_unwind,
    rc::Rc,
};

use sinew::{
    prelude::*,
    sim::{Latency, Link, Network},
    testing::simulate,
};

use super::{
    fixture::{Fixture, dial_again_and_again, patient_server},
    parties::{ECHO_QUEUED_MAX, Echo, TALKER_TOTAL_MAX},
};
use crate::{millis, secs, seeds};

/// Maximum number of callbacks before the panic.
const CALLBACKS_MAX: u64 = 24;

/// The panic message.
const SAID: &str = "it is fragile";

/// Which callbacks have panicked, and how often.
#[derive(Default)]
struct Panics {
    count: Cell<u64>,
    kinds: RefCell<BTreeSet<&'static str>>,
}

impl Panics {
    /// Panics without printing a message, since there are many.
    fn panic(&self, kind: &'static str) -> ! {
        self.count.set(self.count.get() + 1);
        self.kinds.borrow_mut().insert(kind);
        resume_unwind(Box::new(SAID))
    }
}

/// Echoes until it panics in one of its callbacks.
struct Fragile {
    left: Option<u64>,
    has_panicked: bool,
    panics: Rc<Panics>,
}

impl Fragile {
    fn new(random: u64, panics: &Rc<Panics>) -> Self {
        let left = (!random.is_multiple_of(8)).then_some((random >> 8) % CALLBACKS_MAX);
        Self { left, has_panicked: false, panics: panics.clone() }
    }

    fn callback(&mut self, kind: &'static str) {
        assert!(!self.has_panicked, "{kind} is called of a protocol that has panicked");
        match &mut self.left {
            None => {}
            Some(0) => {
                self.has_panicked = true;
                self.left = None;
                self.panics.panic(kind);
            }
            Some(left) => *left -= 1,
        }
    }
}

impl Protocol for Fragile {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(millis(transport.reactor().unwrap().random() % 400));
        transport.write(b"");
        self.callback("connection_made");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
        self.callback("data_received");
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.callback("read_closed");
        transport.lose_connection();
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.callback("writing_paused");
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.callback("writing_resumed");
    }

    fn reading_resumed(&mut self, _: &Transport) {
        self.callback("reading_resumed");
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.call_later(millis(transport.reactor().unwrap().random() % 400));
        self.callback("timer_fired");
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let is_by_panic = matches!(reason, ConnectionLost::Panicked(said) if said == SAID);
        assert_eq!(self.has_panicked, is_by_panic, "panicked, but lost by {reason}");
        if let Some(left) = self.left.take().filter(|left| left.is_multiple_of(2)) {
            // Half of these panic in the last callback, the others on drop.
            match left % 4 {
                0 => self.panics.panic("connection_lost"),
                _ => self.left = Some(0),
            }
        }
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        if self.left == Some(0) && !std::thread::panicking() {
            self.panics.panic("a drop");
        }
    }
}

/// Sends data and counts the echo, until the connection ends.
struct Guest {
    sent: usize,
    got: usize,
    /// It must be served normally to the end.
    is_safe: bool,
    done: Rc<Cell<u64>>,
}

const TOTAL: usize = TALKER_TOTAL_MAX / 2;

impl Guest {
    fn send(&mut self, transport: &Transport) {
        let random = transport.reactor().unwrap().random();
        let len = (random as usize % 30_000).min(TOTAL - self.sent);
        self.sent += len;
        transport.write(&vec![7; len]);
        match random >> 32 & 15 {
            0 => transport.pause_reading(),
            _ => transport.resume_reading(),
        }
        transport.call_later(millis(random >> 40 & 127));
    }
}

impl Protocol for Guest {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(20));
        self.send(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.got += data.len();
        assert!(self.got <= self.sent, "{} bytes of {} come back", self.got, self.sent);
        if self.got == TOTAL {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let (is_clean, got) = (reason.is_clean(), self.got);
        assert!(is_clean || !self.is_safe, "an unrelated connection was lost: {reason}");
        // A partial answer must not be mistaken for a complete one. Without a protocol the client gets no answer, and
        // a clean end.
        let is_whole = got == TOTAL;
        let is_turned_away = got == 0 && !self.is_safe;
        assert!(
            !is_clean || is_whole || is_turned_away,
            "a clean end after {got} of {TOTAL} bytes"
        );
        self.done.set(self.done.get() + u64::from(is_whole));
    }
}

fn serve(fixture: &Fixture<'_>, fragile: Vec<IpAddr>, panics: &Rc<Panics>) {
    let (serving, panics) = (fixture.serving.clone(), panics.clone());
    fixture.server.boot(move |reactor| {
        let (serving, panics, fragile) = (serving.clone(), panics.clone(), fragile.clone());
        let draws = reactor.downgrade();
        let build = move |peer: &Peer| -> Box<dyn Protocol> {
            let random = draws.upgrade().expect("the loop calls factories").random();
            let is_fragile = peer.ip().is_some_and(|ip| fragile.contains(&ip));
            match random >> 48 & 7 {
                _ if !is_fragile => Box::new(serving.watch(Echo)),
                0 => panics.panic("build_protocol"),
                _ => Box::new(serving.watch(Fragile::new(random, &panics))),
            }
        };
        reactor.listen_tcp_with("0.0.0.0:7", patient_server(), build).expect("a free port");
    });
}

fn others_live_on(network: &Network, panics: &Rc<Panics>) {
    network.allow_panics();
    let fixture = Fixture::empty(network, 4, ECHO_QUEUED_MAX);
    // Panics are allowed here, so failures of guests have to be checked.
    let guests = fixture.clients.clone();
    network.after_every_event(move || {
        for guest in &guests {
            let panics = guest.reactor().stats().panics;
            assert_eq!(panics, 0, "{}: guests that found something wrong", guest.name());
        }
    });
    let latency = Latency::Tailed(millis(3), millis(3));
    network.set_link(Link::default().latency(latency).loss(0.01).bandwidth(2_000_000));
    let before = panics.count.get();
    let fragile = fixture.clients[2..].iter().map(|client| client.addr()).collect();
    serve(&fixture, fragile, panics);
    for (at, client) in fixture.clients.iter().enumerate() {
        let (watch, done) = (fixture.watch.on(client, TOTAL), fixture.done.clone());
        let is_safe = at < 2;
        let done = if is_safe { done } else { Rc::default() };
        dial_again_and_again(client, move |_| {
            watch.watch(Guest { sent: 0, got: 0, is_safe, done: done.clone() })
        });
    }
    fixture.play(secs(20));
    let counted = fixture.server.reactor().stats().panics;
    assert_eq!(counted, panics.count.get() - before, "panics counted by the reactor");
    assert!(counted > 5, "{counted} panics");
    assert!(fixture.done.get() > 30, "{} safe guests were served to the end", fixture.done.get());
}

#[test]
fn others_live_on_when_protocols_panic() {
    let panics = Rc::<Panics>::default();
    simulate(seeds(), |network| others_live_on(network, &panics));
    // All kinds are frequent: two seeds must cover them.
    for kind in ["build_protocol", "data_received", "timer_fired", "connection_lost", "a drop"] {
        assert!(panics.kinds.borrow().contains(kind), "nothing has panicked in {kind}");
    }
}
