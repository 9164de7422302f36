//! Timing: messages per second, and the server's CPU time for each.

use anyhow::{Result, ensure};
use bench::outcome::Outcome;

use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::field::Setup;
use crate::figure::{
    BUSY, CPU, CPU_PER_MB, ELAPSED, FAILURES, FORCED, MB_RATE, P50, P99, P999, RATE, SLEEPS,
};
use crate::load::Window;
use crate::mode::Mode;
use crate::results::Sample;
use crate::server::Server;
use crate::tool::Wrapper;

/// Measures a fresh server under one window of load.
pub(crate) fn measure(
    setup: &Setup,
    case: &Case,
    contestant: &Contestant,
    seconds: f64,
) -> Result<Sample> {
    let window = match case.mode {
        Mode::Storm => Window::Counted(case.connections as u64),
        _ => Window::Timed { seconds },
    };
    let server = Server::start(contestant, &Wrapper::default(), setup.places.server)?;
    let mut load = setup.load.open(server.address, case, window, setup.places.load)?;
    let before = Usage::at_rest(server.pid)?;
    let outcome = load.run()?;
    let usage = Usage::at_rest(server.pid)? - before;
    load.close()?;
    server.stop()?;
    ensure!(outcome.messages > 0, "nothing was sent: increase --seconds");
    Ok(sample(case, &outcome, usage))
}

/// One window of one server, as measured at the load and at the server.
pub(crate) fn sample(case: &Case, outcome: &Outcome, usage: Usage) -> Sample {
    let messages = outcome.messages as f64;
    let cpu_us = usage.cpu.as_secs_f64() * 1e6;
    let megabytes = messages * case.size as f64 / 1e6;
    let sample = Sample::of([
        (RATE, outcome.messages_per_s()),
        (P50, outcome.latency_us_at(0.5)),
        (P99, outcome.latency_us_at(0.99)),
        (P999, outcome.latency_us_at(0.999)),
        (CPU, cpu_us / messages),
        (CPU_PER_MB, cpu_us / megabytes),
        (MB_RATE, megabytes / outcome.elapsed_s),
        // The share of one CPU that the server used: well below 100, the load was the limit.
        (BUSY, cpu_us / outcome.elapsed_s / 1e4),
        (SLEEPS, 1e3 * usage.switches_voluntary as f64 / messages),
        (FORCED, usage.switches_forced as f64),
        (ELAPSED, outcome.elapsed_s * 1e3),
        (FAILURES, outcome.failures as f64),
    ]);
    Sample { latency_us: outcome.latency_us.clone(), ..sample }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bench::outcome::QUANTILES;

    use super::*;

    #[test]
    fn figures_are_per_message() {
        let latency_us = QUANTILES.map(|quantile| 100.0 * quantile).to_vec();
        let outcome = Outcome { messages: 1_000, failures: 0, elapsed_s: 2.0, latency_us };
        let usage = Usage { cpu: Duration::from_secs(1), ..Usage::default() };
        let case = Case { size: 1_000, ..Case::new(Mode::Echo, 1, 1) };
        let sample = sample(&case, &outcome, usage);
        let expected = [
            (RATE, 500.0),
            (CPU, 1_000.0),
            (BUSY, 50.0),
            (MB_RATE, 0.5),
            (CPU_PER_MB, 1e6),
            (P99, 99.0),
        ];
        for (name, value) in expected {
            assert_eq!(sample.figure(name), Some(value), "{name}");
        }
    }
}
