//! One connection in memory, from start to end, with all that must hold: [`Trial`]. What comes when is its callers' affair.

use std::{rc::Rc, time::Duration};

use sinew_reactor::Reactor;

use super::{
    assert_clean,
    observer::{Observer, Seen},
};
use sinew_transports::{
    Protocol, StreamConfig,
    memory::{self, Wire},
};

/// How long a protocol may take over its answer, in simulated time: longer than any job of the thread pool takes.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a connection whose peer has closed may go on, in simulated time, before it is cut.
const AFTERLIFE: Duration = Duration::from_secs(60 * 60);

/// Watermarks of a connection whose writes stall, so low that answers pass them.
const STALLED: (usize, usize) = (64, 16);

/// The far end of a protocol's connection, and all else that the protocol meets.
pub(crate) struct Trial {
    reactor: Reactor,
    wire: Wire,
    seen: Rc<Seen>,
    taken: Vec<u8>,
    taking: Taking,
    when: String,
}

/// How the far end takes what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    /// At once.
    All,
    /// All of it, a byte or a few at a time.
    Little,
    /// Not at all; so many bytes fit between the two.
    Nothing(usize),
}

impl Trial {
    /// Connects a protocol; `when` says in messages which trial it is.
    pub(crate) fn begin<P: Protocol>(protocol: P, seed: u64, stalls: bool, when: String) -> Self {
        let reactor = Reactor::simulated(seed);
        let (protocol, seen) = Observer::new(protocol);
        let config = match stalls {
            true => StreamConfig::default().watermarks(STALLED.0, STALLED.1),
            false => StreamConfig::default(),
        };
        let (_, wire) =
            memory::connect(&reactor, config, protocol).expect("a new reactor has room for one");
        let taking = if stalls { Taking::Little } else { Taking::All };
        let mut trial = Self { reactor, wire, seen, taken: Vec::new(), taking, when };
        trial.pass(Duration::ZERO);
        trial
    }

    /// Sends bytes to the protocol, if anybody is there to receive them.
    pub(crate) fn receive(&mut self, piece: &[u8]) {
        if !self.wire.is_closed() {
            self.wire.receive(piece);
        }
        self.pass(Duration::ZERO);
    }

    /// From now on the far end takes what is sent to it so.
    pub(crate) fn take(&mut self, taking: Taking) {
        self.taking = taking;
        self.wire.set_capacity(if let Taking::Nothing(room) = taking { room } else { usize::MAX });
        self.pass(Duration::ZERO);
    }

    /// Lets time pass, and takes what is sent.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.advance(time);
        match self.taking {
            Taking::All => self.taken.extend(self.wire.sent()),
            Taking::Little => self.take_little(),
            Taking::Nothing(_) => {}
        }
    }

    /// A wire that holds a byte or a few more is full most of the time.
    fn take_little(&mut self) {
        let mut capacity = 0;
        loop {
            capacity = capacity % 7 + 1;
            self.wire.set_capacity(capacity);
            self.advance(Duration::ZERO);
            let sent = self.wire.sent();
            if sent.is_empty() {
                return;
            }
            self.taken.extend(sent);
        }
    }

    fn advance(&self, time: Duration) {
        self.reactor.advance(time).expect("the protocol lets the loop come to rest");
    }

    /// What has been sent so far, when the protocol has had time for it.
    pub(crate) fn answer(&mut self) -> Vec<u8> {
        self.pass(PATIENCE);
        self.seen.assert_no_faults(&self.when);
        std::mem::take(&mut self.taken)
    }

    /// The peer resets the connection.
    pub(crate) fn reset(&mut self) {
        if !self.wire.is_closed() {
            self.wire.reset();
        }
        self.pass(Duration::ZERO);
    }

    /// The peer ends its side, then waits; a connection that does not end by that is cut. What was sent in the end.
    pub(crate) fn end(mut self) -> Vec<u8> {
        if !self.wire.is_closed() {
            self.wire.close();
        }
        self.pass(PATIENCE);
        if !self.wire.is_closed() {
            self.pass(AFTERLIFE);
        }
        if !self.wire.is_closed() {
            self.wire.reset();
            self.pass(Duration::ZERO);
        }
        if !self.wire.is_closed() {
            // Who has paused reading hears of a reset when it next writes.
            self.wire.transport().abort();
            self.pass(Duration::ZERO);
        }
        let when = &self.when;
        self.seen.assert_no_faults(when);
        assert!(self.seen.lost().is_some(), "{when}: the connection was not lost");
        assert_clean(&self.reactor);
        self.taken
    }
}
