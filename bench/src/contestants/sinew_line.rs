//! A line server as a user of sinew would write it.

use std::error::Error;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::prelude::*;
use sinew::protocols::basic::{Line, LineHandler, LineReceiver, LineTransport};

/// Sends every line back
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,
}

struct Answer;

impl LineHandler for Answer {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if let Err(error) = transport.send_line(line) {
            transport.fail(error);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let factory = |_: &Peer| LineReceiver::with_decoder(Line::new(b"\n".as_slice()), Answer);
    let port = reactor.listen_tcp(args.listen.listen, factory)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
