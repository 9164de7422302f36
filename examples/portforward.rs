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
use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

/// The end of a client, which leads on to another address.
pub(crate) struct End {
    to: ClientEndpoint,
    idle_timeout: Option<Duration>,
}

impl End {
    /// The end of a client that is led to `to`.
    pub(crate) fn leading(to: ClientEndpoint) -> Self {
        Self { to, idle_timeout: None }
    }

    /// The tunnel is closed when nothing has come from either side for so long.
    pub(crate) fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.idle_timeout);
        // The client is not read until the other end stands.
        transport.pause_reading();
        let client = transport.clone();
        let outgoing = move |_: &Peer| OtherEnd { client: client.clone() };
        let client = transport.clone();
        self.to.connect(&transport.reactor(), outgoing).then(move |_, connected| {
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

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let (to, idle_timeout) = (args.to, args.idle_timeout.map(Duration::from_millis));
        let end = move |_: &Peer| End::leading(to.clone()).idle_timeout(idle_timeout);
        let port = args.server.listen.listen(&reactor, end)?;
        cli::run(&reactor, port)
    })
}
