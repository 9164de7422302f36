//! Sends lines of standard input as WebSocket messages, and prints the messages that it receives.
//!
//! ```text
//! $ cargo run --release --features http --example ws_echo_client -- ws://localhost:8000/
//! hello
//! hello
//! ```

mod cli;

use std::{cell::Cell, process::ExitCode, rc::Rc, time::Duration};

use clap::Parser;
use cli::{EngineArgs, Failed, print_line};
use sinew::{
    http::websocket::{
        CloseCode, DeflateConfig, MessageLimits, ReceivedMessage, WebSocketClient, WebSocketConfig,
        WebSocketStream,
    },
    prelude::*,
    reactor::Excerpt,
};

/// Sends lines of standard input as WebSocket messages, and prints the messages that it receives
#[derive(Parser, Debug)]
struct Args {
    /// Where to connect to: ws://HOST[:PORT][/PATH], wss://… or ws+unix:/SOCKET[:/PATH]
    #[arg(value_name = "URL", default_value = "ws://127.0.0.1:8000/")]
    url: String,

    /// Longest message that is accepted, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    max_message: usize,

    /// Compress messages, if the server does, too
    #[arg(long)]
    deflate: bool,

    /// Subprotocol to offer; may be given several times
    #[arg(long, value_name = "NAME")]
    protocol: Vec<String>,

    #[command(flatten)]
    engine: EngineArgs,
}

/// Reading standard input blocks, so it is done on a thread. At its end, closes once every message has its answer.
async fn send_lines(reactor: Reactor, stream: Rc<WebSocketStream>, open: Rc<Cell<i64>>) {
    while let Ok(Ok(line)) = reactor.defer_to_thread(cli::read_line).await {
        if line.is_empty() {
            break;
        }
        open.set(open.get() + 1);
        if stream.send(line.trim_end_matches('\n')).await.is_err() {
            return;
        }
    }
    while open.get() > 0 && stream.closed().is_none() {
        reactor.sleep(Duration::from_millis(1)).await;
    }
    stream.close(CloseCode::NORMAL);
}

async fn talk(reactor: Reactor, client: WebSocketClient) -> Result<(), Failed> {
    let stream = Rc::new(client.open(&reactor).await?);
    let open = Rc::new(Cell::new(0));
    let _sending = reactor.spawn(send_lines(reactor.clone(), stream.clone(), open.clone()));
    while let Some(message) = stream.recv().await {
        open.set(open.get() - 1);
        match message {
            ReceivedMessage::Text(text) => print_line!("{}", Excerpt::new(&text).len_max(1_000))?,
            other => print_line!("{} bytes", other.len())?,
        }
    }
    match stream.closed() {
        Some(reason) if reason.code != CloseCode::NORMAL => {
            Err(format!("closed with {}: {}", reason.code.number(), reason.text).into())
        }
        _ => Ok(()),
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let limits = MessageLimits::default().message_max(args.max_message);
        let config = WebSocketConfig::default().messages(limits);
        let config = config.deflate(args.deflate.then(DeflateConfig::default));
        let client = WebSocketClient::new(&args.url)?.config(config);
        let client = args.protocol.into_iter().fold(client, WebSocketClient::protocol);
        // After the server has closed, do not wait for the thread that is blocked reading standard input.
        let reactor = args.engine.builder().pool_grace(Duration::ZERO).build()?;
        cli::run_until(&reactor, talk(reactor.clone(), client))
    })
}
