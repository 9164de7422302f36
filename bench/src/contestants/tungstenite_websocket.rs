//! tokio-tungstenite on one thread: messages are echoed, or with `--broadcast` sent to all others by a `broadcast` channel.

use std::io;

use bench::convention::{GREETING, Listen};
use clap::Parser;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_tungstenite::accept_async;
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
}

/// The sender's id, and the message, whose data is shared.
type Sent = (u64, Message);

fn main() -> io::Result<()> {
    let args = Args::parse();
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(args.listen.bind()?)?;
        let (sender, _) = broadcast::channel(CHANNEL_LEN);
        for id in 0.. {
            let (stream, _) = listener.accept().await?;
            if args.broadcast {
                tokio::spawn(member(id, stream, sender.clone()));
            } else {
                tokio::spawn(echo(stream));
            }
        }
        Ok(())
    })
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn member(id: u64, stream: TcpStream, sender: broadcast::Sender<Sent>) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
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
