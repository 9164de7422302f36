//! An SMTP proxy that adds a line to each message and passes it on to another server. The client gets that server's reply: this one
//! stores nothing.
//!
//! ```text
//! $ cargo run --release --features mail --example smtp_sink -- --maildir mail &
//! $ cargo run --release --features mail --example smtp_filter -- --listen 8025 --to localhost:8000
//! $ swaks --server 127.0.0.1:8025 --from ann@example.org --to bob@example.org
//! ```

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{ServerArgs, destination};
use sinew::{
    mail::smtp::{
        client::{ClientConfig, Delivery, Envelope, Security, SmtpError, sendmail},
        codec::{Recipient, Reply},
        server::{
            MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict, collect,
        },
    },
    prelude::*,
    transports::Destination,
};

/// Adds a line to each message, and passes it on to another SMTP server
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The server that gets the messages
    #[arg(long, value_name = "HOST:PORT", value_parser = destination)]
    to: Destination,

    /// The line
    #[arg(long, value_name = "TEXT", default_value = "X-Filtered: yes")]
    line: String,
}

#[derive(Clone)]
struct Filter {
    to: Destination,
    client: ClientConfig,
    line: String,
}

impl SmtpHandler for Filter {
    /// The other server decides, when it has the message.
    fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
        Verdict::accept()
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let Some(reactor) = session.transport().reactor() else {
            return Verdict::refuse(Reply::try_later());
        };
        let from = session.sender().and_then(|sender| sender.address().cloned());
        let to = session.recipients().iter().map(|to| to.address().clone());
        let (filter, envelope) = (self.clone(), Envelope::new(from, to));
        collect(move |message| {
            let message = [filter.line.as_bytes(), b"\r\n", &message].concat();
            let sent = sendmail(&reactor, filter.to, filter.client, envelope, message);
            sent.map(|delivery| reply(delivery).map(Outcome::All)).into()
        })
    }
}

/// What the other server has said about the only recipient. If it is not known whether it has the message, the client sends it again.
fn reply(delivery: Result<Delivery, SmtpError>) -> Result<Reply, Reply> {
    match delivery {
        Ok(delivery) => {
            let reply = delivery.replies().first().map(|reply| reply.reply().clone());
            reply.ok_or_else(Reply::try_later)
        }
        Err(error) => {
            tracing::warn!(%error, "a message was not passed on");
            Err(if error.is_temporary() { Reply::try_later() } else { Reply::refused() })
        }
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let client = ClientConfig::new("localhost")?.security(Security::None);
        let filter = Filter { to: args.to, client, line: args.line };
        // One recipient at a time, whose reply is that of the message. Clients send the message again for the others.
        let config = ServerConfig::new("localhost")?.recipients_max(1);
        let server = SmtpServer::new(config, move |_: &Peer| filter.clone());
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
