//! What the example servers share: their command line, and how they start and end.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use sinew::{prelude::*, reactor::UnknownEngine};

/// How long a server that was told to stop waits for its connections.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// The options that every example server has.
#[derive(Parser, Debug)]
pub(crate) struct ServerArgs {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,

    /// What the reactor waits on: mio, poll or select
    #[arg(long, value_name = "NAME", default_value = "mio", value_parser = parse_engine)]
    pub(crate) engine: Engine,
}

fn parse_engine(name: &str) -> Result<Engine, UnknownEngine> {
    name.parse()
}

impl ServerArgs {
    /// Serves what `factory` builds until SIGINT or SIGTERM, then drains.
    pub(crate) fn serve<F: Factory>(&self, factory: F) -> ExitCode {
        report(self.try_serve(factory))
    }

    fn try_serve<F: Factory>(&self, factory: F) -> Result<(), Box<dyn std::error::Error>> {
        let reactor = Reactor::builder().engine(self.engine).build()?;
        let port = reactor.listen_tcp(self.listen, factory)?;
        println!("listening on {}", port.local());
        drain_at_the_end(&reactor, port);
        reactor.run()?;
        Ok(())
    }
}

/// Has the reactor, once it was told to stop, finish the connections of a port first.
pub(crate) fn drain_at_the_end(reactor: &Reactor, port: ListeningPort) {
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
}

/// Exit 0, or one line on standard error and exit 1.
pub(crate) fn report(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
