//! Lines on tokio: tokio-util's `LinesCodec`, answered with `send`, which flushes each line, or with `feed`
//! and one flush when no further line is available.

use std::io;

use bench::convention::Listen;
use clap::{Parser, ValueEnum};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// Sends every line back
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// How to answer
    #[arg(long, value_enum)]
    reply: Reply,
}

#[derive(Clone, Copy, ValueEnum)]
enum Reply {
    Send,
    Feed,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(args.listen.bind()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let lines = Framed::new(stream, LinesCodec::new());
            match args.reply {
                Reply::Send => tokio::spawn(send(lines)),
                Reply::Feed => tokio::spawn(feed(lines)),
            };
        }
    })
}

async fn send(mut lines: Framed<TcpStream, LinesCodec>) -> Result<(), LinesCodecError> {
    while let Some(line) = lines.next().await {
        lines.send(line?).await?;
    }
    Ok(())
}

async fn feed(mut lines: Framed<TcpStream, LinesCodec>) -> Result<(), LinesCodecError> {
    while let Some(line) = lines.next().await {
        lines.feed(line?).await?;
        while let Some(next) = lines.next().now_or_never() {
            match next {
                Some(line) => lines.feed(line?).await?,
                None => return SinkExt::<String>::flush(&mut lines).await,
            }
        }
        SinkExt::<String>::flush(&mut lines).await?;
    }
    Ok(())
}
