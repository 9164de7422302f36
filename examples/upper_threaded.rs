//! The asynchronous mix-in example of Python's documentation: a server with a thread per request, and three clients
//! in the same program. Each answer names its thread.
//!
//! ```text
//! $ cargo run --release --features socketserver --example upper_threaded
//! listening on 127.0.0.1:8000
//! Received: Thread-1: HELLO WORLD 1
//! Received: Thread-2: HELLO WORLD 2
//! Received: Thread-3: HELLO WORLD 3
//! ```

mod cli;

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    thread,
    time::Duration,
};

use cli::{AddrArgs, say, serve};
use sinew::reactor::Excerpt;
use sinew::socketserver::{
    Address, HandlerResult, StreamContext, StreamRequestHandler, ThreadingTcpServer,
};

/// A longer line is answered in two parts.
const LINE_MAX: usize = 1024;

struct ThreadedRequestHandler;

impl StreamRequestHandler for ThreadedRequestHandler {
    /// A client that is idle for this long is disconnected, to free its thread.
    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }

    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let name = thread::current().name().unwrap_or("main").to_owned();
        loop {
            let line = cx.readline(LINE_MAX)?;
            if line.is_empty() {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line);
            writeln!(cx.wfile, "{name}: {}", text.trim_end().to_uppercase())?;
        }
    }
}

/// Each client stays connected until all have been answered, so that three threads are used; an idle thread would
/// take the next request.
fn clients(server: &Address) -> io::Result<()> {
    let address: SocketAddr = server.inet().expect("it is a server of TCP");
    let mut clients = Vec::new();
    for number in 1..=3 {
        let mut client = TcpStream::connect(address)?;
        writeln!(client, "Hello World {number}")?;
        let mut received = String::new();
        BufReader::new(&client).read_line(&mut received)?;
        say!("Received: {}", Excerpt::new(received.trim_end()));
        clients.push(client);
    }
    Ok(())
}

fn main() -> ExitCode {
    cli::main_about("Answers each client in a thread of its own", |args: AddrArgs| {
        let handler = || ThreadedRequestHandler;
        let server = ThreadingTcpServer::bind_with(args.listen, handler, args.config())?;
        thread::scope(|scope| {
            let asking = scope.spawn(|| clients(&server.server_address()));
            serve(&server)?;
            // Waits for the handlers. A client that has not been accepted by now is closed, and reports that.
            server.server_close()?;
            if let Ok(Err(error)) = asking.join() {
                say!("a client got no answer: {error}");
            }
            Ok(())
        })
    })
}
