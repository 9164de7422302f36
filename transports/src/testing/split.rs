//! [`every_split`]: the same input, cut in every way, must come to the same.

use std::{fmt, rc::Rc, time::Duration};

use sinew_reactor::Reactor;

use super::{
    PrintedOnPanic, assert_clean, seed,
    witness::{Seen, Witness},
};
use crate::{Protocol, StreamConfig, memory, memory::Wire};

/// Random cuts tried.
const RANDOM_CUTS: u64 = 64;

/// How long a protocol may take over its answer, in simulated time: longer than any job of the thread pool takes.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a connection whose peer has closed may go on, in simulated time, before it is cut.
const AFTERLIFE: Duration = Duration::from_secs(60 * 60);

/// Watermarks of a connection whose writes stall, so low that answers pass them.
const STALLED: (usize, usize) = (64, 16);

/// Feeds `input` to a new protocol in every way that a network might cut it, and fails unless each time exactly `expect` is
/// sent in answer.
///
/// The ways are: whole; byte by byte; in two pieces, at each offset; in 64 random cuts; and whole and byte by byte once more
/// to a peer that takes the answer a few bytes at a time, so that writes stall and the connection pauses by itself. Then the
/// peer ends its side after each byte of the input, and what is sent must not depend on how the bytes before were cut. Each
/// time the life of the protocol must be as it should be ([`connection_made`](Protocol::connection_made) once and first,
/// [`connection_lost`](Protocol::connection_lost) once and last), no callback may panic, and no timer, call or task may be
/// left. The random cuts come from `SINEW_SEED`, or from a fixed seed.
///
/// All runs in memory on a [simulated](Reactor::simulated) reactor. A protocol whose answer takes longer than 50 ms of
/// simulated time is not for this. The cost grows with the square of the input's length.
///
/// # Panics
///
/// If anything is not so; the message says with which cut.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport, testing::every_split};
///
/// /// Answers each byte with the number of bytes so far.
/// #[derive(Default)]
/// struct Count(u8);
///
/// impl Protocol for Count {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         for _ in data {
///             self.0 += 1;
///             transport.write(&[b'0' + self.0]);
///         }
///     }
/// }
///
/// every_split(Count::default, b"some", b"1234");
/// ```
pub fn every_split<P: Protocol>(mut make: impl FnMut() -> P, input: &[u8], expect: &[u8]) {
    let seed = seed().unwrap_or(0x5eed);
    let _printed = PrintedOnPanic(seed);
    let check = |run: Run<'_, P>| {
        let Ran { answer, when, .. } = run.drive();
        assert!(
            answer == expect,
            "{when}: sent {}\nexpected {}",
            answer.escape_ascii(),
            expect.escape_ascii()
        );
    };
    let mut run = |cut, stalls| Run { protocol: make(), input, cut, stalls, seed };
    check(run(Cut::Whole, false));
    check(run(Cut::Each, false));
    (1..input.len()).for_each(|at| check(run(Cut::At(at), false)));
    (0..RANDOM_CUTS).for_each(|n| check(run(Cut::Random(seed.wrapping_add(n)), false)));
    check(run(Cut::Whole, true));
    check(run(Cut::Each, true));
    for len in 0..input.len() {
        let mut ended = |cut, stalls| {
            let input = &input[..len];
            Run { protocol: make(), input, cut, stalls, seed }.drive()
        };
        let whole = ended(Cut::Whole, false);
        for other in [ended(Cut::Each, false), ended(Cut::Each, true)] {
            assert!(
                (&other.answer, &other.farewell) == (&whole.answer, &whole.farewell),
                "{}: sent {} and, after the end of the input, {}; but {}: {} and {}",
                other.when,
                other.answer.escape_ascii(),
                other.farewell.escape_ascii(),
                whole.when,
                whole.answer.escape_ascii(),
                whole.farewell.escape_ascii(),
            );
        }
    }
}

/// How the input is cut.
#[derive(Clone, Copy)]
enum Cut {
    Whole,
    Each,
    At(usize),
    Random(u64),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Each => f.write_str("byte by byte"),
            Self::At(at) => write!(f, "cut in two at {at}"),
            Self::Random(seed) => write!(f, "cut at random (seed {seed})"),
        }
    }
}

impl Cut {
    fn pieces(self, input: &[u8]) -> Vec<&[u8]> {
        let mut random =
            fastrand::Rng::with_seed(if let Self::Random(seed) = self { seed } else { 0 });
        let (mut rest, mut pieces) = (input, Vec::new());
        while !rest.is_empty() {
            let len = match self {
                Self::Whole => rest.len(),
                Self::Each => 1,
                Self::At(at) if pieces.is_empty() => at,
                Self::At(_) => rest.len(),
                Self::Random(_) => random.usize(1..=rest.len().min(16)),
            };
            let (piece, behind) = rest.split_at(len);
            pieces.push(piece);
            rest = behind;
        }
        pieces
    }
}

/// One connection from start to end.
struct Run<'a, P> {
    protocol: P,
    input: &'a [u8],
    cut: Cut,
    stalls: bool,
    seed: u64,
}

/// What came of it.
struct Ran {
    when: String,
    answer: Vec<u8>,
    /// What was sent after the end of the input.
    farewell: Vec<u8>,
}

impl<P: Protocol> Run<'_, P> {
    fn drive(self) -> Ran {
        let stalls = if self.stalls { ", with a peer that takes little" } else { "" };
        let when = format!("{} bytes {}{stalls}", self.input.len(), self.cut);
        let reactor = Reactor::simulated(self.seed);
        let (protocol, seen) = Witness::new(self.protocol);
        let config = match self.stalls {
            true => StreamConfig::default().watermarks(STALLED.0, STALLED.1),
            false => StreamConfig::default(),
        };
        let (_, wire) =
            memory::connect(&reactor, config, protocol).expect("a new reactor has room for one");
        let mut peer = Peer { reactor, wire, seen, taken: Vec::new(), stalls: self.stalls };
        peer.settle(Duration::ZERO);
        for piece in self.cut.pieces(self.input) {
            if !peer.wire.is_closed() {
                peer.wire.receive(piece);
            }
            peer.settle(Duration::ZERO);
        }
        peer.settle(PATIENCE);
        peer.seen.assert_no_faults(&when);
        let answer = std::mem::take(&mut peer.taken);
        peer.end(&when);
        Ran { when, answer, farewell: peer.taken }
    }
}

/// The far end, and all else that the protocol meets.
struct Peer {
    reactor: Reactor,
    wire: Wire,
    seen: Rc<Seen>,
    taken: Vec<u8>,
    stalls: bool,
}

impl Peer {
    /// Lets the loop do what there is to do, and takes what it sends.
    fn settle(&mut self, patience: Duration) {
        self.reactor.advance(patience).expect("the protocol lets the loop come to rest");
        if !self.stalls {
            self.taken.extend(self.wire.sent());
            return;
        }
        // A wire that holds a byte or a few more is full most of the time.
        let mut capacity = 0;
        loop {
            capacity = capacity % 7 + 1;
            self.wire.set_capacity(capacity);
            self.reactor.advance(Duration::ZERO).expect("the protocol lets the loop come to rest");
            let sent = self.wire.sent();
            if sent.is_empty() {
                return;
            }
            self.taken.extend(sent);
        }
    }

    /// The peer ends its side, then waits; a connection that does not end by that is cut.
    fn end(&mut self, when: &str) {
        if !self.wire.is_closed() {
            self.wire.close();
        }
        self.settle(PATIENCE);
        if !self.wire.is_closed() {
            self.settle(AFTERLIFE);
        }
        if !self.wire.is_closed() {
            self.wire.reset();
            self.settle(Duration::ZERO);
        }
        if !self.wire.is_closed() {
            // Who has seen the end of the input reads no more, and hears of a reset when it next writes.
            self.wire.transport().abort();
            self.settle(Duration::ZERO);
        }
        self.seen.assert_no_faults(when);
        assert!(self.seen.lost().is_some(), "{when}: the connection was not lost");
        assert_clean(&self.reactor);
    }
}

#[cfg(test)]
mod tests;
