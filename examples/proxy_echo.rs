//! An echo server behind proxies that use the PROXY protocol. It prints the original client and destination
//! addresses.
//!
//! ```text
//! $ curl --haproxy-protocol telnet://127.0.0.1:8000
//! you are 127.0.0.1:43210 by 127.0.0.1:43210, and asked for 127.0.0.1:8000
//! ```

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{ServerArgs, say};
use sinew::{
    prelude::*,
    reactor::Excerpt,
    transports::{
        endpoint::{Proxy, ServerEndpoint},
        proxy::{ProxyConfig, Subnet, tlv},
    },
};

struct Echo;

impl Protocol for Echo {
    /// The header has been received, and the peer is the client that it names. Without a valid header no protocol is
    /// created.
    fn connection_made(&mut self, transport: &Transport) {
        let peer = transport.peer();
        let whom = match peer.proxied() {
            Some(proxied) => {
                // The name is chosen by the client, so it is escaped.
                let name = proxied.tlv(tlv::AUTHORITY).map(|name| Excerpt::new(name).to_string());
                let addr = proxied.destination().map(|addr| addr.to_string());
                let asked = name.or(addr).unwrap_or("nobody knows whom".to_owned());
                format!("{peer} by {}, and asked for {asked}", proxied.via())
            }
            // A health check by the proxy itself.
            None => format!("{peer}, a proxy"),
        };
        say!("{whom}");
        transport.write(format!("you are {whom}\r\n").as_bytes());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// An echo server behind proxies that use the PROXY protocol
#[derive(Parser)]
struct Args {
    /// Networks of the proxies, such as 10.0.0.0/8, or an address; may be given more than once. Default: this machine
    #[arg(long, value_name = "SUBNET")]
    trust: Vec<Subnet>,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let mut config = ProxyConfig::default();
        if !args.trust.is_empty() {
            config = config.trust(args.trust);
        }
        // Equivalent to the prefix `proxy:` in an endpoint string.
        let endpoint = ServerEndpoint::new(Proxy::new(args.server.listen, config));
        let port = endpoint.listen(&reactor, |_: &Peer| Echo)?;
        cli::run(&reactor, port)
    })
}
