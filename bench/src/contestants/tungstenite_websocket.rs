//! tokio-tungstenite on one thread: messages are echoed, or with `--broadcast` sent to all others by a `broadcast` channel.

use std::io;

use bench::convention::{GREETING, Listen};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// How many messages a slow connection may be behind.
const CHANNEL_LEN: usize = 1024;

/// Echoes WebSocket messages, or sends them to all others
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// Send each message to all other connections
    #[arg(long)]
    broadcast: bool,

    /// Length of the buffer that each read fills and clears; without it, the default of 128 KiB
    #[arg(long, value_name = "BYTES")]
    read_buffer: Option<usize>,
}

/// The sender's id, and the message, whose data is shared.
type Sent = (u64, Message);

fn main() -> io::Result<()> {
    let args = Args::parse();
    let config = WebSocketConfig::default();
    let config = match args.read_buffer {
        Some(bytes) => config.read_buffer_size(bytes),
        None => config,
    };
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(args.listen.bind()?)?;
        let (sender, _) = broadcast::channel(CHANNEL_LEN);
        for id in 0.. {
            let (stream, _) = listener.accept().await?;
            if args.broadcast {
                tokio::spawn(member(id, stream, config, sender.clone()));
            } else {
                tokio::spawn(echo(stream, config));
            }
        }
        Ok(())
    })
}

async fn echo(stream: TcpStream, config: WebSocketConfig) -> Result<(), Error> {
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn member(
    id: u64,
    stream: TcpStream,
    config: WebSocketConfig,
    sender: broadcast::Sender<Sent>,
) -> Result<(), Error> {
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let mut receiver = sender.subscribe();
    socket.send(Message::Binary(Bytes::from_static(&[GREETING]))).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                None => return Ok(()),
                // Fails without receivers, which is fine.
                Some(message) if message.is_binary() => drop(sender.send((id, message))),
                Some(_) => {}
            },
            sent = receiver.recv() => match sent {
                Ok((from, message)) if from != id => socket.send(message).await?,
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
            },
        }
    }
}
