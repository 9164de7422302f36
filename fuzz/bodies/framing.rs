//! A whole receiver on an in-memory connection. The data control its handler: it pauses, closes, writes, changes the
//! decoder, and uses raw mode. Every callback must match the reference format.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew::{
    protocols::basic::{Decoder, Framed},
    reactor::Reactor,
    transports::{
        Connection, Protocol, StreamConfig, Transport,
        memory::{self, Wire},
    },
};

use super::{
    format::Format,
    input::Input,
    reference_model::{CheckedHandler, ReferenceModel},
};

/// Maximum steps until a connection must be idle.
const STEPS_MAX: usize = 100_000;

/// Longer than any linger timeout.
const AFTERLIFE: Duration = Duration::from_secs(60 * 60);

/// `data` holds the first format, limits, the script of the handler, and the actions of the peer.
pub(crate) fn check(data: &mut Input<'_>) {
    let format = Format::any(data);
    let limits = data.byte();
    let script = data.script();
    let reactor = Reactor::simulated(0);
    let model = Rc::new(RefCell::new(ReferenceModel::new(format.clone(), script)));
    let framed = Framed::<Box<dyn Decoder>, _>::with_decoder(
        format.decoder(),
        CheckedHandler::new(model.clone()),
    );
    let (connection, wire) =
        memory::connect(&reactor, config(limits), framed).expect("a new reactor has room for one");
    let transport = connection.transport().clone();
    let mut peer = Peer { reactor, connection, transport, wire, model, taken: 0 };
    peer.settle();
    while !data.is_empty() {
        peer.act(data);
        peer.settle();
    }
    peer.end();
}

fn config(limits: u8) -> StreamConfig {
    let config = StreamConfig::default().auto_pause(limits & 1 == 0);
    match limits >> 1 & 3 {
        0 => config,
        1 => config.watermarks(16, 4),
        2 => config.watermarks(100, 100),
        _ => config.watermarks(16, 0).write_limit(200),
    }
}

/// The peer, with the reactor.
struct Peer {
    reactor: Reactor,
    connection: Connection<Framed<Box<dyn Decoder>, CheckedHandler>>,
    transport: Transport,
    wire: Wire,
    model: Rc<RefCell<ReferenceModel>>,
    /// Bytes received from the handler.
    taken: usize,
}

impl Peer {
    fn act(&self, data: &mut Input<'_>) {
        let what = data.byte();
        let more = usize::from(what >> 3);
        match what & 7 {
            0..=3 => self.send(data.bytes(more + 1)),
            4 => self.transport.resume_reading(),
            5 => self.advance(Duration::from_millis(more as u64)),
            6 => self.wire.set_capacity(more * more),
            _ => match more {
                0 => self.reset(),
                1 => self.transport.abort(),
                2 => self.transport.lose_connection(),
                3..=6 => self.transport.pause_reading(),
                7..=12 => self.close(),
                31 => self.check_take_unread(),
                _ => self.send(data.bytes(more * more)),
            },
        }
    }

    /// `take_unread` returns exactly what was received and not delivered. Feeding it back continues as if nothing had
    /// happened.
    fn check_take_unread(&self) {
        if self.transport.is_closing() || self.model.borrow().has_ended() {
            return;
        }
        let Some(unread) = self.connection.with(|framed, transport| framed.take_unread(transport))
        else {
            return;
        };
        self.model.borrow().assert_unread(&unread, self.wire.unread_len());
        if !unread.is_empty() {
            self.connection.with(|framed, transport| framed.data_received(transport, &unread));
        }
    }

    fn send(&self, bytes: &[u8]) {
        if self.model.borrow_mut().sent_by_peer(bytes) {
            self.wire.receive(bytes);
        }
    }

    fn close(&self) {
        if self.model.borrow_mut().ended_by_peer() {
            self.wire.close();
        }
    }

    fn reset(&self) {
        self.model.borrow_mut().reset_by_peer();
        self.wire.reset();
    }

    fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the receiver lets the reactor become idle");
    }

    /// Runs the event loop until it is idle, and reads some of the output.
    fn settle(&mut self) {
        self.advance(Duration::ZERO);
        let taken = self.wire.take(100);
        self.model.borrow().assert_written(self.taken, &taken);
        self.taken += taken.len();
        self.advance(Duration::ZERO);
        assert_eq!(self.reactor.stats().panics, 0, "a callback panicked; see above");
    }

    /// Resumes everything and ends the connection, if necessary by the peer.
    fn end(mut self) {
        self.model.borrow_mut().is_quiet = true;
        self.wire.set_capacity(usize::MAX);
        self.close();
        for _ in 0..STEPS_MAX {
            let before = (self.taken, self.model.borrow().at);
            self.transport.resume_reading();
            self.settle();
            if before == (self.taken, self.model.borrow().at) {
                break;
            }
        }
        self.advance(Duration::from_secs(1));
        self.model.borrow().assert_all_delivered(self.transport.is_closing());
        self.advance(AFTERLIFE);
        self.settle();
        if !self.wire.is_closed() {
            self.reset();
            self.settle();
        }
        self.model.borrow().assert_over();
        let leak_report = self.reactor.leak_report();
        assert!(leak_report.is_empty(), "left on the reactor: {leak_report}");
    }
}
