//! Runs a protocol on one in-memory connection, with all checks that always apply: [`MemoryRun`]. The callers decide what
//! happens when.

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

/// Simulated time that a protocol may take to answer: longer than any job of the thread pool.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(50);

/// Simulated time that a connection may stay open after its peer has closed, before it is reset.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Watermarks of a connection with stalled writes, so low that answers exceed them.
const STALLED_WATERMARKS: (usize, usize) = (64, 16);

/// The peer of a protocol under test, with its simulated reactor.
pub(crate) struct MemoryRun {
    reactor: Reactor,
    wire: Wire,
    seen: Rc<Seen>,
    taken: Vec<u8>,
    read_mode: ReadMode,
    when: String,
}

/// How the peer reads the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadMode {
    /// Everything at once.
    All,
    /// Everything, a few bytes at a time.
    Slowly,
    /// Nothing; the connection buffers this many bytes.
    Nothing(usize),
}

impl MemoryRun {
    /// Connects a protocol; `when` identifies the run in messages.
    pub(crate) fn begin<P: Protocol>(protocol: P, seed: u64, stalls: bool, when: String) -> Self {
        let reactor = Reactor::simulated(seed);
        let (protocol, seen) = Observer::new(protocol);
        let config = match stalls {
            true => StreamConfig::default().watermarks(STALLED_WATERMARKS.0, STALLED_WATERMARKS.1),
            false => StreamConfig::default(),
        };
        let (_, wire) =
            memory::connect(&reactor, config, protocol).expect("a new reactor has room for one");
        let read_mode = if stalls { ReadMode::Slowly } else { ReadMode::All };
        let mut run = Self { reactor, wire, seen, taken: Vec::new(), read_mode, when };
        run.pass(Duration::ZERO);
        run
    }

    /// Delivers bytes to the protocol, if the connection is still open.
    pub(crate) fn receive(&mut self, piece: &[u8]) {
        if !self.wire.is_closed() {
            self.wire.receive(piece);
        }
        self.pass(Duration::ZERO);
    }

    /// Sets how the peer reads from now on.
    pub(crate) fn take(&mut self, read_mode: ReadMode) {
        self.read_mode = read_mode;
        self.wire.set_capacity(if let ReadMode::Nothing(room) = read_mode {
            room
        } else {
            usize::MAX
        });
        self.pass(Duration::ZERO);
    }

    /// Lets simulated time pass, and reads output.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.advance(time);
        match self.read_mode {
            ReadMode::All => self.taken.extend(self.wire.sent()),
            ReadMode::Slowly => self.read_slowly(),
            ReadMode::Nothing(_) => {}
        }
    }

    /// Reads through a connection that buffers only a few bytes, so that writes stall.
    fn read_slowly(&mut self) {
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
        self.reactor.advance(time).expect("the protocol lets the reactor become idle");
    }

    /// The output so far, after giving the protocol time to answer.
    pub(crate) fn answer(&mut self) -> Vec<u8> {
        self.pass(ANSWER_TIMEOUT);
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

    /// The peer half-closes and waits; a connection that stays open is reset. Returns the remaining output.
    pub(crate) fn end(mut self) -> Vec<u8> {
        if !self.wire.is_closed() {
            self.wire.close();
        }
        self.pass(ANSWER_TIMEOUT);
        if !self.wire.is_closed() {
            self.pass(CLOSE_TIMEOUT);
        }
        if !self.wire.is_closed() {
            self.wire.reset();
            self.pass(Duration::ZERO);
        }
        if !self.wire.is_closed() {
            // A connection that has paused reading notices a reset only when it writes.
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
