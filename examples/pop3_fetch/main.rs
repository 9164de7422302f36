//! Fetches new mail by POP3 into a maildir. It remembers the unique ids of the messages that it has, so that mail can be left on the server
//! (`--keep`) and is fetched once; `--delete` removes from the server what is safely stored here.
//!
//! What is stored is on the disk before it is remembered, and is remembered before it is deleted at the server. So a crash at any time
//! loses nothing; one between storing and remembering has that one message fetched again.
//!
//! ```text
//! $ cargo run --release --features mail --example pop3_fetch -- --from mail.example.org:110 --user ann --password-file secret --maildir mail
//! mail/new/1795250000.M42P4711Q1.localhost: 4711 bytes
//! 1 new message of 12
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod known;
#[path = "../smtp_sink/maildir.rs"]
mod maildir;

use std::{collections::HashSet, fs, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Parser;
use cli::{EngineArgs, Failed, print_line};
use known::Known;
use maildir::Maildir;
use sinew::{
    auth::{ClientLogin, Secret},
    mail::pop3::client::{ClientConfig, Message, Pop3Client, Security},
    prelude::*,
    transports::{
        endpoint::ClientEndpoint,
        tls::{TlsClientConfig, TrustedRoots},
    },
};

/// What is written at once.
const BLOCK: usize = 64 * 1024;

/// Fetches new mail by POP3 into a maildir, and remembers what it has
#[derive(Parser)]
struct Args {
    /// The server: HOST:PORT, where TLS is started by STLS, or an endpoint such as tls:HOST:995
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    from: ClientEndpoint,

    /// The name of the user
    #[arg(long, value_name = "NAME")]
    user: String,

    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,

    /// Folder for the mail; created if necessary. What was fetched is remembered in the file `pop3-known` in it
    #[arg(long, value_name = "DIR")]
    maildir: PathBuf,

    /// Leave the messages on the server, which is the default
    #[arg(long, conflicts_with = "delete")]
    keep: bool,

    /// Delete the messages at the server that are stored here
    #[arg(long)]
    delete: bool,

    /// Root certificates for STLS, in PEM, in place of those of the system
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,

    /// Go without TLS, and send the password in clear if the server wants it so: for tests
    #[arg(long)]
    insecure: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

impl Args {
    fn config(&self) -> Result<ClientConfig, Failed> {
        let file = &self.password_file;
        let text = fs::read_to_string(file)
            .map_err(|error| format!("could not read {}: {error}", file.display()))?;
        let password = Secret::from(text.lines().next().unwrap_or_default());
        let login = ClientLogin::password(&self.user, password).allow_plaintext(self.insecure);
        let config = ClientConfig::new().login(login);
        let config = match &self.roots {
            Some(roots) => config.tls(TlsClientConfig::new(TrustedRoots::from_pem_file(roots)?)),
            None => config,
        };
        Ok(if self.insecure { config.security(Security::None) } else { config })
    }
}

/// Where the mail goes.
struct Store {
    reactor: Reactor,
    maildir: Arc<Maildir>,
    known: Arc<Known>,
}

impl Store {
    /// Writes a message as it arrives: a slow disk holds up the server.
    async fn store(&self, mut message: Message<'_>) -> Result<(), Failed> {
        let maildir = Arc::clone(&self.maildir);
        let draft = Arc::new(self.reactor.defer_to_thread(move || maildir.draft()).await??);
        let (mut buffer, mut len) = (Vec::new(), 0);
        loop {
            let piece = message.next().await?;
            buffer.extend_from_slice(piece.as_deref().unwrap_or_default());
            if piece.is_none() || buffer.len() >= BLOCK {
                len += buffer.len();
                let (draft, block) = (Arc::clone(&draft), std::mem::take(&mut buffer));
                self.reactor.defer_to_thread(move || draft.write(&block)).await??;
            }
            if piece.is_none() {
                break;
            }
        }
        let path = self.reactor.defer_to_thread(move || draft.keep()).await??;
        Ok(print_line!("{}: {len} bytes", path.display())?)
    }
}

async fn fetch(reactor: Reactor, args: Args) -> Result<(), Failed> {
    let config = args.config()?;
    let in_maildir = |error| format!("could not use {}: {error}", args.maildir.display());
    let maildir = Arc::new(Maildir::open(&args.maildir).map_err(in_maildir)?);
    let (known, mut ids) = Known::open(&args.maildir.join("pop3-known")).map_err(in_maildir)?;
    let store = Store { reactor: reactor.clone(), maildir, known: Arc::new(known) };

    // The text for debugging has the causes, too.
    let connected = Pop3Client::connect(&reactor, args.from, config).await;
    let mut client = connected.map_err(|error| format!("{error:?}"))?;
    // All of them, to forget what is not on the server any more.
    let all = client.new_messages(|_| false).await?;
    let new: Vec<_> = all.iter().filter(|message| !ids.contains(&message.unique_id)).collect();
    let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
    for new in &new {
        let Some(message) = messages.next().await? else { break };
        store.store(message).await?;
        let (known, id) = (Arc::clone(&store.known), new.unique_id.clone());
        reactor.defer_to_thread(move || known.add(&id)).await??;
        ids.insert(new.unique_id.clone());
    }
    if args.delete {
        // Those of earlier runs, too.
        let stored = all.iter().filter(|message| ids.contains(&message.unique_id));
        client.delete_all(stored.map(|message| message.number)).await?;
    }
    print_line!(
        "{} new message{} of {}",
        new.len(),
        if new.len() == 1 { "" } else { "s" },
        all.len()
    )?;
    // If it is not known whether they were deleted, the next run sees.
    client.quit().await?;
    let on_server: HashSet<_> = all.into_iter().map(|message| message.unique_id).collect();
    let known = Arc::clone(&store.known);
    let is_gone = args.delete;
    reactor
        .defer_to_thread(move || {
            ids.retain(|id| !is_gone && on_server.contains(id));
            known.replace(&ids)
        })
        .await??;
    Ok(())
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        cli::run_until(&reactor, fetch(reactor.clone(), args))
    })
}
