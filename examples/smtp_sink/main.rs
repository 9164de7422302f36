//! An SMTP server that accepts any mail and stores it in a maildir, for testing programs that send mail. Messages are written to the disk
//! as they arrive, by the thread pool: a slow disk holds up its client, and nobody else.
//!
//! ```text
//! $ cargo run --release --features mail --example smtp_sink -- --maildir mail
//! listening on 127.0.0.1:8000
//! <ann@example.org> to <bob@example.org>: mail/new/1795250000.M42P4711Q1.localhost
//! ```
//!
//! ```text
//! $ swaks --server 127.0.0.1:8000 --from ann@example.org --to bob@example.org
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod maildir;

use std::{mem, path::PathBuf, process::ExitCode, rc::Rc, sync::Arc};

use clap::Parser;
use cli::{ServerArgs, say};
use maildir::{Draft, Maildir};
use sinew::{
    mail::smtp::{
        codec::{Recipient, Reply},
        server::{MessageSink, Outcome, ServerConfig, Session, SmtpHandler, SmtpServer, Verdict},
    },
    prelude::*,
    reactor::{Excerpt, Failure},
};

/// What is written at once.
const BLOCK: usize = 64 * 1024;

/// Accepts any mail and stores it in a maildir
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// Folder for the mail; created if necessary
    #[arg(long, value_name = "DIR")]
    maildir: PathBuf,

    /// Largest message accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    size_max: u64,

    /// Speak LMTP
    #[arg(long)]
    lmtp: bool,
}

/// Accepts every recipient: the mail goes no further.
struct Sink(Arc<Maildir>);

impl SmtpHandler for Sink {
    fn rcpt(&mut self, _: &Session, _: &Recipient) -> Verdict {
        Verdict::accept()
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        let Some(reactor) = session.transport().reactor() else {
            return Verdict::refuse(Reply::try_later());
        };
        let address = |address: &str| format!("<{address}>");
        let from = session.sender().and_then(|sender| sender.address());
        let from = address(from.map(|from| from.as_str()).unwrap_or_default());
        let to: Vec<_> = session.recipients().iter().map(|to| to.address().to_string()).collect();
        // RFC 5321 4.4: the final server records the sender in Return-Path.
        let mut head = format!("Return-Path: {from}\r\n");
        to.iter().for_each(|to| head += &format!("Delivered-To: {to}\r\n"));
        let to: Vec<_> = to.iter().map(|to| address(to)).collect();
        let envelope = format!("{} to {}", Excerpt::new(&from), Excerpt::new(&to.join(", ")));
        let maildir = Arc::clone(&self.0);
        let of_message = reactor.clone();
        let opened = reactor.defer_to_thread(move || maildir.draft());
        opened
            .map(move |draft| {
                let draft = Arc::new(stored(draft)?);
                let buffer = head.into_bytes();
                let message: Box<dyn MessageSink> = Box::new(Message {
                    reactor: of_message,
                    draft,
                    buffer,
                    envelope: envelope.into(),
                });
                Ok(message)
            })
            .into()
    }
}

/// A message on its way to the disk. One that is dropped before its end leaves no file.
struct Message {
    reactor: Reactor,
    draft: Arc<Draft>,
    buffer: Vec<u8>,
    envelope: Rc<str>,
}

impl MessageSink for Message {
    fn write(&mut self, piece: &[u8]) -> Verdict {
        self.buffer.extend_from_slice(piece);
        if self.buffer.len() < BLOCK {
            return Verdict::accept();
        }
        let (draft, block) = (Arc::clone(&self.draft), mem::take(&mut self.buffer));
        self.reactor.defer_to_thread(move || draft.write(&block)).map(stored).into()
    }

    /// The reply acknowledges the message: after it, this server is responsible for the mail.
    fn finish(self: Box<Self>) -> Verdict<Outcome> {
        let Self { reactor, draft, buffer, envelope } = *self;
        let kept =
            reactor.defer_to_thread(move || draft.write(&buffer).and_then(|()| draft.keep()));
        kept.map(move |path| {
            say!("{envelope}: {}", stored(path)?.display());
            Ok(Outcome::All(Reply::ok()))
        })
        .into()
    }
}

/// What a job has done on the disk; if it has failed, the client is told to try again later.
fn stored<T>(result: Result<std::io::Result<T>, Failure>) -> Result<T, Reply> {
    result?.map_err(|error| {
        say!("not stored: {error}");
        Reply::try_later()
    })
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let maildir = Maildir::open(&args.maildir)
            .map_err(|error| format!("could not make {}: {error}", args.maildir.display()))?;
        let maildir = Arc::new(maildir);
        let config = ServerConfig::new("localhost")?.size_max(args.size_max).lmtp(args.lmtp);
        let server = SmtpServer::new(config, move |_: &Peer| Sink(Arc::clone(&maildir)));
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, server)?;
        cli::run(&reactor, port)
    })
}
