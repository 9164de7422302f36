//! The first example of Python's `socketserver`: prints what a client sends, and sends it back in upper case.
//!
//! ```text
//! $ cargo run --release --features socketserver --example tcp_upper
//! listening on 127.0.0.1:8000
//! 127.0.0.1 wrote:
//! hello world
//! ```
//!
//! ```text
//! $ echo 'hello world' | nc 127.0.0.1 8000
//! HELLO WORLD
//! ```

mod cli;

use std::process::ExitCode;

use cli::{AddrArgs, DRAIN, say, serve};
use sinew::reactor::Excerpt;
use sinew::socketserver::{BaseRequestHandler, Context, HandlerResult, TcpServer};

struct MyTcpHandler;

impl BaseRequestHandler for MyTcpHandler {
    /// This server serves one client at a time, so a client that never sends would block all others.
    fn setup(&mut self, cx: &mut Context) -> HandlerResult {
        cx.request.settimeout(Some(DRAIN))?;
        Ok(())
    }

    fn handle(&mut self, cx: &mut Context) -> HandlerResult {
        let data = cx.request.recv(1024)?;
        let data = String::from_utf8_lossy(data.trim_ascii());
        if let Some(ip) = cx.client_address.ip() {
            say!("{ip} wrote:");
        }
        say!("{}", Excerpt::new(&*data));
        cx.request.sendall(data.to_uppercase().as_bytes())?;
        Ok(())
    }
}

fn main() -> ExitCode {
    cli::main_about("Prints what a client says, and says it back in capitals", |args: AddrArgs| {
        let server = TcpServer::bind_with(args.listen, || MyTcpHandler, args.config())?;
        serve(&server)
    })
}
