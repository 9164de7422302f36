//! [`SystemUnderTest`]: a protocol with the inputs and the model for its tests, in memory, with a fuzzer and on a
//! network.

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

/// Maximum length of the default random inputs.
const INPUT_MAX: usize = 200;

/// Maximum number of inputs tried while shrinking.
const TRIES_MAX: usize = 1_000;

/// Generates inputs.
pub(crate) type Inputs = Rc<dyn Fn(&mut Draw) -> Vec<u8>>;

/// The reference model: the expected output for an input.
pub(crate) type Model = Rc<dyn Fn(&[u8]) -> Vec<u8>>;

/// A server protocol with what is needed to test it. [`protocol_tests!`](crate::protocol_tests) generates tests from
/// one.
///
/// The output of the protocol must depend on its input alone, be sent within 50 ms of simulated time, and be finite.
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
    /// A protocol, created anew by `make` for each connection, that receives up to 200 random bytes.
    pub fn new(make: impl Fn() -> P + 'static) -> Self {
        let inputs = Rc::new(|draw: &mut Draw| draw.bytes(INPUT_MAX));
        Self { make: Rc::new(make), inputs, model: None, seeds: None }
    }

    /// Sets the generator of inputs, such as valid or almost valid messages.
    pub fn inputs(mut self, draw: impl Fn(&mut Draw) -> Vec<u8> + 'static) -> Self {
        self.inputs = Rc::new(draw);
        self
    }

    /// Sets the model: the whole output for an input followed by a half-close. Without a model, the output must not
    /// depend on how the input is split.
    pub fn expect(mut self, model: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        self.model = Some(Rc::new(model));
        self
    }

    /// The seeds. Default: 100 in [`property`](Self::property), 10 in [`scenario`](Self::scenario).
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = Some(seeds);
        self
    }

    /// Generates an input for each seed, or only for that of `SINEW_SEED`, and fails unless the output is right
    /// however the input is split: whole, byte by byte and at random, with a peer that reads at once or a few bytes
    /// at a time. Half of the inputs are truncated at a random point. As with [`every_split`](super::every_split),
    /// the callback contract, panics and leaks are checked.
    ///
    /// A failing input is shrunk, in at most 1,000 tries; the seed and the shortest input are printed.
    ///
    /// # Panics
    ///
    /// If a check fails.
    pub fn property(&self) {
        for seed in chosen(self.seeds.clone().unwrap_or(0..100)) {
            if let Err(failure) = self.find(seed) {
                eprintln!("{failure}");
                resume_unwind(failure.payload);
            }
        }
    }

    /// Generates and tests one input, and shrinks it if it fails.
    pub(crate) fn find(&self, seed: u64) -> Result<(), Failure> {
        let mut draw = Draw::new(seed);
        let mut input = (self.inputs)(&mut draw);
        if draw.number(..2) == 0 {
            input.truncate(draw.number(..=input.len()));
        }
        let check = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| self.check(input, seed)));
        let Err(payload) = check(&input) else { return Ok(()) };
        let _silence = Silence::begin();
        let mut message = String::new();
        let shortest = Minimiser::new(TRIES_MAX).fewest(input.clone(), |input| {
            let silence = Silence::begin();
            let fails = check(input).is_err();
            if let Some(news) = silence.first_message().filter(|_| fails) {
                message = news;
            }
            fails
        });
        Err(Failure { seed, input, shortest, message, payload })
    }

    /// Fails unless the output is right for every split.
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

/// An input for which the protocol fails.
pub(crate) struct Failure {
    seed: u64,
    input: Vec<u8>,
    pub(crate) shortest: Vec<u8>,
    /// The failure message of the shortest input; empty if the first input is the shortest.
    message: String,
    payload: Box<dyn std::any::Any + Send>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, shortest) = (self.input.escape_ascii(), self.shortest.escape_ascii());
        writeln!(f, "the protocol fails with seed {}, for this input:", self.seed)?;
        writeln!(f, "    b\"{input}\"")?;
        writeln!(f, "the shortest input found for which it still fails:")?;
        writeln!(f, "    b\"{shortest}\"")?;
        if !self.message.is_empty() {
            writeln!(f, "failure:")?;
            self.message.lines().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        write!(f, "to reproduce: SINEW_SEED={}", self.seed)
    }
}

/// Generates a module of tests for a protocol: the tests `property` and `scenario`, and `fuzz`, the body of a fuzz
/// target. They call the methods of [`SystemUnderTest`](crate::testing::SystemUnderTest) with these settings;
/// `inputs`, `expect` and `seeds` are optional, in this order.
///
/// With cargo-fuzz, a target is `fuzz_target!(|data: &[u8]| my_crate::upper::fuzz(data));`. To replay a corpus, call
/// `fuzz` with the content of each file.
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
            #[allow(unused_imports, reason = "the settings may use nothing of it")]
            use super::*;

            fn system_under_test() -> $crate::testing::SystemUnderTest<impl $crate::transports::Protocol> {
                $crate::testing::SystemUnderTest::new($make)
                    $(.inputs($inputs))?
                    $(.expect($expect))?
                    $(.seeds($seeds))?
            }

            /// The body of a fuzz target.
            #[allow(dead_code, unreachable_pub, reason = "called by fuzz targets only")]
            pub fn fuzz(data: &[u8]) {
                system_under_test().fuzz(data);
            }

            #[test]
            fn property() {
                system_under_test().property();
            }

            #[test]
            fn scenario() {
                system_under_test().scenario();
            }
        }
    };
}

#[cfg(test)]
mod tests;
