//! A bot that offers the files of a folder by DCC: `/msg filebot list`, and `/msg filebot get NAME`.
//!
//! ```text
//! $ cargo run --release --features chat --example irc_files -- --to localhost:6667 --folder public
//! ann gets notes.txt
//! ann has notes.txt
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    chat::irc::{
        client::{DccConfig, IrcClient, IrcConfig, IrcError, IrcHandler, Said},
        codec::safe_file_name,
    },
    prelude::*,
    reactor::Excerpt,
    transports::{RetryConfig, endpoint::ClientEndpoint},
};

struct Files(PathBuf);

impl Files {
    /// The visible files of the folder, which is read at each question: a few entries.
    fn names(&self) -> std::io::Result<Vec<String>> {
        let entries =
            fs::read_dir(&self.0)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = entries.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        Ok(names)
    }

    fn offer(&self, irc: &IrcClient, nick: String, name: &str) {
        // Nothing but a name leads out of the folder.
        let Some(name) = safe_file_name(name.as_bytes()) else { return };
        let sent = irc.offer_file(&nick, self.0.join(&name));
        say!("{} gets {}", Excerpt::new(&nick), Excerpt::new(&name));
        sent.then(move |_, sent| match sent {
            Ok(()) => say!("{} has {}", Excerpt::new(&nick), Excerpt::new(&name)),
            Err(error) => eprintln!("{}: {error}", Excerpt::new(&nick)),
        });
    }
}

impl IrcHandler for Files {
    fn registration_failed(&mut self, _: &IrcClient, error: &IrcError) {
        eprintln!("{error}");
    }

    fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
        let text = said.text.to_string();
        match text.trim().split_once(' ').unwrap_or((text.trim(), "")) {
            _ if said.is_echo || said.is_to_channel => {}
            ("get", name) => self.offer(irc, said.from.nick().to_string(), name.trim()),
            _ => {
                let names = self.names().map(|names| names.join(" "));
                let names = names.unwrap_or_else(|error| error.to_string());
                if let Err(error) = irc.notice(said.from.nick(), format!("files: {names}")) {
                    eprintln!("{error}");
                }
            }
        }
    }
}

/// Offers the files of a folder on IRC
#[derive(Parser)]
struct Args {
    /// The server: host:port, or an endpoint such as tls:irc.example.net:6697
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:6667", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// The nick
    #[arg(long, value_name = "NICK", default_value = "filebot")]
    nick: String,

    /// The folder
    #[arg(long, value_name = "PATH", default_value = ".")]
    folder: PathBuf,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let config = IrcConfig::new(&args.nick)?.dcc(DccConfig::default());
        let irc = IrcClient::new(&reactor, config, Files(args.folder));
        let service = irc.keep_connected(&reactor, args.to, RetryConfig::default());
        reactor.on(Phase::BeforeShutdown, move |_| service.stop());
        Ok(reactor.run()?)
    })
}
