//! `load`: sends patterned messages to an echo server, checks every byte that comes back, and prints one
//! line of JSON. One thread; loopback only.
//!
//! The line `ready` comes when the connections are open and have each been echoed once. With `--gated` the
//! window starts at the next line on standard input, and the connections stay open until that ends: so a
//! runner can look at the server in between.

mod budget;
mod churn;
mod dialer;
mod echo;
mod gauge;
mod pattern;

use std::io::{self, BufRead, Write};
use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::outcome::Outcome;
use clap::Parser;

use crate::budget::Budget;
use crate::churn::Churn;
use crate::dialer::Dialer;
use crate::echo::Echo;

/// A load that hears nothing for so long gives up.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Parser)]
#[command(about = "Loads an echo server over loopback and checks every byte that comes back")]
struct Args {
    /// The server's address, in 127.0.0.0/8.
    #[arg(long, value_name = "ADDR")]
    connect: SocketAddrV4,

    /// Connections held open at the same time.
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,

    /// Bytes in a message.
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    size: usize,

    /// Messages in flight on each connection.
    #[arg(long, value_name = "K", default_value_t = 1)]
    outstanding: usize,

    /// Send so many messages in all.
    #[arg(long, value_name = "M", required_unless_present = "seconds")]
    messages: Option<u64>,

    /// Send for so long, then wait for the last echoes.
    #[arg(long, value_name = "S", conflicts_with = "messages")]
    seconds: Option<f64>,

    /// Send so many messages before `ready`, unmeasured.
    #[arg(long, value_name = "M", default_value_t = 0)]
    warmup: u64,

    /// Use a new connection for each message: connect, send, check the echo, close.
    #[arg(long, conflicts_with = "outstanding")]
    churn: bool,

    /// Wait for a line on standard input before the window, and for its end before closing.
    #[arg(long)]
    gated: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    ensure!(args.connect.ip().is_loopback(), "{} is not on loopback", args.connect);
    ensure!(args.connections > 0, "--connections must be at least 1");
    ensure!((1..=1 << 20).contains(&args.size), "--size must be from 1 to 1048576");
    ensure!((1..=1 << 10).contains(&args.outstanding), "--outstanding must be from 1 to 1024");
    let window = window(args)?;
    let allowed = bench::descriptors::connections_allowed();
    ensure!(args.connections <= allowed, "the descriptor limit allows {allowed} connections");

    let dialer = Dialer::new(args.connect);
    if args.churn {
        let mut churn = Churn::new(dialer, args.connections, args.size)?;
        session(args, window, |budget| churn.run(budget))
    } else {
        let mut echo = Echo::open(dialer, args.connections, args.size, args.outstanding)?;
        session(args, window, |budget| echo.run(budget))
    }
}

/// How long or how much to send; kept apart from [`Budget`], whose clock starts with the window.
#[derive(Clone, Copy)]
enum Window {
    Messages(u64),
    Lasting(Duration),
}

fn window(args: &Args) -> Result<Window> {
    Ok(match (args.messages, args.seconds) {
        (Some(count), _) => Window::Messages(count),
        (None, seconds) => Window::Lasting(
            Duration::try_from_secs_f64(seconds.unwrap_or_default())
                .context("--seconds makes no sense")?,
        ),
    })
}

/// Warm-up, `ready`, the gate, the window, its report, the gate again.
fn session(
    args: &Args,
    window: Window,
    mut run: impl FnMut(Budget) -> Result<Outcome>,
) -> Result<()> {
    if args.warmup > 0 {
        run(Budget::messages(args.warmup))?;
    }
    say("ready")?;
    let mut gate = io::stdin().lock();
    if args.gated && gate.read_line(&mut String::new())? == 0 {
        return Ok(());
    }
    let outcome = run(match window {
        Window::Messages(count) => Budget::messages(count),
        Window::Lasting(time) => Budget::until(Instant::now() + time),
    })?;
    say(&serde_json::to_string(&outcome)?)?;
    if args.gated {
        gate.read_line(&mut String::new())?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
