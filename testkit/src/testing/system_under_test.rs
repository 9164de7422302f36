//! [`SystemUnderTest`]: a protocol and what it is tested with, in memory, by a fuzzer and on a network.

use std::{
    fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use super::{
    Draw, chosen,
    minimise::Minimiser,
    silence::Silence,
    split::{Cut, Run},
};
use sinew_transports::Protocol;

/// Bytes of an input, if nothing else is said of inputs.
const INPUT_MAX: usize = 200;

/// Inputs tried in search of a shorter one, at most.
const TRIES_MAX: usize = 1_000;

/// How inputs are drawn.
pub(crate) type Inputs = Rc<dyn Fn(&mut Draw) -> Vec<u8>>;

/// What comes back for an input.
pub(crate) type Model = Rc<dyn Fn(&[u8]) -> Vec<u8>>;

/// A protocol, as a server, and what it is tested with. [`protocol_tests!`](crate::protocol_tests) makes tests of one.
///
/// The protocol must send something that depends on its input alone, within 50 ms of simulated time, and must not send for
/// ever.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport};
/// use sinew_testkit::testing::SystemUnderTest;
///
/// struct Upper;
///
/// impl Protocol for Upper {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(&data.to_ascii_uppercase());
///     }
/// }
///
/// let upper = SystemUnderTest::new(|| Upper).expect(|input| input.to_ascii_uppercase());
/// upper.property();
/// upper.clone().seeds(0..2).scenario();
/// upper.fuzz(b"\x02\x00\x03\x05\x0asome text");
/// ```
#[must_use]
pub struct SystemUnderTest<P> {
    pub(crate) make: Rc<dyn Fn() -> P>,
    pub(crate) inputs: Inputs,
    pub(crate) model: Option<Model>,
    pub(crate) seeds: Option<Range<u64>>,
}

impl<P> Clone for SystemUnderTest<P> {
    fn clone(&self) -> Self {
        let Self { make, inputs, model, seeds } = self;
        Self {
            make: make.clone(),
            inputs: inputs.clone(),
            model: model.clone(),
            seeds: seeds.clone(),
        }
    }
}

impl<P: Protocol> SystemUnderTest<P> {
    /// A protocol that is made anew for each connection, and is given up to 200 random bytes.
    pub fn new(make: impl Fn() -> P + 'static) -> Self {
        let inputs = Rc::new(|draw: &mut Draw| draw.bytes(INPUT_MAX));
        Self { make: Rc::new(make), inputs, model: None, seeds: None }
    }

    /// Has inputs drawn so: such as make sense to the protocol, or nearly.
    pub fn inputs(mut self, draw: impl Fn(&mut Draw) -> Vec<u8> + 'static) -> Self {
        self.inputs = Rc::new(draw);
        self
    }

    /// Says all that must be sent in answer to an input and the end that follows it. Without this an input that is cut must be
    /// answered as one that is not.
    pub fn expect(mut self, model: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        self.model = Some(Rc::new(model));
        self
    }

    /// With which seeds. Default: 100 in [`property`](Self::property), 10 in [`scenario`](Self::scenario).
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Draws an input for each seed, or only for that of `SINEW_SEED`, and fails unless the answer is right however the input
    /// is cut: whole, byte by byte and at random, with a peer that takes the answer at once or a few bytes at a time. Half of
    /// the inputs end somewhere in the middle. Each time the life of the protocol must be as it should be, no callback may
    /// panic, and nothing may be left, as with [`every_split`](super::every_split).
    ///
    /// If an input fails, what can be left out of it is, in 1,000 tries at most; the seed and the shortest input are printed.
    ///
    /// # Panics
    ///
    /// If anything is not so.
    pub fn property(&self) {
        for seed in chosen(self.seeds.clone().unwrap_or(0..100)) {
            if let Err(failure) = self.find(seed) {
                eprintln!("{failure}");
                resume_unwind(failure.payload);
            }
        }
    }

    /// Has one input drawn and tried, and shortened if it fails.
    pub(crate) fn find(&self, seed: u64) -> Result<(), Failure> {
        let mut draw = Draw::new(seed);
        let mut input = (self.inputs)(&mut draw);
        if draw.number(..2) == 0 {
            input.truncate(draw.number(..=input.len()));
        }
        let check = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| self.check(input, seed)));
        let Err(payload) = check(&input) else { return Ok(()) };
        let _silence = Silence::begin();
        let mut said = String::new();
        let shortest = Minimiser::new(TRIES_MAX).fewest(input.clone(), |input| {
            let silence = Silence::begin();
            let fails = check(input).is_err();
            if let Some(news) = silence.first_said().filter(|_| fails) {
                said = news;
            }
            fails
        });
        Err(Failure { seed, input, shortest, said, payload })
    }

    /// Fails unless the answer is right, however the input is cut.
    fn check(&self, input: &[u8], seed: u64) {
        let run = |cut, stalls| {
            let ran = Run { protocol: (self.make)(), input, cut, stalls, seed }.drive();
            (ran.when, [ran.answer, ran.finish_output].concat())
        };
        let (when, whole) = run(Cut::Whole, false);
        let (source, expected) = match &self.model {
            Some(model) => ("expected".to_owned(), model(input)),
            None => (when.clone(), whole.clone()),
        };
        let cuts = [Cut::Each, Cut::Random(seed)];
        let others = cuts.into_iter().flat_map(|cut| [(cut, false), (cut, true)]);
        let all = others.map(|(cut, stalls)| run(cut, stalls));
        for (when, answer) in [(when, whole)].into_iter().chain(all) {
            let (got, expected) = (answer.escape_ascii(), expected.escape_ascii());
            assert!(
                got.to_string() == expected.to_string(),
                "{when}: sent {got}\n{source}: {expected}"
            );
        }
    }
}

impl<P> fmt::Debug for SystemUnderTest<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemUnderTest")
            .field("has_model", &self.model.is_some())
            .field("seeds", &self.seeds)
            .finish_non_exhaustive()
    }
}

/// An input with which the protocol fails.
pub(crate) struct Failure {
    seed: u64,
    input: Vec<u8>,
    pub(crate) shortest: Vec<u8>,
    /// What the shortest fails of; nothing if the first is the shortest.
    said: String,
    payload: Box<dyn std::any::Any + Send>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, shortest) = (self.input.escape_ascii(), self.shortest.escape_ascii());
        writeln!(f, "the protocol fails with seed {}, for this input:", self.seed)?;
        writeln!(f, "    b\"{input}\"")?;
        writeln!(f, "the least found for which it still fails:")?;
        writeln!(f, "    b\"{shortest}\"")?;
        if !self.said.is_empty() {
            writeln!(f, "it fails of:")?;
            self.said.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        write!(f, "to have it again: SINEW_SEED={}", self.seed)
    }
}

/// Makes a module of tests for a protocol: `property` and `scenario`, which are tests, and `fuzz`, which is the body of a fuzz
/// target. They are those of [`SystemUnderTest`](crate::testing::SystemUnderTest), with what is said here: `inputs`,
/// `expect` and `seeds`, in this order, may be left out.
///
/// For cargo-fuzz, a target is `fuzz_target!(|data: &[u8]| my_crate::upper::fuzz(data));`. A corpus is replayed by calling
/// `fuzz` with each of its files.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Protocol, Transport};
/// use sinew_testkit::testing::protocol_tests;
///
/// struct Upper;
///
/// impl Protocol for Upper {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(&data.to_ascii_uppercase());
///     }
/// }
///
/// protocol_tests! {
///     mod upper {
///         make: || Upper,
///         inputs: |draw| draw.bytes(100),
///         expect: |input| input.to_ascii_uppercase(),
///     }
/// }
///
/// # fn main() {
/// upper::fuzz(b"\x01\x00\x03some text");
/// # }
/// ```
#[macro_export]
macro_rules! protocol_tests {
    (
        $(#[$attribute:meta])*
        $visible:vis mod $name:ident {
            make: $make:expr
            $(, inputs: $inputs:expr)?
            $(, expect: $expect:expr)?
            $(, seeds: $seeds:expr)?
            $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visible mod $name {
            #[allow(unused_imports, reason = "what is said may need none of it")]
            use super::*;

            fn subject() -> $crate::testing::SystemUnderTest<impl $crate::transports::Protocol> {
                $crate::testing::SystemUnderTest::new($make)
                    $(.inputs($inputs))?
                    $(.expect($expect))?
                    $(.seeds($seeds))?
            }

            /// The body of a fuzz target.
            #[allow(dead_code, unreachable_pub, reason = "who has no fuzzer does not call it")]
            pub fn fuzz(data: &[u8]) {
                subject().fuzz(data);
            }

            #[test]
            fn property() {
                subject().property();
            }

            #[test]
            fn scenario() {
                subject().scenario();
            }
        }
    };
}

#[cfg(test)]
mod tests;
