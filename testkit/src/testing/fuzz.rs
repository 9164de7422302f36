//! What a fuzzer's bytes are taken for: some [`Step`]s, and the input that they are about.

use std::time::Duration;

use super::{
    SystemUnderTest,
    memory_runner::{Taking, Trial},
    split::{Cut, Run},
};
use sinew_transports::Protocol;

/// Steps, at most.
const STEPS_MAX: u8 = 32;

/// The longest time that passes in a step is 2^22 ms, more than an hour.
const TIME_BITS: u8 = 23;

/// One thing that happens to a connection. A step is two bytes: which, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// So many bytes come.
    Receive(usize),
    Take(Taking),
    Pass(Duration),
    /// The peer ends its side; what is left of the input never comes.
    End,
    Reset,
}

impl Step {
    fn read(which: u8, how_much: u8) -> Self {
        match which % 8 {
            0..=2 => Self::Receive(usize::from(how_much) + 1),
            3 => Self::Take(Taking::Nothing(usize::from(how_much % 64))),
            4 => Self::Take(if how_much.is_multiple_of(2) { Taking::All } else { Taking::Little }),
            5 => Self::Pass(Duration::from_millis(1 << (how_much % TIME_BITS))),
            6 => Self::End,
            _ => Self::Reset,
        }
    }
}

/// The steps that the first bytes say, and the rest.
fn read(data: &[u8]) -> (Vec<Step>, &[u8]) {
    let Some((count, rest)) = data.split_first() else { return (Vec::new(), data) };
    let len = (usize::from(count % (STEPS_MAX + 1)) * 2).min(rest.len() / 2 * 2);
    let (steps, input) = rest.split_at(len);
    (steps.chunks_exact(2).map(|step| Step::read(step[0], step[1])).collect(), input)
}

impl<P: Protocol> SystemUnderTest<P> {
    /// The body of a fuzz target. The first byte of `data` says how many steps there are, modulo 33; each is two bytes, which say
    /// that so many bytes come, that the peer takes nothing more for now, little or all of what is sent to it, that time passes,
    /// up to an hour, that the peer ends its side, or that it resets the connection. All else is the input, the rest of which
    /// comes after the steps.
    ///
    /// Whatever happens, the life of the protocol must be as it should be, no callback may panic, and nothing may be left. If no
    /// time passes, the answer must be [as expected](Self::expect), or as if the input had come whole; after a reset, the beginning
    /// of that.
    ///
    /// # Panics
    ///
    /// If it is not so, and never else.
    pub fn fuzz(&self, data: &[u8]) {
        let (steps, input) = read(data);
        let when = format!("{steps:?} with {} bytes", input.len());
        let mut trial = Trial::begin((self.make)(), 0, true, when.clone());
        let (mut received, mut was_reset, mut has_aged) = (0, false, false);
        let mut has_ended = false;
        for step in steps {
            match step {
                Step::Receive(len) => {
                    let end = input.len().min(received + len);
                    trial.receive(&input[received..end]);
                    received = end;
                }
                Step::Take(taking) => trial.take(taking),
                Step::Pass(time) => {
                    has_aged = true;
                    trial.pass(time);
                }
                Step::End => has_ended = true,
                Step::Reset => was_reset = true,
            }
            if has_ended || was_reset {
                break;
            }
        }
        if !has_ended && !was_reset {
            trial.receive(&input[received..]);
            received = input.len();
        }
        let got = if was_reset {
            trial.reset();
            trial.end()
        } else {
            trial.take(Taking::All);
            [trial.answer(), trial.end()].concat()
        };
        if has_aged {
            return;
        }
        let expected = self.expected(&input[..received]);
        let is_right = if was_reset { expected.starts_with(&got) } else { got == expected };
        let (got, expected) = (got.escape_ascii(), expected.escape_ascii());
        assert!(is_right, "{when}: sent {got}\nexpected {expected}");
    }

    /// What the model says of an input, or else what is sent if it comes whole.
    fn expected(&self, input: &[u8]) -> Vec<u8> {
        if let Some(model) = &self.model {
            return model(input);
        }
        let protocol = (self.make)();
        let ran = Run { protocol, input, cut: Cut::Whole, stalls: false, seed: 0 }.drive();
        [ran.answer, ran.finish_output].concat()
    }
}
