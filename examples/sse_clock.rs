//! The time of day as server-sent events at `/events`, and a page that shows it: open <http://127.0.0.1:8000/>.
//!
//! ```text
//! $ curl http://127.0.0.1:8000/events
//! event: tick
//! id: 1
//! data: 12:34:56 UTC
//! ```

mod cli;

use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Parser;
use cli::ServerArgs;
use sinew::http::server::{
    Event, EventStream, HttpServer, Reply, Request, Response, Router, answer,
};

/// The time of day as server-sent events
#[derive(Parser, Debug)]
struct Args {
    /// Milliseconds between two events
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,

    #[command(flatten)]
    server: ServerArgs,
}

fn time_of_day(now: SystemTime) -> String {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{:02}:{:02}:{:02} UTC", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

/// Sends an event at once and then one in each interval, until the page is gone. A page that connects again says which event was its
/// last.
fn clock(request: &Request, reply: Reply, interval: Duration) {
    let (stream, response) = EventStream::new();
    reply.send(response);
    let last = request.field("last-event-id").and_then(|id| id.parse().ok());
    let mut id: u64 = last.unwrap_or(0);
    let mut tick = move |now| {
        id += 1;
        match Event::new(time_of_day(now)).name("tick").and_then(|it| it.id(id.to_string())) {
            Ok(event) => drop(stream.send(&event)),
            Err(error) => tracing::error!(%error, "no event"),
        }
    };
    let reactor = request.reactor();
    tick(reactor.wall_clock());
    let ticks = reactor.call_every(interval, move |reactor| tick(reactor.wall_clock()));
    request.on_disconnect(move |_| {
        ticks.stop();
    });
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let interval = Duration::from_millis(args.interval);
        let router = Router::new()
            .get("/", answer(|_| Response::html(include_str!("pages/clock.html"))))
            .get("/events", move |request: Request, reply| clock(&request, reply, interval));
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, HttpServer::new(router))?;
        cli::run(&reactor, port)
    })
}
