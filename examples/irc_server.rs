//! A server of IRC with accounts, a message of the day and registered channels that are remembered.
//!
//! ```text
//! $ cargo run --release --features chat --example irc_server -- --listen 6667 --name irc.example.net
//! listening on 0.0.0.0:6667
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use cli::ServerArgs;
use sinew::{
    auth::{Authenticator, AuthenticatorConfig, PasswordFile},
    chat::irc::server::{IrcServer, ServerConfig},
    prelude::*,
};

/// A server of IRC
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// The name of the server
    #[arg(long, value_name = "NAME", default_value = "irc.localhost")]
    name: String,

    /// A file with the message of the day
    #[arg(long, value_name = "FILE")]
    motd: Option<PathBuf>,

    /// A file for the registered channels
    #[arg(long, value_name = "FILE")]
    channels: Option<PathBuf>,

    /// A file with accounts: lines of name:hash, as htpasswd writes them
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,

    /// Let clients log in over connections that are not encrypted
    #[arg(long)]
    plaintext: bool,
}

fn config(args: &Args) -> Result<ServerConfig, cli::Failed> {
    let mut config = ServerConfig::new(&args.name)?;
    if let Some(motd) = &args.motd {
        config = config.motd_file(motd);
    }
    if let Some(channels) = &args.channels {
        config = config.channels_file(channels);
    }
    if let Some(accounts) = &args.accounts {
        let file = PasswordFile::open(accounts)?;
        let rules = AuthenticatorConfig::default().allow_plaintext(args.plaintext);
        config = config.accounts(Authenticator::with(file, rules));
    }
    Ok(config)
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let config = config(&args)?;
        let server = reactor.run_until(IrcServer::load(&reactor, config))??;
        let port = args.server.listen.listen(&reactor, server.clone())?;
        // What is registered is on the disk before the program ends.
        let flush = reactor.clone();
        reactor.on(Phase::BeforeShutdown, move |_| server.flushed(&flush));
        cli::run(&reactor, port)
    })
}
