//! Sends back what each connection receives.
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

/// One instance per connection. It needs no fields: everything about its connection is in the transport passed to
/// each callback.
struct Echo;

impl Protocol for Echo {
    /// Data were received. `write` never blocks: what the peer does not read yet is queued, and while the queue is
    /// above its high watermark, the connection stops reading (backpressure). So a peer that sends without reading
    /// costs little memory, without any code here.
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> ExitCode {
    cli::main_about("Answers every connection with what it receives", |args: ServerArgs| {
        let reactor = args.reactor()?;
        // A closure that creates a protocol is a factory.
        let port = args.listen.listen(&reactor, |_: &Peer| Echo)?;
        // Printed once the loop runs: before that, SIGINT and SIGTERM are not handled yet.
        cli::announce_port(&reactor, &port);
        // After a signal: stop accepting, and let open connections send what is queued.
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
        reactor.run()?;
        Ok(())
    })
}
