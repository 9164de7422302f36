//! A component of a server of XMPP (XEP-0114): each address of its domain says back what is said to it. The server needs its domain and
//! its secret; for Prosody: `Component "echo.example.org"` and `component_secret = "secret"`.
//!
//! ```text
//! $ SECRET=secret cargo run --release --features chat --example xmpp_component -- --domain echo.example.org --secret-from SECRET
//! online as echo.example.org
//! ann@example.org/desk to bot@echo.example.org: hello
//! ```

#[path = "cli/mod.rs"]
mod cli;

use std::{env, process::ExitCode};

use clap::Parser;
use cli::{EngineArgs, say};
use sinew::{
    chat::xmpp::{
        codec::{Jid, Message, MessageKind},
        component::{ComponentConfig, ComponentError, ComponentHandler, XmppComponent},
    },
    prelude::*,
    reactor::Excerpt,
    transports::{RetryConfig, endpoint::ClientEndpoint},
};

/// Says what was said to it.
struct Echo;

impl ComponentHandler for Echo {
    fn online(&mut self, xmpp: &XmppComponent) {
        say!("online as {}", xmpp.domain());
    }

    fn handshake_failed(&mut self, _: &XmppComponent, error: &ComponentError) {
        eprintln!("{error}");
    }

    fn connection_lost(&mut self, _: &XmppComponent, reason: &ConnectionLost) {
        eprintln!("disconnected: {reason}");
    }

    fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {
        let (Some(from), Some(to)) = (message.from(), message.to()) else { return };
        // News is never answered, and what only says that somebody is typing has no body.
        let Some(body) = message.body().filter(|_| message.kind() != MessageKind::Headline) else {
            return;
        };
        say!("{from} to {to}: {}", Excerpt::new(&body).len_max(600));
        let answer = Message::new(message.kind(), from.clone()).with_from(to.clone());
        if let Err(error) = xmpp.send(answer.with_body(body)) {
            eprintln!("{error}");
        }
    }
}

/// A component of a server of XMPP that says back what is said to it
#[derive(Parser)]
struct Args {
    /// The domain of the component
    #[arg(long, value_name = "DOMAIN")]
    domain: Jid,

    /// The variable of the environment that has the secret
    #[arg(long, value_name = "VARIABLE")]
    secret_from: String,

    /// The port for components: host:port, or an endpoint
    #[arg(long, value_name = "ENDPOINT", default_value = "localhost:5347", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let config = ComponentConfig::new(args.domain, env::var(&args.secret_from)?);
        let xmpp = XmppComponent::new(&reactor, config, Echo);
        let service = xmpp.keep_connected(&reactor, args.to, RetryConfig::default());
        // After a signal, the component ends its stream.
        reactor.on(Phase::BeforeShutdown, move |_| service.stop());
        Ok(reactor.run()?)
    })
}
