//! A chat client: it sends a message now and then, and reconnects when it is disconnected.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
};

use crate::SILENCE_MAX;

const BACK_OFF_MIN: Duration = Duration::from_secs(1);
const BACK_OFF_MAX: Duration = Duration::from_secs(60);

/// Counters of all clients, the only state that they share.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) connected: Cell<u64>,
    pub(crate) connects: Cell<u64>,
    pub(crate) losses: Cell<u64>,
    pub(crate) said: Cell<u64>,
    pub(crate) heard: Cell<u64>,
}

fn count(counter: &Cell<u64>) {
    counter.set(counter.get() + 1);
}

/// The client's program.
pub(crate) fn talk(reactor: &Reactor, room: usize, tally: &Rc<Tally>) {
    dial_later(reactor, room, tally, BACK_OFF_MIN * 10);
}

struct Talker {
    room: usize,
    tally: Rc<Tally>,
}

impl LineHandler for Talker {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        self.tally.connected.set(self.tally.connected.get() + 1);
        count(&self.tally.connects);
        transport.set_idle_timeout(SILENCE_MAX);
        let _ = transport.send_line(self.room.to_string());
        self.talk_later(transport);
    }

    fn line_received(&mut self, _: &mut LineTransport<'_>, _: &[u8]) {
        count(&self.tally.heard);
    }

    fn timer_fired(&mut self, transport: &mut LineTransport<'_>, _: TimerId) {
        count(&self.tally.said);
        let _ = transport.send_line(format!("what do you think of {}?", self.tally.said.get()));
        self.talk_later(transport);
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, _: &ConnectionLost) {
        self.tally.connected.set(self.tally.connected.get() - 1);
        count(&self.tally.losses);
        let Some(reactor) = transport.reactor() else { return };
        dial_later(&reactor, self.room, &self.tally, BACK_OFF_MIN);
    }
}

impl Talker {
    fn talk_later(&self, transport: &LineTransport<'_>) {
        let Some(reactor) = transport.reactor() else { return };
        let wait = 30_000 + reactor.random() % 60_000;
        transport.call_later(Duration::from_millis(wait));
    }
}

/// Reconnects after a random, exponentially growing delay.
fn dial_later(reactor: &Reactor, room: usize, tally: &Rc<Tally>, back_off: Duration) {
    let (tally, jitter) = (tally.clone(), reactor.random() % 1_000);
    let wait = back_off.mul_f64(0.5 + jitter as f64 / 1_000.0);
    reactor.call_later(wait, move |reactor| {
        let talker = tally.clone();
        let factory = move |_: &Peer| LineReceiver::new(Talker { room, tally: talker.clone() });
        reactor.connect_tcp("server:6667", factory).then(move |reactor, connected| {
            if connected.is_err() {
                dial_later(reactor, room, &tally, (back_off * 2).min(BACK_OFF_MAX));
            }
        });
    });
}
