//! The plan of a run: the cases of one mode, or of all modes in bounded time.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::args::{AllOptions, Options};
use crate::case::Case;
use crate::field::{Rounds, Setup};
use crate::instrument::Instrument;
use crate::mode::Mode;
use crate::service::Service;

/// Rounds of a timed case, if there is time for them.
const ROUNDS: usize = 8;

/// The time that a run takes beside its window, to start, settle and end.
const OVERHEAD: Duration = Duration::from_millis(350);

/// The time of a run under a tool.
const COUNTED: Duration = Duration::from_secs(4);

/// The assumed rate at which connections are opened.
const CONNECTIONS_PER_S: f64 = 10_000.0;

/// A case and how it is measured.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) case: Case,
    pub(crate) rounds: usize,
    /// Length of a timed window.
    pub(crate) seconds: f64,
    /// Messages of a counted window.
    pub(crate) messages: u64,
}

/// The steps, and their time limit.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    time: Option<Duration>,
}

impl Plan {
    /// The plan for one mode, with its options.
    pub(crate) fn of_mode(mode: Mode, options: &Options, allowed: usize) -> Result<Self> {
        ensure!(
            mode.has_messages() || options.instrument().is_none(),
            "this mode has no messages to count: omit --syscalls or --instructions"
        );
        let rounds = options.rounds(mode);
        ensure!(rounds > 0, "--rounds must be at least 1");
        let cases = Case::matrix(mode, options, allowed);
        let step =
            |case| Step { case, rounds, seconds: options.seconds, messages: options.messages };
        Ok(Self { steps: cases.into_iter().map(step).collect(), time: None })
    }

    /// The plan for all modes.
    pub(crate) fn of_all(options: &AllOptions, allowed: usize) -> Result<Self> {
        let minutes = options.minutes.unwrap_or(if options.quick { 5.0 } else { 20.0 });
        ensure!(minutes > 0.0 && minutes < 1e4, "--minutes must be above 0 and below 10000");
        let quick = options.quick;
        let seconds = if quick { 0.25 } else { 0.5 };
        let messages = if quick { 1_000 } else { 5_000 };
        let steps = cases(quick, allowed).into_iter().map(|case| {
            let once = case.instrument.is_some() || (quick && case.mode.is_idle());
            let few = case.mode.is_idle() || matches!(case.mode, Mode::Storm | Mode::Scale);
            let rounds = if once {
                1
            } else if few {
                3
            } else {
                ROUNDS
            };
            // The counted messages are multiplied by the receivers.
            let messages = if case.mode.is_broadcast() { messages / 50 } else { messages };
            Step { case, rounds, seconds, messages }
        });
        Ok(Self { steps: steps.collect(), time: Some(Duration::from_secs_f64(60.0 * minutes)) })
    }

    pub(crate) fn services(&self) -> Vec<Service> {
        self.steps.iter().map(|step| step.case.mode.service()).collect()
    }

    /// How many rounds this step may have, so that the later ones get their share of the time.
    pub(crate) fn rounds(
        &self,
        index: usize,
        setup: &Setup,
        began: Instant,
        now: Instant,
    ) -> Rounds {
        let step = &self.steps[index];
        let share = self.time.map(|time| {
            let weight = |step: &Step| {
                step.rounds as f64 * setup.field_len(&step.case) as f64 * step.run().as_secs_f64()
            };
            let left = time.saturating_sub(now - began);
            let later = self.steps[index..].iter().map(weight).sum::<f64>();
            left.mul_f64(weight(step) / later.max(f64::MIN_POSITIVE))
        });
        Rounds { most: step.rounds, within: share }
    }
}

impl Step {
    /// The approximate time of one run of one server.
    fn run(&self) -> Duration {
        let opening = match self.case.mode {
            Mode::Timers => Duration::ZERO,
            _ => Duration::from_secs_f64(self.case.connections as f64 / CONNECTIONS_PER_S),
        };
        let window = match (self.case.instrument, self.case.mode) {
            (Some(_), _) => COUNTED,
            (None, Mode::Storm | Mode::Timers) => Duration::ZERO,
            (None, mode) if mode.is_idle() => Duration::ZERO,
            (None, _) => Duration::from_secs_f64(1.2 * self.seconds),
        };
        OVERHEAD + opening + window
    }
}

/// The cases for all modes, the most significant first; fewer with `quick`.
fn cases(quick: bool, allowed: usize) -> Vec<Case> {
    let many = if quick { 5_000 } else { 10_000 }.min(allowed);
    let mut cases = Vec::new();
    let mut add = |mode, all: &[(usize, usize)]| {
        cases.extend(all.iter().map(|&(connections, depth)| Case::new(mode, connections, depth)));
    };
    add(Mode::Echo, &[(64, 1), (64, 16), (1, 1), (900, 1)]);
    if !quick {
        add(Mode::Echo, &[(many, 1)]);
        add(Mode::Bulk, &[(1, 16)]);
    }
    add(Mode::Bulk, &[(4, 16)]);
    add(Mode::Line, &[(64, 1), (64, 16)]);
    add(Mode::Fanout, &[(1_000.min(allowed), 1)]);
    add(Mode::Http, &[(64, 1), (64, 16)]);
    add(Mode::HttpFile, &[(4, 1)]);
    add(Mode::WsEcho, &[(64, 1), (64, 16)]);
    add(Mode::WsBroadcast, &[(1_000.min(allowed), 1)]);
    add(Mode::Dns, &[(16, 1), (16, 8)]);
    add(Mode::Smtp, &[(16, 1)]);
    add(Mode::Churn, &[(64, 1)]);
    add(Mode::Storm, &[(many, 1)]);
    add(Mode::Idle, &[(many, 1)]);
    add(Mode::HttpIdle, &[(many, 1)]);
    add(Mode::HttpsIdle, &[(1_000.min(allowed), 1)]);
    add(Mode::WsIdle, &[(many, 1)]);
    add(Mode::Spin, &[(1, 1)]);
    add(Mode::Timers, &[(100_000, 1)]);
    let scale = [900, 5_000, allowed.min(100_000)].map(|count| count.min(allowed));
    let mut scale = scale.map(|count| Case::new(Mode::Scale, count, 1)).to_vec();
    scale.dedup();
    Case::share_active(&mut scale);
    cases.extend(scale);
    cases.push(Case::new(Mode::Echo, 64, 1).counted(Instrument::Strace));
    cases.push(Case::new(Mode::Line, 64, 16).counted(Instrument::Strace));
    cases.push(Case::new(Mode::Echo, 64, 1).counted(Instrument::Callgrind));
    cases.push(Case::new(Mode::Line, 64, 16).counted(Instrument::Callgrind));
    cases.push(Case::new(Mode::Http, 64, 1).counted(Instrument::Callgrind));
    cases.push(Case::new(Mode::Http, 64, 16).counted(Instrument::Strace));
    cases.push(Case::new(Mode::WsEcho, 64, 1).counted(Instrument::Callgrind));
    cases.push(Case::new(Mode::WsBroadcast, 1_000.min(allowed), 1).counted(Instrument::Callgrind));
    cases.push(Case::new(Mode::Dns, 16, 8).counted(Instrument::Callgrind));
    if !quick {
        cases.push(Case::new(Mode::Fanout, 100, 1).counted(Instrument::Callgrind));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_case_is_planned_twice_or_past_the_limit() {
        for (quick, allowed) in [(true, 100_000), (false, 100_000), (false, 3_000), (true, 900)] {
            let cases = cases(quick, allowed);
            for (index, case) in cases.iter().enumerate() {
                assert!(!cases[..index].contains(case), "{case}");
                assert!(case.mode == Mode::Timers || case.connections <= allowed, "{case}");
            }
        }
    }
}
