//! Answers every connection with what it receives.
//!
//! ```text
//! $ cargo run --release --example echo_server
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! hello
//! hello
//! ```

mod cli;

use std::process::ExitCode;

use cli::{DRAIN, ServerArgs};
use sinew::prelude::*;

/// One object for each connection. It needs no field: all that it knows of its connection is the transport that it is
/// handed.
struct Echo;

impl Protocol for Echo {
    /// Bytes came. `write` never waits: what the peer does not take at once is queued, and while much is queued, the
    /// connection reads no more. So a peer that sends without reading costs little memory, and nothing has to be done
    /// about it here.
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> ExitCode {
    cli::main_about("Answers every connection with what it receives", |args: ServerArgs| {
        let reactor = args.reactor()?;
        // A closure that makes a protocol is a factory.
        let port = args.listen.listen(&reactor, |_: &Peer| Echo)?;
        // Said once the loop runs. Before that, it would not know yet what to do with SIGINT and SIGTERM.
        cli::announce_port(&reactor, &port);
        // After a signal: no new connections, and those that are open may send what they have queued.
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
        reactor.run()?;
        Ok(())
    })
}
