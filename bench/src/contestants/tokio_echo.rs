//! An idiomatic tokio server: a task and an 8 KiB buffer for each connection.

use std::future;
use std::io;
use std::time::Duration;

use bench::convention::Listen;
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::{runtime, time};

const BUFFER_LEN: usize = 8 * 1024;

/// Sends every byte back
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    /// Threads of the runtime; without it, the current-thread runtime
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Close connections that receive nothing for this many seconds
    #[arg(long, value_name = "S")]
    idle_timeout: Option<u64>,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut builder = match args.threads {
        Some(_) => runtime::Builder::new_multi_thread(),
        None => runtime::Builder::new_current_thread(),
    };
    if let Some(threads) = args.threads {
        builder.worker_threads(threads);
    }
    let idle_timeout = args.idle_timeout.map(Duration::from_secs);
    builder.enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(args.listen.bind()?)?;
        // On the threads of the runtime, not on the one that blocks on it.
        tokio::spawn(accept(listener, idle_timeout));
        future::pending().await
    })
}

async fn accept(listener: TcpListener, idle_timeout: Option<Duration>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        match idle_timeout {
            Some(timeout) => tokio::spawn(echo_in_time(stream, timeout)),
            None => tokio::spawn(echo(stream)),
        };
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}

async fn echo_in_time(mut stream: TcpStream, timeout: Duration) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let len = time::timeout(timeout, stream.read(&mut buffer)).await??;
        if len == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..len]).await?;
    }
}
