//! `sinew bench`: a load generator for echo, line, HTTP and WebSocket servers.
//!
//! `load.rs` is the load of one reactor, `lane.rs` one of its connections, `schedule.rs` when requests are planned; `exchange.rs` is the
//! contract of the protocols, one file each; `tally.rs` counts, and `report.rs` prints.

mod echo;
mod exchange;
mod http;
mod lane;
mod line;
mod load;
mod progress;
mod report;
mod schedule;
mod stream;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod websocket;

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sinew::{
    prelude::*,
    reactor::Signal,
    transports::reactors::{Reactors, Shard},
};

use crate::{
    arguments::EngineName,
    destination::TlsOptions,
    exit::{Code, Failure},
    process,
    quantity::{Interval, Size},
    run::Tool,
};
use load::{Live, Load, Volume};
use progress::Progress;
use report::Report;
use tally::Tally;
use target::{Protocol, SIZE_MAX, Target};

/// The arguments of `sinew bench`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: an endpoint, as tcp:localhost:7000, or a URL of http, https, ws or wss
    #[arg(value_name = "ENDPOINT")]
    pub(crate) endpoint: String,
    /// What the server speaks; by default what the URL says, else echo
    #[arg(long, short, value_enum, value_name = "PROTOCOL")]
    pub(crate) protocol: Option<Protocol>,
    /// How many connections
    #[arg(long, short, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) connections: u32,
    /// Send so many requests a second over all connections, by a schedule that waits for no answer (open loop). Without it, each
    /// connection sends its next request after the answer (closed loop)
    #[arg(long, short, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Bytes of each message; of HTTP, of the body of a POST, else the requests are GETs [default: 64]
    #[arg(long, short, value_name = "SIZE", value_parser = size)]
    pub(crate) size: Option<Size>,
    /// How long to measure
    #[arg(long, short, default_value_t = Interval::seconds(10), value_name = "DURATION")]
    pub(crate) duration: Interval,
    /// How long to send before the measurement begins
    #[arg(long, default_value_t = Interval::seconds(1), value_name = "DURATION")]
    pub(crate) warmup: Interval,
    /// How many requests a connection may have without an answer
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) pipeline: u32,
    /// How long a connection and an answer may take; then they count as errors
    #[arg(long, default_value_t = Interval::seconds(5), value_name = "DURATION")]
    pub(crate) timeout: Interval,
    /// The line that is sent (line)
    #[arg(long, value_name = "TEXT")]
    pub(crate) send: Option<String>,
    /// The line that is the right answer (line); by default that which was sent
    #[arg(long, value_name = "TEXT")]
    pub(crate) answer: Option<String>,
    /// The target of the requests (http, ws), instead of the URL's
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    /// How many reactors make the load, each on a thread of its own
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024), help_heading = "Event loop")]
    pub(crate) reactors: u32,
    /// What the loop waits with: mio (epoll, kqueue), poll, select, uring or best
    #[arg(long, default_value_t, value_name = "ENGINE", help_heading = "Event loop")]
    pub(crate) engine: EngineName,
    /// Poll instead of sleeping for the last millisecond before a request is due. It takes a whole processor; without it, requests of an
    /// open loop are sent up to a millisecond late, which counts as latency
    #[arg(long, requires = "rate", help_heading = "Event loop")]
    pub(crate) spin: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e8);
    rate.ok_or_else(|| {
        "write a number of requests a second, above 0 and up to 100000000".to_owned()
    })
}

fn size(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|error| format!("{error}"))?;
    if (1..=SIZE_MAX).contains(&size.0) {
        return Ok(size);
    }
    Err(format!("a message has between 1 and {SIZE_MAX} bytes"))
}

impl Args {
    /// Refuses options that mean nothing to a protocol.
    fn check_options_of(&self, protocol: Protocol) -> Result<(), Failure> {
        let is_line = protocol == Protocol::Line;
        let has_path = matches!(protocol, Protocol::Http | Protocol::Ws);
        let wrong = [
            ("--send", self.send.is_some() && !is_line),
            ("--answer", self.answer.is_some() && !is_line),
            ("--path", self.path.is_some() && !has_path),
            ("--size", self.size.is_some() && self.send.is_some()),
        ];
        match wrong.iter().find(|(_, is_wrong)| *is_wrong) {
            Some(("--size", _)) => {
                Err(Failure::new(Code::Usage, "--size and --send both say what is sent: use one"))
            }
            Some((option, _)) => Err(Failure::new(
                Code::Usage,
                format!("{option} is not for the protocol {}", protocol.name()),
            )),
            None => Ok(()),
        }
    }

    /// The load of all reactors together.
    fn volume(&self) -> Volume {
        Volume {
            connections: self.connections as usize,
            pipeline: self.pipeline as usize,
            rate: self.rate,
            phase: 0.0,
            warm_up: self.warmup.0,
            duration: self.duration.0,
            timeout: self.timeout.0.max(Duration::from_millis(1)),
        }
    }

    fn reactors(&self) -> usize {
        self.reactors.min(self.connections) as usize
    }
}

impl Volume {
    /// The part of one reactor of several.
    fn share(&self, index: usize, count: usize) -> Self {
        let extra = usize::from(index < self.connections % count);
        Self {
            connections: self.connections / count + extra,
            rate: self.rate.map(|rate| rate / count as f64),
            phase: index as f64 / count as f64,
            ..self.clone()
        }
    }
}

impl Tool for Args {
    fn run(&self) -> Result<(), Failure> {
        let (target, volume) = (Target::new(self)?, self.volume());
        let tally = measure(self, &target, &volume)?;
        let report = Report {
            protocol: target.name,
            endpoint: &self.endpoint,
            volume: &volume,
            reactors: self.reactors(),
            tally: &tally,
        };
        let text = if self.json { format!("{:#}\n", report.json()) } else { report.to_string() };
        let written = io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Failure::io(Code::Io, "standard output", &error))?;
        if !tally.is_complete && tally.connected > 0 {
            // What ended it ends the command, too, as its parent expects.
            process::end_by_signal(Signal::INT.as_raw());
        }
        verdict(&tally)
    }
}

/// The end of the command: a failure if anything went wrong.
fn verdict(tally: &Tally) -> Result<(), Failure> {
    let errors = tally.failures();
    if tally.connected == 0 && errors > 0 {
        return Err(Failure::new(Code::Unavailable, "no connection could be made"));
    }
    if errors > 0 {
        let what = format!("{errors} errors: the report says which");
        return Err(Failure::new(Code::Protocol, what));
    }
    Ok(())
}

/// How long the loop polls before it sleeps, with `--spin`. A sleep is rounded up to a whole millisecond.
const SPIN: Duration = Duration::from_millis(1);

/// Makes the load on all reactors, until it is done or interrupted.
fn measure(args: &Args, target: &Target, volume: &Volume) -> Result<Tally, Failure> {
    let count = args.reactors();
    let live: Vec<_> = (0..count).map(|_| Arc::new(Live::default())).collect();
    let tallies = Arc::new(Mutex::new(Vec::new()));
    let unfinished = Arc::new(AtomicUsize::new(count));
    let progress = Progress::show(live.clone(), volume.duration);
    let (engine, spin) = (args.engine.0, if args.spin { SPIN } else { Duration::ZERO });
    let (target, volume, results) = (target.clone(), volume.clone(), tallies.clone());
    let running = Reactors::new(count)
        .reactor(move |_| Reactor::builder().engine(engine).spin(spin))
        .drain(Duration::ZERO)
        .setup(move |shard: &Shard| {
            let (reactor, unfinished) = (shard.reactor(), unfinished.clone());
            let share = volume.share(shard.index(), shard.count());
            let load = Load::start(
                reactor,
                share,
                live[shard.index()].clone(),
                target.dial(),
                move |reactor| {
                    if unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                        // Stops them all. If they stop already, that is as well.
                        let _ = reactor.stop();
                    }
                },
            );
            let results = results.clone();
            reactor.on(Phase::BeforeShutdown, move |_| {
                results.lock().unwrap_or_else(PoisonError::into_inner).push(load.tally());
            });
            Ok::<_, Failure>(())
        })
        .start();
    let ended = running.and_then(|running| running.join());
    drop(progress);
    ended.map_err(|error| Failure::new(Code::Software, error.to_string()))?;
    let mut tallies =
        std::mem::take(&mut *tallies.lock().unwrap_or_else(PoisonError::into_inner)).into_iter();
    let mut all = tallies.next().unwrap_or_default();
    tallies.for_each(|tally| all.add(&tally));
    Ok(all)
}
