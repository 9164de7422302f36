//! Echo server for inetd and systemd: its standard input is a socket, either one connection (inetd's `nowait`) or a
//! listener (`wait`). Unix only.
//!
//! ```text
//! $ cargo build --release --example inetd_echo
//! $ systemd-socket-activate --inetd --accept --listen 127.0.0.1:8000 target/release/examples/inetd_echo
//! Listening on 127.0.0.1:8000 as 3.
//! ```
//!
//! ```text
//! $ nc -N 127.0.0.1 8000
//! hello
//! hello
//! ```

mod cli;

#[cfg(unix)]
mod unix {
    use super::cli::{self, EngineArgs, Failed};
    use sinew::{prelude::*, reactor::inherited, transports::DescriptorKind};

    struct Echo;

    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }

    /// Prints nothing to standard output, since that is the same socket.
    pub(crate) fn run(args: EngineArgs) -> Result<(), Failed> {
        let reactor = args.builder().build()?;
        let socket = inherited(0)?;
        if DescriptorKind::of(&socket)?.is_listener() {
            let port = reactor.adopt_port(socket, ListenConfig::default(), |_: &Peer| Echo)?;
            reactor.on(Phase::BeforeShutdown, move |_| port.drain(cli::DRAIN));
            return Ok(reactor.run()?);
        }
        let connection = reactor.adopt_stream(socket, Echo)?;
        let over = connection.transport().when_lost();
        cli::run_until(&reactor, async { Ok(over.await?) })
    }
}

cli::unix_main!(
    "Answers with what it receives, on the socket that is its standard input",
    unix::run
);
