//! [`every_split`]: the same input, split in every way, must give the same output.

use std::fmt;

use super::{PrintedOnPanic, memory_runner::MemoryRun, seed};
use sinew_transports::Protocol;

/// Number of random splits.
const RANDOM_CUTS: u64 = 64;

/// Feeds `input` to a new protocol, split in every way that a network might split it, and fails unless the output is
/// exactly `expect` each time.
///
/// The splits are: whole; byte by byte; in two pieces, at each offset; 64 random splits; and whole and byte by byte
/// again with a peer that reads a few bytes at a time, so that writes stall and backpressure sets in. Then the peer
/// half-closes after each prefix of the input, and the output must not depend on the split. Each run checks the
/// callback contract ([`connection_made`](Protocol::connection_made) once and first,
/// [`connection_lost`](Protocol::connection_lost) once and last), that no callback panics, and that no timer, call or
/// task is left. The seed of the random splits is `SINEW_SEED`, or a fixed one.
///
/// Everything runs in memory on a [simulated](sinew_reactor::Reactor::simulated) reactor. It is not suitable for
/// protocols that take longer than 50 ms of simulated time to answer. The cost is quadratic in the length of the
/// input.
///
/// # Panics
///
/// If a check fails; the message names the split.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport};
/// use sinew_testkit::testing::every_split;
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
                (&other.answer, &other.finish_output) == (&whole.answer, &whole.finish_output),
                "{}: sent {} and, after the end of the input, {}; but {}: {} and {}",
                other.when,
                other.answer.escape_ascii(),
                other.finish_output.escape_ascii(),
                whole.when,
                whole.answer.escape_ascii(),
                whole.finish_output.escape_ascii(),
            );
        }
    }
}

/// How the input is split.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
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
    pub(crate) fn pieces(self, input: &[u8]) -> Vec<&[u8]> {
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
pub(crate) struct Run<'a, P> {
    pub(crate) protocol: P,
    pub(crate) input: &'a [u8],
    pub(crate) cut: Cut,
    pub(crate) stalls: bool,
    pub(crate) seed: u64,
}

/// The result of a run.
pub(crate) struct Ran {
    pub(crate) when: String,
    pub(crate) answer: Vec<u8>,
    /// The output after the end of the input.
    pub(crate) finish_output: Vec<u8>,
}

impl<P: Protocol> Run<'_, P> {
    pub(crate) fn drive(self) -> Ran {
        let stalls = if self.stalls { ", with a peer that reads slowly" } else { "" };
        let when = format!("{} bytes {}{stalls}", self.input.len(), self.cut);
        let mut run = MemoryRun::begin(self.protocol, self.seed, self.stalls, when.clone());
        for piece in self.cut.pieces(self.input) {
            run.receive(piece);
        }
        let answer = run.answer();
        Ran { when, answer, finish_output: run.end() }
    }
}

#[cfg(test)]
mod tests;
