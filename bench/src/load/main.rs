//! `load`: sends patterned messages to a server, checks every byte of the replies, and prints one line of JSON.
//! One thread; loopback only.
//!
//! The line `ready` is printed when the connections are open and each has been answered once. With `--gated` the
//! window starts at the next line on standard input, and the connections stay open until standard input ends, so that a
//! runner can inspect the server in between.

mod answer;
mod answered;
mod budget;
mod churn;
mod dialer;
mod dialog;
mod dns;
mod echo;
mod fanout;
mod http;
mod https;
mod irc;
mod mail;
mod meter;
mod one_shot;
mod pattern;
mod storm;

use std::io::{self, BufRead, Write};
use std::net::SocketAddrV4;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bench::mail::USERS;
use bench::outcome::Outcome;
use clap::{Parser, ValueEnum};

use crate::answered::{Answered, Exchange, Plan};
use crate::budget::Budget;
use crate::churn::Churn;
use crate::dialer::Dialer;
use crate::dialog::{Dialogs, Script};
use crate::dns::Queries;
use crate::echo::Echo;
use crate::fanout::{Fanout, Messages};
use crate::http::Requests;
use crate::https::Https;
use crate::irc::{Channel, TEXT_MAX};
use crate::mail::{Imap, ImapIdle, Pop3, Smtp};
use crate::pattern::Pattern;
use crate::storm::Storm;

/// A load that receives nothing for this long gives up.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, Parser)]
#[command(about = "Loads a server over loopback and checks every byte of its replies")]
struct Args {
    /// The kind of server and load.
    #[arg(value_enum)]
    kind: Kind,

    /// The server's address, in 127.0.0.0/8.
    #[arg(long, value_name = "ADDR")]
    connect: SocketAddrV4,

    /// Connections held open at the same time; with fanout, receivers.
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,

    /// Bytes in a message.
    #[arg(long, value_name = "BYTES", default_value_t = 64)]
    size: usize,

    /// Messages in flight on each connection.
    #[arg(long, value_name = "K", default_value_t = 1)]
    outstanding: usize,

    /// Send this many messages in all.
    #[arg(long, value_name = "M", required_unless_present = "seconds")]
    messages: Option<u64>,

    /// Send for this long, then wait for the last echoes.
    #[arg(long, value_name = "S", conflicts_with = "messages")]
    seconds: Option<f64>,

    /// Send for this long before `ready`, unmeasured.
    #[arg(long, value_name = "S")]
    warmup: Option<f64>,

    /// Connections that stay active after they were opened; the others are idle (echo, line) [default: all].
    #[arg(long, value_name = "N")]
    active: Option<usize>,

    /// Wait after the window until the server has closed every connection (echo, line).
    #[arg(long)]
    until_closed: bool,

    /// Wait for a line on standard input before the window, and for its end before closing.
    #[arg(long)]
    gated: bool,
}

/// The kind of server and load.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Kind {
    /// Messages and their echoes.
    Echo,
    /// The same, each message a line.
    Line,
    /// A new connection for each message: connect, send, check the echo, close.
    Churn,
    /// All connections at once, one message on each.
    Storm,
    /// Messages on one connection, which all others receive.
    Fanout,
    /// Requests of HTTP for a short text.
    Http,
    /// Requests of HTTP for a file of 1 MiB.
    HttpFile,
    /// Connections of HTTP over TLS, each answered once.
    Https,
    /// WebSocket messages and their echoes.
    WsEcho,
    /// Messages on one WebSocket, which all others receive.
    WsBroadcast,
    /// Queries of DNS over UDP.
    Dns,
    /// Messages sent by SMTP.
    Smtp,
    /// Messages fetched by POP3, as many in one piece as are outstanding; a user for each connection.
    Pop3,
    /// Messages fetched by IMAP, as many with one command as are outstanding.
    Imap,
    /// Connections of IMAP that idle.
    ImapIdle,
    /// Messages of one member of a channel of IRC, which all others receive.
    Irc,
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
    let Args { connections, size, .. } = *args;
    match args.kind {
        Kind::Echo => answered(args, window, dialer, Echo::same(size, Pattern::bytes)),
        Kind::Line => answered(args, window, dialer, Echo::same(size, || Pattern::lines(size))),
        Kind::WsEcho => {
            let dialer = Dialer::web_socket(args.connect);
            answered(args, window, dialer, Echo::web_socket(size))
        }
        Kind::Churn => {
            let mut churn = Churn::new(dialer, connections, size)?;
            session(args, window, |budget| churn.run(budget))
        }
        Kind::Storm => {
            let mut storm = Storm::new(dialer, connections, size)?;
            session(args, window, |budget| storm.run(budget))
        }
        Kind::Fanout => fanned_out(args, window, dialer, Messages::bytes(size)),
        Kind::WsBroadcast => {
            let dialer = Dialer::web_socket(args.connect);
            fanned_out(args, window, dialer, Messages::web_socket(size))
        }
        Kind::Http => {
            let requests = requests(args, bench::http::TEXT_PATH, bench::http::TEXT.into());
            answered(args, window, dialer, requests)
        }
        Kind::HttpFile => {
            let requests = requests(args, bench::http::FILE_PATH, bench::http::file_content());
            answered(args, window, dialer, requests)
        }
        Kind::Https => {
            let mut https = Https::open(dialer, connections)?;
            session(args, window, |budget| https.run(budget))
        }
        Kind::Dns => {
            let mut queries = Queries::open(args.connect, connections, args.outstanding)?;
            session(args, window, |budget| queries.run(budget))
        }
        Kind::Smtp => dialogs(args, window, dialer, Smtp),
        Kind::Pop3 => {
            ensure!(connections <= USERS, "pop3 has {USERS} users, with a mailbox each");
            dialogs(args, window, dialer, Pop3)
        }
        Kind::Imap => dialogs(args, window, dialer, Imap),
        Kind::ImapIdle => dialogs(args, window, dialer, ImapIdle),
        Kind::Irc => {
            ensure!((8..=TEXT_MAX).contains(&size), "texts of IRC have 8 to {TEXT_MAX} bytes");
            let mut channel = Channel::open(dialer, connections, size, args.outstanding)?;
            session(args, window, |budget| channel.run(budget))
        }
    }
}

fn dialogs(args: &Args, window: Window, dialer: Dialer, script: impl Script) -> Result<()> {
    let mut dialogs = Dialogs::open(dialer, args.connections, args.outstanding, script)?;
    session(args, window, |budget| dialogs.run(budget))
}

fn requests(args: &Args, path: &str, body: Vec<u8>) -> Requests {
    Requests::new(&bench::http::request(path, args.connect), args.outstanding, body)
}

fn answered(args: &Args, window: Window, dialer: Dialer, exchange: impl Exchange) -> Result<()> {
    let Args { connections, outstanding, .. } = *args;
    let active = args.active.unwrap_or(connections);
    ensure!((1..=connections).contains(&active), "--active must be from 1 to --connections");
    let plan = Plan { connections, active, outstanding };
    let mut answered = Answered::open(dialer, plan, exchange)?;
    session(args, window, |budget| answered.run(budget))?;
    if args.until_closed { answered.until_closed() } else { Ok(()) }
}

fn fanned_out(args: &Args, window: Window, dialer: Dialer, messages: Messages) -> Result<()> {
    let Args { connections, size, outstanding, .. } = *args;
    ensure!(size * outstanding <= 64 * 1024, "broadcasts keep at most 64 KiB in flight");
    let mut fanout = Fanout::open(dialer, connections, messages, outstanding)?;
    session(args, window, |budget| fanout.run(budget))
}

/// How long or how much to send; separate from [`Budget`], whose clock starts with the window.
#[derive(Clone, Copy)]
enum Window {
    Messages(u64),
    Lasting(Duration),
}

fn window(args: &Args) -> Result<Window> {
    Ok(match (args.messages, args.seconds) {
        (Some(count), _) => Window::Messages(count),
        (None, seconds) => Window::Lasting(lasting(seconds.unwrap_or_default())?),
    })
}

fn lasting(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).context("not a valid number of seconds")
}

/// Warm-up, `ready`, the gate, the window, its report, the gate again.
fn session(
    args: &Args,
    window: Window,
    mut run: impl FnMut(Budget) -> Result<Outcome>,
) -> Result<()> {
    if let Some(seconds) = args.warmup {
        run(Budget::until(Instant::now() + lasting(seconds)?))?;
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
    if args.gated && !args.until_closed {
        gate.read_line(&mut String::new())?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
