//! Serves HTTP/1.1 and HTTP/2 with hyper, on a sinew reactor.
//!
//! ```text
//! $ cargo run --release -p hyper_on_sinew --bin hyper_serve
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ curl --http2-prior-knowledge http://127.0.0.1:8000/
//! hello over HTTP/2.0
//! ```

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use hyper_on_sinew::{Failed, accept};
use sinew::{prelude::*, transports::endpoint::ServerEndpoint};

/// How long connections may take to finish after a signal.
const DRAIN: Duration = Duration::from_secs(5);

/// HTTP/1.1 and HTTP/2 with hyper on sinew
#[derive(Parser)]
struct Args {
    /// Where to listen: an address, or an endpoint such as tls:8443:cert=cert.pem:key=key.pem:alpn=h2,http/1.1
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8000")]
    listen: ServerEndpoint,

    /// The engine: mio, poll, select, uring, or best
    #[arg(long, default_value = "mio")]
    engine: Engine,
}

fn main() -> ExitCode {
    hyper_on_sinew::start(|| run(Args::parse()))
}

fn run(args: Args) -> Result<(), Failed> {
    let reactor = Reactor::builder().engine(args.engine).build()?;
    let listener = AsyncListener::bind(&reactor, args.listen)?;
    println!("listening on {}", listener.local());
    let port = listener.port().clone();
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    reactor.spawn(accept(reactor.clone(), listener)).detach();
    reactor.run()?;
    Ok(())
}
