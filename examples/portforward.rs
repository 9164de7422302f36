//! Forwards each connection to another address, byte for byte, both ways.
//!
//! ```text
//! $ echo hello | nc -N 127.0.0.1 8000    # with `portforward --to 127.0.0.1:9000`, and an echo server there
//! hello
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{ServerArgs, say};
use sinew::transports::proxy::{ProxyHeader, ProxyVersion};
use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

/// The client's end of a tunnel to another address.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) to: ClientEndpoint,
    /// A tunnel is closed after this time without data in either direction.
    pub(crate) idle_timeout: Option<Duration>,
    /// PROXY protocol version to announce the client with, if any.
    pub(crate) send_proxy: Option<ProxyVersion>,
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.idle_timeout);
        // Do not read from the client until the other connection is established.
        transport.pause_reading();
        let client = transport.clone();
        let outgoing = move |_: &Peer| OtherEnd { client: client.clone() };
        let client = transport.clone();
        let header = |version| ProxyHeader::new(version).on_behalf_of(transport);
        let config = ConnectConfig::default().proxy_header(self.send_proxy.map(header));
        let Some(reactor) = transport.reactor() else { return };
        let connecting = self.to.connect_with(&reactor, config, outgoing);
        connecting.then(move |_, connected| {
            if let Err(error) = connected {
                say!("{} closed: {error}", client.peer());
                client.lose_connection();
            }
        });
    }

    /// All data are relayed, so none arrive here.
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// The other end of the tunnel. Once connected, the two ends are relayed to each other.
struct OtherEnd {
    client: Transport,
}

impl Protocol for OtherEnd {
    fn connection_made(&mut self, transport: &Transport) {
        match self.client.relay(transport) {
            // From here on, closing or losing one end affects the other.
            Ok(relayed) => {
                relayed.detach();
                self.client.resume_reading();
            }
            // The client has disconnected in the meantime.
            Err(_) => transport.lose_connection(),
        }
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Forwards each connection to another address
#[derive(Parser)]
struct Args {
    /// Where to forward to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// Idle timeout of a tunnel in milliseconds
    #[arg(long, value_name = "MS")]
    idle_timeout: Option<u64>,

    /// Announce each client with a PROXY protocol header: v1 or v2
    #[arg(long, value_name = "VERSION")]
    send_proxy: Option<ProxyVersion>,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let idle_timeout = args.idle_timeout.map(Duration::from_millis);
        let end = End { to: args.to, idle_timeout, send_proxy: args.send_proxy };
        let port = args.server.listen.listen(&reactor, move |_: &Peer| end.clone())?;
        cli::run(&reactor, port)
    })
}
