//! A bot that logs channels of IRC to standard output, reconnects, and joins its channels again.
//!
//! ```text
//! $ cargo run --release --features chat --example irc_bot -- --to localhost:6667 --join '#sinew'
//! #sinew: logbot has joined
//! #sinew <ann> hello
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    chat::irc::{
        client::{IrcClient, IrcConfig, IrcError, IrcHandler, Said},
        codec::{IrcText, Source, strip_formatting},
    },
    prelude::*,
    reactor::Excerpt,
    transports::{RetryConfig, endpoint::ClientEndpoint},
};

/// Prints what is said.
struct Log;

impl Log {
    fn note(&self, channel: IrcText<'_>, text: &str) {
        let channel = channel.to_string();
        say!("{}{}", Excerpt::new(&channel), Excerpt::new(text).len_max(600));
    }
}

impl IrcHandler for Log {
    fn registration_failed(&mut self, _: &IrcClient, error: &IrcError) {
        eprintln!("{error}");
    }

    fn connection_lost(&mut self, _: &IrcClient, reason: &ConnectionLost) {
        eprintln!("disconnected: {reason}");
    }

    fn joined(&mut self, irc: &IrcClient, channel: IrcText<'_>) {
        self.note(channel, &format!(": {} has joined", irc.nick()));
    }

    fn privmsg(&mut self, _: &IrcClient, said: &Said<'_>) {
        let text = strip_formatting(&said.text);
        self.note(said.target, &format!(" <{}> {}", said.from.nick(), IrcText::new(&text)));
    }

    fn action(&mut self, _: &IrcClient, said: &Said<'_>) {
        self.note(said.target, &format!(" * {} {}", said.from.nick(), said.text));
    }

    fn user_joined(&mut self, _: &IrcClient, user: Source<'_>, channel: IrcText<'_>) {
        self.note(channel, &format!(": {} has joined", user.nick()));
    }
}

/// Logs channels of IRC
#[derive(Parser)]
struct Args {
    /// The server: host:port, or an endpoint such as tls:irc.example.net:6697
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:6667", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// The nick
    #[arg(long, value_name = "NICK", default_value = "logbot")]
    nick: String,

    /// A channel to join; can be given several times
    #[arg(long, value_name = "CHANNEL")]
    join: Vec<String>,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let config = IrcConfig::new(&args.nick)?;
        let config = args.join.iter().try_fold(config, |config, channel| config.join(channel))?;
        let irc = IrcClient::new(&reactor, config, Log);
        let service = irc.keep_connected(&reactor, args.to, RetryConfig::default());
        // After a signal, the bot says goodbye.
        reactor.on(Phase::BeforeShutdown, move |_| service.stop());
        Ok(reactor.run()?)
    })
}
