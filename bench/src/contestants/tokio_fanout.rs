//! An idiomatic tokio broadcast: a task for each connection, and a `broadcast` channel between them.

use std::io;

use bench::convention::GREETING;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many messages a slow connection may be behind.
const CHANNEL_LEN: usize = 1024;

const BUFFER_LEN: usize = 8 * 1024;

/// The sender's id, and the data.
type Message = (u64, Bytes);

fn main() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(bench::convention::listen()?)?;
        let (sender, _) = broadcast::channel(CHANNEL_LEN);
        for id in 0.. {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(member(id, stream, sender.clone()));
        }
        Ok(())
    })
}

async fn member(
    id: u64,
    mut stream: TcpStream,
    sender: broadcast::Sender<Message>,
) -> io::Result<()> {
    let mut receiver = sender.subscribe();
    let mut buffer = vec![0; BUFFER_LEN];
    stream.write_all(&[GREETING]).await?;
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read? {
                0 => return Ok(()),
                // Fails without receivers, which is fine.
                len => drop(sender.send((id, Bytes::copy_from_slice(&buffer[..len])))),
            },
            message = receiver.recv() => match message {
                Ok((from, data)) if from != id => stream.write_all(&data).await?,
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Ok(()),
            },
        }
    }
}
