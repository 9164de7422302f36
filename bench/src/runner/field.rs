//! The servers that take part in a case, and the rounds in which they run: interleaved, so that none always follows the
//! same one.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::affinity::Places;
use crate::case::Case;
use crate::columns;
use crate::contestant::{Contestant, Contestants};
use crate::instrument::Instrument;
use crate::load::LoadBinary;
use crate::progress::Progress;
use crate::results::{CaseResults, LeftOut, Row, Sample};
use crate::server::Server;
use crate::service::Service;

/// The inputs of a measurement that do not depend on the case.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) load: LoadBinary,
    pub(crate) places: Places,
    pub(crate) progress: Progress,
    contestants: Contestants,
    left_out: Vec<(Service, LeftOut)>,
}

/// The number of rounds of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) most: usize,
    /// Stop before a round that would end later than this after the start of the first.
    pub(crate) within: Option<Duration>,
}

impl Setup {
    /// Probes which servers of `services` can run on this machine.
    pub(crate) fn new(
        mut contestants: Contestants,
        services: &[Service],
        load: LoadBinary,
        places: Places,
    ) -> Result<Self> {
        contestants.retain(|service, _| services.contains(service));
        let mut left_out = Vec::new();
        for (&service, section) in &mut contestants {
            section.contestants.retain(|one| match probe(service, one, places) {
                Ok(()) => true,
                Err(error) => {
                    let reason = format!("{error:#}");
                    eprintln!("left out: {}: {reason}", one.name);
                    let contestant = one.name.clone();
                    left_out.push((service, LeftOut { contestant, reason, failed: false }));
                    false
                }
            });
        }
        Ok(Self { load, places, progress: Progress::new(), contestants, left_out })
    }

    /// How many servers take part in a case.
    pub(crate) fn field_len(&self, case: &Case) -> usize {
        let section = self.contestants.get(&case.mode.service());
        section.map_or(0, |section| section.contestants.len())
    }

    /// Runs a case: every server once a round, in an order that rotates. A server that fails is removed from the case.
    pub(crate) fn interleave(
        &self,
        case: &Case,
        rounds: Rounds,
        mut measure: impl FnMut(&Contestant) -> Result<Sample>,
    ) -> Result<CaseResults> {
        let service = case.mode.service();
        let section = self.contestants.get(&service).context("no such section")?;
        let (mut field, mut left_out) = self.field(case);
        let mut rows = field.iter().map(|one| row(one)).collect::<Vec<_>>();
        let began = Instant::now();
        for round in 0..rounds.most {
            // Assume that a round takes as long as the average of those before it.
            let ends = began.elapsed().mul_f64((round + 1) as f64 / round.max(1) as f64);
            if field.is_empty() || (round > 0 && rounds.within.is_some_and(|within| ends > within))
            {
                break;
            }
            let mut failed = Vec::new();
            for place in (0..field.len()).map(|turn| (round + turn) % field.len()) {
                let name = &field[place].name;
                self.progress.running(case, name, round, rounds.most);
                match measure(field[place]) {
                    Ok(sample) => {
                        self.progress.done(round, name, &headline(case, &sample));
                        rows[place].samples.push(sample);
                    }
                    Err(error) => {
                        let reason = format!("{error:#}");
                        self.progress.done(round, name, &format!("FAILED: {reason}"));
                        let contestant = name.clone();
                        left_out.push(LeftOut { contestant, reason, failed: true });
                        failed.push(place);
                    }
                }
            }
            failed.sort_unstable();
            for place in failed.into_iter().rev() {
                field.remove(place);
                rows.remove(place);
            }
        }
        let yardstick = section.yardstick.clone();
        Ok(CaseResults { case: case.clone(), yardstick, rows, left_out })
    }

    /// The servers that can take part, and those that cannot.
    fn field(&self, case: &Case) -> (Vec<&Contestant>, Vec<LeftOut>) {
        let service = case.mode.service();
        let of_service = self.left_out.iter().filter(|(of, _)| *of == service);
        let mut left_out = of_service.map(|(_, one)| one.clone()).collect::<Vec<_>>();
        let section = self.contestants.get(&service);
        let all = section.map_or(&[][..], |section| &section.contestants);
        let mut field = Vec::new();
        for one in all {
            match unfit(one, case) {
                None => field.push(one),
                Some(reason) => {
                    let contestant = one.name.clone();
                    left_out.push(LeftOut { contestant, reason, failed: false });
                }
            }
        }
        (field, left_out)
    }
}

/// The reason why a server that runs on this machine is left out of a case.
fn unfit(contestant: &Contestant, case: &Case) -> Option<String> {
    if contestant.connections_max < case.connections {
        Some(format!("stops at {} connections", contestant.connections_max))
    } else if case.instrument == Some(Instrument::Callgrind) && !contestant.countable {
        Some("its instructions cannot be counted".to_owned())
    } else {
        None
    }
}

fn row(contestant: &Contestant) -> Row {
    let Contestant { name, bare, .. } = contestant;
    Row { contestant: name.clone(), bare: bare.clone(), samples: Vec::new() }
}

fn headline(case: &Case, sample: &Sample) -> String {
    let figure = columns::headline(case);
    let value = sample.figure(figure.name).unwrap_or_default();
    format!("{value:.0$} {1}", figure.decimals, figure.heading)
}

/// Whether a server can run at all: its requirements are met, and it starts and ends.
fn probe(service: Service, contestant: &Contestant, places: Places) -> Result<()> {
    if let [program, words @ ..] = contestant.prepare.as_slice() {
        let output = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let last =
            errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed no error");
        ensure!(output.status.success(), "{program} failed: {last}");
    }
    if let Some(missing) = contestant.missing() {
        bail!(missing);
    }
    if service != Service::Timers {
        Server::probe(contestant, places.server)?;
    }
    Ok(())
}
