//! The first server of many Python tutorials, with `socketserver`: it thanks each client, sequentially, in threads,
//! or in processes.
//!
//! ```text
//! $ cargo run --release --features socketserver --example thank_you -- --model threading
//! listening on 127.0.0.1:8000
//! Got connection from 127.0.0.1:42712
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! Thank you for connecting
//! ```

mod cli;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use cli::{AddrArgs, say, serve};
#[cfg(unix)]
use sinew::socketserver::ForkingTcpServer;
use sinew::socketserver::{
    BaseRequestHandler, Context, HandlerResult, TcpServer, ThreadingTcpServer,
};

/// Thanks each client
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,

    /// How requests are run
    #[arg(long, value_enum, default_value = "simple")]
    model: Model,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    Simple,
    Threading,
    #[cfg(unix)]
    Forking,
}

/// Python creates an instance of the handler class for each request; here the closure creates a value.
struct ThankYou;

impl BaseRequestHandler for ThankYou {
    /// Python's `self.request` and `self.client_address` are `cx.request` and `cx.client_address` here; the socket
    /// has the same methods.
    fn handle(&mut self, cx: &mut Context) -> HandlerResult {
        say!("Got connection from {}", cx.client_address);
        cx.request.sendall(b"Thank you for connecting\n")?;
        Ok(())
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let listen = args.server.listen;
        match args.model {
            Model::Simple => {
                serve(&*TcpServer::bind_with(listen, || ThankYou, args.server.config())?)
            }
            Model::Threading => {
                serve(&*ThreadingTcpServer::bind_with(listen, || ThankYou, args.server.config())?)
            }
            // Fork mode is refused if the process has other threads.
            #[cfg(unix)]
            Model::Forking => {
                serve(&*ForkingTcpServer::bind_with(listen, || ThankYou, args.server.config())?)
            }
        }
    })
}
