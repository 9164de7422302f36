//! A whole receiver on a connection in memory, whose handler does in its callbacks what the data say: it pauses, closes, writes,
//! changes the decoder, goes raw. Everything that it is told must be what the format says of the bytes that were sent.

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

/// Steps that a connection may take to come to rest.
const STEPS_MAX: usize = 100_000;

/// Longer than any linger timeout.
const AFTERLIFE: Duration = Duration::from_secs(60 * 60);

/// `data` has the format to begin with, limits, what the handler does, then what the peer does.
pub(crate) fn check(data: &mut Input<'_>) {
    let format = Format::any(data);
    let limits = data.byte();
    let script = data.script();
    let reactor = Reactor::simulated(0);
    let story = Rc::new(RefCell::new(ReferenceModel::new(format.clone(), script)));
    let framed = Framed::<Box<dyn Decoder>, _>::with_decoder(
        format.decoder(),
        CheckedHandler::new(story.clone()),
    );
    let (connection, wire) =
        memory::connect(&reactor, config(limits), framed).expect("a new reactor has room for one");
    let transport = connection.transport().clone();
    let mut peer = Peer { reactor, connection, transport, wire, story, taken: 0 };
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

/// The far end, and the loop.
struct Peer {
    reactor: Reactor,
    connection: Connection<Framed<Box<dyn Decoder>, CheckedHandler>>,
    transport: Transport,
    wire: Wire,
    story: Rc<RefCell<ReferenceModel>>,
    /// Bytes taken of what the handler wrote.
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
                31 => self.hand_back(),
                _ => self.send(data.bytes(more * more)),
            },
        }
    }

    /// What the receiver would hand back if the connection were given on is what it was given and has not delivered; with that it
    /// goes on as if nothing had been.
    fn hand_back(&self) {
        if self.transport.is_closing() || self.story.borrow().has_ended() {
            return;
        }
        let Some(unread) = self.connection.with(|framed, transport| framed.take_unread(transport))
        else {
            return;
        };
        self.story.borrow().assert_unread(&unread, self.wire.unread_len());
        if !unread.is_empty() {
            self.connection.with(|framed, transport| framed.data_received(transport, &unread));
        }
    }

    fn send(&self, bytes: &[u8]) {
        if self.story.borrow_mut().sent_by_peer(bytes) {
            self.wire.receive(bytes);
        }
    }

    fn close(&self) {
        if self.story.borrow_mut().ended_by_peer() {
            self.wire.close();
        }
    }

    fn reset(&self) {
        self.story.borrow_mut().reset_by_peer();
        self.wire.reset();
    }

    fn advance(&self, by: Duration) {
        self.reactor.advance(by).expect("the receiver lets the loop come to rest");
    }

    /// Lets the loop do what there is to do, and takes some of what was written.
    fn settle(&mut self) {
        self.advance(Duration::ZERO);
        let taken = self.wire.take(100);
        self.story.borrow().assert_written(self.taken, &taken);
        self.taken += taken.len();
        self.advance(Duration::ZERO);
        assert_eq!(self.reactor.stats().panics, 0, "a callback panicked; see above");
    }

    /// Everything is let go on, and comes to an end: at the least by the hand of the peer.
    fn end(mut self) {
        self.story.borrow_mut().is_quiet = true;
        self.wire.set_capacity(usize::MAX);
        self.close();
        for _ in 0..STEPS_MAX {
            let before = (self.taken, self.story.borrow().at);
            self.transport.resume_reading();
            self.settle();
            if before == (self.taken, self.story.borrow().at) {
                break;
            }
        }
        self.advance(Duration::from_secs(1));
        self.story.borrow().assert_all_told(self.transport.is_closing());
        self.advance(AFTERLIFE);
        self.settle();
        if !self.wire.is_closed() {
            self.reset();
            self.settle();
        }
        self.story.borrow().assert_over();
        let leak_report = self.reactor.leak_report();
        assert!(leak_report.is_empty(), "left on the reactor: {leak_report}");
    }
}
