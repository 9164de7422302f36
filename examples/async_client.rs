//! Callbacks and `await` on one reactor: a server made of callbacks, and tasks that talk to it.
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

/// The client's protocol gives each answer to the question that waits in front.
#[derive(Default)]
struct Client {
    requests: Requests<String>,
}

impl Client {
    fn ask(&self, transport: &Transport, question: &Text) -> Deferred<String, RequestError> {
        let timeout = Duration::from_secs(5);
        self.requests.ask_within(transport, timeout, (), |to| Ok(send_line(to, question)?))
    }
}

impl LineHandler for Client {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        if self.requests.answered(String::from_utf8_lossy(line).into_owned()).is_err() {
            transport.fail("an answer to nothing that was asked");
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.requests.lost(reason);
    }
}

/// Reads as if it waited, though nothing does: at each `await` the loop goes on with others.
async fn talk(reactor: Reactor, to: ClientEndpoint, name: &str) -> Result<(), Failed> {
    let factory = |_: &Peer| LineReceiver::with_decoder(Line::lf_or_crlf(), Client::default());
    let connection = to.connect(&reactor, factory).await?;
    for question in ["hello", "how are you?", "good bye"] {
        // A text that could be two lines would be an error here.
        let question = Text::try_from(format!("{name}: {question}"))?;
        // At once; `None` if the connection is over.
        let asked = connection.with(|client, transport| client.handler().ask(transport, &question));
        let answer = asked.ok_or("the connection is over")?;
        print_line!("{}", Excerpt::new(&answer.await?))?;
        reactor.sleep(Duration::from_millis(100)).await;
    }
    // From the loop, in its next turn.
    connection.call(|_, transport| transport.lose_connection());
    Ok(())
}

/// Two tasks talk to an echo server, which is on the same reactor unless --to says where else
#[derive(Parser)]
struct Args {
    /// Where to connect to instead: host:port, or an endpoint such as tcp:host:port:timeout=10
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
