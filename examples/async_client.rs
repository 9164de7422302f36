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
        basic::{
            Line, LineHandler, LineReceiver, LineTransport, RequestError, Requests, Text, send_line,
        },
        wire::Echo,
    },
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

/// The client protocol resolves the oldest outstanding request with each answer.
#[derive(Default)]
struct Client {
    requests: Requests<String>,
}

impl Client {
    fn ask(&self, transport: &Transport, question: &Text) -> Deferred<String, RequestError> {
        let timeout = Duration::from_secs(5);
        self.requests.send_within(transport, timeout, (), |to| Ok(send_line(to, question)?))
    }
}

impl LineHandler for Client {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if self.requests.resolve(String::from_utf8_lossy(line).into_owned()).is_err() {
            transport.fail("an answer to nothing that was asked");
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.requests.connection_lost(reason);
    }
}

/// Reads like blocking code, but nothing blocks: at each `await` the event loop runs other work.
async fn talk(reactor: Reactor, to: ClientEndpoint, name: &str) -> Result<(), Failed> {
    let factory = |_: &Peer| LineReceiver::with_decoder(Line::lf_or_crlf(), Client::default());
    let connection = to.connect(&reactor, factory).await?;
    for question in ["hello", "how are you?", "good bye"] {
        // A name that contains a line break is an error here.
        let question = Text::try_from(format!("{name}: {question}"))?;
        // Runs at once; `None` if the connection has ended.
        let asked = connection.with(|client, transport| client.handler().ask(transport, &question));
        let answer = asked.ok_or("the connection is over")?;
        print_line!("{}", Excerpt::new(&answer.await?))?;
        reactor.sleep(Duration::from_millis(100)).await;
    }
    // The connection closes as it is dropped.
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
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
    })
}
