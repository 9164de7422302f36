//! `script NAME`: a fixed piece of work in one process, for counting instructions.
//!
//! Both ends are in the process, in lock step: the client does something, then the reactor is turned until it has
//! handled it. Only code below [`budgeted`] is counted, which is the reactor's side: not startup, teardown and client.
//! Where the kernel does not matter, it is replaced: memory instead of sockets, and a virtual clock.

mod accept;
mod dns;
mod echo;
mod fanout;
mod http;
mod line;
mod timers;
mod websocket;

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sinew::prelude::*;

type Failed = Box<dyn Error>;

/// Longer than any step takes, under any tool.
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
    /// The same while the reactor is inspected
    EchoInspected,
    /// 10,000 lines in 1,000 chunks, each line answered, in memory
    Line,
    /// 100,000 timers made, reset and cancelled
    Timers,
    /// 1,000 connections accepted and closed by their clients, on mio
    Accept,
    /// 10 messages, each to 1,000 connections in memory
    Fanout,
    /// 1,024 requests of HTTP/1.1 through a router, on 64 connections on mio
    Http,
    /// The same on one connection, 16 in each piece
    HttpPipelined,
    /// 1,000 WebSocket messages of 64 bytes and their echoes on one connection, on mio
    WsEcho,
    /// 10 messages, each to 1,000 WebSockets in memory
    WsBroadcast,
    /// 1,024 queries of DNS over UDP, 8 at once, on mio
    Dns,
}

fn main() -> Result<(), Failed> {
    match Args::parse().script {
        Script::Echo => echo::run(false),
        Script::EchoInspected => echo::run(true),
        Script::Line => line::run(),
        Script::Timers => timers::run(),
        Script::Accept => accept::run(),
        Script::Fanout => fanout::run(),
        Script::Http => http::run(64, 1),
        Script::HttpPipelined => http::run(1, 16),
        Script::WsEcho => websocket::echo(),
        Script::WsBroadcast => websocket::broadcast(),
        Script::Dns => dns::run(),
    }
}

/// The function whose instructions are counted, with everything that it calls: its name is passed to callgrind.
#[inline(never)]
fn budgeted(work: &mut dyn FnMut()) {
    work();
    // Prevents a tail call, after which callgrind would not see the return.
    black_box(());
}

/// One turn of the loop, counted.
fn turn(reactor: &Reactor, max_wait: Duration) -> Result<(), Failed> {
    let mut turned = Ok(());
    budgeted(&mut || turned = reactor.turn(Some(max_wait)));
    Ok(turned?)
}

/// A reactor on mio that reports no slow callbacks: under a tool all of them are slow.
fn reactor() -> Result<Reactor, Failed> {
    inspected_reactor(false)
}

/// The same, with or without inspection.
fn inspected_reactor(inspection: bool) -> Result<Reactor, Failed> {
    Ok(Reactor::builder().slow_callback(Duration::MAX).inspection(inspection).build()?)
}
