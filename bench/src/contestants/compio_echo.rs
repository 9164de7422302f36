//! An idiomatic compio server: a task and an 8 KiB buffer for each connection, which the ring borrows.

use std::io;

use compio::BufResult;
use compio::buf::IntoInner;
use compio::buf::IoBuf;
use compio::io::{AsyncRead, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};
use compio::runtime::Runtime;

const BUFFER_LEN: usize = 8 * 1024;

fn main() -> io::Result<()> {
    let runtime = match Runtime::new() {
        Err(error) => bench::convention::unavailable(error),
        Ok(runtime) => runtime,
    };
    let listener = bench::convention::listen()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            compio::runtime::spawn(echo(stream)).detach();
        }
    })
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_LEN);
    loop {
        let BufResult(read, filled) = stream.read(buffer).await;
        let len = read?;
        if len == 0 {
            return Ok(());
        }
        let BufResult(written, slice) = stream.write_all(filled.slice(..len)).await;
        written?;
        buffer = slice.into_inner();
        buffer.clear();
    }
}
