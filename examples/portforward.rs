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

/// The end of a client, which leads on to another address.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) to: ClientEndpoint,
    /// The tunnel is closed when nothing has come from either side for so long.
    pub(crate) idle_timeout: Option<Duration>,
    /// The other address is told first for whom the connection is.
    pub(crate) send_proxy: Option<ProxyVersion>,
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.idle_timeout);
        // The client is not read until the other end stands.
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

    /// All that comes is relayed.
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// The other end of the tunnel. As soon as it is there, both are tied together.
struct OtherEnd {
    client: Transport,
}

impl Protocol for OtherEnd {
    fn connection_made(&mut self, transport: &Transport) {
        match self.client.relay(transport) {
            // From here on, whatever happens to one end happens to the other.
            Ok(relayed) => {
                drop(relayed);
                self.client.resume_reading();
            }
            // The client did not wait.
            Err(_) => transport.lose_connection(),
        }
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Forwards each connection to another address
#[derive(Parser)]
struct Args {
    /// Where to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// Milliseconds after which a tunnel is closed if nothing comes from either side
    #[arg(long, value_name = "MS")]
    idle_timeout: Option<u64>,

    /// Tells there first for whom a connection is, by the PROXY protocol: v1 or v2
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
