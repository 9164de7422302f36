//! A sinew reactor and a tokio runtime in two threads of one program. Libraries that need tokio's runtime, such as reqwest, run in
//! its thread; the reactor serves clients. They talk through tokio's channels, which work on any runtime, and through
//! [`Remote`].
//!
//! ```text
//! $ cargo run --release -p hyper_on_sinew --bin beside_tokio
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ printf 'hello\nquit\n' | nc 127.0.0.1 8000
//! HELLO
//! ```

use std::{io, process::ExitCode, thread};

use bytes::Bytes;
use clap::Parser;
use hyper_on_sinew::Failed;
use sinew::{prelude::*, protocols::basic::AsyncFrames, transports::endpoint::ServerEndpoint};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

/// Jobs that wait for the runtime. With so many, clients wait to be read.
const JOBS_MAX: usize = 100;

/// A question to the runtime, with the place for its answer.
struct Job {
    question: Bytes,
    answer: oneshot::Sender<io::Result<Vec<u8>>>,
}

/// A sinew server whose answers come from a tokio runtime
#[derive(Parser)]
struct Args {
    /// Where to listen
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8000")]
    listen: ServerEndpoint,
}

fn main() -> ExitCode {
    hyper_on_sinew::start(|| run(Args::parse()))
}

fn run(args: Args) -> Result<(), Failed> {
    let reactor = Reactor::new()?;
    let (jobs, incoming) = mpsc::channel(JOBS_MAX);
    let remote = reactor.remote();
    let tokio = thread::Builder::new().name("tokio".to_owned()).spawn(move || {
        let ran = run_tokio(incoming, &remote);
        if let Err(error) = &ran {
            eprintln!("the runtime has failed: {error}");
        }
        // Without it there are no answers. An error says that the reactor has stopped already.
        let _ = remote.stop();
    })?;

    let mut listener = AsyncListener::bind(&reactor, args.listen)?;
    println!("listening on {}", listener.local());
    let handle = reactor.clone();
    let accepting = async move {
        while let Some(stream) = listener.accept().await {
            let session = session(stream, jobs.clone());
            handle
                .spawn(async move { session.await.unwrap_or_else(|error| eprintln!("{error}")) })
                .detach();
        }
    };
    reactor.spawn(accepting).detach();
    reactor.run()?;
    // The run has dropped the tasks, and with them the last sender of jobs: the runtime ends.
    tokio.join().map_err(|_| "the runtime has panicked")?;
    Ok(())
}

/// On the reactor: one client. Each line is a job for the runtime.
async fn session(stream: AsyncStream, jobs: mpsc::Sender<Job>) -> Result<(), Failed> {
    let mut lines = AsyncFrames::lines(stream);
    while let Some(line) = lines.next().await {
        let question = line?;
        if question == "quit" {
            break;
        }
        let (answer, answered) = oneshot::channel();
        jobs.send(Job { question, answer }).await.map_err(|_| "the runtime has ended")?;
        lines.send(answered.await??).await?;
    }
    Ok(())
}

/// In the thread of the runtime: each job is a task, which asks a server over tokio's sockets.
fn run_tokio(mut jobs: mpsc::Receiver<Job>, remote: &Remote) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let backend = TcpListener::bind("127.0.0.1:0").await?;
        let addr = backend.local_addr()?;
        tokio::spawn(serve(backend));
        // Into the reactor: any closure, called by its loop.
        let _ = remote.call(move |_| eprintln!("the backend of the runtime listens on {addr}"));
        let mut asking = JoinSet::new();
        while let Some(Job { question, answer }) = jobs.recv().await {
            asking.spawn(async move {
                // An error says that the client has gone.
                let _ = answer.send(ask(addr, &question).await);
            });
            while asking.try_join_next().is_some() {}
        }
        Ok(())
    })
}

/// The client of the backend. In its place could be any library that needs tokio.
async fn ask(addr: std::net::SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(question).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The backend: answers in upper case.
async fn serve(backend: TcpListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = backend.accept().await?;
        tokio::spawn(async move {
            let mut question = Vec::new();
            stream.read_to_end(&mut question).await?;
            stream.write_all(&question.to_ascii_uppercase()).await
        });
    }
}
