//! `script NAME`: a fixed piece of work in one process, for counting instructions.
//!
//! Both ends are here, in lock step: the client does something, the reactor is turned until it has dealt with it. Only
//! what runs below [`budgeted`] is counted, which is the reactor's side: start, end and client are not. Where the
//! kernel is not the point, there is none: memory instead of sockets, and a clock that stands still.

mod accept;
mod echo;
mod fanout;
mod line;
mod timers;

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sinew::prelude::*;

type Failed = Box<dyn Error>;

/// Longer than any step takes, under whatever tool.
const PATIENCE: Duration = Duration::from_secs(10);

/// Does a fixed piece of work
#[derive(Parser)]
struct Args {
    #[arg(value_enum)]
    script: Script,
}

#[derive(Clone, Copy, ValueEnum)]
enum Script {
    /// 1,000 messages of 64 bytes on one connection, on mio
    Echo,
    /// 10,000 lines in 1,000 chunks, each line answered, in memory
    Line,
    /// 100,000 timers made, reset and cancelled
    Timers,
    /// 1,000 connections accepted and closed by their clients, on mio
    Accept,
    /// 10 messages, each to 1,000 connections in memory
    Fanout,
}

fn main() -> Result<(), Failed> {
    match Args::parse().script {
        Script::Echo => echo::run(),
        Script::Line => line::run(),
        Script::Timers => timers::run(),
        Script::Accept => accept::run(),
        Script::Fanout => fanout::run(),
    }
}

/// The one function whose instructions, and those of all that it calls, are counted: callgrind is told its name.
#[inline(never)]
fn budgeted(work: &mut dyn FnMut()) {
    work();
    // A call in the last place would be a jump, and never seen to return.
    black_box(());
}

/// One turn of the loop, counted.
fn turn(reactor: &Reactor, max_wait: Duration) -> Result<(), Failed> {
    let mut turned = Ok(());
    budgeted(&mut || turned = reactor.turn(Some(max_wait)));
    Ok(turned?)
}

/// A reactor on mio that never finds a callback slow: a tool makes all of them slow.
fn reactor() -> Result<Reactor, Failed> {
    Ok(Reactor::builder().slow_callback(Duration::MAX).build()?)
}
