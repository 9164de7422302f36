//! Timing: messages a second, and what each costs the server's CPU.

use anyhow::{Context, Result, ensure};
use bench::outcome::Outcome;

use crate::Setup;
use crate::args::Mode;
use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::load::Window;
use crate::report::{self, Table};
use crate::server::{Server, Wrapper};

/// One window of one contestant, seen from the load and from the server.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) outcome: Outcome,
    pub(crate) usage: Usage,
}

impl Sample {
    /// Server CPU, user and system.
    pub(crate) fn cpu_us_per_message(&self) -> f64 {
        self.usage.cpu.as_secs_f64() * 1e6 / self.outcome.messages as f64
    }

    /// How much of one CPU the server used: well below 1, the load was the limit.
    pub(crate) fn busy(&self) -> f64 {
        self.usage.cpu.as_secs_f64() / self.outcome.elapsed_s
    }
}

/// One case, timed.
pub(crate) fn run(setup: &Setup, case: &Case, seconds: f64) -> Result<Table> {
    let warmup = match case.mode {
        Mode::Echo | Mode::Idle => 20_000,
        Mode::Churn => 2_000,
    };
    let field = setup.field(case);
    let samples = setup.interleave(
        &field,
        |contestant| {
            let window = Window::Timed { seconds, warmup };
            measure(setup, case, contestant, window).with_context(|| contestant.name.clone())
        },
        |sample| {
            format!(
                "{:.0} a second, {:.3} µs of CPU each",
                sample.outcome.messages_per_s,
                sample.cpu_us_per_message()
            )
        },
    )?;
    Ok(report::timed_table(&field, &samples, &setup.contestants.yardstick))
}

/// A fresh server under one window of load.
fn measure(setup: &Setup, case: &Case, contestant: &Contestant, window: Window) -> Result<Sample> {
    let server = Server::start(contestant, &Wrapper::default(), setup.places.server)?;
    let mut load = setup.load.open(server.address, case, window, setup.places.load)?;
    let before = Usage::at_rest(server.pid)?;
    let outcome = load.run()?;
    let usage = Usage::at_rest(server.pid)? - before;
    load.close()?;
    server.stop()?;
    ensure!(outcome.messages > 0, "nothing was sent: give it more --seconds");
    Ok(Sample { outcome, usage })
}
