//! A server of SMTP as a user of sinew would write it, which forgets all messages.

use std::error::Error;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::mail::smtp::codec::{Recipient, Reply};
use sinew::mail::smtp::server::{
    MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict,
};
use sinew::prelude::*;

/// Receives mail and forgets it
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,
}

struct Sink;

impl SmtpHandler for Sink {
    fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
        Verdict::accept()
    }

    fn data(&mut self, _: &Session) -> Verdict<Box<dyn MessageSink>> {
        Verdict::now(Box::new(Self))
    }
}

impl MessageSink for Sink {
    fn write(&mut self, _: &[u8]) -> Verdict {
        Verdict::accept()
    }

    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        Verdict::reply(Reply::ok())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let config = ServerConfig::new("bench.example")?;
    let server = SmtpServer::new(config, |_: &Peer| Sink);
    let listen = ListenConfig::default().backlog(Listen::backlog());
    let port = reactor.listen_tcp_with(args.listen.listen, listen, server)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
