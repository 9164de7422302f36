//! Fuzz targets for protocols: interprets a fuzzer's bytes as a list of [`Step`]s followed by the input.

use std::time::Duration;

use super::{
    SystemUnderTest,
    memory_runner::{MemoryRun, ReadMode},
    split::{Cut, Run},
};
use sinew_transports::Protocol;

/// Maximum number of steps.
const STEPS_MAX: u8 = 32;

/// The longest time step is 2^22 ms, more than an hour.
const TIME_BITS: u8 = 23;

/// One event of a connection. It is encoded in two bytes: its kind and its amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The next `n` bytes of the input arrive.
    Receive(usize),
    Take(ReadMode),
    Pass(Duration),
    /// The peer half-closes; the rest of the input never arrives.
    End,
    Reset,
}

impl Step {
    fn read(which: u8, how_much: u8) -> Self {
        match which % 8 {
            0..=2 => Self::Receive(usize::from(how_much) + 1),
            3 => Self::Take(ReadMode::Nothing(usize::from(how_much % 64))),
            4 => Self::Take(if how_much.is_multiple_of(2) {
                ReadMode::All
            } else {
                ReadMode::Slowly
            }),
            5 => Self::Pass(Duration::from_millis(1 << (how_much % TIME_BITS))),
            6 => Self::End,
            _ => Self::Reset,
        }
    }
}

/// Decodes the steps; returns them with the rest of the bytes, the input.
fn read(data: &[u8]) -> (Vec<Step>, &[u8]) {
    let Some((count, rest)) = data.split_first() else { return (Vec::new(), data) };
    let len = (usize::from(count % (STEPS_MAX + 1)) * 2).min(rest.len() / 2 * 2);
    let (steps, input) = rest.split_at(len);
    (steps.chunks_exact(2).map(|step| Step::read(step[0], step[1])).collect(), input)
}

impl<P: Protocol> SystemUnderTest<P> {
    /// The body of a fuzz target. The first byte of `data`, modulo 33, is the number of steps. Each step is two
    /// bytes: some input arrives; the peer reads nothing, little or all of the output from now on; time passes, up to
    /// an hour; the peer half-closes; or the peer resets the connection. The remaining bytes are the input; what the
    /// steps have not delivered is delivered after them.
    ///
    /// Always checked: the callback contract of the protocol, no panics in callbacks, no leaks. If no time passes,
    /// the output must also be [as expected](Self::expect), or the same as for the whole input in one piece; after a
    /// reset, a prefix of that.
    ///
    /// # Panics
    ///
    /// If a check fails, and never otherwise.
    pub fn fuzz(&self, data: &[u8]) {
        let (steps, input) = read(data);
        let when = format!("{steps:?} with {} bytes", input.len());
        let mut run = MemoryRun::begin((self.make)(), 0, true, when.clone());
        let (mut received, mut was_reset, mut has_aged) = (0, false, false);
        let mut has_ended = false;
        for step in steps {
            match step {
                Step::Receive(len) => {
                    let end = input.len().min(received + len);
                    run.receive(&input[received..end]);
                    received = end;
                }
                Step::Take(read_mode) => run.take(read_mode),
                Step::Pass(time) => {
                    has_aged = true;
                    run.pass(time);
                }
                Step::End => has_ended = true,
                Step::Reset => was_reset = true,
            }
            if has_ended || was_reset {
                break;
            }
        }
        if !has_ended && !was_reset {
            run.receive(&input[received..]);
            received = input.len();
        }
        let got = if was_reset {
            run.reset();
            run.end()
        } else {
            run.take(ReadMode::All);
            [run.answer(), run.end()].concat()
        };
        if has_aged {
            return;
        }
        let expected = self.expected(&input[..received]);
        let is_right = if was_reset { expected.starts_with(&got) } else { got == expected };
        let (got, expected) = (got.escape_ascii(), expected.escape_ascii());
        assert!(is_right, "{when}: sent {got}\nexpected {expected}");
    }

    /// The output that the model expects, or without a model the output for the whole input in one piece.
    fn expected(&self, input: &[u8]) -> Vec<u8> {
        if let Some(model) = &self.model {
            return model(input);
        }
        let protocol = (self.make)();
        let ran = Run { protocol, input, cut: Cut::Whole, stalls: false, seed: 0 }.drive();
        [ran.answer, ran.finish_output].concat()
    }
}
