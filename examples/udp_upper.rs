//! The second example of Python's `socketserver`: the same over UDP. A request is a datagram with the socket to
//! answer on; there is no connection to close.
//!
//! ```text
//! $ cargo run --release --features socketserver --example udp_upper
//! listening on 127.0.0.1:8000
//! 127.0.0.1 wrote:
//! hello world
//! ```
//!
//! ```text
//! $ nc -u 127.0.0.1 8000
//! hello world
//! HELLO WORLD
//! ```

mod cli;

use std::process::ExitCode;

use cli::{AddrArgs, say, serve};
use sinew::reactor::Excerpt;
use sinew::socketserver::{BaseRequestHandler, Context, Datagram, HandlerResult, UdpServer};

struct MyUdpHandler;

impl BaseRequestHandler<Datagram> for MyUdpHandler {
    fn handle(&mut self, cx: &mut Context<Datagram>) -> HandlerResult {
        let data = String::from_utf8_lossy(cx.request.data.trim_ascii());
        if let Some(ip) = cx.client_address.ip() {
            say!("{ip} wrote:");
        }
        say!("{}", Excerpt::new(&*data));
        let answer = format!("{}\n", data.to_uppercase());
        cx.request.socket.sendto(answer.as_bytes(), &cx.client_address)?;
        Ok(())
    }
}

fn main() -> ExitCode {
    cli::main_about("Prints each datagram, and answers it in capitals", |args: AddrArgs| {
        let server = UdpServer::bind_with(args.listen, || MyUdpHandler, args.config())?;
        serve(&server)
    })
}
