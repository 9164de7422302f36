//! A bot on XMPP that says back what is said to it, lets everybody see that it is there, and resumes its session after a lost connection.
//!
//! ```text
//! $ SECRET=secret cargo run --release --features chat --example xmpp_bot -- --jid bot@example.org --password-from SECRET
//! online as bot@example.org/Gd3kq9
//! ann@example.org/desk: hello
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::{env, process::ExitCode};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    chat::xmpp::{
        client::{Security, XmppClient, XmppConfig, XmppError, XmppHandler},
        codec::{Jid, Message, MessageKind, Presence},
    },
    prelude::*,
    reactor::Excerpt,
    transports::{RetryConfig, endpoint::ClientEndpoint},
};

/// Says what was said to it.
struct Echo;

impl XmppHandler for Echo {
    fn online(&mut self, xmpp: &XmppClient, is_resumed: bool) {
        say!("{} as {}", if is_resumed { "online again" } else { "online" }, xmpp.jid());
    }

    fn login_failed(&mut self, _: &XmppClient, error: &XmppError) {
        eprintln!("{error}");
    }

    fn connection_lost(&mut self, _: &XmppClient, reason: &ConnectionLost) {
        eprintln!("disconnected: {reason}");
    }

    fn subscription_requested(&mut self, xmpp: &XmppClient, from: &Jid, _: &Presence) {
        if let Err(error) = xmpp.accept(from) {
            eprintln!("{error}");
        }
    }

    fn message_received(&mut self, xmpp: &XmppClient, message: &Message) {
        let (Some(from), Some(body)) = (message.from(), message.body()) else { return };
        say!("{from}: {}", Excerpt::new(&body).len_max(600));
        let answer = Message::new(message.kind(), from.clone()).with_body(body);
        // News is never answered.
        if message.kind() != MessageKind::Headline
            && let Err(error) = xmpp.send_message(answer)
        {
            eprintln!("{error}");
        }
    }
}

/// Says back what is said to it, on XMPP
#[derive(Parser)]
struct Args {
    /// The address of the bot
    #[arg(long, value_name = "JID")]
    jid: Jid,

    /// The variable of the environment that has the password
    #[arg(long, value_name = "VARIABLE")]
    password_from: String,

    /// The server: host:port, or an endpoint; port 5222 of the domain if it is not given
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: Option<ClientEndpoint>,

    /// Without TLS, for a server on this machine
    #[arg(long)]
    without_tls: bool,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let password = env::var(&args.password_from)?;
        let to = args.to.unwrap_or_else(|| ClientEndpoint::from((args.jid.domain(), 5222)));
        let mut config = XmppConfig::new(args.jid, password.as_str());
        if args.without_tls {
            config = config.security(Security::None);
        }
        let xmpp = XmppClient::new(&reactor, config, Echo);
        let service = xmpp.keep_connected(&reactor, to, RetryConfig::default());
        // After a signal, the bot ends its session.
        reactor.on(Phase::BeforeShutdown, move |_| service.stop());
        Ok(reactor.run()?)
    })
}
