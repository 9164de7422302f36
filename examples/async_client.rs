//! Callbacks and `await` on one reactor: a callback-based server, and async tasks that talk to it.
//!
//! ```text
//! $ cargo run --release --example async_client
//! listening on 127.0.0.1:8000
//! ann: hello
//! bob: hello
//! ann: how are you?
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{DRAIN, Failed, ServerArgs, print_line};
use sinew::{
    prelude::*,
    protocols::{
        basic::{Line, RequestClient},
        wire::Echo,
    },
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

/// Reads like blocking code, but nothing blocks: at each `await` the event loop runs other work.
async fn talk(reactor: Reactor, to: ClientEndpoint, name: &str) -> Result<(), Failed> {
    let lines = RequestClient::in_order(Line::lf_or_crlf()).timeout(Duration::from_secs(5));
    let client = lines.connect(&reactor, to).await?;
    for question in ["hello", "how are you?", "good bye"] {
        let answer = client.ask(format!("{name}: {question}")).await?;
        print_line!("{}", Excerpt::new(&answer))?;
        reactor.sleep(Duration::from_millis(100)).await;
    }
    // The connection closes as the client is dropped.
    Ok(())
}

/// Two tasks talk to an echo server, which runs on the same reactor unless --to names another
#[derive(Parser)]
struct Args {
    /// Server to connect to instead: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: Option<ClientEndpoint>,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let port = args.server.listen.listen(&reactor, |_: &Peer| Echo)?;
        cli::announce(&reactor, port.to_string());
        let to = args.to.map_or_else(|| port.to_string().parse(), Ok)?;
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
        let tasks =
            ["ann", "bob"].map(|name| reactor.spawn(talk(reactor.clone(), to.clone(), name)));
        cli::run_until(&reactor, async {
            // Both come to their end, also if the first one fails.
            let mut result = Ok(());
            for task in tasks {
                result = result.and(task.await?);
            }
            result
        })
    })
}
