//! The small classic services, each on its own port: several listeners on one reactor.
//!
//! ```text
//! $ cargo run --release --example wire_server
//! listening on 127.0.0.1:8007 for echo
//! listening on 127.0.0.1:8009 for discard
//! listening on 127.0.0.1:8013 for daytime
//! listening on 127.0.0.1:8017 for qotd
//! listening on 127.0.0.1:8019 for chargen
//! listening on 127.0.0.1:8037 for time
//! ```
//!
//! ```text
//! $ nc -N 127.0.0.1 8013
//! Sat, 21 Nov 2026 04:05:58 GMT
//! ```

mod cli;

use std::{net::SocketAddr, process::ExitCode};

use clap::{CommandFactory, Parser, error::ErrorKind};
use cli::{AddrArgs, DRAIN, Failed};
use sinew::{
    prelude::*,
    protocols::wire::{Chargen, Daytime, Discard, Echo, Qotd, Time},
};

/// Echo, discard, daytime, qotd, chargen and time, each on its own port: that of --listen plus 7, 9, 13, 17, 19 and
/// 37. With port 0 the system chooses all six
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,
}

impl Args {
    /// Starts a service on its port.
    fn serve<F: Factory>(
        &self,
        reactor: &Reactor,
        (name, number): (&str, u16),
        factory: F,
    ) -> Result<(), Failed> {
        let mut addr: SocketAddr = self.server.listen;
        if addr.port() != 0 {
            let port = addr.port().checked_add(number).ok_or_else(too_high)?;
            addr.set_port(port);
        }
        let port = reactor.listen_tcp(addr, factory)?;
        cli::announce(reactor, format!("{} for {name}", port.local()));
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
        Ok(())
    }
}

fn too_high() -> clap::Error {
    Args::command().error(ErrorKind::ValueValidation, "--listen leaves no room for ports 37 higher")
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.engine.builder().build()?;
        // Closures of six types, one per protocol type: connections are not boxed.
        args.serve(&reactor, ("echo", 7), |_: &Peer| Echo)?;
        args.serve(&reactor, ("discard", 9), |_: &Peer| Discard)?;
        args.serve(&reactor, ("daytime", 13), |_: &Peer| Daytime::default())?;
        args.serve(&reactor, ("qotd", 17), |_: &Peer| Qotd::default())?;
        args.serve(&reactor, ("chargen", 19), |_: &Peer| Chargen::default())?;
        args.serve(&reactor, ("time", 37), |_: &Peer| Time::default())?;
        reactor.run()?;
        Ok(())
    })
}
