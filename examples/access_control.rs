//! Access control by client address: the hook `verify_request` decides before a handler is created. In Python it is a
//! method that a subclass of the server overrides.
//!
//! ```text
//! $ cargo run --release --features socketserver --example access_control -- --allow 127.0.0.1 --allow ::1
//! listening on 127.0.0.1:8000
//! 127.0.0.1:42712 came in
//! 127.0.0.2:42728 was turned away
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! Welcome, 127.0.0.1.
//! $ nc -s 127.0.0.2 127.0.0.1 8000
//! ```

mod cli;

use std::{net::IpAddr, process::ExitCode};

use clap::Parser;
use cli::{AddrArgs, say, serve};
use sinew::socketserver::{
    Address, BaseRequestHandler, BaseServer, Context, HandlerResult, Hooks, Request,
    ThreadingTcpServer,
};

/// Accepts only clients with the given addresses
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: AddrArgs,

    /// Address of a client to accept; may be given more than once
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    allow: Vec<IpAddr>,
}

/// The hooks of this server. All other hooks keep their defaults.
struct AccessControl {
    allowed: Vec<IpAddr>,
}

impl Hooks for AccessControl {
    /// Called for each accepted connection. If it returns false, the connection is closed and no handler is created.
    fn verify_request(&self, _: &BaseServer, _: &Request, client_address: &Address) -> bool {
        // On an IPv6 port, an IPv4 client has an IPv4-mapped IPv6 address.
        let ip = client_address.ip().map(|ip| ip.to_canonical());
        let is_allowed = ip.is_some_and(|ip| self.allowed.contains(&ip));
        let became = if is_allowed { "came in" } else { "was turned away" };
        say!("{client_address} {became}");
        is_allowed
    }
}

struct Welcome;

impl BaseRequestHandler for Welcome {
    fn handle(&mut self, cx: &mut Context) -> HandlerResult {
        if let Some(ip) = cx.client_address.ip() {
            cx.request.sendall(format!("Welcome, {ip}.\n").as_bytes())?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let config = args.server.config().hooks(AccessControl { allowed: args.allow });
        let server = ThreadingTcpServer::bind_with(args.server.listen, || Welcome, config)?;
        serve(&server)
    })
}
