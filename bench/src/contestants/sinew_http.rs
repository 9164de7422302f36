//! An HTTP server as a user of sinew would write it: a router with a few routes.

use std::error::Error;
use std::time::Duration;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::http::server::{HttpServer, Router, answer};
use sinew::prelude::*;

/// How long connections may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);

/// Answers every request with a short text
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let router = Router::new()
        .get("/", answer(|_| "the front page\n"))
        .get("/users/{name}", answer(|_| "a user\n"))
        .get("/plain", answer(|_| "hello, world\n"));
    let config = ListenConfig::default().backlog(Listen::backlog());
    let reactor = args.engine.reactor()?;
    let port = reactor.listen_tcp_with(args.listen.listen, config, HttpServer::new(router))?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    reactor.run()?;
    Ok(())
}
