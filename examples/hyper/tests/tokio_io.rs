//! Reading and writing with tokio's `io` module, without its runtime: over connections of a reactor, on every engine.

use std::time::Duration;

use sinew::{
    prelude::*,
    transports::endpoint::{ClientEndpoint, ServerEndpoint, TcpClient, TcpServer},
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

const TIMEOUT: Duration = Duration::from_secs(60);

/// More than the queue of a connection holds, so that reading and writing wait for each other.
const LONG: usize = 3_000_000;

/// Serves one connection: a line is answered with its length, and what follows is sent back.
async fn serve(mut listener: AsyncListener) -> std::io::Result<u64> {
    let mut stream = listener.accept().await.expect("a client connects");
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    AsyncWriteExt::write_all(&mut stream, format!("{}\n", line.len()).as_bytes()).await?;
    let (mut input, mut output) = stream.split();
    let copied = tokio::io::copy_buf(&mut input, &mut output).await?;
    AsyncWriteExt::shutdown(&mut output).await?;
    Ok(copied)
}

async fn ask(reactor: Reactor, to: ClientEndpoint) -> std::io::Result<()> {
    let mut stream = AsyncStream::connect(&reactor, to).await.expect("it connects");
    AsyncWriteExt::write_all(&mut stream, b"hello\n").await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    assert_eq!(line, "6\n");
    let sent: Vec<u8> = (0..LONG).map(|n| (n % 251) as u8).collect();
    let (mut input, mut output) = stream.split();
    let expected = sent.clone();
    let sending = reactor.spawn(async move {
        AsyncWriteExt::write_all(&mut output, &sent).await?;
        AsyncWriteExt::shutdown(&mut output).await
    });
    let mut received = Vec::new();
    AsyncReadExt::read_to_end(&mut input, &mut received).await?;
    sending.await.expect("it is not cancelled")?;
    assert!(received == expected);
    Ok(())
}

#[test]
fn tokio_reads_and_writes_on_every_engine() {
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let at = ServerEndpoint::new(TcpServer::new("127.0.0.1:0"));
        let listener = AsyncListener::bind(&reactor, at).unwrap();
        let to = ClientEndpoint::new(TcpClient::new(listener.local().to_string()));
        let (serving, handle) = (reactor.spawn(serve(listener)), reactor.clone());
        let copied = reactor.run_until(async move {
            let asking = ask(handle.clone(), to);
            handle.timeout(TIMEOUT, asking).await.expect("it ends")?;
            serving.await.expect("it is not cancelled")
        });
        assert_eq!(copied.unwrap().unwrap(), LONG as u64, "{engine}");
    }
}
