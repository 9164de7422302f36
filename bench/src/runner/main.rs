//! `bench`: runs every server under the same load, in turns, and reports the results.
//!
//! The runner measures from outside: a server is a process, and takes no part in the measurement.

mod affinity;
mod args;
mod atomics;
mod budgets;
mod built;
mod callgrind;
mod case;
mod columns;
mod contestant;
mod cores;
mod counted;
mod cpu;
mod field;
mod figure;
mod html;
mod idle;
mod instrument;
mod load;
mod machine;
mod markdown;
mod memory;
mod mode;
mod pipe;
mod plan;
mod progress;
mod results;
mod scale;
mod scratch;
mod server;
mod service;
mod statistic;
mod strace;
mod table;
mod timed;
mod timers;
mod tool;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::affinity::Places;
use crate::args::{Cli, Command, Options, Output, RenderOptions, Who};
use crate::field::Setup;
use crate::load::LoadBinary;
use crate::machine::Machine;
use crate::mode::Mode;
use crate::plan::{Plan, Step};
use crate::results::{CaseResults, Results};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let (mode, options) = match command {
        Command::Echo(options) => (Mode::Echo, options),
        Command::Bulk(options) => (Mode::Bulk, options),
        Command::Line(options) => (Mode::Line, options),
        Command::Fanout(options) => (Mode::Fanout, options),
        Command::Churn(options) => (Mode::Churn, options),
        Command::Storm(options) => (Mode::Storm, options),
        Command::Idle(options) => (Mode::Idle, options),
        Command::Scale(options) => (Mode::Scale, options),
        Command::Spin(options) => (Mode::Spin, options),
        Command::Timers(options) => (Mode::Timers, options),
        Command::Http(options) => (Mode::Http, options),
        Command::HttpFile(options) => (Mode::HttpFile, options),
        Command::HttpIdle(options) => (Mode::HttpIdle, options),
        Command::HttpsIdle(options) => (Mode::HttpsIdle, options),
        Command::WsEcho(options) => (Mode::WsEcho, options),
        Command::WsIdle(options) => (Mode::WsIdle, options),
        Command::WsBroadcast(options) => (Mode::WsBroadcast, options),
        Command::Dns(options) => (Mode::Dns, options),
        Command::Smtp(options) => (Mode::Smtp, options),
        Command::Pop3(options) => (Mode::Pop3, options),
        Command::Imap(options) => (Mode::Imap, options),
        Command::ImapIdle(options) => (Mode::ImapIdle, options),
        Command::Irc(options) => (Mode::Irc, options),
        Command::IrcIdle(options) => (Mode::IrcIdle, options),
        Command::All(options) => {
            let plan = Plan::of_all(&options, bench::descriptors::connections_allowed())?;
            return measure(&plan, &options.who, &Options::SPINS, &options.output);
        }
        Command::Render(options) => return render(&options),
        Command::Budgets(options) => return budgets::run(&options),
        Command::Cores(options) => return cores::run(&options),
        Command::Atomics => return atomics::run(),
    };
    let plan = Plan::of_mode(mode, &options, bench::descriptors::connections_allowed())?;
    measure(&plan, &options.who, &options.spin, &options.output)
}

/// Runs a plan; results are written even if a server has failed.
fn measure(plan: &Plan, who: &Who, spins: &[u64], output: &Output) -> Result<()> {
    for instrument in plan.steps.iter().filter_map(|step| step.case.instrument) {
        counted::check(instrument)?;
    }
    let places = Places::choose(who.server_cpu, who.load_cpu)?;
    let contestants = contestant::read(who, spins)?;
    let load = LoadBinary::beside_this_one()?;
    let setup = Setup::new(contestants, &plan.services(), load, places)?;
    let mut results = Results { machine: Machine::here(places), cases: Vec::new() };
    let runs = |step: &Step| step.rounds * setup.field_len(&step.case);
    let mut expected = 0;
    setup.progress.expect(plan.steps.iter().map(runs).sum());
    setup.progress.print(results.machine.line());
    let began = Instant::now();
    for (index, step) in plan.steps.iter().enumerate() {
        setup.progress.case(&step.case);
        let rounds = plan.rounds(index, &setup, began, Instant::now());
        let found =
            setup.interleave(&step.case, rounds, |contestant| one(&setup, step, contestant))?;
        setup.progress.print(format_args!("\n{}", markdown::case(&found)));
        results.cases.push(found);
        expected += runs(step);
        setup.progress.skip_to(expected);
        // Written after each case, so that an interrupted run leaves its results.
        write(&results, output)?;
    }
    setup.progress.finish();
    failures(&results.cases)
}

/// Measures one server once.
fn one(setup: &Setup, step: &Step, contestant: &contestant::Contestant) -> Result<results::Sample> {
    let Step { case, seconds, messages, .. } = step;
    match (case.instrument, case.mode) {
        (Some(instrument), _) => counted::measure(setup, case, contestant, instrument, *messages),
        (None, mode) if mode.is_idle() => idle::measure(setup, case, contestant),
        (None, Mode::Scale) => scale::measure(setup, case, contestant, *seconds),
        (None, Mode::Timers) => timers::measure(setup, case, contestant),
        (None, _) => timed::measure(setup, case, contestant, *seconds),
    }
}

fn render(options: &RenderOptions) -> Result<()> {
    let mut files = options.files.iter();
    let first = files.next().context("no file to render")?;
    let mut results = Results::read(first)?;
    for file in files {
        results.merge(Results::read(file)?);
    }
    write(&results, &options.output)
}

fn write(results: &Results, output: &Output) -> Result<()> {
    let put = |path: &Path, text: String| {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    if let Some(path) = &output.json {
        put(path, serde_json::to_string(results)?)?;
    }
    if let Some(path) = &output.markdown {
        put(path, markdown::page(results))?;
    }
    if let Some(path) = &output.html {
        put(path, html::page(results))?;
    }
    Ok(())
}

fn failures(cases: &[CaseResults]) -> Result<()> {
    let failed = cases.iter().flat_map(|case| {
        let out = case.left_out.iter().filter(|out| out.failed);
        out.map(move |out| format!("{}: {}: {}", case.case, out.contestant, out.reason))
    });
    let failed = failed.collect::<Vec<_>>();
    if !failed.is_empty() {
        bail!("some contestants failed:\n{}", failed.join("\n"));
    }
    Ok(())
}
