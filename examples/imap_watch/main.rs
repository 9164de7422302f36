//! Watches a mailbox over IMAP, prints new messages as they come, and connects again when the connection is lost, without missing any.
//!
//! ```text
//! $ IMAP_PASSWORD=secret cargo run --release --features mail,tls --example imap_watch -- --to mail.example.org:143 --user ann
//! watching INBOX: 18 messages
//! 4392 from bob@example.org: hello
//! ```

#[path = "../cli/mod.rs"]
mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{Failed, print_line};
use sinew::{
    auth::ClientLogin,
    mail::imap::{
        client::{
            ClientConfig, Event, Events, Fetched, ImapClient, ImapError, Security, SyncState,
        },
        codec::{FetchItem, MailboxName, SequenceSet},
    },
    prelude::*,
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

/// How often a server without IDLE is asked.
const POLL: Duration = Duration::from_secs(60);

/// Prints new messages of a mailbox as they come. The password is in the environment variable IMAP_PASSWORD
#[derive(Parser)]
struct Args {
    /// Server to connect to: host:port, or an endpoint such as tls:mail.example.org:993
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// Name to log in with
    #[arg(long, value_name = "NAME")]
    user: String,

    /// Mailbox to watch
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    mailbox: String,

    /// Log in without TLS. Everybody on the way can read the password
    #[arg(long)]
    plaintext: bool,

    /// Milliseconds until the first attempt to connect again; doubled up to a minute
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    delay: u64,

    #[command(flatten)]
    engine: cli::EngineArgs,
}

/// What is watched, and what was seen of it.
struct Watch {
    reactor: Reactor,
    to: ClientEndpoint,
    config: ClientConfig,
    mailbox: MailboxName,
    /// `None` until the mailbox was selected for the first time.
    seen: Option<SyncState>,
}

impl Watch {
    /// Watches until something fails.
    async fn run(&mut self) -> Result<(), Failed> {
        let client =
            ImapClient::connect(&self.reactor, self.to.clone(), self.config.clone()).await?;
        let mut events = client.events();
        let known = self.seen.clone().unwrap_or_default();
        let synced = client.sync(self.mailbox.clone(), known).await?;
        print_line!("watching {}: {} messages", self.mailbox, synced.view.exists)?;
        let is_first = self.seen.is_none() || synced.is_reset;
        let mut seen = synced.state;
        if !is_first {
            // They are seen once they are printed.
            for (uid, _) in &synced.new {
                seen.uids.remove(uid);
            }
        }
        self.seen = Some(seen);
        let new = synced.new.iter().map(|(uid, _)| *uid).filter(|_| !is_first);
        if let Some(uids) = SequenceSet::of_sorted(new) {
            self.print(&client, uids).await?;
        }
        let idle = client.idle();
        if let Err(error) = &idle {
            eprintln!("{error}: it is asked every {POLL:?}");
        }
        while self.has_news(&client, &mut events, idle.is_err()).await? {
            let next =
                self.seen.as_ref().and_then(|seen| seen.uids.last()).map_or(1, |last| last + 1);
            if let Some(uids) = SequenceSet::from(next) {
                self.print(&client, uids).await?;
            }
        }
        Ok(())
    }

    /// Waits until there may be new messages. `false` once the connection has ended.
    async fn has_news(
        &self,
        client: &ImapClient,
        events: &mut Events,
        polls: bool,
    ) -> Result<bool, Failed> {
        loop {
            let event = match polls {
                true => match self.reactor.timeout(POLL, events.next_event()).await {
                    Ok(event) => event,
                    Err(_) => {
                        client.noop().await?;
                        continue;
                    }
                },
                false => events.next_event().await,
            };
            match event {
                Some(Event::Exists(_) | Event::Missed(_)) => return Ok(true),
                Some(Event::Alert(status)) => print_line!("{status}")?,
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }

    /// Prints messages that were not seen before.
    async fn print(&mut self, client: &ImapClient, uids: SequenceSet) -> Result<(), Failed> {
        let items = [FetchItem::Uid, FetchItem::Envelope];
        let seen = self.seen.get_or_insert_default();
        for message in client.uid_fetch(uids, items).await? {
            let Some(uid) = message.uid() else { continue };
            // `4393:*` has the last message, too, where there is none with a higher UID.
            if seen.uids.insert(uid) {
                print_line!("{}", describe(uid, &message))?;
            }
        }
        Ok(())
    }
}

fn describe(uid: u32, message: &Fetched) -> String {
    let envelope = message.envelope();
    let from = envelope.and_then(|envelope| envelope.from.first()?.address());
    let subject = envelope.and_then(|envelope| envelope.subject.clone()).unwrap_or_default();
    let from = from.unwrap_or_default();
    format!("{uid} from {}: {}", Excerpt::new(&from), Excerpt::new(&subject))
}

/// Whether it would be of no use to try again.
fn is_final(error: &Failed) -> bool {
    match error.downcast_ref::<ImapError>() {
        // A login that fails again and again may lock the account.
        Some(ImapError::Refused { command, .. })
            if !["LOGIN", "AUTHENTICATE"].contains(command) =>
        {
            false
        }
        Some(error) => !error.is_temporary(),
        None => false,
    }
}

async fn watch(mut watch: Watch, delay_min: Duration) -> Result<(), Failed> {
    let mut delay = delay_min;
    loop {
        let began = watch.reactor.now();
        match watch.run().await {
            Ok(()) => print_line!("the connection was lost")?,
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => print_line!("{error}")?,
        }
        if watch.reactor.now() - began > delay {
            delay = delay_min;
        }
        watch.reactor.sleep(delay).await;
        delay = (delay * 2).min(Duration::from_secs(60));
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let password =
            std::env::var("IMAP_PASSWORD").map_err(|_| "set IMAP_PASSWORD to the password")?;
        let security = if args.plaintext { Security::None } else { Security::Required };
        let login = ClientLogin::password(args.user, password).allow_plaintext(args.plaintext);
        let watched = Watch {
            reactor: reactor.clone(),
            to: args.to,
            config: ClientConfig::default().security(security).login(login),
            mailbox: args.mailbox.parse()?,
            seen: None,
        };
        let watching = watch(watched, Duration::from_millis(args.delay));
        cli::run_until(&reactor, watching)
    })
}
